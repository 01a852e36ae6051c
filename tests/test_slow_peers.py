"""Peers that are slow on purpose: each wait is bounded, and so is the whole; nobody else notices."""
import socket
import struct
import time
import unittest

from harness import SANITIZED, PASSWORD, eventually
from hostile import BOB, Attacked, Meanwhile, descriptors, memory, trickle
from mail import fill, fill_at_once, imap

SHORT = 30 if SANITIZED else 6  # seconds within which everything below must have ended; its limits are 1 or 2 s


class Trickling(Attacked):
    """A byte now and then resets no clock."""
    config = {"smtp.timeout": '"2s"', "smtp.idle_timeout": '"4s"', "smtp.transaction_timeout": '"2s"', "login.timeout": '"2s"', "imap.login_timeout": '"2s"',
              "imap.command_timeout": '"2s"', "pop3.timeout": '"2s"', "tls.handshake_timeout": '"1s"'}

    def test_before_anything_is_said(self):
        with Meanwhile(self.server):
            self.assertEqual(trickle({s: (self.peer(s), b"x") for s in ("smtp", "submission", "imap", "pop3")}, SHORT), [])

    def test_in_the_handshake(self):
        """A handshake record of 16 KB, a byte at a time."""
        hello = b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03" + bytes(20_000)
        peers = {s: (self.peer(s, greet=False), hello) for s in ("submissions", "imaps", "pop3s")}
        for service, said in (("smtp", b"EHLO x.test\r\nSTARTTLS\r\n"), ("imap", b"a STARTTLS\r\n"), ("pop3", b"STLS\r\n")):
            peer = self.peer(service)
            peer.send(said)
            peer.until("220 ", "a OK", "+OK")
            peers[service] = (peer, hello)
        with Meanwhile(self.server):
            self.assertEqual(trickle(peers, SHORT), [])

    def test_whole_commands_that_lead_nowhere(self):
        """Each is answered, none makes the connection last."""
        lines = {"smtp": b"NOOP\r\n", "submission": b"EHLO x.test\r\n", "imap": b"a NOOP\r\n", "pop3": b"CAPA\r\n"}
        with Meanwhile(self.server):
            self.assertEqual(trickle({s: (self.peer(s), line) for s, line in lines.items()}, SHORT, every=0.05), [])

    def test_in_the_login(self):
        peers = {}
        for service, begin in (("submission", b"EHLO x.test\r\nAUTH PLAIN\r\n"), ("imap", b"a AUTHENTICATE PLAIN\r\n"), ("imap", b"a LOGIN {100}\r\n"), ("pop3", b"AUTH PLAIN\r\n")):
            peer = self.peer(service)
            peer.send(begin)
            peers[begin] = (peer, b"x")
        with Meanwhile(self.server):
            self.assertEqual(trickle(peers, SHORT), [])

    def test_in_the_data_of_a_message(self):
        peers = {}
        for name, begin, bytes_ in (("DATA", b"DATA\r\n", b"Subject: slow\r\n"), ("BDAT", b"BDAT 100000 LAST\r\n", b"x"), ("many BDAT", b"BDAT 1\r\nx", b"BDAT 1\r\nx"),
                                    ("a BDAT out of place", b"RSET\r\nBDAT 100000\r\n", b"x")):
            peer = self.mta()
            self.open(peer)
            peer.send(begin)
            peers[name] = (peer, bytes_)
        with Meanwhile(self.server):
            self.assertEqual(trickle(peers, SHORT), [])

    def test_after_the_login(self):
        peers = {}
        for begin in (b"b NOO", b"b SELECT {60000}\r\n", b"b SELECT {60000+}\r\n", b"b IDLE\r\n", b"b APPEND INBOX {200+}\r\n"):
            peer = self.reader(mailbox=None)
            peer.send(begin)
            peers[begin] = (peer, b"x")
        peer = self.peer("pop3")
        peer.send(f"USER {BOB}\r\nPASS {PASSWORD}\r\n")
        peer.line(), peer.line()
        peers["pop3"] = (peer, b"x")
        with Meanwhile(self.server):
            self.assertEqual(trickle(peers, SHORT + 2), [])


class NotReading(Attacked):
    """Peers that ask and never read the answer: nothing heaps up, and they are gone soon."""
    config = {"imap.command_timeout": '"1s"', "pop3.timeout": '"1s"', "smtp.timeout": '"1s"'}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        fill(cls.server, BOB, 20, body="0123456789" * 6 * 20_000 + "\r\n")  # 24 MB in all

    def ends(self, peers, send):
        base, logged = memory(self.server), len(self.server.log)
        with Meanwhile(self.server):
            for peer in peers:
                try:
                    peer.socket.settimeout(2)
                    send(peer)
                except OSError:
                    pass
            self.assertLess(memory(self.server) - base, 150_000, "what nobody reads is not kept")
            ended = eventually(lambda: (n := sum("why=" in line and ".end" in line and "127.0.0.66" in line for line in self.server.log[logged:])) >= len(peers) and n, timeout=SHORT)
            self.assertEqual(ended, len(peers))

    def test_a_large_fetch(self):
        self.ends([self.reader(receive_buffer=4096) for _ in range(8)], lambda peer: peer.send("b FETCH 1:* BODY.PEEK[]\r\n"))

    def test_a_large_fetch_many_times_over(self):
        self.ends([self.reader(receive_buffer=4096)], lambda peer: peer.send("b FETCH 1:* (BODY.PEEK[] BODY.PEEK[TEXT])\r\n" * 1000))

    def test_retr(self):
        peer = self.peer("pop3", receive_buffer=4096)
        peer.send(f"USER {BOB}\r\nPASS {PASSWORD}\r\n")
        peer.line(), peer.line()
        self.ends([peer], lambda one: one.send("RETR 1\r\n" * 100))

    def test_pipelined_commands(self):
        """Nothing is read of the answers: then nothing more is read of the questions."""
        for service, line in (("imap", b"a CAPABILITY\r\n"), ("pop3", b"CAPA\r\n"), ("smtp", b"EHLO x.test\r\n")):
            with self.subTest(service):
                self.ends([self.peer(service, receive_buffer=4096)], lambda peer, line=line: peer.send(line * 2_000_000))


class TakingLittle(Attacked):
    """A reader that takes a little now and then is as bad as one that takes nothing."""
    config = {"imap.command_timeout": '"1s"'}

    def test_a_trickled_answer_ends(self):
        fill(self.server, BOB, 1, body="0123456789" * 6 * 100_000 + "\r\n")
        peer = self.reader(receive_buffer=2048)
        with Meanwhile(self.server):
            peer.send("b FETCH 1 BODY.PEEK[]\r\n")
            began, taken = time.monotonic(), 0
            peer.socket.settimeout(5)
            try:
                while time.monotonic() - began < 3 * SHORT and (more := peer.socket.recv(16)):
                    taken += len(more)
                    time.sleep(0.2)
            except OSError:
                pass
            self.assertLess(taken, 6_000_000)
            # What the kernels hold is a few hundred kilobytes: the server itself has let go.
        log = [l for l in self.server.log if "imap.end" in l and "why=timeout" in l]
        self.assertTrue(log, self.server.log[-5:])


class HalfClosed(Attacked):
    """A peer that has said all it will say, and still listens."""

    def test_what_was_asked_is_answered(self):
        with Meanwhile(self.server):
            for service, said, last in (("smtp", b"EHLO x.test\r\nNOOP\r\nQUIT\r\n", b"221 "), ("imap", b"a NOOP\r\nb LOGOUT\r\n", b"b OK"), ("pop3", b"CAPA\r\nQUIT\r\n", b"+OK")):
                with self.subTest(service):
                    peer = self.peer(service)
                    peer.send(said)
                    peer.socket.shutdown(socket.SHUT_WR)
                    answer = b""
                    while more := peer.socket.recv(65536):
                        answer += more
                    self.assertIn(last, answer)

    def test_a_long_line_of_an_answer_stays_whole(self):
        """Whether such a peer is still there is asked between lines, never within one."""
        client = imap(self.server, BOB)
        client.create("Large")
        fill_at_once(client, "Large", 60_000)
        client.logout()
        numbers = " ".join(map(str, range(1, 60_001)))
        peer = self.peer("imap")
        peer.send(f'a LOGIN "{BOB}" "{PASSWORD}"\r\nb SELECT Large\r\n'.encode() + b"c SEARCH ALL\r\n" * 40)
        answer = b""
        while b"* SEARCH" not in answer:
            answer += peer.socket.recv(4096)
        time.sleep(1)  # until the server waits for its client
        peer.socket.shutdown(socket.SHUT_WR)
        time.sleep(1)
        while more := peer.socket.recv(65536):
            answer += more
        self.assertEqual(answer.decode().count(f"* SEARCH {numbers}\r\n"), 40)

    def test_in_the_middle_of_everything(self):
        before = descriptors(self.server)
        with Meanwhile(self.server):
            for service, said in (("smtp", b"EH"), ("smtp", b"EHLO x.test\r\nMAIL FROM:<x@y.test>\r\nRCPT TO:<bob@alpha.test>\r\nDATA\r\nSubject"), ("imap", b"a LOGIN {5}\r\n"),
                                  ("imap", b"a AUTHENTICATE PLAIN\r\n"), ("pop3", b"USER"), ("submissions", b"\x16\x03"), ("imaps", b""), ("pop3s", b"")):
                with self.subTest(service, said=said):
                    peer = self.peer(service, greet=not service.endswith("s"))
                    peer.send(said)
                    peer.socket.shutdown(socket.SHUT_WR)
                    self.assertIsNotNone(peer.ended(SHORT))
        eventually(lambda: descriptors(self.server) <= before + 4)

    def test_resets(self):
        """Connections that end with RST, in the middle of a command, of a message, of an answer."""
        before = descriptors(self.server)
        with Meanwhile(self.server):
            for service, said in (("smtp", b"EHLO x.test\r\nMAIL"), ("imap", b"a CAPABILITY\r\n" * 1000), ("pop3", b"CAPA\r\n" * 1000), ("imaps", b"\x16\x03\x01")) * 10:
                peer = self.peer(service, greet=False)
                peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                peer.send(said)
                peer.socket.close()
        eventually(lambda: descriptors(self.server) <= before + 4)


class LastWords(Attacked):
    """What ends a connection is heard, although the peer was still talking."""
    config = {"smtp.max_errors": 3, "imap.max_errors": 3, "pop3.max_errors": 3}

    def test_too_many_errors_are_named(self):
        for service, line, last in (("smtp", b"FOO\r\n", b"421 4."), ("imap", b"a FOO\r\n", b"* BYE"), ("pop3", b"FOO\r\n", b"-ERR Too many errors")):
            with self.subTest(service):
                peer = self.peer(service)
                peer.send(line * 4000)
                time.sleep(0.05)
                peer.send(line * 2000)  # unread bytes when the server closes would reset the connection
                answer = b""
                while more := peer.socket.recv(65536):
                    answer += more
                self.assertIn(last, answer)

    def test_a_message_that_is_too_large_gets_its_552(self):
        peer = self.mta()
        self.open(peer)
        peer.send(b"BDAT 9999999999 LAST\r\n" + b"x" * 100_000)
        self.assertRegex(peer.reply() or "", "^552 5.3.4 ")


if __name__ == "__main__":
    unittest.main()
