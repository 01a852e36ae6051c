"""A log that nobody reads: a pipe whose reader has stopped, as a log shipper or a journal that hangs. Mail goes on, systemd hears that the server
is not stuck, and once the log is read again it says how many lines were lost."""
import itertools
import os
import pathlib
import re
import socket
import tempfile
import threading
import time
import unittest

from harness import HANGS, Instance, eventually
from mail import message, stamp, subjects, submit
from saved_store import Watching

ANNA = "anna@alpha.test"
LOST = "hikyaku_log_lines_lost_total"
LIMIT = 4  # seconds that systemd waits for a sign


class UnreadLog(Watching, unittest.TestCase):
    def setUp(self):
        place = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        os.mkfifo(place / "log")
        self.pipe = os.open(place / "log", os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, self.pipe)
        self.fill(place / "log")
        self.notify = self.enterContext(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        self.notify.bind(str(place / "notify"))
        self.server = Instance(ANNA, metrics=True)
        self.server.wrapper = ["sh", "-c", f'exec "$0" "$@" 2>{place}/log']
        self.server.env = {"NOTIFY_SOCKET": str(place / "notify"), "WATCHDOG_USEC": str(LIMIT * 1_000_000)}

    def fill(self, path):
        """Until the pipe takes nothing more; the descriptor that the server gets is another, which blocks."""
        writer = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        with self.assertRaises(BlockingIOError):
            while True:
                os.write(writer, b"full\n")
        os.close(writer)

    def read(self):
        """The lines that the pipe holds."""
        found = b""
        while True:
            try:
                found += os.read(self.pipe, 65536)
            except BlockingIOError:
                break
        self.assertTrue(not found or found.endswith(b"\n"), found[-200:])
        return [line for line in found.decode().splitlines() if line != "full"]

    def hear_signs(self):
        self.signs = []
        self.notify.settimeout(1)
        while not self.over.is_set():
            try:
                if self.notify.recv(4096) == b"WATCHDOG=1":
                    self.signs.append(time.monotonic())
            except TimeoutError:
                pass

    def use(self):
        """Mail comes in and is fetched; how long that takes."""
        began = time.monotonic()
        mark = stamp()
        submit(self.server, message(ANNA, ANNA, mark))
        eventually(lambda: mark in subjects(self.server, ANNA), timeout=HANGS)
        return time.monotonic() - began

    def test_mail_and_signs_go_on_and_what_was_lost_is_told(self):
        self.over = threading.Event()
        hearing = threading.Thread(target=self.hear_signs)
        hearing.start()
        self.addCleanup(hearing.join)
        self.addCleanup(self.over.set)
        with self.server:
            until = time.monotonic() + 3 * LIMIT
            while time.monotonic() < until or self.metric(LOST) < 20 or len(self.signs) < 4:
                self.assertLess(time.monotonic(), until + HANGS)
                self.use()
            self.assertLess(max(b - a for a, b in itertools.pairwise(self.signs)), LIMIT)  # systemd would have waited so long

            lines = self.read()
            if not lines or "event=log.lost" not in lines[0]:
                self.assertEqual(lines, [])  # not even a part of a line
            lost = self.metric(LOST)
            self.use()
            lines += eventually(self.read)
            told = re.fullmatch(r"\S+ warn event=log\.lost lines=(\d+)", lines[0])
            self.assertTrue(told, lines[0])
            self.assertEqual(int(told.group(1)), lost)
            self.assertTrue(all(re.match(r"20\S+ \w+ event=\S+", line) for line in lines), lines)
            self.use()
            lines += eventually(self.read)
            self.assertTrue(any("event=message.accept" in line for line in lines))
            self.assertEqual(len([line for line in lines if "event=log.lost" in line]), 1)
            self.assertEqual(self.metric(LOST), lost)
            self.assertEqual(self.server.stop(), 0)


if __name__ == "__main__":
    unittest.main()
