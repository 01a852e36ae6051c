"""hikyaku top on a pseudo-terminal, as a person has it: it draws, keys and a new size of the window are heard, and however it ends the
terminal is as it was."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
import unicodedata
import unittest

from harness import HIKYAKU, Instance
from mail import imap

ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"  # the other screen without a cursor, and back
FRAME = re.compile(r"\x1b\[H(.*?)\x1b\[J", re.DOTALL)


class OnATerminal:
    """top in a session of its own on a terminal of `lines` by `columns`."""

    def __init__(self, server, *arguments, lines=24, columns=80, language="C.UTF-8"):
        self.master, self.slave = pty.openpty()
        self.resize(lines, columns)
        self.before = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen([str(HIKYAKU), "top", "--dir", str(server.dir), *arguments], stdin=self.slave, stdout=self.slave,
                                        stderr=self.slave, start_new_session=True, env={**os.environ, "TERM": "xterm", "LANG": language},
                                        preexec_fn=self.as_from_a_shell)
        self.said, self.seen = b"", 0

    @staticmethod
    def as_from_a_shell():
        """With a terminal of its own, and with the signals of which the tests themselves may know nothing (nohup, a shell's background)."""
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        for number in (signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    def resize(self, lines, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def key(self, key):
        os.write(self.master, key.encode())

    def text(self):
        while select.select([self.master], [], [], 0)[0]:
            self.said += os.read(self.master, 65536)
        return self.said.decode(errors="replace")

    def frame(self, within=15):
        """The next frame, without colours, as its lines; None if none is drawn in time."""
        deadline = time.monotonic() + within
        while (drawn := FRAME.search(self.text(), self.seen)) is None:
            if time.monotonic() > deadline:
                return None
            time.sleep(0.02)
        self.seen = drawn.end()
        return re.sub(r"\x1b\[[0-9;]*[mK]", "", drawn.group(1)).replace("\r", "").removesuffix("\n").split("\n")

    def ended(self):
        """Its exit code; the terminal stays to be looked at."""
        code = self.process.wait(15)
        self.text()
        return code

    def is_as_before(self):
        return termios.tcgetattr(self.slave) == self.before


def width(line):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


class Top(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Instance("anna@alpha.test"))

    def top(self, *arguments, **options):
        return self.enterContext(OnATerminal(self.server, *arguments, **options))

    def assert_fits(self, frame, lines, columns):
        self.assertLessEqual(len(frame), lines)
        self.assertLessEqual(max(map(width, frame)), columns, frame)

    def assert_left(self, top):
        self.assertIn(LEAVE, top.text())
        self.assertTrue(top.is_as_before(), "the terminal is not as it was")

    def test_it_draws_again_and_again(self):
        top = self.top("--interval", "1")
        first = top.frame()
        self.assertTrue(top.text().startswith(ENTER), top.text()[:80])
        for word in ("connections", "messages", "queue", "store", "memory"):
            self.assertIn(word, "\n".join(first))
        self.assert_fits(first, 24, 80)
        self.assertFalse(top.is_as_before())  # keys are heard one by one and not shown
        client = imap(self.server)
        deadline = time.monotonic() + 15
        while "anna@alpha.test" not in "\n".join(frame := top.frame()):
            self.assertLess(time.monotonic(), deadline, frame)
        self.assert_fits(frame, 24, 80)
        client.logout()
        top.key("q")
        self.assertEqual(top.ended(), 0)
        self.assert_left(top)
        self.assertTrue(top.text().endswith(LEAVE), "something stays on the screen")

    def test_keys(self):
        for key, ends in (("q", True), ("Q", True), ("\x03", True), ("x", False)):
            with self.subTest(key), OnATerminal(self.server, "--interval", "600") as top:
                self.assertIsNotNone(top.frame())
                self.assertIsNone(top.frame(within=0.3))  # it waits for the time or a key
                top.key(key)
                if not ends:
                    self.assertIsNotNone(top.frame(), "another key draws at once")
                    top.key("q")
                self.assertEqual(top.ended(), 0)
                self.assert_left(top)

    def test_the_window_gets_another_size(self):
        top = self.top("--interval", "600", language="ja_JP.UTF-8")
        self.assertIn("接続", "\n".join(top.frame()))
        sizes = ((6, 40), (40, 150), (24, 80), (2, 12))
        for lines, columns in sizes:
            with self.subTest(lines=lines, columns=columns):
                top.resize(lines, columns)
                frame = top.frame()
                self.assertIsNotNone(frame, "it is not drawn before the next look")
                self.assert_fits(frame, lines, columns)
        top.key("q")
        self.assertEqual(top.ended(), 0)

    def test_signals_put_the_terminal_right(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.subTest(number), OnATerminal(self.server, "--interval", "600") as top:
                self.assertIsNotNone(top.frame())
                top.process.send_signal(number)
                self.assertEqual(top.ended(), -number)
                self.assert_left(top)

    def test_the_server_ends_meanwhile(self):
        with Instance("anna@alpha.test") as server:
            top = self.enterContext(OnATerminal(server, "--interval", "1"))
            self.assertIsNotNone(top.frame())
            server.stop()
            self.assertEqual(top.ended(), 75)
            self.assertTrue(top.is_as_before())
            self.assertIn(f"hikyaku serve --dir {server.dir}", " ".join(top.text().rpartition(LEAVE)[2].split()))


if __name__ == "__main__":
    unittest.main()
