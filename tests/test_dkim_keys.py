"""What leaves is signed by the keys of its author's domain; keys are made, published, take over, retire and go."""
import json
import pathlib
import re
import socketserver
import stat
import tempfile
import threading
import unittest

from harness import Instance, eventually, free_port_base, hikyaku
from mail import message, submit

try:
    import dkim as dkimpy  # Debian's python3-dkim: somebody else's reading of the same RFCs
except ImportError:
    dkimpy = None

ZONE = """\
$ORIGIN test.
$TTL 2
alpha       MX 10 mx.alpha
mx.alpha    A 127.0.1.1
beta        MX 10 mx.beta
mx.beta     A 127.0.2.1
"""


class Recorder(socketserver.ThreadingTCPServer):
    """The mail server of beta.test: takes everything and keeps the bytes."""
    allow_reuse_address = daemon_threads = True

    def __init__(self, address):
        self.mails = []
        super().__init__(address, Session)


class Session(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"220 mx.beta.test ESMTP\r\n")
        for line in self.rfile:
            verb = line[:4].upper()
            if verb == b"EHLO":
                self.wfile.write(b"250-mx.beta.test\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n")
            elif verb == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = iter(self.rfile.readline, b".\r\n")
                self.server.mails.append(b"".join(l[1:] if l.startswith(b"..") else l for l in lines))
                self.wfile.write(b"250 taken\r\n")
            elif verb == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 ok\r\n")


def signatures(mail):
    """[(domain, selector, algorithm)], the topmost first."""
    header = re.sub(rb"\r\n[ \t]+", b" ", mail.split(b"\r\n\r\n", 1)[0]).decode()
    found = []
    for line in header.split("\r\n"):
        if line.startswith("DKIM-Signature:"):
            tags = dict(tag.strip().split("=", 1) for tag in line.split(":", 1)[1].split(";") if "=" in tag)
            found.append((tags["d"], tags["s"], tags["a"]))
    return found


class Keys(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.zone = pathlib.Path(folder.name) / "test.zone"
        self.zone.write_text(ZONE)
        base = free_port_base("127.0.1.1")
        self.beta = Recorder(("127.0.2.1", base + 25))
        threading.Thread(target=self.beta.serve_forever, daemon=True).start()
        self.addCleanup(self.beta.server_close)
        self.addCleanup(self.beta.shutdown)
        self.server = Instance("anna@alpha.test", host="127.0.1.1", base=base, zone=self.zone)
        self.server.quickstart()
        self.addCleanup(self.server.__exit__)

    def keys(self):
        return {key["selector"]: key for key in json.loads(self.dkim("--json").stdout)}

    def dkim(self, *arguments, **options):
        return self.server.run("domain", "dkim", "alpha.test", *arguments, **options)

    def publish(self, records=None):
        """Puts the records of all keys into the zone."""
        text = self.server.run("domain", "records", "alpha.test").stdout
        lines = [line for line in text.splitlines() if "_domainkey" in line]
        self.zone.write_text(ZONE + "\n".join(lines) + "\n")

    def sent(self, m=None, **options):
        before = len(self.beta.mails)
        submit(self.server, m or message("anna@alpha.test", "bob@beta.test"), **options)
        eventually(lambda: len(self.beta.mails) > before)
        return self.beta.mails[-1]

    def verify(self, mail):
        """The results by selector."""
        done = hikyaku("dkim", "verify", self.zone.with_name("mail"), "--zone", self.zone, "--json") \
            if self.zone.with_name("mail").write_bytes(mail) else None
        return {s["selector"]: s["result"] for s in json.loads(done.stdout)["signatures"]}

    def test_what_leaves_is_signed_with_both_keys_and_others_can_check_it(self):
        self.publish()
        self.server.start()
        rsa, ed = sorted(self.keys(), reverse=True)
        for body in ("How are you?\n", "", "line\n" * 20_000, ".\n..\n \t \n\n\n", "Grüße\n"):
            mail = self.sent(message("Anna <anna@alpha.test>", "bob@beta.test", body=body))
            self.assertEqual(signatures(mail), [("alpha.test", rsa, "rsa-sha256"), ("alpha.test", ed, "ed25519-sha256")])
            self.assertEqual(self.verify(mail), {rsa: "pass", ed: "pass"})
            self.assertIn(b"Received:", mail)
            changed = mail.replace(b"Subject: Hello", b"Subject: Hallo")
            self.assertEqual(self.verify(changed), {rsa: "fail", ed: "fail"})
            added = mail.replace(b"Subject: Hello", b"Subject: Spam\r\nSubject: Hello")
            self.assertNotIn("pass", self.verify(added).values())
        story = self.server.run("trace", "bob@beta.test").stdout
        self.assertIn(rsa, story)

    @unittest.skipUnless(dkimpy, "not installed: python3-dkim")
    def test_another_program_verifies_both_signatures(self):
        self.publish()
        self.server.start()
        mail = self.sent(message("Anna <anna@alpha.test>", "bob@beta.test", "Grüße aus Köln", "Wie geht's?\n" * 300))
        records = {key["name"] + ".": key["record"].encode() for key in self.keys().values()}

        def ask(name, timeout=5):
            return records.get(name.decode() if isinstance(name, bytes) else name)

        for index in range(2):
            self.assertTrue(dkimpy.DKIM(mail).verify(idx=index, dnsfunc=ask), index)

    def test_a_removed_domain_leaves_no_private_keys(self):
        self.server.start()
        self.server.run("domain", "add", "gamma.test")
        folder = self.server.dir / "dkim"
        files = sorted(p.name for p in folder.glob("gamma.test.*"))
        self.assertEqual(len(files), 2)
        others = len(list(folder.glob("alpha.test.*")))
        self.server.add_account("carl@gamma.test")
        self.server.run("domain", "remove", "gamma.test", check=False)  # in use: nothing happens
        self.assertEqual(sorted(p.name for p in folder.glob("gamma.test.*")), files)
        self.server.run("account", "remove", "carl@gamma.test", "--yes")
        said = self.server.run("domain", "remove", "gamma.test").stdout
        for name in files:
            self.assertIn(name.removeprefix("gamma.test.").removesuffix(".pem") + "._domainkey.gamma.test.", said)
        self.assertEqual(list(folder.glob("gamma.test.*")), [])
        self.assertEqual(len(list(folder.glob("alpha.test.*"))), others)
        self.server.run("domain", "add", "delta.test", "--no-dkim")
        self.assertNotIn("_domainkey", self.server.run("domain", "remove", "delta.test").stdout)

    def test_bounces_and_programs_are_signed_and_strangers_mail_is_not(self):
        self.publish()
        self.server.start()
        self.server.run("sendmail", "-f", "anna@alpha.test", "bob@beta.test",
                        input="From: anna@alpha.test\nTo: bob@beta.test\nSubject: from cron\n\nx\n")
        eventually(lambda: self.beta.mails)
        self.assertEqual(set(self.verify(self.beta.mails[-1]).values()), {"pass"})
        self.server.run("alias", "add", "team@alpha.test", "bob@beta.test")
        import smtplib
        with smtplib.SMTP("127.0.1.1", self.server.port("smtp"), timeout=20) as smtp:
            smtp.sendmail("x@beta.test", ["team@alpha.test"], "From: x@alpha.test\r\nSubject: passed on\r\n\r\nx\r\n")
        eventually(lambda: any(b"passed on" in m for m in self.beta.mails))
        self.assertEqual(signatures(next(m for m in self.beta.mails if b"passed on" in m)), [])

    def test_key_files_are_for_the_server_alone(self):
        files = sorted((self.server.dir / "dkim").iterdir())
        self.assertEqual(len(files), 2)
        for file in files:
            self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
            self.assertIn("PRIVATE KEY", file.read_text())

    def test_a_new_pair_takes_over_once_the_dns_shows_it(self):
        self.publish()
        old = set(self.keys())
        said = self.dkim("rotate").stdout
        new = set(self.keys()) - old
        self.assertEqual(len(new), 2)
        for selector in new:
            self.assertIn(f"{selector}._domainkey.alpha.test.", said)
        self.server.start()
        self.assertEqual({s for _, s, _ in signatures(self.sent())}, old)
        states = {key["state"] for s, key in self.keys().items() if s in new}
        self.assertEqual(states, {"published"})
        self.server.stop()
        self.publish()
        self.server.start()
        eventually(lambda: all(self.keys()[s]["state"] == "active" for s in new), timeout=20, every=0.3)
        seen = next(key for s, key in self.keys().items() if s in new)
        self.assertGreaterEqual(seen["activated"], seen["signs_from"])
        mail = self.sent()
        self.assertEqual({s for _, s, _ in signatures(mail)}, new)
        self.assertEqual(set(self.verify(mail).values()), {"pass"})
        for selector in old:
            key = self.keys()[selector]
            self.assertEqual(key["state"], "retired")
            self.assertGreater(key["record_until"], key["retired"])
            self.assertEqual(self.dkim("remove", selector, check=False).returncode, 75)
            self.assertTrue((self.server.dir / "dkim" / f"alpha.test.{selector}.pem").exists())
            self.assertIn(f"{selector}._domainkey", self.server.run("domain", "records", "alpha.test").stdout)
            self.dkim("remove", selector, "--now")
            self.assertFalse((self.server.dir / "dkim" / f"alpha.test.{selector}.pem").exists())
            self.assertNotIn(f"{selector}._domainkey", self.server.run("domain", "records", "alpha.test").stdout)

    def test_another_key_under_the_new_selector_does_not_take_over(self):
        old = self.keys()
        self.dkim("rotate")
        new = {selector: key for selector, key in self.keys().items() if selector not in old}
        records = [line for line in self.server.run("domain", "records", "alpha.test").stdout.splitlines() if "_domainkey" in line]
        lines = []
        for selector, key in old.items():
            line = next(line for line in records if line.startswith(selector + "._domainkey."))
            other = next(s for s, k in new.items() if k["algorithm"] == key["algorithm"])
            lines += [line, line.replace(selector, other, 1)]
        self.zone.write_text(ZONE + "\n".join(lines) + "\n")
        self.server.start()
        found = eventually(lambda: (keys := self.keys()) and all(keys[s].get("looked") for s in new) and keys)
        self.assertEqual([(found[s]["state"], found[s]["seen"]) for s in new], [("published", "")] * 2)
        self.assertEqual({s for _, s, _ in signatures(self.sent())}, set(old))

    def test_keys_by_hand(self):
        self.server.start()
        rsa, ed = sorted(self.keys(), reverse=True)
        self.dkim("retire", rsa)
        self.assertEqual([a for _, _, a in signatures(self.sent())], ["ed25519-sha256"])
        self.dkim("activate", rsa)
        self.assertEqual([a for _, _, a in signatures(self.sent())], ["rsa-sha256", "ed25519-sha256"])
        pem = self.server.dir / "dkim" / f"alpha.test.{rsa}.pem"
        self.dkim("add", "mail", "--key", pem, "--now")
        self.assertEqual([s for _, s, _ in signatures(self.sent())], ["mail", ed])
        self.assertNotEqual(self.dkim("add", "mail", "--key", pem, check=False).returncode, 0)
        self.assertEqual(self.dkim("activte", check=False).returncode, 64)
        self.assertNotEqual(self.dkim("remove", "mail", check=False).returncode, 0)
        self.server.run("domain", "add", "beta.example")
        self.assertEqual(len(json.loads(self.server.run("domain", "dkim", "beta.example", "--json").stdout)), 2)

    def test_a_key_whose_record_is_not_there_says_so(self):
        """The first pair signs before its record is seen; nobody should have to guess."""
        words = lambda *more: " ".join(self.dkim(*more).stdout.split())
        self.assertIn("whether others can check it is not known: its record has not been seen in the DNS yet", words())
        self.assertTrue(all(len(line) <= 80 for line in self.dkim().stdout.splitlines()), self.dkim().stdout)
        self.server.start()
        eventually(lambda: "cannot be checked: its record is not in the DNS yet (next look at " in words())
        self.assertIn("使用中", words("--lang", "ja"))
        self.server.stop()
        self.publish()
        self.server.start()
        eventually(lambda: all(key["seen"] for key in self.keys().values()))
        self.assertNotIn("cannot be checked", words())
        self.assertEqual({key["state"] for key in self.keys().values()}, {"active"})
        self.server.stop()
        self.zone.write_text(ZONE)
        first = " ".join(self.dkim("rotate").stdout.split())
        self.assertNotIn("Already waiting", first)
        waiting = [s for s, key in self.keys().items() if key["state"] == "published"]
        second = " ".join(self.dkim("add", "more").stdout.split())
        self.assertIn("Already waiting for its record: " + ", ".join(waiting), second)
        self.zone.write_text(ZONE + "".join(f";!SERVFAIL {s}._domainkey.alpha.test. TXT\n" for s in [*waiting, "more"]))
        self.server.start()
        eventually(lambda: "the DNS could not be asked for its record (" in words())
        self.assertRegex(words(), rf"{waiting[0]} \S+ waiting ")  # it is not in the DNS, so it is not "published"
        done = self.dkim("remove", "nosuch", "--lang", "ja", check=False)
        self.assertIn("alpha.test に鍵 nosuch はありません", "".join(done.stderr.splitlines()))
        done = self.dkim("add", "other", "--key", self.zone, "--lang", "ja", check=False)
        self.assertIn("PEM 形式の秘密鍵が見つかりません", "".join(done.stderr.splitlines()))

    def test_the_last_key_is_not_retired_without_a_word(self):
        rsa, ed = sorted(self.keys(), reverse=True)
        self.assertNotIn("unsigned", self.dkim("retire", rsa).stdout)
        last = " ".join(self.dkim("retire", ed).stdout.split())
        self.assertIn("No key of alpha.test signs: its mail leaves unsigned", last)
        self.assertIn("its mail leaves unsigned", " ".join(self.dkim().stdout.split()))
        self.dkim("activate", rsa)
        self.assertNotIn("unsigned", self.dkim().stdout)

    def test_a_lost_key_file_lets_mail_go_unsigned_and_says_so(self):
        for file in (self.server.dir / "dkim").iterdir():
            file.unlink()
        self.server.start()
        self.assertEqual(signatures(self.sent()), [])
        self.assertTrue(any("dkim.key" in line for line in self.server.log))
        self.assertIn("unsigned", self.server.run("trace", "bob@beta.test").stdout)


if __name__ == "__main__":
    unittest.main()
