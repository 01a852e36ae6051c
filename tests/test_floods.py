"""Floods: too much of everything at once. The limits hold, and everybody else is served."""
import base64
import contextlib
import re
import ssl
import subprocess
import threading
import unittest

from harness import PASSWORD, eventually, need
from hostile import ANNA, BOB, Attacked, Meanwhile, Peer, crowd, descriptors

GREETED = {"smtp": r"^220 ", "submission": r"^220 ", "imap": r"^\* OK", "pop3": r"^\+OK"}
TURNED_AWAY = {"smtp": r"^421 4\.\d\.\d ", "submission": r"^421 4\.\d\.\d ", "imap": r"^\* BYE \[UNAVAILABLE\]", "pop3": r"^-ERR \[SYS/TEMP\]"}


class OfConnections(Attacked):
    config = {"limits.connections": 60, "limits.connections_per_address": 20, "limits.connections_per_account": 8}

    def test_per_address(self):
        """The 21st from one address is turned away in its protocol's words, and let in when another has gone."""
        with Meanwhile(self.server):
            peers = [self.peer("smtp") for _ in range(20)]
            for service in GREETED:
                with self.subTest(service):
                    self.assertRegex(self.peer(service, greet=False).line() or "", TURNED_AWAY[service])
            self.assertIsNone(self.peer("imaps", greet=False).line())  # nothing can be said before a handshake
            peers.pop().socket.close()
            eventually(lambda: re.match(r"220 ", self.peer("smtp", greet=False).line() or ""))

    def test_in_total(self):
        """Who is in is served, who comes then is turned away, until one goes."""
        reader = self.reader(source="127.0.0.77")
        with crowd(59, lambda i: Peer(self.server, "smtp", f"127.0.1.{i + 1}")) as peers:
            for peer in peers:
                self.assertRegex(peer.line() or "", "^220 ")
            for service in GREETED:
                self.assertRegex(self.peer(service, greet=False, source="127.0.2.1").line() or "", TURNED_AWAY[service])
            self.assertIn("a OK", reader.tagged("NOOP")[-1])
            self.assertEqual(peers[0].ask("EHLO x.test")[:3], "250")
            peers[1].socket.close()
            eventually(lambda: re.match(r"\* OK", self.peer("imap", greet=False, source="127.0.2.1").line() or ""))

    def test_per_account(self):
        """Eight sessions of one account, whatever the protocol and the address; the ninth login is told why."""
        with Meanwhile(self.server):
            peers = [self.reader(mailbox=None, source=f"127.0.3.{i}") for i in range(7)]
            submission = self.peer("submission", source="127.0.3.8")
            submission.ask("EHLO pc.test")
            auth = "AUTH PLAIN " + base64.b64encode(f"\0{BOB}\0{PASSWORD}".encode()).decode()
            self.assertEqual(submission.ask(auth)[:3], "235")

            ninth = self.peer("imap", source="127.0.3.9")
            self.assertRegex(ninth.tagged(f'LOGIN {BOB} "{PASSWORD}"')[-1], r"^a NO \[LIMIT\]")
            pop = self.peer("pop3", source="127.0.3.9")
            pop.send(f"USER {BOB}\r\nPASS {PASSWORD}\r\n")
            self.assertRegex(pop.line(), r"^\+OK")
            self.assertRegex(pop.line(), r"^-ERR \[SYS/TEMP\]")
            other = self.peer("submission", source="127.0.3.9")
            other.ask("EHLO pc.test")
            self.assertRegex(other.ask(auth), r"^454 4\.7\.0 .*sessions")
            peers[0].socket.close()
            eventually(lambda: ninth.tagged(f'LOGIN {BOB} "{PASSWORD}"')[-1].startswith("a OK"))

    def test_come_and_go(self):
        """Thousands that connect and leave at once leave nothing behind."""
        before = descriptors(self.server)
        with Meanwhile(self.server):
            for i in range(1500):
                with contextlib.suppress(OSError):
                    self.peer(("smtp", "imap", "pop3", "imaps")[i % 4], greet=False, source="127.0.0.88").socket.close()
        eventually(lambda: descriptors(self.server) <= before + 3)


class OfCommands(Attacked):
    config = {"smtp.max_errors": 5, "smtp.max_idle_commands": 10, "imap.max_errors": 5, "pop3.max_errors": 5, "smtp.max_recipients": 100, "smtp.max_line": '"1KB"',
              "imap.max_line": '"8KB"', "imap.max_literal": '"1KB"', "imap.max_command": '"16KB"', "imap.max_append_messages": 3, "imap.max_append_size": '"64KB"', "smtp.max_header": '"16KB"',
              "smtp.max_received": 20}

    def setUp(self):
        """Each of them is run into while others are served."""
        self.enterContext(Meanwhile(self.server))

    def answers(self, service, line, count, hello=b""):
        """What is said to so many lines in one go, before the connection ends."""
        peer = self.peer(service)
        with contextlib.suppress(OSError):
            peer.send(hello + line * count)
        answer = b""
        with contextlib.suppress(OSError):
            while more := peer.socket.recv(65536):
                answer += more
        return answer.decode(errors="replace").splitlines()

    def test_errors_and_idle_commands(self):
        for service, line, hello, counted, most, last in (("smtp", b"FOO\r\n", b"", "500 ", 5, "421 4.7.0"), ("smtp", b"NOOP\r\n", b"EHLO x.test\r\n", "250 2.0.0", 10, "421 4.7.0"),
                                                          ("smtp", b"RSET\r\n", b"EHLO x.test\r\n", "250 2.0.0", 10, "421 4.7.0"),
                                                          ("smtp", b"BDAT 0\r\n", b"EHLO x.test\r\nMAIL FROM:<x@y.test>\r\nRCPT TO:<bob@alpha.test>\r\n", "250 2.0.0", 10, "421 4.7.0"), ("imap", b"a FOO\r\n", b"", "a BAD", 5, "* BYE"),
                                                          ("pop3", b"FOO\r\n", b"", "-ERR", 6, "-ERR Too many errors")):
            with self.subTest(service, line=line):
                lines = self.answers(service, line, 3_000, hello)
                self.assertLessEqual(sum(l.startswith(counted) for l in lines), most)
                self.assertTrue(lines[-1].startswith(last), lines[-3:])

    def test_pipelined_by_the_hundred_thousand(self):
        reader = self.reader()
        reader.send(b"a NOOP\r\n" * 99_999 + b"z NOOP\r\n")
        done = 0
        while (line := reader.line()) and not line.startswith("z OK"):
            done += line.startswith("a OK")
        self.assertEqual(done, 99_999)

    def test_recipients(self):
        peer = self.mta()
        self.assertEqual(peer.ask("MAIL FROM:<x@mallory.test>")[:3], "250")
        peer.send(f"RCPT TO:<{BOB}>\r\n" * 120)
        replies = [peer.reply() for _ in range(120)]
        self.assertEqual([r[:3] for r in replies], ["250"] * 100 + ["452"] * 20)
        self.assertRegex(replies[-1], r"^452 4\.5\.3 ")
        # RFC 5321 §4.5.3.1.10: a client that named all of them at once goes on with those that were taken.
        self.assertEqual(peer.ask("DATA")[:3], "354")
        self.assertEqual(peer.ask("Subject: x\r\n\r\nx\r\n.")[:3], "250")

    def test_recipients_without_end(self):
        """As many as a message may have are put off; each more is an error."""
        lines = self.answers("smtp", f"RCPT TO:<{BOB}>\r\n".encode(), 3_000, b"EHLO x.test\r\nMAIL FROM:<x@mallory.test>\r\n")
        answers = [line[:3] for line in lines if line.startswith(("250 2.1.5", "452", "421"))]
        self.assertEqual(answers, ["250"] * 100 + ["452"] * 105 + ["421"])

    def test_guessing_recipients(self):
        """Unknown ones count as errors."""
        peer = self.mta()
        peer.ask("MAIL FROM:<x@mallory.test>")
        peer.send("".join(f"RCPT TO:<nobody{i}@alpha.test>\r\n" for i in range(10)))
        replies = [peer.reply() or "" for _ in range(7)]
        self.assertEqual([r[:3] for r in replies], ["550"] * 5 + ["421", ""])

    def test_sizes(self):
        peer = self.mta()
        self.assertRegex(peer.ask("NOOP " + "x" * 1100), r"^500 5\.5\.2 ")
        reader = self.reader()
        for line, expected in (("SEARCH" + " SUBJECT x" * 700, "a OK"), ("SEARCH" + " SUBJECT x" * 900, r"a BAD \[LIMIT\]"), ("SELECT {1025}", r"a (BAD|NO)"), ("APPEND INBOX {70000}", r"a NO \[TOOBIG\]"), ("SELECT {1000+}\r\n" + "x" * 1000, "a (NO|BAD)")):
            with self.subTest(line[:30]):
                self.assertRegex(reader.tagged(line)[-1], f"^{expected}")
        message = "Subject: x\r\n\r\nx\r\n"
        one = f" {{{len(message)}+}}\r\n{message}"
        self.assertRegex(reader.tagged("APPEND INBOX" + one * 3)[-1], "^a OK")
        self.assertRegex(reader.tagged("APPEND INBOX" + one * 4)[-1], "^a (NO|BAD)")
        literals = "LIST \"\" (" + "{900+}\r\n" + "x" * 900 + " {900+}\r\n" + "x" * 900
        self.assertRegex(reader.tagged(literals + (" {900+}\r\n" + "x" * 900) * 18 + ")")[-1], r"^a (BAD|NO) \[(LIMIT|TOOBIG)\]")

    def test_received_fields(self):
        for count, code in ((19, "250"), (21, "554")):
            peer = self.mta()
            self.open(peer)
            peer.ask("DATA")
            self.assertEqual(peer.ask("Received: from a by b; Mon, 5 Oct 2026 10:00:00 +0900\r\n" * count + "\r\nx\r\n.")[:3], code)

    def test_the_header_of_a_user(self):
        peer = self.enterContext(Peer(self.server, "submission", "127.0.0.1"))
        peer.reply()
        peer.ask("EHLO pc.test")
        peer.ask("AUTH PLAIN " + base64.b64encode(f"\0{BOB}\0{PASSWORD}".encode()).decode())
        for size, code in ((10_000, "250"), (20_000, "5")):
            peer.ask(f"MAIL FROM:<{BOB}>")
            peer.ask(f"RCPT TO:<{ANNA}>")
            peer.ask("DATA")
            self.assertTrue(peer.ask(f"From: {BOB}\r\n" + ("X: " + "y" * 60 + "\r\n") * (size // 65) + "\r\nx\r\n.").startswith(code))


class OnTheWrongPort(Attacked):
    """Who speaks another language is told so, or shown the door, soon."""
    config = {"tls.handshake_timeout": '"2s"', "smtp.timeout": '"2s"', "login.timeout": '"2s"'}

    def test_http_and_garbage_everywhere(self):
        import os
        said = {"HTTP": b"GET / HTTP/1.1\r\nHost: mail.alpha.test\r\n\r\n", "HTTP POST": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 60\r\n\r\nEHLO x\r\nMAIL FROM:<x@y.test>\r\nRCPT TO:<bob@alpha.test>\r\n",
                "garbage": os.urandom(4000), "TLS to a clear port": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(500), "zeros": bytes(5000), "SSLv2": b"\x80\x2e\x01\x00\x02\x00\x15" + os.urandom(40),
                "a record of no length": b"\x16\x03\x01\x00\x00" * 1000, "an alert": b"\x15\x03\x01\x00\x02\x02\x28", "application data": b"\x17\x03\x03\x40\x00" + os.urandom(16384), "SSH": b"SSH-2.0-x\r\n"}
        with Meanwhile(self.server):
            peers = []
            for service in ("smtp", "submission", "submissions", "imap", "imaps", "pop3", "pop3s"):
                for name, text in said.items():
                    peer = self.peer(service, greet=False)
                    with contextlib.suppress(OSError):
                        peer.send(text)
                    peers.append((service, name, peer))
            for service, name, peer in peers:
                with self.subTest(service, said=name):
                    self.assertIsNotNone(peer.ended(8), "still connected")

    def test_http_is_no_way_to_send_mail(self):
        """A web page can make a browser send lines to port 25: at the first of them it is over."""
        peer = self.peer("smtp")
        peer.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 60\r\n\r\nEHLO x.test\r\nMAIL FROM:<x@y.test>\r\n")
        answer = b""
        with contextlib.suppress(OSError):
            while more := peer.socket.recv(65536):
                answer += more
        self.assertNotIn(b"250", answer)

    def test_renegotiation_is_refused(self):
        """TLS 1.2, which alone has it: the client asks for another handshake. `openssl s_client` does so at a line R."""
        need("openssl")
        with Meanwhile(self.server):
            greetings = {"submissions": b"220 ", "imaps": b"* OK", "pop3s": b"+OK", "smtp": None, "imap": None, "pop3": None}
            for service, greeting in greetings.items():
                with self.subTest(service):
                    starttls = [] if greeting else ["-starttls", service]
                    said = self.renegotiate(greeting, "-connect", f"{self.server.host}:{self.server.port(service)}", *starttls)
                    self.assertIn(b"RENEGOTIATING", said)
                    self.assertIn(b"no renegotiation", said)

    def renegotiate(self, greeting, *to):
        """What the client says of it until it has ended."""
        with subprocess.Popen(["openssl", "s_client", "-tls1_2", *to], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
            watch = threading.Timer(10, child.kill)  # it would go on if it could
            watch.start()
            while (line := child.stdout.readline()) and b"Extended master secret" not in line:
                pass  # until the first handshake is over
            while greeting and (line := child.stdout.readline()) and not line.startswith(greeting):
                pass  # nothing of the protocol comes into the next one
            child.stdin.write(b"R\n")
            child.stdin.flush()
            said = child.stdout.read()
            watch.cancel()
            return said

    def test_handshakes_by_the_hundred(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with Meanwhile(self.server):
            for i in range(150):
                with contextlib.suppress(OSError):
                    peer = self.peer("imaps", greet=False)
                    context.wrap_socket(peer.socket).close()


if __name__ == "__main__":
    unittest.main()
