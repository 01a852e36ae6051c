"""`hikyaku verify` and a start over segments whose files have the wrong names."""
import base64
import json
import pathlib
import random
import shutil
import signal
import tempfile
import unittest

from harness import Instance
from mail import fill, messages
from saved_store import ANNA, flip


class WrongNames(unittest.TestCase):
    """Whole segments under names that are not theirs: their headers say which they are, and nothing of them is lost."""

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Instance(ANNA))
        cls.data = cls.server.dir / "data"
        cls.journal = cls.data / "journal"
        large = base64.encodebytes(random.Random(7).randbytes(400_000)).decode().replace("\n", "\r\n")
        fill(cls.server, ANNA, 4)
        fill(cls.server, ANNA, 1, body=large)
        cls.server.restart(signal.SIGKILL)  # into another log segment
        fill(cls.server, ANNA, 4)
        cls.count = len(messages(cls.server, ANNA))
        cls.server.stop(signal.SIGKILL)
        cls.saved = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory())) / "saved"
        shutil.copytree(cls.data, cls.saved)
        cls.first, *_, cls.last = sorted(p.name for p in cls.journal.glob("*.log"))
        cls.bulk = min(p.name for p in cls.journal.glob("*.bulk"))
        assert cls.first != cls.last

    def again(self):
        shutil.rmtree(self.data)
        shutil.copytree(self.saved, self.data)

    def rename(self, *names):
        """Each file gets the name of the next."""
        for name in names[:-1]:
            (self.journal / name).rename(self.journal / f"{name}.aside")
        for name, to in zip(names, names[1:]):
            (self.journal / f"{name}.aside").rename(self.journal / to)

    def starts(self):
        """The server, with all mail; gives what it said."""
        self.server.start()
        try:
            self.assertEqual(len(messages(self.server, ANNA)), self.count)
            return [line for line in self.server.log if "store.segment_" in line or "store.read_only" in line]
        finally:
            self.server.stop()

    def renamings(self):
        first, last, bulk = self.first, self.last, self.bulk
        return {
            "a higher number": (first, "0000000099.log"),
            "the last, a higher number": (last, "0000000099.log"),
            "no name of a segment": (last, "99.log"),
            "another kind": (first, "0000000008.bulk"),
            "a bulk segment": (bulk, "0000000077.bulk"),
            "two swapped": (first, last, first),
            "three in a circle": (first, last, bulk, first),
        }

    def test_a_start_gives_them_their_names_back(self):
        for name, names in self.renamings().items():
            with self.subTest(name):
                self.again()
                self.rename(*names)
                said = self.starts()
                self.assertEqual(len(said), len(set(names)) if names[0] == names[-1] else 1, said)
                self.assertTrue(all("store.segment_named" in line for line in said), said)
                self.assertEqual(self.server.run("verify", check=False).returncode, 0)

    def test_a_repair_too_and_nothing_is_lost(self):
        for name, names in self.renamings().items():
            with self.subTest(name):
                self.again()
                self.rename(*names)
                before = {p.name: p.read_bytes() for p in self.journal.iterdir()}
                looked = self.server.run("verify", "--json", check=False)
                self.assertEqual(looked.returncode, 1, looked.stdout + looked.stderr)
                report = json.loads(looked.stdout)
                self.assertEqual(report["lost"], [])
                for wrong, to in zip(names[1:], names):
                    number = int(to.split(".")[0])
                    self.assertTrue(any(f"journal/{wrong} is segment {number}: rename it back to {to} first" in p for p in report["problems"]), report)
                self.assertEqual({p.name: p.read_bytes() for p in self.journal.iterdir()}, before)
                repaired = self.server.run("verify", "--repair", check=False)
                self.assertEqual(repaired.returncode, 0, repaired.stdout)
                self.assertEqual(list(self.data.glob("REPAIR*")), [])
                self.assertEqual(self.starts(), [])

    def test_of_two_copies_a_person_must_choose(self):
        for wrong, lacks in (("0000000099.log", False), ("7.log", True), ("0000000098.bulk", False)):
            with self.subTest(wrong):
                self.again()
                own, copy = self.journal / self.first, self.journal / wrong
                shutil.copy(own, copy)
                if lacks:  # the one under the right name is damaged
                    flip(own, 20)
                    flip(own, 2068)
                before = {p.name: p.read_bytes() for p in self.journal.iterdir()}
                refused = self.server.run("verify", "--repair", check=False)
                self.assertNotEqual(refused.returncode, 0, refused.stdout)
                told = " ".join((refused.stdout + refused.stderr).split())
                self.assertIn(f"{wrong} is segment 1, and another file is that, too, or has its name ({self.first})", told)
                self.assertEqual({p.name: p.read_bytes() for p in self.journal.iterdir()}, before)
                self.assertEqual(list(self.data.glob("REPAIR*")), [])
                self.server.start()
                self.assertTrue(any("store.segment_misnamed" in line and wrong in line for line in self.server.log), self.server.log)
                self.server.stop()
                copy.rename(own if lacks else self.data / "away")
                self.assertEqual(self.starts(), [])

    def test_what_the_end_of_the_journal_may_have_held_is_told(self):
        """Its last segment cannot be read, and nothing tells how many groups it had that the index lacks."""
        self.again()
        flip(self.journal / self.last, 20)
        flip(self.journal / self.last, 2068)
        done = self.server.run("verify", "--repair", check=False)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("transactions may be missing", " ".join(done.stdout.split()))
        note, = self.data.glob("REPAIRED-*.txt")
        self.assertRegex(note.read_text(), "(?m)^lost: perhaps: transactions may be missing")

    def test_a_copy_under_no_name_of_a_segment_does_no_harm(self):
        self.again()
        shutil.copy(self.journal / self.first, self.journal / f"{self.first}.bak")
        self.assertEqual(self.starts(), [])
        self.assertEqual(self.server.run("verify", check=False).returncode, 0)
        self.assertTrue((self.journal / f"{self.first}.bak").exists())


if __name__ == "__main__":
    unittest.main()
