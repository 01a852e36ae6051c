"""Damage of every kind of file in a store: `hikyaku verify` says what it is, `--repair` makes good what can be made good, and only what
stood in the damaged bytes is lost; the rest is readable by IMAP afterwards."""
import base64
import json
import pathlib
import random
import shutil
import smtplib
import tempfile
import unittest

from harness import Instance
from mail import messages

COUNT = 24
LARGE = 5  # above 256 KB: in a bulk segment


def flip(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x10]))


class Damage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Instance("anna@alpha.test"))
        rng = random.Random(7)
        with smtplib.SMTP(cls.server.host, cls.server.port("smtp"), timeout=20) as smtp:
            for i in range(COUNT):
                body = base64.encodebytes(rng.randbytes(600_000 if i == LARGE else 2_000)).decode().replace("\n", "\r\n")
                smtp.sendmail(f"s{i}s@beta.test", ["anna@alpha.test"], f"From: m{i}@beta.test\r\nSubject: m{i}\r\n\r\n{body}\r\n")
        cls.server.stop()
        cls.saved = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory())) / "saved"
        shutil.copytree(cls.server.dir, cls.saved, symlinks=True)
        cls.data = next(p.parent for p in cls.server.dir.rglob("STORE"))

    def setUp(self):
        for entry in self.server.dir.iterdir():
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        shutil.copytree(self.saved, self.server.dir, symlinks=True, dirs_exist_ok=True)

    def body_of(self, number):
        """The file and the place of the salvage bytes that stand before a message's frames."""
        for path in sorted((self.data / "journal").glob("*.bulk" if number == LARGE else "*.log")):
            at = path.read_bytes().find(f"s{number}s@beta.test".encode())
            if at >= 0:
                return path, at
        raise AssertionError("not found")

    def verify(self, *options):
        done = self.server.run("verify", "--json", *options, check=False)
        return done.returncode, json.loads(done.stdout), done.stdout

    def survive(self, lost=(), epoch=1, seen=True):
        """Looks, repairs, looks again, and reads what is left."""
        code, report, text = self.verify()
        if seen:
            self.assertNotEqual(code, 0, text)
            self.assertFalse(report["good"], text)
        _, repaired, text = self.verify("--repair")
        code, report, again = self.verify()
        self.assertEqual(code, 0, again)
        self.assertEqual(report["epoch"], epoch, text)
        self.server.start()
        try:
            got = messages(self.server, "anna@alpha.test")
            wanted = [f"m{i}" for i in range(COUNT) if i not in lost]
            self.assertEqual([m["Subject"] for m in got], wanted)
            with smtplib.SMTP(self.server.host, self.server.port("smtp"), timeout=20) as smtp:
                smtp.sendmail("x@beta.test", ["anna@alpha.test"], "Subject: after\r\n\r\nx\r\n")
            self.assertEqual(len(messages(self.server, "anna@alpha.test")), len(wanted) + 1)
        finally:
            self.server.stop()
        code, _, text = self.verify()
        self.assertEqual(code, 0, text)
        return repaired

    def tables(self):
        return sorted((self.data / "index").glob("*.sst"))

    def test_nothing_is_wrong_with_a_good_store(self):
        code, report, text = self.verify()
        self.assertEqual(code, 0, text)
        self.assertEqual(report["mail"]["messages"], COUNT)
        self.assertEqual(report["mail"]["digests"], COUNT)

    def test_a_bit_of_a_body(self):
        path, at = self.body_of(3)
        flip(path, at + 400)
        repaired = self.survive(lost=[3])
        self.assertEqual(len(repaired["mail"]["lost"]), 1)
        self.assertIn("INBOX, UID 4", repaired["mail"]["lost"][0])
        self.assertIn("Subject: m3", repaired["mail"]["lost"][0])

    def test_what_is_lost_is_told_once_in_words_that_people_know(self):
        path, at = self.body_of(3)
        flip(path, at + 400)
        done = self.server.run("verify", check=False)
        self.assertIn(f"verify --repair --dir {self.server.dir}", " ".join(done.stdout.split()))
        done = self.server.run("verify", "--repair", check=False)
        text = " ".join(done.stdout.split())
        self.assertEqual(text.count("Subject: m3"), 1, text)
        self.assertEqual(text.count("UID 4"), 1, text)
        self.assertNotIn("NIL", text)
        self.assertNotIn("hikyaku verify --repair", text)
        self.assertNotIn("0 rows written", text)
        self.assertIn("hikyaku restore BACKUP --account", text)

    def test_a_bit_of_a_large_body(self):
        path, at = self.body_of(LARGE)
        flip(path, at - 10_000)  # the frames stand before the header there
        self.survive(lost=[LARGE])

    def test_a_bit_of_a_groups_header(self):
        path, at = self.body_of(9)
        flip(path, at - 72 - 30)
        # The index has what the group said, and its body stands where it stood: nothing is lost.
        self.survive()

    def test_a_table_of_the_index_is_gone(self):
        self.tables()[-1].unlink()
        self.survive()

    def test_all_tables_of_the_index_are_gone(self):
        for table in self.tables():
            table.unlink()
        self.survive()

    def test_bits_of_a_table_of_the_index(self):
        table = max(self.tables(), key=lambda p: p.stat().st_size)
        for part in (5, 3, 2):
            flip(table, table.stat().st_size // part)
        self.survive()

    def test_the_list_of_tables(self):
        manifest = next((self.data / "index").glob("MANIFEST-*"))
        flip(manifest, manifest.stat().st_size // 2)
        self.survive()

    def test_the_index_is_gone(self):
        shutil.rmtree(self.data / "index")
        self.survive(seen=False)

    def test_the_stores_own_file(self):
        flip(self.data / "STORE", 20)
        self.survive()

    def test_the_mark_of_a_clean_end(self):
        flip(self.data / "CLEAN", 20)
        self.survive(seen=False)

    def test_a_bit_of_a_segments_header(self):
        flip(self.body_of(3)[0], 20)  # there is a copy
        self.survive(seen=False)

    def test_a_group_and_the_index(self):
        """What only the damaged group knew is lost, and the epoch says so."""
        path, at = self.body_of(9)
        flip(path, at - 72 - 30)
        shutil.rmtree(self.data / "index")
        repaired = self.survive(lost=[9], epoch=2)
        self.assertEqual(repaired["lost_groups"], 1)
        self.assertIn("s9s@beta.test", json.dumps(repaired["lost"]))

    def test_a_bulk_segment_is_gone(self):
        self.body_of(LARGE)[0].unlink()
        self.survive(lost=[LARGE])


if __name__ == "__main__":
    unittest.main()
