"""What the tests with hostile peers share: peers from other addresses, and an honest client that must not notice them."""
import contextlib
import os
import re
import socket
import ssl
import threading
import time
import unittest

from harness import PASSWORD, SANITIZED, Instance
from mail import Wire, stamp, tls

ANNA, BOB = "anna@alpha.test", "bob@alpha.test"
MEMORY = 900_000  # kilobytes that a server may ever hold in these tests; sanitizers need more


def memory(server, what="VmRSS"):
    """Kilobytes of memory that the server holds (VmHWM: ever held)."""
    with open(f"/proc/{server.process.pid}/status") as status:
        return int(re.search(rf"{what}:\s+(\d+)", status.read()).group(1))


def descriptors(server):
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


class Peer(Wire):
    """A connection from an address of its own: limits of one peer are not those of another."""

    def __init__(self, server, service, source="127.0.0.66", timeout=20, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.bind((source, 0))
        self.socket.connect((server.host, server.port(service)))
        self.input = b""

    def ended(self, within):
        """Reads until the other side closes; the seconds that took, or None when it did not close in time."""
        began = time.monotonic()
        while (left := within - (time.monotonic() - began)) > 0:
            self.socket.settimeout(left)
            try:
                if not self.socket.recv(65536):
                    return time.monotonic() - began
            except TimeoutError:
                return None
            except OSError:
                return time.monotonic() - began
        return None


def trickle(peers, within, every=0.1):
    """Sends each of {name: (peer, bytes)} byte by byte until the other side closes; gives the names of those still connected."""
    deadline, i = time.monotonic() + within, 0
    peers = dict(peers)
    while peers and time.monotonic() < deadline:
        time.sleep(every)
        for name, (peer, data) in list(peers.items()):
            peer.socket.settimeout(0.001)
            try:
                peer.socket.send(data[i % len(data):][:1])
                if not peer.socket.recv(65536):
                    del peers[name]
            except (TimeoutError, ssl.SSLWantReadError):
                pass
            except OSError:
                del peers[name]
        i += 1
    return list(peers)


class Meanwhile:
    """An honest server and an honest reader that go on while others attack: each message is delivered and seen.

    On leaving: they were served all the time, the server lives, its memory is bounded."""

    def __init__(self, server, worst=10.0, memory_limit=MEMORY):
        self.server, self.worst, self.memory_limit = server, worst, memory_limit
        self.delays, self.failure, self.over = [], None, threading.Event()

    def __enter__(self):
        self.thread = threading.Thread(target=self.live, daemon=True)
        self.first = threading.Event()
        self.thread.start()
        assert self.first.wait(30), "nobody was served in the beginning"
        return self

    def __exit__(self, kind, *exc):
        while kind is None and len(self.delays) < 3 and self.thread.is_alive():
            time.sleep(0.02)
        self.over.set()
        self.thread.join(30)
        if kind:
            return
        if self.failure:
            raise AssertionError("an honest client was not served meanwhile") from self.failure
        assert self.server.process.poll() is None, "the server died"
        limit = self.worst * (4 if SANITIZED else 1)
        assert max(self.delays) < limit, f"an honest client waited {max(self.delays):.1f} s"
        held = memory(self.server, "VmHWM")
        if not SANITIZED:
            assert held < self.memory_limit, f"the server held {held} KB"

    def live(self):
        try:
            reader = Peer(self.server, "imap", "127.0.0.77")
            assert "a OK" in reader.login(ANNA)
            assert "a OK" in reader.tagged("SELECT INBOX")[-1]
            while not self.over.is_set():
                began = time.monotonic()
                mark = deliver(self.server, "127.0.0.78")
                reader.tagged("NOOP")  # SEARCH alone may not tell of new messages first
                found = reader.tagged(f'SEARCH SUBJECT "{mark}"')
                assert re.match(r"\* SEARCH \d", next(l for l in found if l.startswith("* SEARCH"))), found
                self.delays.append(time.monotonic() - began)
                self.first.set()
                self.over.wait(0.1)
        except Exception as failure:  # noqa: BLE001 the main thread tells
            self.failure = failure
            self.first.set()


def deliver(server, source="127.0.0.78", to=ANNA, body="text\r\n"):
    """One message from another server; its subject."""
    mark = stamp()
    with Peer(server, "smtp", source) as wire:
        wire.reply()
        for line, code in (("EHLO mx.beta.test", "250"), ("MAIL FROM:<x@beta.test>", "250"), (f"RCPT TO:<{to}>", "250"), ("DATA", "354"),
                           (f"Subject: {mark}\r\n\r\n{body}.", "250"), ("QUIT", "221")):
            reply = wire.ask(line)
            assert (reply or "")[:3] == code, f"{line[:40]!r}: {reply}"
    return mark


class Attacked(unittest.TestCase):
    """Tests against one server that all of a class share."""
    config, metrics, wrapper = {}, False, []

    @classmethod
    def setUpClass(cls):
        server = Instance(ANNA, config=cls.config, metrics=cls.metrics)
        server.wrapper = cls.wrapper
        cls.server = cls.enterClassContext(server)
        cls.server.add_account(BOB)

    def peer(self, service="smtp", greet=True, **options):
        peer = self.enterContext(Peer(self.server, service, **options))
        if greet:
            self.assertIsNotNone(peer.line())
        return peer

    def mta(self, **options):
        """A server that has said EHLO."""
        peer = self.peer("smtp", **options)
        self.assertEqual(peer.ask("EHLO mx.mallory.test")[:3], "250")
        return peer

    def open(self, peer, to=BOB):
        """Up to RCPT."""
        for line in ("MAIL FROM:<x@mallory.test>", f"RCPT TO:<{to}>"):
            self.assertEqual(peer.ask(line)[:3], "250", line)

    def reader(self, user=BOB, mailbox="INBOX", **options):
        """An IMAP client that is logged in, with a mailbox open."""
        peer = self.peer("imap", greet=False, **options)
        self.assertIn("a OK", peer.login(user))
        if mailbox:
            self.assertIn("a OK", peer.tagged(f"SELECT {mailbox}")[-1])
        return peer


@contextlib.contextmanager
def crowd(count, make):
    """`count` connections at once, closed at the end."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(make(i)) for i in range(count)]


def under_tls(peer):
    peer.socket = tls().wrap_socket(peer.socket)
    peer.input = b""
    return peer


__all__ = ["ANNA", "BOB", "PASSWORD", "Attacked", "Meanwhile", "Peer", "crowd", "deliver", "descriptors", "memory", "sanitized", "trickle", "under_tls"]
