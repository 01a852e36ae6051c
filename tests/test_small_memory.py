"""A server with 256 MB of memory, page cache and all (a control group): a hundred messages of 25 MB at once, thousands of idle IMAP
sessions and a large mailbox that is read meanwhile. Slowly if need be, but it never dies, and what it acknowledged is there.

The short form has 1,000 sessions and 100,000 messages; HIKYAKU_LONG=1, as ./run test --all sets it, 5,000 and 1,000,000. 500 of the
sessions are under TLS; where all are, the long form opens as many of 5,000 as the limits let in.
"""
import contextlib
import hashlib
import os
import pathlib
import re
import resource
import shutil
import socket
import sys
import tempfile
import threading
import time
import unittest

from harness import HIKYAKU, PASSWORD, Instance
from hostile import Peer, memory
from mail import tls

ANNA, BOB = "anna@alpha.test", "bob@alpha.test"
MB = 1 << 20
LIMIT = 256 * MB
LONG = os.environ.get("HIKYAKU_LONG") == "1"
STREAM = (pathlib.Path(__file__).parents[1] / "src/net/stream.h").read_text()
SESSIONS, MAILBOX = (5_000, 1_000_000) if LONG else (1_000, 100_000)
SENDERS, SIZE = 100, 25 * MB
COUNTED, COUNTED_TLS = (int(re.search(rf"{name} = (\d+) \* 1024", STREAM).group(1)) * 1024 for name in ("kPlainMemory", "kTlsMemory"))


class Group:
    """A control group with so much memory; version 1 or 2."""

    def __init__(self, limit):
        name = f"hikyaku-test-{os.getpid()}"
        for parent, limit_file, events in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.oom_control"),
                                           ("/sys/fs/cgroup", "memory.max", "memory.events")):
            self.path = pathlib.Path(parent, name)
            try:
                self.path.mkdir()
            except OSError:
                continue
            self.events = self.path / events
            try:
                (self.path / limit_file).write_text(str(limit))
                return
            except OSError:
                self.path.rmdir()
        raise unittest.SkipTest("no control group for memory can be made here")

    def close(self):
        for _ in range(50):  # until the kernel has forgotten its last process
            with contextlib.suppress(OSError):
                return self.path.rmdir()
            time.sleep(0.1)

    def command(self):
        """What runs a program inside."""
        return ["sh", "-c", f'echo $$ > {self.path}/cgroup.procs && exec "$@"', "sh"]

    def killed(self):
        found = re.search(r"oom_kill (\d+)", self.events.read_text())
        return int(found.group(1)) if found else 0

    def used(self):
        for name in ("memory.usage_in_bytes", "memory.current"):
            with contextlib.suppress(OSError):
                return int((self.path / name).read_text())
        raise AssertionError(f"{self.path} does not say how much is used")


def mbox(path, count):
    with open(path, "w") as out:
        for i in range(1, count + 1):
            out.write(f"From x@beta.test Mon Oct  5 10:00:00 2026\nFrom: Sender {i % 977} <s{i % 977}@beta.test>\nTo: {ANNA}\n"
                      f"Subject: Number {i} of many\nMessage-ID: <{i}@beta.test>\nDate: Mon, 05 Oct 2026 10:00:00 +0900\n\nThis is message {i}.\n\n")


def forget_cached(directory):
    """What the kernel keeps of these files is charged to whoever reads them next: the server."""
    os.sync()
    for path in pathlib.Path(directory).rglob("*"):
        if path.is_file():
            fd = os.open(path, os.O_RDONLY)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)


class Sender(threading.Thread):
    """Sends one large message; `digest` when it was acknowledged."""
    lines = b"".join(os.urandom(38).hex().encode() + b"\r\n" for _ in range(8_192))

    def __init__(self, server, number):
        super().__init__(daemon=True)
        self.server, self.number, self.reply = server, number, None

    def run(self):
        try:
            with Peer(self.server, "smtp", f"127.0.0.{self.number % 200 + 20}", timeout=600) as wire:
                wire.reply()
                for line in ("EHLO mx.beta.test", "MAIL FROM:<x@beta.test>", f"RCPT TO:<{BOB}>", "DATA"):
                    wire.ask(line)
                wire.send(f"Subject: Large {self.number}\r\n\r\n")
                for _ in range(SIZE // len(self.lines)):
                    wire.send(self.lines)
                wire.send(b".\r\n")
                self.reply = wire.reply()
                wire.send(b"QUIT\r\n")
        except OSError as error:
            self.reply = str(error)


class Idle:
    """Many IMAP sessions that are logged in and wait for news."""

    def __init__(self, server, count, with_tls, until_refused=False):
        self.server, self.with_tls, self.context = server, with_tls, tls()
        self.sockets = []
        for i in range(count):
            try:
                self.sockets.append(self.one(f"127.0.1.{i % 200 + 1}"))
            except (OSError, AssertionError):
                if not until_refused:
                    raise
                return

    def one(self, address):
        s = socket.socket()
        s.settimeout(120)
        try:
            s.bind((address, 0))
            s.connect((self.server.host, self.server.port("imaps" if self.with_tls else "imap")))
            if self.with_tls:
                s = self.context.wrap_socket(s)
            s.sendall(f'a LOGIN {BOB} "{PASSWORD}"\r\nb SELECT Notes\r\nc IDLE\r\n'.encode())
            self.read(s, b"+ ")
        except BaseException:
            s.close()
            raise
        return s

    @staticmethod
    def read(s, end):
        got = b""
        while not re.search(rb"(?m)^" + re.escape(end), got):
            more = s.recv(4096)
            assert more, f"the server has closed: {got[-200:]!r}"
            got += more
        return got

    def done(self):
        """Every one of them goes on."""
        for s in self.sockets:
            s.sendall(b"DONE\r\nd NOOP\r\n")
        for s in self.sockets:
            assert b"d OK" in self.read(s, b"d "), "a session answers no more"

    def close(self):
        for s in self.sockets:
            s.close()


class SmallMemory(unittest.TestCase):
    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("control groups are root's")
        if {"asan", "tsan"} & set(HIKYAKU.parts):
            self.skipTest("sanitizers need more memory than that")
        if shutil.disk_usage(tempfile.gettempdir()).free < 8 << 30:
            self.skipTest("8 GB of disk are needed")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        needed = SESSIONS + SENDERS + 500
        if hard < needed:
            self.skipTest(f"{needed} open files are needed, {hard} are allowed")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.group = Group(LIMIT)
        self.addCleanup(self.group.close)

    def say(self, text):
        used, rss = self.group.used() // MB, memory(self.server) // 1024
        print(f"{time.monotonic() - self.began:6.1f} s  {used:4} MB charged, {rss:4} MB resident: {text}", file=sys.stderr, flush=True)

    def start(self):
        limits = {"limits.connections": "20000", "limits.connections_per_account": "20000"}
        server = self.server = Instance(ANNA, config=limits)
        self.began = time.monotonic()
        server.quickstart()
        self.addCleanup(server.__exit__)
        server.add_account(BOB)
        with tempfile.NamedTemporaryFile(suffix=".mbox") as many:
            mbox(many.name, MAILBOX)
            server.run("import", many.name, "--account", ANNA, timeout=1_800)
        forget_cached(server.dir)
        server.wrapper = self.group.command()
        server.start()
        self.say(f"a server with a mailbox of {MAILBOX} messages")
        with Peer(server, "imap") as reader:
            reader.login(BOB)
            reader.tagged("CREATE Notes")

    def idle(self, count, with_tls, **how):
        before = memory(self.server)
        sessions = Idle(self.server, count, with_tls, **how)
        self.addCleanup(sessions.close)
        each = (memory(self.server) - before) * 1024 // len(sessions.sockets)
        self.say(f"{len(sessions.sockets)} idle sessions {'under TLS' if with_tls else 'in clear'}, {each} bytes each")
        # What one is counted as (limits.memory) must have something to do with what it takes.
        self.assertLess(each, 2 * (COUNTED + (COUNTED_TLS if with_tls else 0)))
        return sessions

    def work_beside(self, sessions):
        """The server does all its work and is still the same; each of the sessions goes on."""
        pid = self.server.process.pid
        senders = [Sender(self.server, i) for i in range(SENDERS)]
        for sender in senders:
            sender.start()
        self.read_large_mailbox()
        for sender in senders:
            sender.join(900)
        self.say(f"{SENDERS} messages of {SIZE // MB} MB")
        self.assertEqual({s.number: s.reply for s in senders if not (s.reply or "").startswith("250")}, {})
        self.check_large_messages()
        for idle in sessions:
            idle.done()
        self.assertEqual((self.server.process.poll(), self.server.process.pid, self.group.killed()), (None, pid, 0))
        self.say("everybody is still there")

    def test_all_at_once(self):
        self.start()
        self.work_beside([self.idle(SESSIONS - 500, with_tls=False), self.idle(500, with_tls=True)])

    @unittest.skipUnless(LONG, "the long form only (HIKYAKU_LONG=1)")
    def test_under_tls_the_limits_let_in_what_fits(self):
        self.start()
        sessions = self.idle(SESSIONS, with_tls=True, until_refused=True)
        self.assertGreater(len(sessions.sockets), 3_000)
        self.work_beside([sessions])

    def read_large_mailbox(self):
        with Peer(self.server, "imap", timeout=600) as reader:
            self.assertIn("a OK", reader.login(ANNA))
            self.assertIn(f"* {MAILBOX} EXISTS", reader.tagged("SELECT INBOX"))
            self.say("the large mailbox is open")
            reader.send("b FETCH 1:* (UID FLAGS)\r\n")
            self.assertEqual(self.count_lines(reader, b"b OK"), MAILBOX)
            self.say("all flags read")
            some = MAILBOX // 10
            reader.send(f"c FETCH 1:{some} (ENVELOPE RFC822.SIZE)\r\n")
            self.assertEqual(self.count_lines(reader, b"c OK"), some)
            self.say(f"{some} envelopes read")
            found = reader.tagged(f'SEARCH SUBJECT "Number {MAILBOX - 7} of"')
            self.assertIn(f"* SEARCH {MAILBOX - 7}", found)
            self.say("searched by subject")

    def count_lines(self, reader, end):
        """Of the untagged answers of a command."""
        with reader.socket.makefile("rb", 1 << 20) as lines:
            for count, line in enumerate(lines):
                if line.startswith(end):
                    return count
        self.fail("the server has closed")

    def check_large_messages(self):
        expected = len(Sender.lines) * (SIZE // len(Sender.lines))
        with Peer(self.server, "imap", timeout=600) as reader:
            reader.login(BOB)
            self.assertIn(f"* {SENDERS} EXISTS", reader.tagged("SELECT INBOX"))
            body = hashlib.sha256(Sender.lines * (SIZE // len(Sender.lines))).hexdigest()
            for number in (1, SENDERS // 2, SENDERS):
                reader.send(f"f FETCH {number} BODY.PEEK[TEXT]\r\n")
                self.assertTrue(reader.line().endswith(f"{{{expected}}}"))
                digest, left = hashlib.sha256(), expected
                while left:
                    piece, reader.input = reader.input[:left] or reader.socket.recv(min(left, 1 << 20)), reader.input[left:]
                    digest.update(piece)
                    left -= len(piece)
                self.assertEqual(digest.hexdigest(), body)
                reader.until("f ")
            found = " ".join(reader.tagged('FETCH 1:* BODY.PEEK[HEADER.FIELDS (Subject)]'))
            self.assertEqual({int(n) for n in re.findall(r"Large (\d+)", found)}, set(range(SENDERS)))


if __name__ == "__main__":
    unittest.main()
