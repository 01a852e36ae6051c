"""swaks: port 25, submission with STARTTLS, implicit TLS, each mechanism, large and 8-bit mail, pipelining."""
import pathlib
import re
import tempfile
import unittest

from harness import PASSWORD, Instance, need
from mail import messages, raw_messages, run, stamp


class Swaks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        need("swaks")
        cls.server = cls.enterClassContext(Instance("anna@alpha.test"))
        cls.server.add_account("bob@alpha.test")

    def swaks(self, *arguments, service="submission", sender="anna@alpha.test", check=True):
        return run("swaks", "--server", self.server.host, "--port", self.server.port(service), "--helo", "pc1.alpha.test",
                   "--from", sender, "--to", "bob@alpha.test", *arguments, check=check)

    def login(self, mechanism="PLAIN", user="anna@alpha.test", password=PASSWORD):
        return ["--auth", mechanism, "--auth-user", user, "--auth-password", password]

    def got(self, mark):
        return [m for m in messages(self.server, "bob@alpha.test") if m["Subject"] == mark]

    def test_mail_from_another_server_on_port_25(self):
        mark = stamp()
        self.swaks("--header", f"Subject: {mark}", "--tls", service="smtp", sender="carl@beta.test")
        got, = self.got(mark)
        self.assertEqual(got["Return-Path"], "<carl@beta.test>")
        self.assertIn("from pc1.alpha.test", got["Received"])
        self.assertRegex(got["Received"], r"with ESMTPS\b")
        # Without a DNS of ours nobody is asked about this machine; so it works without any network, at once.
        self.assertRegex(got["Authentication-Results"], r"^[\w.-]+; none$")
        self.assertIn("no public record speaks of it", self.server.run("trace", got["Message-Id"]).stdout)

    def test_port_25_without_tls_and_by_helo(self):
        mark = stamp()
        self.swaks("--header", f"Subject: {mark}", "--protocol", "SMTP", service="smtp", sender="carl@beta.test")
        self.assertRegex(self.got(mark)[0]["Received"], r"with SMTP\b")

    def test_no_login_on_port_25(self):
        done = self.swaks("--tls", *self.login(), service="smtp", check=False)
        self.assertEqual(done.returncode, 28, done.stdout)  # AUTH was not offered
        self.assertNotRegex(done.stdout, r"(?m)^<. +250.AUTH")

    def test_every_mechanism_under_starttls(self):
        for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5"):
            with self.subTest(mechanism):
                mark = stamp()
                self.swaks("--header", f"Subject: {mark}", "--tls", *self.login(mechanism))
                self.assertRegex(self.got(mark)[0]["Received"], r"with ESMTPSA\b")

    def test_every_mechanism_under_implicit_tls(self):
        for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5"):
            with self.subTest(mechanism):
                mark = stamp()
                self.swaks("--header", f"Subject: {mark}", "--tls-on-connect", *self.login(mechanism), service="submissions")
                self.assertEqual(len(self.got(mark)), 1)

    def test_a_wrong_password_is_told_from_a_missing_one(self):
        for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5"):
            with self.subTest(mechanism):
                done = self.swaks("--tls", *self.login(mechanism, password="wrong"), check=False)
                self.assertEqual(done.returncode, 28, done.stdout)
                self.assertIn("535 5.7.8", done.stdout)
        self.assertRegex(self.swaks("--tls", check=False).stdout, r"530 5\.7\.0")

    def test_unknown_recipient_and_relaying(self):
        done = self.swaks("--to", "nobody@alpha.test", service="smtp", sender="carl@beta.test", check=False)
        self.assertIn("550 5.1.1", done.stdout)
        done = self.swaks("--to", "dora@gamma.test", service="smtp", sender="carl@beta.test", check=False)
        self.assertIn("550 5.7.1", done.stdout)

    def test_eight_bit_text_comes_back_byte_for_byte(self):
        mark = stamp()
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory, "mail")
            path.write_bytes(b"From: anna@alpha.test\nTo: bob@alpha.test\nSubject: " + mark.encode() + b"\nMIME-Version: 1.0\n"
                             b"Content-Type: text/plain; charset=iso-2022-jp\nContent-Transfer-Encoding: 8bit\n\n"
                             b"\x1b$B$3$s$K$A$O\x1b(B \xe9\xff\x80 \xe3\x81\x82\n.\n..\n. dots\n")
            self.swaks("--tls", *self.login(), "--data", f"@{path}")
        raw = [r for r in raw_messages(self.server, "bob@alpha.test") if mark.encode() in r][0]
        # swaks itself puts an empty line before the last dot.
        self.assertTrue(raw.endswith(b"\x1b$B$3$s$K$A$O\x1b(B \xe9\xff\x80 \xe3\x81\x82\r\n.\r\n..\r\n. dots\r\n\r\n"), raw[-80:])

    def test_a_large_attachment(self):
        mark = stamp()
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory, "large.bin")
            content = bytes(range(256)) * 40_000  # 10 MB
            path.write_bytes(content)
            self.swaks("--tls", *self.login(), "--header", f"Subject: {mark}", "--suppress-data", "--attach", f"@{path}")
        part = [p for p in self.got(mark)[0].walk() if p.get_content_maintype() == "application"][0]
        self.assertEqual(part.get_payload(decode=True), content)

    def test_pipelined_commands_are_answered_in_order(self):
        mark = stamp()
        done = self.swaks("--pipeline", "--header", f"Subject: {mark}", "--to", "bob@alpha.test,nobody@alpha.test,anna@alpha.test",
                          service="smtp", sender="carl@beta.test")
        replies = re.findall(r"(?m)^<..? +(\d{3}) (?:[245]\.\d+\.\d+ )?", done.stdout)
        self.assertIn("550", replies)
        self.assertEqual(len(self.got(mark)), 1)

    def test_recipients_with_a_detail_and_in_capitals(self):
        for to in ("bob+lists@alpha.test", "BOB@Alpha.Test"):
            with self.subTest(to):
                mark = stamp()
                self.swaks("--to", to, "--header", f"Subject: {mark}", service="smtp", sender="carl@beta.test")
                self.assertEqual(len(self.got(mark)), 1)

    def test_the_null_sender(self):
        mark = stamp()
        self.swaks("--header", f"Subject: {mark}", service="smtp", sender="<>")
        self.assertEqual(self.got(mark)[0]["Return-Path"], "<>")


if __name__ == "__main__":
    unittest.main()
