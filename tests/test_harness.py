"""The tests' own tools: a server that does not come up is never taken for one that is."""
import time
import unittest

from harness import Instance


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


if __name__ == "__main__":
    unittest.main()
