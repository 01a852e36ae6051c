"""msmtp: as sendmail's stand-in, with STARTTLS and TLS, each mechanism, from a file and from recipients in the header."""
import os
import pathlib
import tempfile
import unittest

from harness import PASSWORD, Instance, need
from mail import messages, run, stamp

ANNA = "anna@alpha.test"


class Msmtp(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        need("msmtp")
        cls.server = cls.enterClassContext(Instance(ANNA, config={"login.max_failures": 50}))
        cls.server.add_account("bob@alpha.test")
        cls.home = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        common = f"host {cls.server.host}\nfrom {ANNA}\nuser {ANNA}\npassword {PASSWORD}\ntls_certcheck off\ndomain pc1\n"
        accounts = [f"account starttls\nport {cls.server.port('submission')}\nauth on\ntls on\n{common}",
                    f"account tls\nport {cls.server.port('submissions')}\nauth on\ntls on\ntls_starttls off\n{common}"]
        accounts.append(accounts[1].replace("account tls", "account wrong").replace(PASSWORD, "wrong"))
        (cls.home / "msmtprc").write_text("\n".join(accounts))
        (cls.home / "msmtprc").chmod(0o600)

    def msmtp(self, *arguments, text, check=True):
        return run("msmtp", "-C", self.home / "msmtprc", *arguments, input=text, check=check, env={**os.environ, "HOME": str(self.home)})

    def got(self, mark):
        return [m for m in messages(self.server, "bob@alpha.test") if m["Subject"] == mark]

    def test_both_ways_of_tls_with_every_mechanism(self):
        offered = self.msmtp("--serverinfo", "-a", "tls", text="").stdout
        for mechanism in ("plain", "login", "cram-md5", "scram-sha-1", "scram-sha-256", "scram-sha-256-plus"):
            if mechanism.upper() not in run("msmtp", "--version").stdout.upper():
                continue  # not built in
            self.assertIn(mechanism.upper(), offered)
            for account in ("starttls", "tls"):
                with self.subTest(mechanism=mechanism, account=account):
                    mark = stamp()
                    self.msmtp("-a", account, f"--auth={mechanism}", "bob@alpha.test", text=f"From: {ANNA}\nSubject: {mark}\n\n.\nText\n")
                    got, = self.got(mark)
                    self.assertEqual(got.get_payload(), ".\r\nText\r\n")
                    self.assertTrue(got["Date"] and got["Message-ID"])

    def test_recipients_from_the_header_and_hidden_ones(self):
        mark = stamp()
        self.msmtp("-a", "tls", "-t", text=f"From: {ANNA}\nTo: {ANNA}\nBcc: bob@alpha.test\nSubject: {mark}\n\nText\n")
        self.assertIsNone(self.got(mark)[0]["Bcc"])
        self.assertEqual(len([m for m in messages(self.server) if m["Subject"] == mark]), 1)

    def test_what_is_refused_is_said(self):
        done = self.msmtp("-a", "tls", "nobody@alpha.test", text="Subject: x\n\nx\n", check=False)
        self.assertEqual(done.returncode, 65, done.stdout)  # EX_DATAERR
        self.assertIn("550 5.1.1", done.stdout)
        done = self.msmtp("-a", "tls", "--from=bob@alpha.test", "bob@alpha.test", text="Subject: x\n\nx\n", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("553 5.7.1", done.stdout)
        done = self.msmtp("-a", "wrong", "bob@alpha.test", text="Subject: x\n\nx\n", check=False)
        self.assertEqual(done.returncode, 77, done.stdout)  # EX_NOPERM
        self.assertIn("535 5.7.8", done.stdout)

    def test_server_info(self):
        said = self.msmtp("--serverinfo", "-a", "starttls", text="").stdout
        self.assertIn("mail.alpha.test ESMTP", said)
        self.assertIn("PIPELINING", said)
        self.assertIn("SIZE", said)


if __name__ == "__main__":
    unittest.main()
