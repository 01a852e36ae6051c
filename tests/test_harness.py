"""The tests' own tools: a server that does not come up is never taken for one that is, nor a run of nothing for one that has passed."""
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

from harness import Instance

RUNNER = pathlib.Path(__file__).parent / "run.py"
TESTS = {"test_one": """
    def test_good(self): pass
    def test_bad(self): self.fail()""", "test_other": """
    def test_good(self): pass
    def test_left_out(self): self.skipTest("the moon is down")"""}


class Start(unittest.TestCase):
    def end_of(self, script):
        """How a start ends when the server is this shell script."""
        with Instance("anna@alpha.test") as server:
            server.stop()
            server.wrapper = ["sh", "-c", script, "server"]
            with self.assertRaises(AssertionError) as caught:
                server.start(wait=5)
            self.assertIsNone(server.process)
            return str(caught.exception)

    def test_a_server_that_ends_is_not_ready(self):
        self.assertIn("(78):\nlast words", self.end_of("echo last words; exit 78"))

    def test_the_end_of_its_output_is_not_its_word(self):
        began = time.monotonic()
        self.assertIn("last words", self.end_of("echo last words; exec >&- 2>&-; exec sleep 60"))
        self.assertLess(time.monotonic() - began, 30)

    def test_silence_is_not_its_word(self):
        self.assertIn("not yet ready", self.end_of("echo not yet ready; exec sleep 60"))


class Runner(unittest.TestCase):
    """tests/run.py over two files of its own."""

    def setUp(self):
        self.place = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="hikyaku-runner-")))
        (self.place / "run.py").write_bytes(RUNNER.read_bytes())
        for name, tests in TESTS.items():
            (self.place / f"{name}.py").write_text(f"import unittest\n\nclass Tests(unittest.TestCase):{tests}\n")

    def run_it(self, *arguments):
        done = subprocess.run([sys.executable, self.place / "run.py", *arguments], capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr

    def test_what_is_chosen_is_run(self):
        for chosen, code, counts in (((), 1, "2 passed, 1 failed, 1 skipped"), (("one",), 1, "1 passed, 1 failed, 0 skipped"),
                                     (("one:good",), 0, "1 passed, 0 failed, 0 skipped"), (("test_one:test_good", "other"), 0, "2 passed, 0 failed, 1 skipped"),
                                     (("one:good", "one"), 1, "1 passed, 1 failed, 0 skipped"), ((":good",), 0, "2 passed, 0 failed, 0 skipped")):
            with self.subTest(chosen):
                self.assertEqual((code, f"clients: {counts}"), ((done := self.run_it(*chosen))[0], done[1].splitlines()[-1]))

    def test_a_name_of_nothing(self):
        for chosen, missed in ((("ones",), "ones"), (("one:best",), "one:best"), (("one:good", "others"), "others"), (("one:good", "other:best"), "other:best")):
            with self.subTest(chosen):
                code, said = self.run_it(*chosen)
                self.assertEqual(code, 1)
                self.assertRegex(said, rf"(?m)^no .* in its name: {missed}$")
        self.assertEqual(self.run_it("--watch", "test_none")[0], 1)

    def test_a_file_that_cannot_be_read(self):
        (self.place / "test_one.py").write_text("import nothing_of_this_name\n")
        self.assertEqual(self.run_it("one:good")[0], 1)

    def test_what_is_skipped(self):
        self.assertEqual(self.run_it("other")[0], 0)
        self.assertEqual(self.run_it("--watch", "test_other")[0], 0)
        for how in ("--no-skips", "--no-skips --watch"):
            code, said = self.run_it(*how.split(), "test_other")
            self.assertEqual(code, 1)
            self.assertIn("the moon is down", said)


if __name__ == "__main__":
    unittest.main()
