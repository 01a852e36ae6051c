"""`hikyaku verify --repair` where the journal has lost an account, and `hikyaku account recover`."""
import json
import signal
import smtplib
import unittest

from harness import PASSWORD, Instance
from mail import messages
from saved_store import flip


class LostAddress(unittest.TestCase):
    """A repair passes over the group that made an account: its mail is nobody else's, and gets an address again."""

    COUNT = 6

    def setUp(self):
        self.server = self.enterContext(Instance("anna@example.org"))
        self.server.add_account("bob@example.org")
        for i in range(self.COUNT):
            with smtplib.SMTP(self.server.host, self.server.port("smtp"), timeout=20) as smtp:
                smtp.sendmail("x@beta.test", ["anna@example.org", "bob@example.org"], f"Subject: secret {i}\r\n\r\nx\r\n")
        self.server.stop(signal.SIGKILL)
        for path in sorted(self.server.dir.glob("data/journal/*.log")):
            at = path.read_bytes().find(b"bob@example.org")
            if at >= 0:
                return flip(path, at)
        self.fail("nothing adds bob")

    def verify(self, *options):
        done = self.server.run("verify", *options, check=False)
        return done.returncode, " ".join((done.stdout + done.stderr).split())

    def subjects(self, user):
        return sorted(m["Subject"] for m in messages(self.server, user))

    def recover_and_read(self, *recover):
        told = " ".join(self.server.run(*recover, "--password-stdin", input=PASSWORD).stdout.split())
        self.assertIn(f"{self.COUNT} messages", told)
        if not self.server.process:
            self.server.start()
        self.assertEqual(self.subjects("bob@example.org"), [f"secret {i}" for i in range(self.COUNT)])
        self.assertEqual(self.subjects("anna@example.org"), self.subjects("bob@example.org"))

    def test_its_mail_is_nobody_elses_and_gets_an_address_again(self):
        code, told = self.verify("--repair")
        self.assertEqual(code, 1, told)
        number = int(told.split("Account ")[1].split()[0])
        remedy = f"hikyaku account recover {number} ADDRESS"
        self.assertIn(f"Account {number} has {self.COUNT} messages", told)
        self.assertIn(remedy, told)
        code, told = self.verify()
        self.assertEqual(code, 1, told)
        self.assertIn("The mail of 1 account and of 1 without an address is whole", told)
        self.assertNotIn("verify --repair", told)  # it does not help
        self.assertIn(remedy, told)
        report = json.loads(self.server.run("verify", "--json", check=False).stdout)
        self.assertEqual([(one["account"], one["messages"]) for one in report["mail"]["without_address"]], [(number, self.COUNT)])

        self.server.start()
        self.server.add_account("carl@example.org")
        self.assertEqual(self.subjects("carl@example.org"), [])
        shown = json.loads(self.server.run("account", "show", "carl@example.org", "--json").stdout)
        self.assertFalse([box["path"] for box in shown["mailboxes"] if box["path"].startswith("Recovered")])
        self.assertIn(remedy, " ".join(self.server.run("account", "list").stdout.split()))
        for wrong, why in (((number, "anna@example.org"), "already"), ((1, "new@example.org"), "has its address"),
                           ((number + 1, "new@example.org"), "has its address"), ((99, "new@example.org"), "no mail"),
                           ((number, "bob@elsewhere.test"), "domain add"), (("two", "new@example.org"), "no number")):
            done = self.server.run("account", "recover", *map(str, wrong), "--password-stdin", input=PASSWORD, check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(why, " ".join(done.stderr.split()))
        self.recover_and_read("account", "recover", str(number), "bob@example.org")
        self.assertNotIn("recover", self.server.run("account", "list").stdout)
        paths = [box["path"] for box in json.loads(self.server.run("account", "show", "bob@example.org", "--json").stdout)["mailboxes"]]
        self.assertEqual(paths[0], "INBOX")
        self.assertFalse([path for path in paths if path.startswith("Recovered")])
        with smtplib.SMTP(self.server.host, self.server.port("smtp"), timeout=20) as smtp:
            smtp.sendmail("x@beta.test", ["bob@example.org"], "Subject: later\r\n\r\nx\r\n")
        self.assertIn("later", self.subjects("bob@example.org"))
        self.server.stop()
        code, told = self.verify()
        self.assertEqual(code, 0, told)
        self.assertIn("The mail of 3 accounts is whole", told)

    def test_without_a_server(self):
        self.verify("--repair")
        report = json.loads(self.server.run("verify", "--json", check=False).stdout)
        self.recover_and_read("account", "recover", str(report["mail"]["without_address"][0]["account"]), "bob@example.org")


if __name__ == "__main__":
    unittest.main()
