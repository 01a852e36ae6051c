"""hikyaku reload: what is said to count from now on does, wherever the server uses it; and what a mistake in the file leaves undone."""
import email
import email.policy
import imaplib
import json
import re
import smtplib
import socket
import socketserver
import subprocess
import tempfile
import threading
import unittest

from harness import HIKYAKU, PASSWORD, Instance, eventually, free_port_base, need
from mail import run, tls

ANNA = "anna@alpha.test"
ZONE = """\
$ORIGIN test.
$TTL 60
alpha       MX 10 mx.alpha
mx.alpha    A 127.0.1.1
beta        MX 10 mx.beta
mx.beta     A 127.0.2.2
"""


class Collector(socketserver.ThreadingTCPServer):
    """A mail server that keeps what it is sent, and refuses recipients called bad…"""
    allow_reuse_address = daemon_threads = True

    def __init__(self, host, port):
        self.got = []
        super().__init__((host, port), CollectorSession)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class CollectorSession(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        self.say("220 collector")
        for line in self.rfile:
            verb = line[:4].upper()
            if verb == b"EHLO":
                self.say("250 8BITMIME")
            elif verb == b"RCPT" and b"<bad" in line:
                self.say("550 5.1.1 nobody of that name")
            elif verb == b"DATA":
                self.say("354 go on")
                text = b""
                while not text.endswith(b"\r\n.\r\n"):
                    text += self.rfile.readline()
                self.server.got.append(text[:-3])
                self.say("250 2.6.0 taken")
            elif verb == b"QUIT":
                return self.say("221 bye")
            else:
                self.say("250 2.0.0 fine")


def sendmail(server, text, *arguments):
    return subprocess.run([str(HIKYAKU), "sendmail", "--dir", str(server.dir), *arguments], input=text, capture_output=True, text=True, timeout=60)


class Reload(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        zone = cls.enterClassContext(tempfile.NamedTemporaryFile("w", suffix=".zone"))
        zone.write(ZONE)
        zone.flush()
        base = free_port_base("127.0.1.1")
        cls.beta = Collector("127.0.2.2", base + 25)
        cls.addClassCleanup(cls.beta.server_close)
        cls.addClassCleanup(cls.beta.shutdown)
        only_plain = {f"{service}.mechanisms": '["PLAIN"]' for service in ("submission", "imap", "pop3")}
        cls.server = cls.enterClassContext(Instance(ANNA, host="127.0.1.1", base=base, zone=zone.name,
                                                    config={"store.scrub_every": '"0s"', **only_plain}))

    def applied(self, **options):
        """Reloads with these options (section__name), all of which count now."""
        options = {name.replace("__", "."): value for name, value in options.items()}
        self.server.configure(options)
        told = json.loads(self.server.run("reload", "--json").stdout)["options"]
        self.assertEqual({one["option"]: one["outcome"] for one in told}, dict.fromkeys(options, "applied"))

    def test_limits_of_mail_from_programs_and_of_imports(self):
        big = f"From: {ANNA}\nSubject: big\n\n" + 2_000 * f"{'x' * 70}\n"
        many = [f"anna+{i}@alpha.test" for i in range(101)]
        for words in ([ANNA], many):
            self.assertEqual(sendmail(self.server, "Subject: x\n\ny\n" if words is many else big, *words).returncode, 0)
        self.applied(smtp__max_message_size='"100KB"', smtp__max_recipients=100, imap__max_append_size='"100KB"')
        done = sendmail(self.server, big, ANNA)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("larger than", done.stderr)
        done = sendmail(self.server, "Subject: x\n\ny\n", *many)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("at most 100 recipients", done.stderr)
        with tempfile.NamedTemporaryFile("w", suffix=".mbox") as file:
            file.write(f"From {ANNA} Mon Nov 23 09:00:00 2026\n{big}\n")
            file.flush()
            done = self.server.run("import", "--account", ANNA, "--mailbox", "INBOX", "--json", file.name, check=False)
        self.assertTrue(done.stdout, done.stderr)
        self.assertEqual(json.loads(done.stdout)["refused"], 1)

    def test_the_language_of_new_accounts_and_of_notices_to_strangers(self):
        japanese = re.compile("[ぁ-ん]")

        def account(address):
            self.server.add_account(address)
            return json.loads(self.server.run("account", "show", address, "--json").stdout)["language"]

        def notice():
            before = len(self.beta.got)
            self.assertEqual(sendmail(self.server, "Subject: x\n\ny\n", "-f", "stranger@beta.test", "bad@beta.test").returncode, 0)
            text = eventually(lambda: self.beta.got[before:])[0]
            return next(email.message_from_bytes(text, policy=email.policy.default).iter_parts()).get_content()
        self.assertEqual(account("ben@alpha.test"), "en")
        self.assertNotRegex(notice(), japanese)
        self.applied(server__language='"ja"')
        self.assertEqual(account("cho@alpha.test"), "ja")
        self.assertRegex(notice(), japanese)
        self.server.add_account("dan@alpha.test", PASSWORD, "--language", "en")
        self.assertEqual(json.loads(self.server.run("account", "show", "dan@alpha.test", "--json").stdout)["language"], "en")

    def test_a_mechanism_is_prepared_for_from_the_next_password_on(self):
        def keys(address):
            own = json.loads(self.server.run("account", "show", address, "--json").stdout)["credentials"][0]
            return own["scram"], own["legacy"]
        self.server.add_account("eva@alpha.test")
        self.assertEqual(keys("eva@alpha.test"), (False, False))
        self.applied(imap__mechanisms='["PLAIN", "SCRAM-SHA-256"]')
        self.server.add_account("fay@alpha.test")
        self.assertEqual(keys("fay@alpha.test"), (True, False))
        imap = imaplib.IMAP4_SSL(self.server.host, self.server.port("imaps"), ssl_context=tls(), timeout=20)
        imap.authenticate("PLAIN", lambda _: f"\0eva@alpha.test\0{PASSWORD}".encode())
        imap.logout()
        eventually(lambda: keys("eva@alpha.test") == (True, False))
        self.applied(pop3__mechanisms='["PLAIN", "CRAM-MD5"]')
        with smtplib.SMTP(self.server.host, self.server.port("submission"), timeout=20) as smtp:
            smtp.starttls(context=tls())
            smtp.login("fay@alpha.test", PASSWORD)
        eventually(lambda: keys("fay@alpha.test") == (True, True))

    def test_the_store_is_read_through_as_often_as_is_said_now(self):
        ended = lambda: float(re.search(r"(?m)^hikyaku_store_scrub_end_timestamp_seconds (\S+)", self.server.run("metrics").stdout)[1])
        self.assertEqual(ended(), 0)
        self.applied(store__scrub_every='"1s"')
        eventually(lambda: ended() > 0)

    def test_a_mistake_leaves_the_options_and_renews_the_certificates(self):
        need("openssl")

        def shown():
            with socket.create_connection((self.server.host, self.server.port("imaps")), 10) as s, tls().wrap_socket(s) as secure:
                return secure.getpeercert(binary_form=True)

        def size():
            with smtplib.SMTP(self.server.host, self.server.port("smtp"), timeout=10) as smtp:
                smtp.ehlo("x.test")
                return smtp.esmtp_features["size"]
        file = self.server.dir / "hikyaku.toml"
        kept = file.read_text()
        self.addCleanup(file.write_text, kept)
        before, old_size = shown(), size()
        self.server.configure({"smtp.max_message_size": '"7MB"', "imap.max_errors": '"many"'})
        chain, key = self.server.dir / "tls" / "cert.pem", self.server.dir / "tls" / "key.pem"
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9",
            "-subj", "/CN=mx.alpha.test", "-addext", "subjectAltName=DNS:mx.alpha.test", "-keyout", key, "-out", chain)
        for language, words in (("en", "no option was changed (the certificates were read anew)"),
                                ("ja", "オプションは変更していません(証明書は読み直しました)")):
            done = self.server.run("reload", "--lang", language, check=False)
            self.assertEqual(done.returncode, 65)
            self.assertIn(words.replace(" ", ""), re.sub(r"\s", "", done.stderr))
        self.assertTrue(any("event=config.reload" in line and "the certificates were read anew" in line for line in self.server.log))
        self.assertNotEqual(shown(), before)
        self.assertEqual(size(), old_size)
        after, good = shown(), chain.read_bytes()
        self.addCleanup(chain.write_bytes, good)
        chain.write_bytes(b"not a certificate\n")
        done = self.server.run("reload", check=False)
        self.assertIn("nothing was changed", " ".join(done.stderr.split()))
        self.assertIn("nor could the certificates be read anew", " ".join(done.stderr.split()))
        self.assertEqual(shown(), after)


if __name__ == "__main__":
    unittest.main()
