"""Limits that are no option (docs/security.md says why), each hit on a real server while others are served: what may be said before login,
one APPEND in all, aliases, keywords, names of mailboxes, POP3's lines, HTTP."""
import contextlib
import json
import re
import socket
import unittest

from harness import PASSWORD
from hostile import ANNA, BOB, Attacked, Meanwhile, deliver
from mail import message, subjects, submit


class BeforeLogin(Attacked):
    def setUp(self):
        self.enterContext(Meanwhile(self.server))

    def test_literals_and_lines(self):
        """10 literals of 4 KB, lines of 16 KB: enough for names and passwords. Who has logged in may send more."""
        def identified(literals, size=5):
            return "ID (" + " ".join('"k%d" {%d+}\r\n%s' % (n, size, "x" * size) for n in range(literals)) + ")"
        for text, expected in ((identified(10), "a OK"), (identified(11), r"a NO \[LIMIT\]"), ("LOGIN x {4097}", r"a NO \[TOOBIG\]"),
                               ("LOGIN x {4097+}\r\n" + "y" * 4097, r"a NO \[TOOBIG\]"), ("LOGIN x " + "y" * 17_000, r"a BAD \[LIMIT\]"),
                               ("LOGIN {4096+}\r\n" + "x" * 4096 + " {10+}\r\n" + "y" * 10, "a NO")):
            with self.subTest(text[:30], length=len(text)):
                peer = self.peer("imap")
                self.assertRegex(peer.tagged(text)[-1], f"^{expected}")
                self.assertIn("a OK", peer.tagged(f'LOGIN {BOB} "{PASSWORD}"')[-1])
        reader = self.reader()
        self.assertRegex(reader.tagged("STATUS {5000+}\r\n" + "x" * 5_000 + " (MESSAGES)")[-1], r"^a NO \[NONEXISTENT\]")
        self.assertRegex(reader.tagged("SEARCH" + " SUBJECT {1+}\r\nx" * 90)[-1], "^a OK")
        self.assertRegex(reader.tagged("SEARCH" + " SUBJECT {1+}\r\nx" * 101)[-1], r"^a NO \[LIMIT\]")

    def test_lines_of_pop3(self):
        """1 KB, and 16 KB for an answer in AUTH; nothing of what is longer is kept, and the connection goes on."""
        peer = self.peer("pop3")
        for line, expected in (("USER " + "x" * 1_000, r"\+OK"), ("USER " + "x" * 1_100, "-ERR"), ("USER " + "x" * 2_000_000, "-ERR")):
            with self.subTest(length=len(line)):
                peer.send(line + "\r\n")
                self.assertRegex(peer.line(), f"^{expected}")
        for length, words in ((16_000, "-ERR"), (17_000, "-ERR.*long")):
            peer.send("AUTH PLAIN\r\n")
            self.assertEqual(peer.line().strip(), "+")
            peer.send("A" * length + "\r\n")
            self.assertRegex(peer.line(), f"^{words}")
        peer.send(f"USER {BOB}\r\nPASS {PASSWORD}\r\n")
        self.assertRegex(peer.line(), r"^\+OK")
        self.assertRegex(peer.line(), r"^\+OK")


class OfOneAppend(Attacked):
    config = {"imap.max_append_size": '"200MB"'}

    def test_all_messages_together(self):
        """200 MB in one message may come, and after another of a few bytes not: refused before they are sent."""
        text = "Subject: x\r\n\r\nx\r\n"
        whole = 200 << 20
        with Meanwhile(self.server):
            for command, expected in ((f"APPEND INBOX {{{whole}}}", r"\+ "), (f"APPEND INBOX {{{whole + 1}}}", r"a NO \[TOOBIG\]"),
                                      (f"APPEND INBOX {{{len(text)}+}}\r\n{text} {{{whole}}}", r"a NO \[TOOBIG\]"),
                                      (f"APPEND INBOX {{{len(text)}+}}\r\n{text} {{{whole - len(text)}}}", r"\+ ")):
                with self.subTest(command[:40]):
                    reader = self.reader(mailbox=None)
                    reader.send(f"a {command}\r\n")
                    self.assertRegex(reader.until("a ", "+ ")[-1], f"^{expected}")
                    reader.socket.close()
        reader = self.reader(mailbox=None)
        self.assertIn("MESSAGES 0", reader.tagged("STATUS INBOX (MESSAGES)")[0])


class OfMailboxes(Attacked):
    def test_keywords(self):
        """58 of 128 bytes in a mailbox; then no more are offered, and those that are there go on."""
        deliver(self.server, to=BOB)
        with Meanwhile(self.server):
            reader = self.reader()
            self.assertRegex(reader.tagged("STORE 1 +FLAGS (" + "x" * 129 + ")")[-1], "^a (NO|BAD)")
            words = ["x" * 128] + [f"word{n}" for n in range(57)]
            self.assertIn("a OK", reader.tagged(f"STORE 1 +FLAGS ({' '.join(words)})")[-1])
            self.assertRegex(reader.tagged("STORE 1 +FLAGS (onemore)")[-1], r"^a NO")
            self.assertIn("a OK", reader.tagged("STORE 1 FLAGS (word5)")[-1])
            offered = next(line for line in reader.tagged("SELECT INBOX") if "PERMANENTFLAGS" in line)
            self.assertIn("word5", offered)
            self.assertNotIn(r"\*", offered)

    def test_names(self):
        """32 levels of 255 bytes."""
        with Meanwhile(self.server):
            reader = self.reader(mailbox=None)
            for name, expected in (("/".join(["x"] * 32), "OK"), ("/".join(["y"] * 33), "NO"), ("z" * 255, "OK"), ("z" * 256, "NO")):
                with self.subTest(name[:5], length=len(name)):
                    self.assertRegex(reader.tagged(f"CREATE {name}")[-1], f"^a {expected}")

    def test_so_many(self):
        """10,000 of an account."""
        with Meanwhile(self.server):
            reader = self.reader(mailbox=None, timeout=120)
            have = sum(line.startswith("* LIST") for line in reader.tagged('LIST "" *'))
            reader.send("".join(f"b CREATE m{n}\r\n" for n in range(10_000 - have)) + "a CREATE last\r\n")
            said = reader.until("a ")
            self.assertEqual([line for line in said[:-1] if not line.startswith("b OK")], [])
            self.assertRegex(said[-1], "^a NO")
            self.assertIn("a OK", reader.tagged("DELETE m1")[-1])
            self.assertIn("a OK", reader.tagged("CREATE last")[-1])


class OfAliases(Attacked):
    config = {"queue.retry": '["1h"]'}

    def add(self, address, *targets, check=True):
        return self.server.run("alias", "add", address, *targets, check=check)

    def test_targets(self):
        """1,000 of an alias, and as many addresses that one leads to; what is beyond gets no mail, the rest does."""
        with Meanwhile(self.server):
            refused = self.add("many@alpha.test", *(f"x{n}@beta.test" for n in range(1_001)), check=False)
            self.assertNotEqual(refused.returncode, 0)
            self.assertIn("1000", refused.stderr.replace(",", ""))
            for group in range(3):
                self.add(f"group{group}@alpha.test", *(f"x{group}.{n}@beta.test" for n in range(450)))
            self.add("all@alpha.test", *(f"group{group}@alpha.test" for group in range(3)))
            submit(self.server, message(ANNA, "all@alpha.test", "To all"), rcpt=["all@alpha.test"])
            queued = {entry["recipient"] for entry in json.loads(self.server.run("queue", "list", "--json").stdout)}
            self.assertEqual(len(queued), 1_000 - 4)  # the aliases count, too

    def test_depth(self):
        """Aliases of aliases are followed ten times."""
        with Meanwhile(self.server):
            self.add("chain10@alpha.test", BOB)
            for n in range(9, -1, -1):
                self.add(f"chain{n}@alpha.test", f"chain{n + 1}@alpha.test")
            self.add("chain0@alpha.test", ANNA)
            marks = [deliver(self.server, to=f"chain{n}@alpha.test") for n in (0, 1)]
            self.assertEqual([mark for mark in subjects(self.server, BOB) if mark in marks], marks[1:])
            self.assertEqual([mark for mark in subjects(self.server, ANNA) if mark in marks], marks[:1])


class OfHttp(Attacked):
    metrics = True

    def ask(self, text):
        """All that comes back until the server closes."""
        with socket.create_connection((self.server.host, self.server.metrics_port), timeout=60) as s, contextlib.suppress(ConnectionError):
            s.sendall(text)
            answer = b""
            while more := s.recv(65536):
                answer += more
        return answer

    def test_sizes(self):
        head = b"GET /health HTTP/1.1\r\nHost: a\r\n"
        end = b"Connection: close\r\n\r\n"
        with Meanwhile(self.server):
            for text, status in ((head + end, 200), (b"GET /" + b"a" * 4_000 + b" HTTP/1.1\r\nHost: a\r\n" + end, 404), (b"GET /" + b"a" * 4_100 + b" HTTP/1.1\r\nHost: a\r\n" + end, 414),
                                 (head + b"X: y\r\n" * 98 + end, 200), (head + b"X: y\r\n" * 99 + end, 431), (head + b"X: " + b"y" * 16_000 + b"\r\n" + end, 200),
                                 (head + b"X: " + b"y" * 16_400 + b"\r\n" + end, 431), (head + b"Content-Length: 1\r\n" + end + b"x", 413)):
                with self.subTest(text[:30], length=len(text)):
                    self.assertEqual(int(self.ask(text).split()[1]), status)

    def test_requests_of_a_connection(self):
        with Meanwhile(self.server):
            answer = self.ask(b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n" * 1_100)
            self.assertEqual(len(re.findall(rb"HTTP/1\.1 404", answer)), 1_000)


if __name__ == "__main__":
    unittest.main()
