"""The road with Python's own clients: submission, delivery, IMAP, POP3, and between two servers."""
import poplib
import smtplib
import tempfile
import unittest

from harness import PASSWORD, Instance, eventually, free_port_base
from mail import message, messages as inbox, submit, tls

ZONE = """\
$ORIGIN test.
$TTL 60
alpha       MX 10 mx.alpha
mx.alpha    A 127.0.1.1
beta        MX 10 mx.beta
mx.beta     A 127.0.2.1
"""


def pair(stack, config=None):
    """Two servers that know each other by a zone file."""
    zone = tempfile.NamedTemporaryFile("w", suffix=".zone", delete=False)
    zone.write(ZONE)
    zone.close()
    base = free_port_base("127.0.1.1")
    servers = []
    for name, host in (("anna@alpha.test", "127.0.1.1"), ("bob@beta.test", "127.0.2.1")):
        servers.append(stack.enter_context(Instance(name, host=host, base=base, zone=zone.name, config=config)))
    return servers


class OneServer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Instance("anna@alpha.test"))
        cls.server.add_account("bob@alpha.test")

    def test_submitted_mail_is_in_the_mailbox_when_it_is_accepted(self):
        submit(self.server, message("anna@alpha.test", "bob@alpha.test", "First"))
        subjects = [m["Subject"] for m in inbox(self.server, "bob@alpha.test")]
        self.assertIn("First", subjects)

    def test_bcc_is_removed_and_missing_fields_are_added(self):
        m = message("anna@alpha.test", "bob@alpha.test", "Fields")
        m["Bcc"] = "secret@alpha.test"
        with smtplib.SMTP_SSL(self.server.host, self.server.port("submissions"), context=tls(), timeout=20) as smtp:
            smtp.login("anna@alpha.test", PASSWORD)
            smtp.sendmail("anna@alpha.test", ["bob@alpha.test"], m.as_bytes(policy=m.policy.clone(linesep="\r\n")))
        got = [m for m in inbox(self.server, "bob@alpha.test") if m["Subject"] == "Fields"][0]
        self.assertIsNone(got["Bcc"])
        self.assertTrue(got["Date"])
        self.assertTrue(got["Message-ID"].endswith(">"))
        self.assertEqual(got["Return-Path"], "<anna@alpha.test>")
        self.assertNotIn("127.0.0.1", " ".join(got.get_all("Received")))

    def test_users_send_only_as_themselves(self):
        with self.assertRaises(smtplib.SMTPSenderRefused) as refused:
            self._mail_from("bob@alpha.test")
        self.assertEqual(refused.exception.smtp_code, 553)
        with self.assertRaises(smtplib.SMTPDataError) as refused:
            submit(self.server, message("bob@alpha.test", "anna@alpha.test"))
        self.assertEqual(refused.exception.smtp_code, 550)

    def _mail_from(self, sender):
        with smtplib.SMTP(self.server.host, self.server.port("submission"), timeout=20) as smtp:
            smtp.starttls(context=tls())
            smtp.login("anna@alpha.test", PASSWORD)
            smtp.sendmail(sender, ["anna@alpha.test"], "Subject: x\r\n\r\nx\r\n")

    def test_never_an_open_relay(self):
        for service in ("smtp", "submission"):
            with smtplib.SMTP(self.server.host, self.server.port(service), timeout=20) as smtp:
                smtp.ehlo("stranger.test")
                code, _ = smtp.mail("x@mallory.test")
                if code == 250:
                    code, text = smtp.rcpt("victim@beta.test")
                    self.assertEqual(code, 550)
                    self.assertIn(b"5.7.1", text)
                else:
                    self.assertEqual(code, 530)

    def test_unknown_recipient(self):
        with smtplib.SMTP(self.server.host, self.server.port("smtp"), timeout=20) as smtp:
            smtp.ehlo("mx.beta.test")
            smtp.mail("x@beta.test")
            code, text = smtp.rcpt("nobody@alpha.test")
            self.assertEqual(code, 550)
            self.assertIn(b"5.1.1", text)

    def test_pop3_takes_the_mail_home(self):
        self.server.add_account("carl@alpha.test")
        submit(self.server, message("anna@alpha.test", "carl@alpha.test", "Take me"))
        pop = poplib.POP3_SSL(self.server.host, self.server.port("pop3s"), context=tls(), timeout=20)
        pop.user("carl@alpha.test")
        pop.pass_(PASSWORD)
        self.assertEqual(pop.stat()[0], 1)
        lines = pop.retr(1)[1]
        self.assertIn(b"Subject: Take me", lines)
        pop.dele(1)
        pop.quit()
        self.assertEqual(inbox(self.server, "carl@alpha.test"), [])

    def test_mail_survives_kill_and_restart(self):
        submit(self.server, message("anna@alpha.test", "bob@alpha.test", "Survivor"))
        self.server.kill()
        self.server.start()
        self.assertIn("Survivor", [m["Subject"] for m in inbox(self.server, "bob@alpha.test")])


class TwoServers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        import contextlib
        stack = cls.enterClassContext(contextlib.ExitStack())
        cls.alpha, cls.beta = pair(stack, {"queue.retry": '["1h"]'})

    def test_from_one_organisation_to_the_other(self):
        submit(self.alpha, message("anna@alpha.test", "bob@beta.test", "Across"))
        got = eventually(lambda: [m for m in inbox(self.beta) if m["Subject"] == "Across"])[0]
        self.assertEqual(got["Return-Path"], "<anna@alpha.test>")
        self.assertEqual(len(got.get_all("Received")), 2)
        self.assertIn("TLSv1.3", got.get_all("Received")[0])

    def test_a_wrong_recipient_comes_back_as_a_bounce(self):
        submit(self.alpha, message("anna@alpha.test", "nobody@beta.test", "Lost"))
        bounce = eventually(lambda: [m for m in inbox(self.alpha) if m.get_content_type() == "multipart/report"])[0]
        status = bounce.get_payload()[1].as_string()
        self.assertIn("Final-Recipient: rfc822; nobody@beta.test", status)
        self.assertIn("Action: failed", status)
        self.assertIn("Status: 5.1.1", status)
        self.assertIn("Subject: Lost", bounce.get_payload()[2].as_string())

    def test_a_destination_that_is_down_gets_its_mail_later(self):
        self.beta.stop()
        submit(self.alpha, message("anna@alpha.test", "bob@beta.test", "Later"))
        eventually(lambda: "waiting" in self.alpha.run("queue", "list").stdout)
        self.alpha.restart()  # the queue survives
        self.beta.start()
        self.alpha.run("queue", "retry", "all")
        eventually(lambda: [m for m in inbox(self.beta) if m["Subject"] == "Later"])
        eventually(lambda: "Later" in self.alpha.run("trace", "bob@beta.test").stdout)


if __name__ == "__main__":
    unittest.main()
