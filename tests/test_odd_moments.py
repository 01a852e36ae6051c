"""The server is killed, stopped and told to reload at odd moments, with odd clients connected."""
import contextlib
import json
import os
import signal
import socket
import time
import unittest

from harness import PASSWORD, Instance, eventually
from hostile import ANNA, BOB, Attacked, Meanwhile, Peer, deliver, descriptors
from mail import fill, subjects

# What a client may be in the middle of: service, what it has said.
MIDDLE = [("smtp", b""), ("smtp", b"EHLO x.test\r\nMAIL FROM:<x@y.test>\r\nRCPT TO:<bob@alpha.test>\r\nDATA\r\nSubject: half"), ("smtp", b"EHLO x.test\r\nSTARTTLS\r\n"),
          ("smtp", b"EHLO x.test\r\nMAIL FROM:<x@y.test>\r\nRCPT TO:<bob@alpha.test>\r\nBDAT 1000\r\nhalf"), ("submission", b"EHLO x.test\r\nAUTH PLAIN\r\n"), ("submissions", b"\x16\x03\x01"), ("imaps", b""),
          ("imap", b'a LOGIN bob@alpha.test "wrong"\r\n'), ("imap", b"a AUTHENTICATE PLAIN\r\n"), ("imap", f'a LOGIN {BOB} "{PASSWORD}"\r\nb SELECT INBOX\r\nc IDLE\r\n'.encode()),
          ("imap", f'a LOGIN {BOB} "{PASSWORD}"\r\nb APPEND INBOX {{1000+}}\r\nSubject: half'.encode()), ("imap", f'a LOGIN {BOB} "{PASSWORD}"\r\nb SELECT INBOX\r\nc FETCH 1:* BODY[]\r\n'.encode()),
          ("pop3", f"USER {BOB}\r\nPASS {PASSWORD}\r\nRETR 1\r\nDELE 1\r\n".encode())]


class Ending(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(Instance(ANNA, config={"pop3.lock": "false"}))
        self.server.add_account(BOB)
        fill(self.server, BOB, 3, body="0123456789" * 6 * 50_000 + "\r\n")

    def odd_clients(self):
        peers = []
        for i, (service, said) in enumerate(MIDDLE):
            peer = self.enterContext(Peer(self.server, service, f"127.0.7.{i + 1}", receive_buffer=4096))
            peer.send(said)
            peers.append(peer)
        return peers

    def test_sigterm(self):
        """Ends within its bounds, in order; whoever listens is told; what was accepted is there."""
        for _ in range(2):
            mark = deliver(self.server, to=BOB)
            peers = self.odd_clients()
            began = time.monotonic()
            self.server.process.send_signal(signal.SIGTERM)
            for _ in range(20):  # impatience changes nothing
                self.server.process.send_signal(signal.SIGTERM)
            self.assertEqual(self.server.process.wait(25), 0)
            self.assertLess(time.monotonic() - began, 20)
            for (service, said), peer in zip(MIDDLE, peers):
                if service == "smtp" and not said:
                    self.assertRegex("\n".join(peer.until("421 ")), r"421 4\.3\.2 ")
                if b"IDLE" in said:
                    self.assertTrue(peer.until("* BYE")[-1].startswith("* BYE"))
            self.server.process = None
            self.server.start()
            there = subjects(self.server, BOB)
            self.assertIn(mark, there)
            self.assertFalse([s for s in there if s and "half" in s])
        self.server.stop()
        self.assertEqual(self.server.run("verify").returncode, 0)

    def test_sigkill(self):
        for wait in (0, 0.003, 0.02, 0.1):
            mark = deliver(self.server, to=BOB)
            self.odd_clients()
            time.sleep(wait)
            self.server.kill()
            self.server.start()
            there = subjects(self.server, BOB)
            self.assertIn(mark, there)
            self.assertFalse([s for s in there if s and "half" in s])
        self.server.stop()
        self.assertEqual(self.server.run("verify").returncode, 0)


class Reloading(Attacked):
    config = {"limits.connections_per_address": 50}

    def hang_up(self, count=1):
        """Tells it to reload; waits until it has."""
        def answers():
            return sum(any(event in line for event in ("server.reload", "config.reload", "tls.reload")) for line in self.server.log)
        before = answers()
        for _ in range(count):
            self.server.process.send_signal(signal.SIGHUP)
        eventually(lambda: answers() > before)

    def test_a_flood_of_sighup(self):
        """Also while clients are in the middle of things: their sessions go on as they began."""
        peers = [self.enterContext(Peer(self.server, service, f"127.0.8.{i + 1}")) for i, (service, _) in enumerate(MIDDLE)]
        for (_, said), peer in zip(MIDDLE, peers):
            peer.send(said)
        idle = self.reader()
        before = descriptors(self.server)
        with Meanwhile(self.server):
            for _ in range(200):
                self.server.process.send_signal(signal.SIGHUP)
                time.sleep(0.002)
        self.assertIn("a OK", idle.tagged("NOOP")[-1])
        self.assertLess(descriptors(self.server), before + 5)

    def test_mistakes_leave_everything_as_it_was(self):
        path = self.server.dir / "hikyaku.toml"
        good = path.read_text()
        self.addCleanup(path.write_text, good)
        with Meanwhile(self.server):
            for bad in ("nonsense", "[smtp]\nmax_recipients = -5\n", "\0\0\0", "", good.replace("[", "[["), good + "\n[limits]\nconnections = 0\n", "x" * 2_000_000, good + '\n[tls]\ncertificates = [{ cert = "/nowhere", key = "/nowhere" }]\n'):
                with self.subTest(bad[:40]):
                    path.write_text(bad)
                    self.hang_up()
                    self.assertEqual(self.mta().ask("NOOP")[:3], "250")
            os.remove(path)
            self.hang_up()
            self.assertEqual(self.mta().ask("NOOP")[:3], "250")
        self.assertTrue([l for l in self.server.log if "config.reload" in l and "err=" in l])

    def test_limits_take_effect(self):
        """Those that the table says are reloadable: the next connection, login and command feel them."""
        self.addCleanup(self.hang_up)
        self.addCleanup(self.server.configure, {"limits.connections_per_address": 50, "login.max_failures": 5, "smtp.max_errors": 20, "limits.connections_per_account": 100})
        self.server.configure({"limits.connections_per_address": 2, "login.max_failures": 1, "smtp.max_errors": 3, "limits.connections_per_account": 1})
        self.hang_up()
        peers = [self.peer("smtp", source="127.0.9.1") for _ in range(2)]
        self.assertRegex(self.peer("smtp", greet=False, source="127.0.9.1").line(), "^421 ")
        self.assertEqual([(peers[0].ask("FOO") or "")[:3] for _ in range(4)], ["500"] * 3 + ["421"])
        first = self.peer("imap", source="127.0.9.2")
        self.assertRegex(first.tagged(f'LOGIN {BOB} "wrong"')[-1], r"^a NO \[AUTH")
        self.assertRegex(first.tagged(f'LOGIN {BOB} "{PASSWORD}"')[-1], r"^a NO \[UNAVAILABLE\]")
        kept = self.reader(mailbox=None, source="127.0.9.3")
        second = self.peer("imap", source="127.0.9.3")
        self.assertRegex(second.tagged(f'LOGIN {BOB} "{PASSWORD}"')[-1], r"^a NO \[LIMIT\]")
        self.assertIn("a OK", kept.tagged("NOOP")[-1])


class OnTheControlSocket(Attacked):
    """Any program of this machine may connect to the one for submitting; the owner's takes no nonsense either."""
    config = {"limits.local_connections": "10"}

    def sockets(self):
        found = [p for p in self.server.dir.rglob("*") if p.is_socket()]
        self.assertEqual(len(found), 2, found)
        return found

    def connect(self, path):
        connection = self.enterContext(socket.socket(socket.AF_UNIX))
        connection.settimeout(20)
        connection.connect(str(path))
        return connection

    def test_garbage(self):
        garbage = [os.urandom(2000) + b"\n", b"\n" * 1000, b"{}\n", b"[]\n", b"null\n", b'{"verb": 5}\n', b'{"verb": "no.such"}\n', b'{"verb": "account.list", "args": []}\n', b"{" * 100_000 + b"\n",
                   b'{"verb":"mail.submit","args":{"recipients":' + b"[" * 20 + b"]" * 20 + b"}}\n", b'{"verb":"\\ud800"}\n', b'{"verb":"a","args":{"x":1e999}}\n', b"GET / HTTP/1.1\r\n\r\n", b'{"data":"eA=="}\n', b'{"end":true}\n', b"\0" * 5000 + b"\n"]
        with Meanwhile(self.server):
            for path in self.sockets():
                for text in garbage:
                    with self.subTest(path.name, text=text[:30]):
                        connection = self.connect(path)
                        connection.sendall(text)
                        connection.shutdown(socket.SHUT_WR)
                        answer = b""
                        with contextlib.suppress(ConnectionResetError):
                            while more := connection.recv(65536):
                                answer += more
                        for line in answer.splitlines():
                            self.assertIn("error", json.loads(line))

    def test_a_line_without_end(self):
        with Meanwhile(self.server):
            for path in self.sockets():
                connection = self.connect(path)
                sent = 0
                with contextlib.suppress(OSError):
                    while sent < 100_000_000:
                        sent += connection.send(b"x" * 1_000_000)
                self.assertLess(sent, 100_000_000)

    def test_more_connections_than_anybody_needs(self):
        """A program of this machine cannot use up what the mail needs: ten times what is served at once may be there."""
        before = descriptors(self.server)
        for path in self.sockets():
            with contextlib.ExitStack() as stack:
                refused = 0
                for _ in range(400):
                    connection = stack.enter_context(socket.socket(socket.AF_UNIX))
                    connection.settimeout(5)
                    try:
                        connection.connect(str(path))
                    except OSError:
                        refused += 1
                with Meanwhile(self.server):
                    eventually(lambda: descriptors(self.server) - before < 150)
        eventually(lambda: descriptors(self.server) < before + 10)
        self.assertIn(ANNA, self.server.run("account", "list").stdout)


if __name__ == "__main__":
    unittest.main()
