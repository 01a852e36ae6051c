"""What messages become while they are parsed and searched: a byte of one must not cost a hundred bytes of memory, and what a session holds
of it counts (limits.memory_per_connection). And nobody works on for a client that has gone."""
import contextlib
import json
import os
import socket
import struct
import time
import unittest

from harness import HANGS, SANITIZED, Instance, eventually
from hostile import ANNA, Attacked, Meanwhile, Peer, memory
from test_small_memory import Group

HEAD = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"


def parameters(count=200):
    return b"".join(b";%c%c=1" % (97 + i % 26, 97 + i // 26) for i in range(count))


class OfStructures(Attacked):
    """Messages that are within all limits, and grow as much as they can."""
    config = {"imap.max_append_size": '"60MB"', "server.memory": '"64MB"'}

    def growth(self, do):
        """Kilobytes that the server took more than ever before."""
        before = memory(self.server, "VmHWM")
        do()
        return memory(self.server, "VmHWM") - before

    def append(self, reader, *messages):
        self.append_to("INBOX", reader, *messages)

    def append_to(self, mailbox, reader, *messages):
        reader.send(b"a APPEND %s" % mailbox.encode() + b"".join(b" {%d+}\r\n%s" % (len(m), m) for m in messages) + b"\r\n")
        self.assertIn("a OK", reader.until("a ")[-1])

    def check(self, message, command, factor):
        """Taking it in and asking for it grow the server by its size so many times, and what it always needs."""
        reader = self.reader(timeout=120)
        grown = self.growth(lambda: (self.append(reader, message), reader.tagged("NOOP"), self.assertIn("a OK", reader.tagged(command)[-1])))
        if not SANITIZED:
            self.assertLess(grown, len(message) * factor / 1024 + 40_000)

    def test_parameters(self):
        part = b"--b\nContent-Type: a/b" + parameters() + b"\n\n"
        self.check(HEAD + part * 10_000, "FETCH * BODYSTRUCTURE", 4)

    def test_addresses_of_nested_messages(self):
        part = b"--b\nContent-Type: message/rfc822\n\nFrom: " + b"a," * 5000 + b"\n\n"
        self.check(HEAD + part * 2000, "FETCH * BODYSTRUCTURE", 3)

    def test_text_that_is_not_ascii(self):
        self.check(b"Content-Type: text/plain; charset=iso-8859-1\r\n\r\n" + (b"\xe9" * 70 + b"\r\n") * 300_000, 'SEARCH 1:* BODY "zzzzzz"', 5)

    def test_many_small_ones_at_once(self):
        """A search parses one after the other: of a megabyte of them only one is there in parts."""
        reader = self.reader(mailbox=None, timeout=120)
        self.assertIn("a OK", reader.tagged("CREATE small")[-1])
        message = HEAD + b"--b\n\n" * 10_000
        reader.send(b"a APPEND small" + (b" {%d+}\r\n" % len(message) + message) * 40 + b"\r\n")
        self.assertIn("a OK", reader.until("a ")[-1])
        reader.tagged("SELECT small")
        with contextlib.ExitStack() as stack:
            others = [stack.enter_context(self.reader(mailbox="small", timeout=120)) for _ in range(4)]

            def search():
                for one in others:
                    one.send('a SEARCH BODY "zzzz"\r\n')
                for one in others:
                    self.assertIn("a OK", one.until("a ")[-1])
            grown = self.growth(search)
        if not SANITIZED:
            self.assertLess(grown, 50_000)


    def test_many_large_ones_in_one_search(self):
        """It lets go of each of them before the next."""
        reader = self.reader(mailbox=None, timeout=120)
        self.assertIn("a OK", reader.tagged("CREATE large")[-1])
        message = b"Subject: large\r\n\r\n" + (b"x" * 70 + b"\r\n") * 28_000
        for _ in range(48):
            self.append_to("large", reader, message)
        reader.tagged("SELECT large")
        grown = self.growth(lambda: self.assertIn("a OK", reader.tagged('SEARCH BODY "zzzz"')[-1]))
        if not SANITIZED:
            self.assertLess(grown, 40_000)


class OfOneSession(Attacked):
    config = {"limits.memory_per_connection": '"1MB"'}

    def test_structures_of_a_batch(self):
        """Messages with digests of nearly 64 KB wait in an APPEND for the last of them."""
        addresses = b"".join(b"someone.%d@alpha.test," % i for i in range(900))
        message = b"To: " + addresses + b"\r\nSubject: x\r\n\r\nx\r\n"
        with Meanwhile(self.server):
            reader = self.reader(mailbox=None)
            with contextlib.suppress(OSError):
                reader.send(b"a APPEND INBOX" + (b" {%d+}\r\n" % len(message) + message) * 100 + b"\r\n")
            self.assertRegex(reader.until("a ", "* BYE")[-1], r"^\* BYE \[LIMIT\] .*memory")
            self.assertIn("MESSAGES 0", self.reader(mailbox=None).tagged("STATUS INBOX (MESSAGES)")[0])

    def test_records_of_a_fetch(self):
        """Those who take their answers slowly hold what is counted for them, not the records of all messages that come next."""
        addresses = b"".join(b"someone.%d@alpha.test," % i for i in range(700))
        message = b"To: " + addresses + b"\r\nSubject: x\r\n\r\n" + b"x" * 70 + b"\r\n"
        reader = self.reader(mailbox=None)
        reader.tagged("CREATE records")
        for _ in range(10):
            reader.send(b"a APPEND records" + (b" {%d+}\r\n" % len(message) + message) * 10 + b"\r\n")
            self.assertIn("a OK", reader.until("a ")[-1])
        reader.tagged("SELECT records")
        for _ in range(3):  # more than what the kernel takes for a client that does not read
            self.assertIn("a OK", reader.tagged("COPY 1:* records")[-1])
            reader.tagged("NOOP")
        slow = [self.reader(mailbox="records", receive_buffer=4096) for _ in range(20)]
        before = memory(self.server)
        for one in slow:
            one.send("a FETCH 1:* BODY.PEEK[]\r\n")

        def held():
            sessions = json.loads(self.server.run("who", "--json").stdout)
            return [s["memory"] for s in sessions if (s["mailbox"], s["state"]) == ("records", "busy")]
        eventually(lambda: len(held()) == 20 and min(held()) > 100_000)
        self.assertLess(max(held()), 1 << 20)
        if not SANITIZED:
            self.assertLess(memory(self.server) - before, 18_000)


class OfHonestClients(Attacked):
    """Little memory is enough for ordinary work on an ordinary mailbox."""
    config = {"limits.memory_per_connection": '"128KB"'}

    def test_ordinary_commands(self):
        message = b"From: anna@alpha.test\r\nTo: bob@alpha.test\r\nSubject: number %d\r\nX-Other: y\r\nMessage-ID: <%d@x>\r\n\r\n" + b"text of the message\r\n" * 300
        reader = self.reader(mailbox=None, timeout=60)
        for first in range(0, 1500, 50):
            reader.send(b"a APPEND INBOX" + b"".join(b" {%d+}\r\n%s" % (len(m), m) for m in (message % (i, i) for i in range(first, first + 50))) + b"\r\n")
            self.assertIn("a OK", reader.until("a ")[-1])
        large = b"Subject: large\r\n\r\n" + b"a line of a large text\r\n" * 40_000
        reader.send(b"a APPEND INBOX {%d+}\r\n%s\r\n" % (len(large), large))
        self.assertIn("a OK", reader.until("a ")[-1])
        for command in ("SELECT INBOX", "SEARCH SUBJECT x", 'SEARCH SUBJECT "number 7"', "SEARCH HEADER X-Other y", 'SEARCH BODY "text of"', "SEARCH TEXT large", "FETCH 1:* ENVELOPE",
                        "FETCH 1:* (FLAGS BODYSTRUCTURE)", "FETCH 1:300 BODY.PEEK[]", "UID SEARCH ALL", "SELECT INBOX"):
            with self.subTest(command):
                lines = reader.tagged(command)
                self.assertIn("a OK", lines[-1])
                if command == "FETCH 1:* ENVELOPE":
                    self.assertEqual(sum("ENVELOPE" in line for line in lines), 1501)


class OfClientsThatHaveGone(Attacked):
    config = {"limits.connections_per_account": 100}

    DEAR = b"Subject: x\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\n" + (b"\xe9" * 70 + b"\r\n") * 3000
    BATCH = (b" {%d+}\r\n%s" % (len(DEAR), DEAR)) * 16 + b"\r\n"

    @classmethod
    def setUpClass(cls):
        """A mailbox whose bodies take long to search: letters that are no ASCII are dear."""
        super().setUpClass()
        with Peer(cls.server, "imap", "127.0.0.70", timeout=60) as peer:
            peer.login(ANNA)
            peer.tagged("CREATE long")
            peer.send(b"a APPEND long" + cls.BATCH)
            assert "a OK" in peer.until("a ")[-1]
            peer.tagged("SELECT long")
            for _ in range(9):
                assert "a OK" in peer.tagged("COPY 1:* long")[-1]
                peer.tagged("NOOP")

    def worked(self):
        """The seconds of processor time that the server has used: the same on a busy machine."""
        with open(f"/proc/{self.server.process.pid}/stat") as stat:
            return sum(map(int, stat.read().rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")

    def searching(self):
        return [s for s in json.loads(self.server.run("who", "--json").stdout) if (s["command"], s["state"]) == ("SEARCH", "busy")]

    def search(self):
        reader = self.reader(user=ANNA, mailbox="long", timeout=60)
        reader.send('a SEARCH BODY "zzzzzz"\r\n')
        return reader

    def leave(self, how):
        reader = self.search()
        eventually(lambda: len(self.searching()) == 1)
        time.sleep(0.3)
        how(reader)
        before = self.worked()
        eventually(lambda: not self.searching(), timeout=2 * HANGS)
        self.assertLess(self.worked() - before, 12 if SANITIZED else 3)  # of 15 and more

    def test_closed(self):
        self.leave(lambda reader: reader.socket.close())

    def test_reset(self):
        def reset(reader):
            reader.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            reader.socket.close()
        self.leave(reset)

    def test_kicked(self):
        self.leave(lambda reader: self.server.run("kick", str(self.searching()[0]["id"])))

    def test_half_closed(self):
        """Who has said all that he has to say gets his answer yet."""
        reader = self.reader(mailbox="INBOX", timeout=60)
        reader.send(b"a APPEND INBOX" + self.BATCH)
        self.assertIn("a OK", reader.until("a ")[-1])
        reader.send('b SEARCH BODY "zzzzzz"\r\nc LOGOUT\r\n')
        reader.socket.shutdown(socket.SHUT_WR)
        self.assertIn("b OK", reader.until("b ")[-1])
        self.assertIn("c OK", reader.until("c ")[-1])

    def test_searching_in_a_loop(self):
        """A client that begins again and again piles up nothing."""
        with Meanwhile(self.server, worst=5):
            for _ in range(40):
                reader = self.search()
                time.sleep(0.02)
                reader.socket.close()
            eventually(lambda: not self.searching(), timeout=20)


class OfManyAtOnce(unittest.TestCase):
    """All of it by thirty sessions at once, in a control group of 256 MB."""

    @unittest.skipIf(SANITIZED, "sanitizers need more memory than that")
    def test_hostile_messages(self):
        if os.geteuid() != 0:
            self.skipTest("control groups are root's")
        group = Group(256 << 20)
        self.addCleanup(group.close)
        nested = HEAD + (b"--b\nContent-Type: message/rfc822\n\nFrom: " + b"a," * 5000 + b"\n\n") * 1000
        many = HEAD + (b"--b\nContent-Type: a/b" + parameters() + b"\n\n") * 10_000
        text = b"Content-Type: text/plain; charset=iso-8859-1\r\n\r\n" + (b"\xe9" * 70 + b"\r\n") * 130_000
        with Instance(ANNA, config={"limits.connections_per_account": 100}) as server:
            server.stop()
            server.wrapper = group.command()
            server.start()
            with contextlib.ExitStack() as stack:
                def reader(n):
                    peer = stack.enter_context(Peer(server, "imap", f"127.0.3.{n + 1}", timeout=300))
                    self.assertIn("a OK", peer.login(ANNA))
                    return peer
                first = reader(0)
                for message in (nested, many, text):
                    first.send(b"a APPEND INBOX {%d+}\r\n%s\r\n" % (len(message), message))
                    self.assertIn("a OK", first.until("a ")[-1])
                readers = [reader(n) for n in range(1, 31)]
                for peer in readers:
                    peer.tagged("SELECT INBOX")
                for n, peer in enumerate(readers):
                    peer.send(("a FETCH 1 BODYSTRUCTURE\r\n", "a FETCH 2 BODYSTRUCTURE\r\n", 'a SEARCH 3 TEXT "zzzz"\r\n', 'a SEARCH 1:3 BODY "zzzz"\r\n')[n % 4])
                for n, peer in enumerate(readers):
                    self.assertIn("a OK", peer.until("a ")[-1])
            self.assertEqual(group.killed(), 0)


if __name__ == "__main__":
    unittest.main()
