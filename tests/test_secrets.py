"""Passwords do not stay in the server's memory: its pages are searched after every kind of login."""
import array
import base64
import imaplib
import os
import poplib
import smtplib
import ssl
import time
import unittest

from harness import PASSWORD, SANITIZED, Instance

ANNA = "anna@alpha.test"
PAGE = os.sysconf("SC_PAGESIZE")


def pages(pid):
    """Every run of writable pages that are in memory (or swapped out), at most 4 MB a piece."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/pagemap", "rb", 0) as pagemap, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            span, mode = line.split()[:2]
            if not mode.startswith("rw"):
                continue
            begin, end = (int(edge, 16) for edge in span.split("-"))
            for at in range(begin, end, 1 << 30):
                pagemap.seek(at // PAGE * 8)
                present = array.array("Q", pagemap.read(min(1 << 30, end - at) // PAGE * 8))
                index = 0
                while index < len(present):
                    first = index
                    while index < len(present) and present[index] >> 62 and index - first < 1024:
                        index += 1
                    if index == first:
                        index += 1
                        continue
                    try:
                        memory.seek(at + first * PAGE)
                        yield memory.read((index - first) * PAGE)
                    except OSError:
                        continue  # a device's


def context():
    return ssl._create_unverified_context()


@unittest.skipUnless(os.geteuid() == 0, "only root may read the server's memory: it is not dumpable")
@unittest.skipIf(SANITIZED, "sanitizers keep what was freed, in terabytes of address space")
class InMemory(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Instance(ANNA))

    def found(self):
        """The forms of the password that stand somewhere, each with how often; the end of a session may take the server a moment."""
        return self.gone(self.search)

    def gone(self, search):
        """What the last search gives: the first that finds nothing, or one after two seconds and ten others. A busy machine searches slowly."""
        deadline, searches = time.monotonic() + 2, 0
        while (found := search()) and (time.monotonic() < deadline or searches < 10):
            searches += 1
            time.sleep(0.1)
        return found

    def search(self):
        both = f"\0{ANNA}\0{PASSWORD}".encode()
        forms = {"as it is": PASSWORD.encode(), "in base64": base64.b64encode(PASSWORD.encode()).rstrip(b"="),
                 "in a PLAIN response": base64.b64encode(both)[-len(PASSWORD):].rstrip(b"=")}
        counts = dict.fromkeys(forms, 0)
        for piece in pages(self.server.process.pid):
            for name, text in forms.items():
                counts[name] += piece.count(text)
        return {name: count for name, count in counts.items() if count}

    def holds(self, text):
        return any(text.encode() in piece for piece in pages(self.server.process.pid))

    def test_the_search_finds_what_is_there(self):
        """Mail that waits in a buffer is found: an unfinished line of a message."""
        mark = b"a mark that only this test writes"
        with smtplib.SMTP("127.0.0.1", self.server.port("smtp")) as smtp:
            smtp.ehlo("mx.beta.test")
            smtp.sock.sendall(b"NOOP " + mark)
            self.assertTrue(any(mark in piece for _ in range(50) for piece in pages(self.server.process.pid)))
            smtp.sock.sendall(b"\r\n")
            smtp.getreply()

    def test_imap_login(self):
        imap = imaplib.IMAP4_SSL("127.0.0.1", self.server.port("imaps"), ssl_context=context())
        imap.login(ANNA, PASSWORD)
        self.assertEqual(self.found(), {}, "while the session goes on")
        imap.logout()
        self.assertEqual(self.found(), {})

    def test_imap_authenticate_plain(self):
        imap = imaplib.IMAP4_SSL("127.0.0.1", self.server.port("imaps"), ssl_context=context())
        imap.authenticate("PLAIN", lambda _: f"\0{ANNA}\0{PASSWORD}".encode())
        self.assertEqual(self.found(), {}, "while the session goes on")
        imap.logout()
        self.assertEqual(self.found(), {})

    def test_pop3_pass(self):
        pop = poplib.POP3_SSL("127.0.0.1", self.server.port("pop3s"), context=context())
        pop.user(ANNA)
        pop.pass_(PASSWORD)
        self.assertEqual(self.found(), {}, "while the session goes on")
        pop.quit()
        self.assertEqual(self.found(), {})

    def test_smtp_auth(self):
        for mechanism in ("PLAIN", "LOGIN"):
            with self.subTest(mechanism), smtplib.SMTP_SSL("127.0.0.1", self.server.port("submissions"), context=context()) as smtp:
                smtp.ehlo()
                smtp.user, smtp.password = ANNA, PASSWORD
                smtp.auth(mechanism, getattr(smtp, f"auth_{mechanism.lower()}"))
                self.assertEqual(self.found(), {}, "while the session goes on")
                smtp.quit()
            self.assertEqual(self.found(), {})

    def test_a_wrong_password(self):
        imap = imaplib.IMAP4_SSL("127.0.0.1", self.server.port("imaps"), ssl_context=context())
        wrong = PASSWORD[:-1] + "x"
        with self.assertRaises(imaplib.IMAP4.error):
            imap.login(ANNA, wrong)
        self.assertFalse(self.gone(lambda: self.holds(wrong)))
        imap.logout()

    def test_a_password_that_is_set(self):
        """By the control socket, while the server runs."""
        new = "another battery, another staple"
        self.server.run("account", "password", ANNA, "--password-stdin", input=new + "\n")
        try:
            self.assertFalse(self.gone(lambda: self.holds(new)))
        finally:
            self.server.run("account", "password", ANNA, "--password-stdin", input=PASSWORD + "\n")


if __name__ == "__main__":
    unittest.main()
