"""fetchmail: POP3 and IMAP into a delivery program; keep and no keep; UIDL; STARTTLS; a large message."""
import os
import pathlib
import re
import tempfile
import unittest

from harness import PASSWORD, Instance, need
from mail import fill, imap, run, stamp, subjects

SERVICES = [("POP3", "pop3", ""), ("POP3", "pop3s", "ssl"), ("IMAP", "imap", ""), ("IMAP", "imaps", "ssl")]


class Fetchmail(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        need("fetchmail")
        cls.server = cls.enterClassContext(Instance("anna@alpha.test"))

    def setUp(self):
        self.home = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.home / "got").mkdir()
        mda = self.home / "mda"
        mda.write_text(f'#!/bin/sh\nexec cat >"$(mktemp {self.home}/got/XXXXXX)"\n')
        mda.chmod(0o700)

    def account(self, count):
        user = f"u{stamp()}@alpha.test"
        self.server.add_account(user)
        fill(self.server, user, count)
        return user

    def fetch(self, user, protocol, service, tls, *options, server_options="", password=PASSWORD):
        """The exit code (0: there was mail, 1: there was none) and the subjects that came."""
        before = set((self.home / "got").iterdir())
        rc = self.home / "fetchmailrc"
        tls = tls or "sslproto '' " if tls != "starttls" else "sslproto 'TLS1.2+'"
        rc.write_text(f"poll {self.server.host} protocol {protocol} port {self.server.port(service)} {server_options}\n"
                      f"  user '{user}' password '{password}' {tls} no sslcertck {' '.join(options)} mda '{self.home}/mda'\n")
        rc.chmod(0o600)
        done = run("fetchmail", "-f", rc, "--nosyslog", "-v", check=False, env={**os.environ, "HOME": str(self.home), "FETCHMAILHOME": str(self.home)})
        self.assertIn(done.returncode, (0, 1, 3), done.stdout)
        new = set((self.home / "got").iterdir()) - before
        return done, sorted(re.search(r"(?m)^Subject: (.*)$", p.read_text()).group(1) for p in new)

    def test_mail_is_taken_home(self):
        for protocol, service, tls in SERVICES:
            with self.subTest(service):
                user = self.account(3)
                done, got = self.fetch(user, protocol, service, tls)
                self.assertEqual(done.returncode, 0, done.stdout)
                self.assertEqual(got, ["Message 1", "Message 2", "Message 3"])
                self.assertEqual(subjects(self.server, user), [])
                self.assertEqual(self.fetch(user, protocol, service, tls)[0].returncode, 1)

    def test_starttls(self):
        for protocol, service, _ in SERVICES[::2]:
            with self.subTest(service):
                done, got = self.fetch(self.account(1), protocol, service, "starttls")
                self.assertEqual(got, ["Message 1"], done.stdout)
                self.assertRegex(done.stdout, "upgrade to TLS succeeded")

    def test_mail_is_kept_and_not_fetched_again(self):
        for protocol, service, tls in SERVICES[1::2]:
            with self.subTest(service):
                user = self.account(3)
                options = ("keep",), {"server_options": "uidl" if protocol == "POP3" else ""}
                self.assertEqual(len(self.fetch(user, protocol, service, tls, *options[0], **options[1])[1]), 3)
                self.assertEqual(len(subjects(self.server, user)), 3)
                fill(self.server, user, 1)
                self.assertEqual(self.fetch(user, protocol, service, tls, *options[0], **options[1])[1], ["Message 1"])
                self.assertEqual(len(self.fetch(user, protocol, service, tls, "fetchall", "keep", **options[1])[1]), 4)

    def test_uidls_survive_a_restart(self):
        user = self.account(2)
        self.fetch(user, "POP3", "pop3s", "ssl", "keep", server_options="uidl")
        self.server.restart()
        self.assertEqual(self.fetch(user, "POP3", "pop3s", "ssl", "keep", server_options="uidl")[1], [])

    def test_a_wrong_password(self):
        done, _ = self.fetch(self.account(1), "POP3", "pop3s", "ssl", password="wrong")
        self.assertEqual(done.returncode, 3, done.stdout)

    def test_a_large_message(self):
        user = self.account(0)
        client = imap(self.server, user)
        body = b"".join(b"%06d %s\r\n" % (i, b"x" * 68) for i in range(100_000))
        client.append("INBOX", None, None, b"Subject: large\r\n\r\n" + body)
        client.logout()
        self.assertEqual(self.fetch(user, "POP3", "pop3s", "ssl")[1], ["large"])
        path, = (self.home / "got").iterdir()
        self.assertTrue(path.read_bytes().endswith(body.replace(b"\r\n", b"\n")))


if __name__ == "__main__":
    unittest.main()
