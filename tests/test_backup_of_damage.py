"""Backups of a damaged store: they have all that can be read, say what they lack, and push no whole one out."""
import json
import pathlib
import shutil
import tempfile

from mail import imap
from saved_store import ANNA, data_blocks, flip, SavedStore, Watching


class BackupOfDamage(Watching, SavedStore):
    COUNT, LARGE, LATER = 27, 5, 25
    METRICS = True

    def setUp(self):
        super().setUp()
        self.to = pathlib.Path(tempfile.mkdtemp(prefix="hikyaku-backup-"))
        self.addCleanup(shutil.rmtree, self.to, True)
        self.whole = self.backup(code=0)
        self.assertTrue(json.loads(self.server.run("backup", "--check", self.to, "--json").stdout)["good"])

    def listed(self):
        return [one["path"] for one in json.loads(self.server.run("backup", "--list", self.to, "--json").stdout)]

    def backup(self, *options, code):
        done = self.server.run("backup", self.to, "--json", *options, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        self.said = " ".join(done.stderr.split())
        return json.loads(done.stdout)

    def damaged_backup(self, *words):
        """As cron makes one: the older one stays, and what is said has `words`."""
        before = self.listed()
        done = self.server.run("backup", self.to, "--keep", "1", "--quiet", check=False)
        said = " ".join(done.stderr.split())
        self.assertEqual((done.returncode, done.stdout), (1, ""), said)
        for word in (*words, f"hikyaku verify --dir {self.server.dir} --repair", "older backups stay"):
            self.assertIn(word, said)
        listed = self.listed()
        self.assertEqual(listed[:-1], before)
        return pathlib.Path(listed[-1])

    def look(self, backup, *words):
        """What is told of it later: by --list, --check and a restore."""
        shown = self.server.run("backup", "--list", self.to).stdout
        self.assertIn("store damaged", shown)
        for word in ("made of a damaged store", *words):
            self.assertIn(word, " ".join(shown.split()))
        checked = self.server.run("backup", "--check", backup, check=False)
        text = " ".join(checked.stdout.split())
        self.assertEqual(checked.returncode, 1, text)
        for word in ("the store was damaged then", "another backup is no better", "hikyaku verify --dir", "anna@alpha.test, INBOX, UID ", *words):
            self.assertIn(word, text)
        self.assertNotIn("Make another backup", text)
        running = self.server.process is not None
        self.server.stop()
        refused = self.server.run("restore", backup, "--force", check=False)
        text = " ".join(refused.stdout.split())
        self.assertEqual(refused.returncode, 1, text)
        for word in ("the store was damaged then already", "--with-losses", *words):
            self.assertIn(word, text)
        self.assertNotIn("is not what it was", text)
        if running:
            self.server.start()
        return checked.stdout

    def test_a_lost_segment(self):
        self.server.start()
        self.server.stop()
        self.body_of(0)[0].unlink()
        self.server.start()
        damaged = self.damaged_backup("journal segment")
        text = self.look(damaged, "journal segment")
        # Nobody reads hundreds of lines.
        self.assertIn("more; --json lists them", text)
        self.assertLess(len(text.splitlines()), 80)
        report = json.loads(self.server.run("backup", "--check", damaged, "--json", check=False).stdout)
        self.assertEqual((report["as_made"], len(report["lost"])), (True, 24))
        # The backup from before has it all; only whole ones count towards those that are kept.
        self.server.stop()
        self.server.run("verify", "--repair", check=False)
        mended = self.backup("--keep", "2", code=0)
        self.assertEqual((mended["removed"], self.said), ([], ""))
        self.assertNotIn("damage", mended)
        self.assertEqual(self.listed(), [self.whole["path"], str(damaged), mended["path"]])
        self.assertEqual(self.backup("--keep", "2", code=0)["removed"], [self.whole["path"], str(damaged)])
        # From the damaged one comes what it has.
        self.server.run("restore", self.listed()[0], "--force", check=False)

    def test_a_body_that_could_not_be_read_before(self):
        path, at = self.body_of(3)
        flip(path, at + 400)
        self.server.start()
        client = imap(self.server, ANNA)
        client.select()
        self.assertEqual(client.fetch("1:*", "(BODY.PEEK[])")[0], "NO")
        client.logout()
        self.look(self.damaged_backup("1 message could not be read"), "1 message could not be read")
        # Without a server, or before it has looked again, what was known is known.
        self.server.stop()
        self.damaged_backup("1 message could not be read")
        self.server.start()
        self.damaged_backup("1 message could not be read")
        # After a repair nobody has it any more.
        self.server.stop()
        self.server.run("verify", "--repair", check=False)
        self.backup(code=0)
        self.server.start()
        self.backup(code=0)
        self.assertEqual(self.health()["status"], "ok")

    def test_a_header_that_cannot_be_read(self):
        path, _ = self.body_of(0)
        flip(path, 20)
        flip(path, 2068)
        for running in (True, False):
            if running:
                self.server.start()
            damaged = self.damaged_backup("journal segment")
            # A later salvage may get something out of it.
            self.assertEqual((damaged / "store" / "journal" / path.name).read_bytes(), path.read_bytes())
            self.server.stop()
        self.look(damaged, "journal segment")

    def test_an_index_of_which_a_part_cannot_be_read(self):
        self.server.start()
        path, end = data_blocks(self.data / "index")
        for at in range(0, end, 700):
            flip(path, at)
        damaged = self.damaged_backup("a part of the index could not be read")
        checked = self.server.run("backup", "--check", damaged, check=False)
        self.assertEqual(checked.returncode, 1)
        self.assertIn("the index cannot be read", " ".join(checked.stdout.split()))
        # The journal is there, and all that it says.
        self.server.stop()
        self.server.run("restore", damaged, "--force", "--json", "--with-losses")
        self.assertIn(f"The mail of 1 account is whole: {self.COUNT} messages", " ".join(self.server.run("verify").stdout.split()))

    def test_a_file_that_goes_while_the_server_runs(self):
        self.server.start()
        path, _ = self.body_of(self.LARGE)
        path.unlink()
        self.look(self.damaged_backup(path.name + " is missing"), path.name)
