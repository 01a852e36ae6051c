"""curl: smtp, smtps, imap, imaps, pop3 and pop3s URLs, with each login mechanism that curl knows."""
import tempfile
import unittest

from harness import PASSWORD, Instance, need
from mail import fill, messages, run, stamp, subjects

ANNA = "anna@alpha.test"


class Curl(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        need("curl")
        # Only a curl with libgsasl knows SCRAM.
        cls.scram = ("SCRAM-SHA-1", "SCRAM-SHA-256") if "gsasl" in run("curl", "--version").stdout else ()
        cls.server = cls.enterClassContext(Instance(ANNA, config={"login.max_failures": 50}))
        for name in ("bob", "carl", "dora", "emil"):
            cls.server.add_account(f"{name}@alpha.test")
        fill(cls.server, "carl@alpha.test", 3)

    def curl(self, url, *arguments, user=None, password=PASSWORD, check=True):
        """url: SERVICE://, with the path and so on."""
        service, rest = url.split("://", 1)
        scheme = {"submission": "smtp", "submissions": "smtps"}.get(service, service)
        login = ["--user", f"{user}:{password}"] if user else []
        return run("curl", "-sS", "--insecure", "--max-time", "30", f"{scheme}://{self.server.host}:{self.server.port(service)}{rest}",
                   *login, *arguments, check=check)

    def send(self, url, *arguments, sender=ANNA, to="bob@alpha.test", user=ANNA, **options):
        mark = stamp()
        with tempfile.NamedTemporaryFile("w", suffix=".eml", newline="") as mail:
            mail.write(f"From: {sender}\r\nTo: {to}\r\nSubject: {mark}\r\n\r\n.A line with a dot\r\nGreetings\r\n")
            mail.flush()
            self.curl(url, "--mail-from", sender, "--mail-rcpt", to, "--upload-file", mail.name, *arguments, user=user, **options)
        return mark

    def got(self, mark):
        return [m for m in messages(self.server, "bob@alpha.test") if m["Subject"] == mark]

    def test_send_by_every_way(self):
        for url, *arguments in (["submission:///pc1", "--ssl-reqd"], ["submissions:///pc1"], ["submission://"],
                                ["smtp:///mx.beta.test", "--ssl-reqd"], ["smtp:///mx.beta.test"]):
            with self.subTest(url=url, arguments=arguments):
                stranger = url.startswith("smtp:")
                mark = self.send(url, *arguments, sender="x@beta.test" if stranger else ANNA, user=None if stranger else ANNA)
                got, = self.got(mark)
                self.assertEqual(got.get_payload(), ".A line with a dot\r\nGreetings\r\n")

    def test_send_by_every_mechanism(self):
        for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5", *self.scram):
            with self.subTest(mechanism):
                mark = self.send("submission:///pc1", "--ssl-reqd", "--login-options", f"AUTH={mechanism}")
                self.assertEqual(len(self.got(mark)), 1)

    def test_a_wrong_password(self):
        for url, mechanisms in (("submission:///pc1", ("PLAIN", "CRAM-MD5", *self.scram)), ("imap:///INBOX", ("PLAIN", "CRAM-MD5")),
                                ("pop3:///", ("PLAIN", "+APOP"))):
            for mechanism in mechanisms:
                with self.subTest(url=url, mechanism=mechanism):
                    done = self.curl(url, "--ssl-reqd", "--login-options", f"AUTH={mechanism}", user=ANNA, password="wrong", check=False)
                    self.assertEqual(done.returncode, 67, done.stdout)  # CURLE_LOGIN_DENIED

    def test_vrfy_and_help(self):
        self.assertIn("DATA", self.curl("smtp://", "--request", "HELP").stdout)
        self.assertIn("252", self.curl("smtp://", "--request", "VRFY bob@alpha.test", "-v").stdout)

    def test_imap_lists_folders(self):
        for url in ("imap:///", "imaps:///"):
            with self.subTest(url):
                listed = self.curl(url, user=ANNA).stdout
                for name, use in (("Sent", r"\Sent"), ("Junk", r"\Junk"), ("Trash", r"\Trash"), ("Drafts", r"\Drafts")):
                    self.assertRegex(listed, rf'(?m)^\* LIST \([^)]*\) "/" {name}\r$')
                self.assertIn("INBOX", listed)

    def test_imap_fetches_a_message_and_parts_of_it(self):
        whole = self.curl("imaps:///INBOX;UID=2", user="carl@alpha.test").stdout
        self.assertRegex(whole, r"\AFrom: anna@alpha.test\r\n[\s\S]*\r\n\r\ntext\r\n\Z")
        self.assertIn("Message 2", whole)
        self.assertEqual(self.curl("imaps:///INBOX;MAILINDEX=3;SECTION=TEXT", user="carl@alpha.test").stdout, "text\r\n")
        self.assertEqual(self.curl("imaps:///INBOX;UID=1;SECTION=HEADER.FIELDS%20(SUBJECT)", user="carl@alpha.test").stdout, "Subject: Message 1\r\n\r\n")
        self.assertEqual(self.curl("imaps:///INBOX;UID=99", user="carl@alpha.test", check=False).returncode, 78)

    def test_imap_searches(self):
        self.assertEqual(self.curl("imaps:///INBOX?SUBJECT%20%22message%202%22", user="carl@alpha.test").stdout, "* SEARCH 2\r\n")
        self.assertEqual(self.curl("imaps:///INBOX?NOT%20ALL", user="carl@alpha.test").stdout.rstrip(), "* SEARCH")

    def test_imap_by_every_mechanism(self):
        for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5", *self.scram):
            with self.subTest(mechanism):
                done = self.curl("imap:///INBOX;UID=1", "--ssl-reqd", "--login-options", f"AUTH={mechanism}", "-v", user="carl@alpha.test")
                self.assertIn("Message 1", done.stdout)
                self.assertRegex(done.stdout, rf"> A\d+ AUTHENTICATE {mechanism}\b")

    def test_imap_uploads_and_custom_commands(self):
        with tempfile.NamedTemporaryFile("w", suffix=".eml", newline="") as mail:
            mail.write("From: anna@alpha.test\r\nSubject: uploaded\r\n\r\nbody\r\n")
            mail.flush()
            self.curl("imaps:///", "--request", "CREATE uploads", user="dora@alpha.test")
            self.curl("imaps:///uploads", "--upload-file", mail.name, user="dora@alpha.test")
        self.assertEqual(subjects(self.server, "dora@alpha.test", "uploads"), ["uploaded"])
        self.assertRegex(self.curl("imaps:///uploads", "--request", r"STORE 1 FLAGS (\Seen)", user="dora@alpha.test").stdout, r"FLAGS \(\\Seen\b")

    def test_pop3_lists_and_fetches(self):
        for url in ("pop3:///", "pop3s:///"):
            with self.subTest(url):
                listed = self.curl(url, user="carl@alpha.test").stdout
                self.assertRegex(listed, r"\A1 \d+\r\n2 \d+\r\n3 \d+\r\n\Z")
                self.assertIn("Message 2", self.curl(url + "2", user="carl@alpha.test").stdout)
        self.assertRegex(self.curl("pop3s:///", "--request", "UIDL", user="carl@alpha.test").stdout, r"\A1 (\S+)\r\n2 (?!\1)\S+\r\n3 \S+\r\n")
        top = self.curl("pop3s:///", "--request", "TOP 1 0", user="carl@alpha.test").stdout
        self.assertIn("Subject: Message 1\r\n", top)
        self.assertNotIn("\ntext", top)

    def test_pop3_by_every_mechanism(self):
        for mechanism, spoken in (("+APOP", "APOP carl@"), ("PLAIN", "AUTH PLAIN"), ("LOGIN", "AUTH LOGIN"), ("CRAM-MD5", "AUTH CRAM-MD5"),
                                  *((m, f"AUTH {m}") for m in self.scram)):
            with self.subTest(mechanism):
                done = self.curl("pop3:///1", "--ssl-reqd", "--login-options", f"AUTH={mechanism}", "-v", user="carl@alpha.test")
                self.assertIn("Message 1", done.stdout)
                self.assertIn(spoken, done.stdout)

    def test_pop3_deletes(self):
        fill(self.server, "emil@alpha.test", 2)
        self.curl("pop3s:///1", "--request", "DELE", "--list-only", user="emil@alpha.test")
        self.assertEqual(subjects(self.server, "emil@alpha.test"), ["Message 2"])


if __name__ == "__main__":
    unittest.main()
