"""A start that takes long (the store is waited for here, as it is when its index is made again): whoever comes meanwhile hears it, waits, and is served."""
import concurrent.futures
import contextlib
import fcntl
import os
import pathlib
import pty
import re
import signal
import subprocess
import time
import unittest

from harness import eventually, HANGS, HIKYAKU, Instance
from mail import subjects

ANNA = "anna@alpha.test"
SILENCE = 20  # kSilence in src/app/control_pace.h
PATIENCE = 30  # kLockPatience in src/app/server.cc
LETTER = f"From: {ANNA}\nTo: {ANNA}\nSubject: {{}}\n\n"
DIALOGUE = f"EHLO localhost\r\nMAIL FROM:<{ANNA}>\r\nRCPT TO:<{ANNA}>\r\nDATA\r\nSubject: by hand\r\n\r\nhello\r\n.\r\nQUIT\r\n"


class StartingServer(unittest.TestCase):
    def setUp(self):
        self.server = Instance(ANNA)
        self.server.quickstart()
        self.addCleanup(self.server.__exit__)

    @contextlib.contextmanager
    def starting(self):
        """Has the store, so that the server cannot open it."""
        self.server.start()
        self.server.stop()
        with open(self.server.dir / "data" / "LOCK") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.server.spawn()
            eventually(self.catches_signals, HANGS)
            yield

    def catches_signals(self):
        """From then on it starts with its loops running, and its sockets are listened on."""
        status = pathlib.Path(f"/proc/{self.server.process.pid}/status").read_text()
        caught = int(re.search(r"SigCgt:\s*(\w+)", status)[1], 16)
        return caught >> (signal.SIGHUP - 1) & 1

    def connections(self):
        """How many there are at the two sockets."""
        names = {str(self.server.dir / name) for name in ("control.sock", "submit.sock")}
        return sum(line.split()[-1] in names for line in pathlib.Path("/proc/net/unix").read_text().splitlines()) - len(names)

    def command(self, *words, input=None):
        return subprocess.run([HIKYAKU, words[0], "--dir", self.server.dir, *words[1:]], input=input, capture_output=True, text=True, timeout=120)

    def test_commands_wait_longer_than_for_one_that_hangs(self):
        with concurrent.futures.ThreadPoolExecutor(8) as pool, self.starting():
            waiting = {
                "who": pool.submit(self.command, "who"),
                "account": pool.submit(self.server.run, "account", "list", check=False, timeout=120),
                "top": pool.submit(self.command, "top", "--once"),
                "sendmail": pool.submit(self.command, "sendmail", "-f", ANNA, ANNA, input=LETTER.format("from cron")),
                # What it waits for is a server that does not run.
                "sendmail --wait": pool.submit(self.command, "sendmail", "--wait", "1", "-f", ANNA, ANNA, input=LETTER.format("in a hurry")),
                "sendmail -bs": pool.submit(self.command, "sendmail", "-bs", input=DIALOGUE),
            }
            # Before the server gives up its wait for the store.
            eventually(lambda: self.connections() == len(waiting), PATIENCE - SILENCE - 2)
            time.sleep(SILENCE + 1)
            for name, one in waiting.items():
                self.assertFalse(one.done(), name)
        for name, one in waiting.items():
            with self.subTest(name):
                done = one.result(120)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn(ANNA, waiting["account"].result().stdout)
        eventually(lambda: {"from cron", "in a hurry", "by hand"} <= set(subjects(self.server, ANNA)))

    def test_a_person_is_told_what_is_waited_for(self):
        reader, screen = pty.openpty()
        with self.starting():
            client = subprocess.Popen([HIKYAKU, "who", "--dir", self.server.dir], stdout=subprocess.DEVNULL, stderr=screen)
            os.close(screen)
            said = os.read(reader, 4096).decode()
            self.assertIn("the server is still starting", said)
            self.assertIsNone(client.poll())
        self.assertEqual(client.wait(HANGS), 0)
        os.close(reader)

    def test_a_start_that_fails_is_told_to_those_who_wait(self):
        with concurrent.futures.ThreadPoolExecutor(2) as pool, self.starting():
            who = pool.submit(self.command, "who")
            letter = pool.submit(self.command, "sendmail", "-f", ANNA, ANNA, input=LETTER.format("refused"))
            self.assertEqual(self.server.process.wait(PATIENCE + HANGS), 75)
            self.server.process = None
            for one in (who, letter):
                done = one.result(HANGS)
                self.assertEqual(done.returncode, 75, done.stderr)
                self.assertIn("the server could not be started: its log says why", done.stderr)
        self.server.start()
        self.assertNotIn("refused", subjects(self.server, ANNA))

    def test_it_can_be_ended(self):
        with self.starting():
            self.server.process.send_signal(signal.SIGTERM)
            self.assertEqual(self.server.process.wait(HANGS), -signal.SIGTERM)
            self.server.process = None

    def test_a_reload_asked_for_is_done_when_it_has_started(self):
        with self.starting():
            self.server.configure({"limits.connections_per_account": 7})
            self.server.process.send_signal(signal.SIGHUP)
            time.sleep(0.5)
            self.assertIsNone(self.server.process.poll())
        # Whatever a reload changes, it names.
        self.assertNotIn("connections_per_account", self.server.run("reload").stdout)
        self.server.configure({"limits.connections_per_account": 8})
        self.assertIn("connections_per_account", self.server.run("reload").stdout)


if __name__ == "__main__":
    unittest.main()
