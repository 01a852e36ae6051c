"""Floods within a connection: a client that always has its next command there already, and takes every answer. It gets its turn, no more."""
import contextlib
import os
import socket
import threading
import time
import unittest

from harness import HANGS, SANITIZED, Instance, eventually
from hostile import ANNA, BOB, Attacked, Peer, deliver

LOOPS = len(os.sched_getaffinity(0))
SOON = 8 if SANITIZED else 2  # seconds within which people are served, typically: one of them may meet a compiler's turn
GREETINGS = {"smtp": "220 ", "submission": "220 ", "imap": "* OK", "pop3": "+OK"}
# Recipients are taken without waiting for anything; a RSET for a thousand of them is little.
ENVELOPES = b"RSET\r\nMAIL FROM:<x@mallory.test>\r\n" + f"RCPT TO:<{BOB}>\r\n".encode() * 1_000
PATIENT = {"smtp.max_idle_commands": 100_000}
# What is said first, and then again and again, by somebody who has not logged in.
STRANGERS = {"imap": ((), b"a NOOP\r\n"), "pop3": ((), b"CAPA\r\n"), "smtp": (("EHLO mx.mallory.test",), ENVELOPES)}


class Flood:
    """Sends the same bytes without end and reads what is answered, in threads of its own, until the other side or the test ends it."""

    def __init__(self, peer, bytes_):
        self.peer, self.block = peer, bytes_ * (2 ** 18 // len(bytes_))
        self.answered, self.tail, self.ended = 0, b"", None
        self.began = time.monotonic()
        peer.socket.settimeout(None)
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self.send, self.read)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exc):
        with contextlib.suppress(OSError):
            self.peer.socket.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(30)

    def send(self):
        with contextlib.suppress(OSError):
            while True:
                self.peer.socket.sendall(self.block)

    def read(self):
        room = bytearray(2 ** 20)
        with contextlib.suppress(OSError):
            while count := self.peer.socket.recv_into(room):
                self.answered += count
                self.tail = (self.tail + room[:count])[-200:]
        self.ended = time.monotonic() - self.began


def served(server):
    """How long each protocol takes to greet somebody who comes now."""
    took = {}
    for service, greeting in GREETINGS.items():
        began = time.monotonic()
        with Peer(server, service, "127.0.0.77", timeout=HANGS) as peer:
            line = peer.line()
        assert line.startswith(greeting), line
        took[service] = time.monotonic() - began
    return took


class Pipelined(Attacked):
    config = PATIENT

    def floods(self, stack, service, hello, bytes_, count=2 * LOOPS):
        """So many that are under way."""
        floods = []
        for _ in range(count):
            peer = self.peer(service)
            for line in hello:
                self.assertEqual(peer.ask(line)[:3], "250", line)
            floods.append(stack.enter_context(Flood(peer, bytes_)))
        eventually(lambda: all(flood.answered > 0 for flood in floods), 30)
        return floods

    def assert_others_are_served(self, floods, rounds=5):
        """Again and again, while all of the floods go on."""
        waited = []
        for _ in range(rounds):
            before = [flood.answered for flood in floods]
            waited += served(self.server).values()
            eventually(lambda: all(flood.answered > then for flood, then in zip(floods, before)), 2 * HANGS)
        self.assertLess(sorted(waited)[len(waited) // 2], SOON, waited)
        self.assertLess(max(waited), HANGS)
        self.assertEqual([flood.tail for flood in floods if flood.ended], [])

    def test_strangers(self):
        for service, (hello, bytes_) in STRANGERS.items():
            with self.subTest(service), contextlib.ExitStack() as stack:
                floods = self.floods(stack, service, hello, bytes_)
                self.assert_others_are_served(floods)
                began = time.monotonic()
                deliver(self.server)
                self.assertLess(time.monotonic() - began, HANGS)

    def test_somebody_who_is_logged_in(self):
        """Every command takes a while, none has to wait for anything; whoever is in charge can end it."""
        with self.reader(mailbox=None) as peer:
            for i in range(200):
                self.assertIn("a OK", peer.tagged(f"CREATE box{i}")[-1])
        with contextlib.ExitStack() as stack:
            floods = [stack.enter_context(Flood(self.reader(mailbox=None), b'a LIST "" "z*"\r\n')) for _ in range(2 * LOOPS)]
            eventually(lambda: all(flood.answered > 0 for flood in floods), 30)
            self.assert_others_are_served(floods)
            self.server.run("kick", BOB, timeout=HANGS)
            eventually(lambda: all(flood.ended for flood in floods), HANGS)
            for flood in floods:
                self.assertIn(b"\r\n* BYE [UNAVAILABLE] An administrator has ended this session\r\n", flood.tail)


class AtTheEnd(unittest.TestCase):
    """Floods change nothing about when something is over."""

    def setUp(self):
        self.stack = self.enterContext(contextlib.ExitStack())

    def flood(self, server, service):
        hello, bytes_ = STRANGERS[service]
        peer = self.stack.enter_context(Peer(server, service))
        peer.line()
        for line in hello:
            self.assertEqual(peer.ask(line)[:3], "250", line)
        return self.stack.enter_context(Flood(peer, bytes_))

    def test_of_the_time_for_a_login_or_a_message(self):
        limit = 5
        config = PATIENT | {"login.timeout": f'"{limit}s"', "smtp.idle_timeout": f'"{limit}s"'}
        server = self.stack.enter_context(Instance(ANNA, config=config))
        server.add_account(BOB)
        floods = {service: self.flood(server, service) for service in STRANGERS}
        eventually(lambda: all(flood.ended for flood in floods.values()), limit + HANGS)
        for service, flood in floods.items():
            with self.subTest(service):
                self.assertGreater(flood.ended, limit - 1)
        self.assertRegex(floods["smtp"].tail, rb"\r\n421 4\.4\.2 ")

    def test_of_the_server(self):
        server = self.stack.enter_context(Instance(ANNA, config=PATIENT))
        server.add_account(BOB)
        floods = [self.flood(server, service) for service in STRANGERS for _ in range(2 * LOOPS)]
        eventually(lambda: all(flood.answered > 0 for flood in floods), 30)
        self.assertEqual(server.stop(wait=10 + HANGS), 0)


if __name__ == "__main__":
    unittest.main()
