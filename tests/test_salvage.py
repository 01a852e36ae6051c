"""A store out of a backup, whose journal no longer begins with its first group: what is damaged of its index is found, and costs no more
than what stood in the damaged blocks and nowhere else."""
import base64
import imaplib
import json
import mailbox
import pathlib
import random
import shutil
import signal
import subprocess
import tempfile
import unittest

from harness import HIKYAKU, PASSWORD, Instance, restored_instance, turn
from mail import fill, imap, messages
from saved_store import ANNA, data_blocks, flip

LARGE, SMALL = 40, 240


class Salvage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        place = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        with Instance(ANNA) as original:
            fill(original, ANNA, SMALL // 2, marks="before")
            fill(original, ANNA, LARGE, marks="large", body=base64.encodebytes(random.Random(3).randbytes(40_000)).decode().replace("\n", "\r\n"))
            fill(original, ANNA, SMALL // 2, marks="after")
            client = imap(original, ANNA)
            client.select()
            client.store(f"{SMALL // 2 + 1}:{SMALL // 2 + LARGE}", "+FLAGS", r"(\Deleted)")
            client.expunge()
            client.create("Other")
            client.copy(f"1:{SMALL // 4}", "Other")
            client.logout()
            original.run("undelete", "--purge")
            cls.subjects = sorted(m["Subject"] for m in messages(original, ANNA))
            backup = json.loads(original.run("backup", place / "backups", "--with-config", "--json").stdout)["path"]
            original.stop()
            cls.server = restored_instance(original, backup)
        cls.addClassCleanup(shutil.rmtree, cls.server.dir, True)
        cls.data = cls.server.dir / "data"
        cls.saved = place / "saved"
        shutil.copytree(cls.data, cls.saved)
        cls.table = max((cls.data / "index").glob("*.sst"), key=lambda p: p.stat().st_size).name
        cls.size = (cls.data / "index" / cls.table).stat().st_size

    def again(self, copy=True):
        shutil.rmtree(self.data)
        shutil.copytree(self.saved, self.data)  # the copy of the index shares no file with it now
        if not copy:
            shutil.rmtree(self.data / "checkpoint", ignore_errors=True)

    def verify(self, *options):
        done = self.server.run("verify", "--json", *options, check=False)
        self.assertIn(done.returncode, (0, 1), done.stdout + done.stderr)
        return done.returncode, json.loads(done.stdout), done.stdout

    def places(self):
        return [self.size * part // 12 + 40 for part in range(12)] + [self.size - 10]

    def spoil(self, offset, length=3, copy=True):
        """Damages the index, and its copy, too."""
        for name in ("index", "checkpoint") if copy else ("index",):
            path = self.data / name / self.table
            if path.exists():
                for at in range(offset, min(offset + length, self.size)):
                    flip(path, at)

    def test_a_restored_store_has_a_copy_of_its_index(self):
        self.again()
        self.assertFalse((self.data / "journal" / "0000000001.log").exists())
        self.assertTrue((self.data / "checkpoint" / "CURRENT").exists())
        code, report, text = self.verify()
        self.assertEqual(code, 0, text)
        self.assertTrue(report["rows_compared"])
        self.assertGreater(report["rows"], SMALL)

    def test_what_could_not_be_compared_is_said_and_the_next_start_makes_the_copy(self):
        self.again(copy=False)
        told = " ".join(self.server.run("verify").stdout.split())
        self.assertIn("Everything is as it was written", told)
        self.assertNotIn("0 rows", told)
        self.assertIn("could not be compared with the journal", told)
        shutil.rmtree(self.data / "checkpoint", ignore_errors=True)  # the look at the mail is a start, too
        self.server.start()
        self.server.stop()
        self.assertTrue((self.data / "checkpoint" / "CURRENT").exists())

    def survive(self, *options):
        """Looks, repairs, looks again; gives the report of the repair and the subjects that are left, of both mailboxes."""
        code, report, text = self.verify()
        self.assertEqual(code, 1, text)
        self.assertTrue(any("index cannot be read" in p for p in report["problems"]), text)
        _, report, text = self.verify("--repair")
        code, looked, again = self.verify()
        homeless = looked["mail"]["without_address"]
        if homeless:
            self.assertNotEqual(code, 0, again)
            self.recover(homeless)
            code, _, again = self.verify()
        self.assertEqual(code, 0, again)
        self.assertTrue((self.data / "index.damaged").is_dir())
        self.server.start()
        try:
            if homeless:
                self.assertTrue(self.logs_in())
                shown = json.loads(self.server.run("account", "show", ANNA, "--json").stdout)
                self.assertEqual(shown["messages"], len(self.subjects) + SMALL // 4, shown)
                return report, None, None, text
            if not self.logs_in():  # its password is lost
                return report, None, None, text
            return report, *(sorted(m["Subject"] for m in messages(self.server, ANNA, box)) for box in ("INBOX", "Other")), text
        finally:
            self.server.stop()

    def recover(self, homeless):
        """Its mailboxes may have lost their names as well, and it the domain of its address."""
        self.assertEqual(len(homeless), 1)
        self.server.run("domain", "add", ANNA.split("@")[1], check=False)
        self.server.run("account", "recover", str(homeless[0]["account"]), ANNA, "--password-stdin", input=PASSWORD)

    def logs_in(self):
        try:
            imap(self.server, ANNA).logout()
            return True
        except imaplib.IMAP4.error:
            return False

    def test_damage_of_the_index_alone_costs_nothing(self):
        """Wherever it is: in rows, in the lists of them, in the table's end."""
        for offset in self.places():
            with self.subTest(offset=offset, of=self.size):
                self.again()
                self.spoil(offset, copy=False)
                report, inbox, other, text = self.survive()
                self.assertEqual(report["perhaps_lost"], [], text)
                self.assertEqual((inbox, len(other)), (self.subjects, SMALL // 4), text)
                self.assertEqual(list(self.data.glob("REPAIR*")), [])

    def test_damage_of_both_costs_what_it_hit(self):
        """Bodies are all there, so all messages are, but where the damage hit the row of the account itself."""
        kept = 0
        for copy in (False, True):
            for offset in self.places():
                with self.subTest(offset=offset, of=self.size, copy=copy):
                    self.again(copy)
                    self.spoil(offset)
                    report, inbox, other, text = self.survive()
                    self.assertEqual(report["mail"]["lost"], [], text)
                    if inbox is None:
                        self.assertTrue(any("the store's table" in p for p in report["perhaps_lost"]), text)
                        continue
                    kept += 1
                    self.assertEqual((inbox, len(other)), (self.subjects, SMALL // 4), text)
        self.assertGreater(kept, len(self.places()))

    def test_export_goes_on_past_a_mailbox_that_the_index_hides(self):
        for running in (False, True):
            with self.subTest(running=running), tempfile.TemporaryDirectory() as place:
                self.again()
                self.spoil(self.size * 3 // 12 + 40)  # rows of messages of the INBOX
                if running:
                    self.server.start()
                try:
                    out = pathlib.Path(place) / "out"
                    done = self.server.run("export", "--account", ANNA, "--format", "mbox", out, "--json", check=False)
                    self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
                    report = json.loads(done.stdout)
                    self.assertEqual(report["unreadable_mailboxes"], 1)
                    note = (out / "INCOMPLETE").read_text()
                    self.assertRegex(note, rf"(?m)^{ANNA}, INBOX, all messages from UID \d+ on: ")
                    self.assertEqual(len(mailbox.mbox(out / "Other.mbox")), SMALL // 4)
                    self.assertEqual(report["count"], sum(len(mailbox.mbox(box)) for box in out.glob("*.mbox")))
                finally:
                    self.server.stop()

    def test_a_copy_that_is_whole_has_everything(self):
        self.again()
        flip(self.data / "index" / self.table, 100)
        code, report, text = self.verify("--repair")
        self.assertEqual(code, 0, text)
        self.assertEqual(report["perhaps_lost"], [])
        self.assertEqual(self.verify()[0], 0)


class Apart(unittest.TestCase):
    """A server of whose journal a part is gone, in which things were taken back that were done before it; the index has all of it."""

    COUNT = 240
    GONE, LATER = "gone@alpha.test", "later@alpha.test"

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Instance(ANNA))
        cls.data = cls.server.dir / "data"
        cls.server.run("alias", "add", cls.GONE, ANNA)
        cls.server.run("alias", "add", cls.LATER, ANNA)
        fill(cls.server, ANNA, cls.COUNT, marks="before")
        cls.server.restart(signal.SIGKILL)  # what comes now is in another segment
        cls.server.run("alias", "remove", cls.GONE)
        cls.server.run("alias", "remove", cls.LATER)
        client = imap(cls.server, ANNA)
        client.select()
        client.store(f"1:{cls.COUNT // 2}", "+FLAGS", r"(\Flagged)")
        client.logout()
        cls.server.restart(signal.SIGKILL)
        fill(cls.server, ANNA, cls.COUNT, marks="after")
        cls.server.stop()
        logs = sorted((cls.data / "journal").glob("*.log"))
        assert len(logs) == 3, logs
        logs[1].unlink()
        cls.server.run("verify", "--repair", check=False)
        cls.server.start()
        cls.server.run("alias", "add", cls.LATER, ANNA)
        cls.state = cls.look()
        cls.server.stop()
        cls.epoch = turn(json.loads(cls.server.run("verify", "--json").stdout)["epoch"])
        assert (cls.data / "checkpoint").exists()
        cls.saved = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory())) / "saved"
        shutil.copytree(cls.data, cls.saved)

    def setUp(self):
        self.again()

    def again(self):
        shutil.rmtree(self.data)
        shutil.copytree(self.saved, self.data)  # the copy of the index shares no file with it now

    @classmethod
    def look(cls):
        """What a user sees: the subjects and flags, and which aliases there are."""
        client = imap(cls.server, ANNA)
        client.select(readonly=True)
        flags = [b"Flagged" in line for line in client.fetch("1:*", "(FLAGS)")[1]]
        client.logout()
        return [m["Subject"] for m in messages(cls.server, ANNA)], flags, [a for a in (cls.GONE, cls.LATER) if a in cls.server.run("alias", "list").stdout]

    def spoil(self, name, eighth):
        path, end = data_blocks(self.data / name)
        flip(path, end * eighth // 8 + 20)

    def verify(self, *options):
        done = self.server.run("verify", "--json", *options, check=False)
        self.assertIn(done.returncode, (0, 1), done.stdout + done.stderr)
        return json.loads(done.stdout), done.stdout

    def after(self):
        self.server.start()
        try:
            return self.look()
        finally:
            self.server.stop()

    def test_index_and_copy_damaged_in_different_places(self):
        """All is as it was last, and nothing that was erased comes back, for each has what the other lacks."""
        for eighth in range(8):
            with self.subTest(eighth=eighth):
                self.again()
                self.spoil("index", eighth)
                self.spoil("checkpoint", (eighth + 4) % 8)
                self.assertEqual(self.verify()[0]["repairs"], [])
                report, text = self.verify("--repair")
                self.assertTrue(any("index cannot be read" in p for p in report["problems"]), text)
                self.assertEqual(report["perhaps_lost"], [], text)
                self.assertEqual(self.after(), self.state)

    def test_without_the_list_of_the_tables(self):
        """A damaged copy and the journal know better which rows are the last; without a copy the doubt is told, and mail is there all the same."""
        for copy in (True, False):
            with self.subTest(copy=copy):
                self.again()
                for path in (self.data / "index").glob("MANIFEST-*"):
                    path.unlink()
                if copy:
                    self.spoil("checkpoint", 5)
                else:
                    shutil.rmtree(self.data / "checkpoint")
                report, text = self.verify("--repair")
                self.assertNotEqual(report["perhaps_lost"], [], text)
                self.assertEqual(any("which tables belong to the index" in p for p in report["perhaps_lost"]), not copy, text)
                self.assertGreater(turn(report["epoch"]), self.epoch)
                self.assertEqual(self.verify()[0]["problems"], [])
                subjects, _, aliases = self.after()
                self.assertEqual(sorted(subjects), sorted(self.state[0]))
                self.assertNotIn(self.GONE, aliases)

    def test_a_repair_that_is_killed_within_a_salvage(self):
        """Whenever that is: what is there can be served, and a second repair ends with an epoch that knows of what was lost."""
        cut_off = set()
        for moment in ("index.new", "index.new/CURRENT", "index.next", "index.damaged", "checkpoint.new"):
            with self.subTest(moment=moment):
                self.again()
                shutil.rmtree(self.data / "checkpoint")
                self.spoil("index", 5)
                repair = subprocess.Popen([str(HIKYAKU), "verify", "--repair", "--json", "--dir", str(self.server.dir)], stdout=subprocess.DEVNULL,
                                          stderr=subprocess.DEVNULL)
                while repair.poll() is None and not (self.data / moment).exists():
                    pass
                repair.kill()
                if repair.wait() == -signal.SIGKILL:
                    cut_off.add(moment)
                self.server.start()  # serves what there is
                self.server.stop()
                report, text = self.verify("--repair")
                self.assertGreater(turn(report["epoch"]), self.epoch, text)
                self.assertEqual(self.verify()[0]["problems"], [])
                self.assertEqual(sorted(self.after()[0]), sorted(self.state[0]))
        self.assertTrue({"index.new", "index.new/CURRENT"} <= cut_off, cut_off)


if __name__ == "__main__":
    unittest.main()
