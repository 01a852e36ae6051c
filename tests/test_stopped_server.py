"""A server that was stopped, or hangs, keeps no command waiting: each says who does not answer, and ends. One that is only slow is waited for."""
import concurrent.futures
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from harness import eventually, HIKYAKU, Instance
from mail import subjects

ANNA = "anna@alpha.test"
LETTER = f"From: {ANNA}\nTo: {ANNA}\nSubject: {{}}\n\n"
SILENCE = 20  # kSilence in src/app/control_pace.h


class StoppedServer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Instance(ANNA)
        cls.server.__enter__()
        cls.backups = tempfile.mkdtemp()

    @classmethod
    def tearDownClass(cls):
        cls.signal(signal.SIGCONT)
        cls.server.__exit__(None, None, None)
        shutil.rmtree(cls.backups)

    @classmethod
    def signal(cls, number):
        os.kill(cls.server.process.pid, number)

    def timed(self, *words, **options):
        began = time.monotonic()
        done = self.server.run(*words, check=False, timeout=90, **options)
        return words, done, time.monotonic() - began

    def test_every_command_gives_up_and_says_who_does_not_answer(self):
        sendmail = ("sendmail", "-f", ANNA, ANNA)
        commands = [["who"], ["top", "--once"], ["metrics"], ["kick", ANNA], ["queue", "list"], ["account", "list"], ["reload"],
                    ["domain", "add", "late.test"],
                    ["check", "--quiet", "--no-dns"], ["backup", self.backups], ["export", "--account", ANNA, self.backups + "/out"]]
        self.signal(signal.SIGSTOP)
        try:
            with concurrent.futures.ThreadPoolExecutor(20) as pool:
                waiting = [pool.submit(self.timed, *words) for words in commands]
                waiting.append(pool.submit(self.timed, "who", "--lang", "ja"))
                waiting += [pool.submit(self.program, words) for words in (sendmail, ("sendmail", "-bs"))]
                for ended in waiting:
                    words, done, took = ended.result()
                    with self.subTest(words):
                        self.assertEqual(done.returncode, 75, done.stderr)
                        pid = self.server.process.pid
                        self.assertIn(f"プロセス {pid} が応答しません。" if "ja" in words else f"process {pid} does not answer: nothing has come", done.stderr)
                        self.assertIn(f"kill -CONT {pid}", done.stderr)
                        self.assertNotIn("defect", done.stderr)
                        self.assertLess(took, 2 * SILENCE)
        finally:
            self.signal(signal.SIGCONT)
        # Whoever was told so may have asked again: the server does nothing for those who have gone.
        self.assertIn(ANNA, self.server.run("account", "list").stdout)
        self.assertNotIn("late.test", self.server.run("domain", "list").stdout)
        self.assertNotIn("given up", subjects(self.server, ANNA))

    def program(self, words):
        """Beside the instance's options, sendmail has its own."""
        began = time.monotonic()
        done = subprocess.run([HIKYAKU, words[0], "--dir", self.server.dir, *words[1:]], input=LETTER.format("given up"), capture_output=True, text=True, timeout=90)
        return words, done, time.monotonic() - began

    def test_one_that_goes_on_in_time_has_answered(self):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            self.signal(signal.SIGSTOP)
            waiting = pool.submit(self.timed, "account", "list")
            time.sleep(SILENCE / 2)
            self.signal(signal.SIGCONT)
            _, done, _ = waiting.result()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(ANNA, done.stdout)

    def test_who_hands_in_slowly_is_not_given_up(self):
        """The server waits for the client here, and neither hears of the other for longer than the silence."""
        client = subprocess.Popen([HIKYAKU, "sendmail", "--dir", self.server.dir, "-f", ANNA, ANNA], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        client.stdin.write(LETTER.format("slow"))
        client.stdin.flush()
        time.sleep(SILENCE + 8)
        _, said = client.communicate("the end\n", timeout=30)
        self.assertEqual((client.returncode, said), (0, ""))
        eventually(lambda: "slow" in subjects(self.server, ANNA))

    def test_a_client_that_was_stopped_itself_listens_on(self):
        client = subprocess.Popen([HIKYAKU, "top", "--once", "--interval", "2", "--dir", self.server.dir], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(0.5)
        client.send_signal(signal.SIGSTOP)
        time.sleep(SILENCE + 4)
        client.send_signal(signal.SIGCONT)
        _, said = client.communicate(timeout=30)
        self.assertEqual((client.returncode, said), (0, ""))


if __name__ == "__main__":
    unittest.main()
