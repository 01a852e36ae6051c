"""Damage of every kind of file in a store: `hikyaku verify` says what it is, `--repair` makes good what can be made good, and only what
stood in the damaged bytes is lost; the rest is readable by IMAP afterwards."""
import base64
import functools
import json
import os
import pathlib
import random
import shutil
import signal
import smtplib
import subprocess
import time
import unittest

from harness import HIKYAKU, Instance, turn
from mail import fill, imap, messages
from saved_store import ANNA, SavedStore, flip

COUNT, LARGE = SavedStore.COUNT, SavedStore.LARGE


def table_ends(index):
    """Places at the end of the newest table of an index, by name: what RocksDB reads before it looks at a checksum."""
    path = max(index.glob("*.sst"))
    table = path.read_bytes()
    metaindex = table.index(b"fullfilter.") - 3
    places = {
        "the end of the properties": metaindex - 5 - 1,  # with this bit it failed an assertion
        "the place of the metaindex": len(table) - 53 + 2,
    }
    return path, places


class VerifiedStore(SavedStore):
    def verify(self, *options):
        done = self.server.run("verify", "--json", *options, check=False)
        return done.returncode, json.loads(done.stdout), done.stdout


class Damage(VerifiedStore):
    def survive(self, lost=(), epoch=1, seen=True):
        """Looks, repairs, looks again, and reads what is left."""
        code, report, text = self.verify()
        if seen:
            self.assertNotEqual(code, 0, text)
            self.assertFalse(report["good"], text)
        _, repaired, text = self.verify("--repair")
        code, report, again = self.verify()
        self.assertEqual(code, 0, again)
        self.assertEqual(turn(report["epoch"]), epoch, text)
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
        self.assertNotIn("--repair", text)
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

    def test_a_bit_of_the_properties_of_a_table(self):
        path, places = table_ends(self.data / "index")
        flip(path, places["the end of the properties"], 0x80)
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
        """There is a copy, which is written again before it is hit, too."""
        path = self.body_of(3)[0]
        for at, told in ((20, "at byte 0"), (2048 + 3, "at byte 2048")):
            flip(path, at)
            _, _, text = self.verify()
            self.assertIn(told, text)
            code, repaired, text = self.verify("--repair")
            self.assertEqual((code, repaired["lost"], repaired["note"]), (0, [], None), text)
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


class ReadOnlyMount(VerifiedStore):
    COUNT, LARGE = 2, None

    def look(self):
        """`hikyaku verify` where the whole instance is mounted read-only, for this one program."""
        place = str(self.server.dir)
        script = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" || exit 99; shift; exec "$@"'
        done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", place, str(HIKYAKU), "verify", "--lang", "en", "--dir", place],
                              capture_output=True, text=True, timeout=60)
        if done.returncode == 99 or "unshare:" in done.stderr:
            self.skipTest("mounting needs root")
        return done.returncode, " ".join((done.stdout + done.stderr).split())

    def test_a_store_that_was_closed_well_is_read_as_it_is(self):
        code, told = self.look()
        self.assertEqual(code, 0, told)
        self.assertIn("Everything is as it was written", told)
        self.assertIn("were not compared with the journal", told)
        self.assertIn("The mail of 1 account is whole: 2 messages", told)

    def test_damage_is_told_there(self):
        path, at = self.body_of(1)
        flip(path, at + 400)
        code, told = self.look()
        self.assertEqual(code, 1, told)
        self.assertIn("Subject: m1", told)

    def test_one_that_was_not_says_what_to_do(self):
        self.server.start()
        with smtplib.SMTP(self.server.host, self.server.port("smtp"), timeout=20) as smtp:
            smtp.sendmail("x@beta.test", [ANNA], "Subject: more\r\n\r\nx\r\n")
        self.server.kill()
        code, told = self.look()
        self.assertNotEqual(code, 0, told)
        self.assertIn("Copy", told)
        self.assertIn("read-only", told)


def torn_lists(index):
    """Ways in which a full disk or a power loss leaves RocksDB's lists of its files, each a function that does it."""
    current = index / "CURRENT"
    manifest = index / current.read_text().strip()
    size = manifest.stat().st_size
    return {
        "no CURRENT": current.unlink,
        "an empty CURRENT": lambda: os.truncate(current, 0),
        "half a CURRENT": lambda: os.truncate(current, 9),
        "a CURRENT that names nothing": lambda: current.write_text("MANIFEST-999999\n"),
        "no MANIFEST": manifest.unlink,
        "an empty MANIFEST": lambda: os.truncate(manifest, 0),
        "a tenth of a MANIFEST": lambda: os.truncate(manifest, size // 10),
        "half a MANIFEST": lambda: os.truncate(manifest, size // 2),
        "a MANIFEST without its end": lambda: os.truncate(manifest, size - 5),
        "a MANIFEST of zeros": lambda: manifest.write_bytes(bytes(size)),
    }


def damaged_ends(index):
    """The same of bits of a table."""
    path, places = table_ends(index)
    return {name: functools.partial(flip, path, place, 0x80) for name, place in places.items()}


class DamagedIndex(unittest.TestCase):
    """The server starts by itself, says so, has all mail, and what was damaged is still there to be looked at."""

    def survive(self, server, data):
        saved = server.dir / "saved"
        shutil.copytree(data, saved)
        for damages, name in [(d, name) for d in (torn_lists, damaged_ends) for name in d(saved / "index")]:
            with self.subTest(name):
                shutil.rmtree(data)
                shutil.copytree(saved, data)
                damages(data / "index")[name]()
                tables = {p.name: p.stat().st_ino for p in (data / "index").glob("*.sst")}
                server.start()
                try:
                    self.assertEqual([m["Subject"] for m in messages(server, ANNA)], self.subjects)
                    said = any("store.index_made_again" in line for line in server.log)
                finally:
                    server.stop()
                if said:
                    kept = [p.name for p in (data / "index.damaged").iterdir()]
                    self.assertEqual([t for t in tables if t not in kept], [])
                elif name != "a MANIFEST without its end":
                    self.fail(f"nobody was told: {server.log}")
                done = server.run("verify", check=False)
                self.assertEqual(done.returncode, 0, done.stdout)

    def test_with_a_whole_journal(self):
        with Instance(ANNA) as server:
            fill(server, ANNA, 12)
            self.subjects = [m["Subject"] for m in messages(server, ANNA)]
            server.stop()
            self.survive(server, server.dir / "data")

    def test_when_parts_of_the_journal_are_reclaimed(self):
        with Instance(ANNA) as server:
            data = server.dir / "data"
            fill(server, ANNA, 60, body=base64.encodebytes(random.Random(3).randbytes(25_000)).decode().replace("\n", "\r\n"))
            client = imap(server, ANNA)
            client.select()
            client.store("1:50", "+FLAGS", r"(\Deleted)")
            client.expunge()
            client.logout()
            server.run("undelete", "--purge")
            self.assertFalse((data / "journal" / "0000000001.log").exists())
            self.assertTrue((data / "checkpoint" / "CURRENT").exists())
            fill(server, ANNA, 5)
            self.subjects = [m["Subject"] for m in messages(server, ANNA)]
            self.assertEqual(len(self.subjects), 15)
            server.stop()
            self.survive(server, data)

    def test_the_end_of_the_journal_is_gone(self):
        """The index knows of mail that the journal no longer has: its older copy does not take its place, and a repair names what is lost."""
        for clean in (True, False):
            with self.subTest(clean=clean), Instance(ANNA) as server:
                data = server.dir / "data"
                fill(server, ANNA, 6)
                server.restart(signal.SIGKILL)  # into another log segment
                client = imap(server, ANNA)
                client.select()
                client.store("1:6", "+FLAGS", r"(\Deleted)")
                client.expunge()
                client.logout()
                server.run("undelete", "--purge")
                self.assertTrue((data / "checkpoint" / "CURRENT").exists())
                fill(server, ANNA, 2)
                server.restart(signal.SIGKILL)
                fill(server, ANNA, 4)
                server.restart()  # a clean end: the index is on the disk
                there = len(messages(server, ANNA))
                server.stop(signal.SIGTERM if clean else signal.SIGKILL)
                max((data / "journal").glob("*.log")).unlink()
                server.start()
                said = any("store.read_only" in line for line in server.log)
                server.stop()
                self.assertTrue(said)
                self.assertFalse((data / "index.damaged").exists())
                done = server.run("verify", "--repair", check=False)
                self.assertEqual(done.returncode, 1, done.stdout)
                note, = data.glob("REPAIRED-*.txt")
                server.start()
                left = len(messages(server, ANNA))
                self.assertLess(left, there)
                self.assertEqual(note.read_text().count("INBOX, UID "), there - left)
                server.stop()

    def test_an_older_damaged_index_does_not_take_the_place_of_the_last(self):
        with Instance(ANNA) as server:
            data = server.dir / "data"
            fill(server, ANNA, 3)
            server.stop()
            for content in ("first", "second"):
                (data / "index" / "CURRENT").write_text(content)
                server.start()
                server.stop()
                self.assertEqual((data / "index.damaged" / "CURRENT").read_text(), content)
                self.assertEqual([p.name for p in data.glob("index*")].count("index.damaged-2"), 0)


class Notes(VerifiedStore):
    """What a repair has lost stays written down."""

    def note(self):
        return sorted(self.data.glob("REPAIR*"))

    def test_what_is_lost_stays_written(self):
        path, at = self.body_of(3)
        flip(path, at + 400)
        done = self.server.run("verify", "--repair", check=False)
        note, = self.note()
        self.assertIn(note.name, "".join(done.stdout.split()))
        self.assertEqual(note.stat().st_mode & 0o777, 0o600)
        text = note.read_text()
        self.assertIn("Subject: m3", text)
        self.assertRegex(text, r"(?m)^lost: anna@alpha.test, INBOX, UID 4")
        self.server.start()
        try:
            self.assertIn(note.name, "".join(self.server.run("check", check=False).stdout.split()))
            note.unlink()
            self.assertNotIn("REPAIRED", self.server.run("check", check=False).stdout)
        finally:
            self.server.stop()

    def test_what_went_with_a_body_is_said_to_be_unknown(self):
        """Its date and its sender stood beside it. The message's row has them: so they are named there, also before a repair."""
        self.body_of(LARGE)[0].unlink()
        done = self.server.run("verify", check=False)
        self.assertRegex(" ".join(done.stdout.split()), rf"anna@alpha.test, INBOX, UID {LARGE + 1}, 20\d\d-[^,]*, From: [^,]*, Subject: m{LARGE} \(")
        self.assertNotIn("unknown", done.stdout)
        self.assertNotIn("1970", done.stdout)
        self.assertIsNone(self.verify()[1]["lost"][0]["staged"])
        self.server.run("verify", "--repair", check=False)
        text = self.note()[0].read_text()
        self.assertNotIn("1970", text)
        self.assertRegex(text, r"(?m)^lost: body \d+ \(\d+ bytes, date unknown\): what stood beside it is gone, too$")
        self.assertRegex(text, rf"(?m)^lost: anna@alpha.test, INBOX, UID {LARGE + 1}, 20\d\d-.*Subject: m{LARGE} ")

    def test_long_lists_are_cut_in_the_terminal_alone(self):
        self.body_of(1)[0].unlink()
        report = self.verify()[1]
        self.assertGreaterEqual(len(report["lost"]), COUNT - 1)
        told = " ".join(self.server.run("verify", check=False).stdout.split())
        self.assertIn(f"… and {report['problem_count'] - 20} more; --json lists them", told)
        self.assertEqual(told.count("UID"), 20)

    def test_what_a_repair_has_lost_was_not_deleted_and_is_not_counted_later(self):
        path, at = self.body_of(3)
        flip(path, at + 400)
        told = " ".join(self.server.run("verify", "--repair", check=False).stdout.split())
        self.assertNotIn("brought back any more", told)
        told = " ".join(self.server.run("verify").stdout.split())
        self.assertIn(f"as it was written: {COUNT - 1} bodies (", told)
        self.assertIn("1 more body cannot be read; no message has it any more", told)

    def test_how_many_bodies_there_are_beside_the_messages_is_explained(self):
        self.server.start()
        client = imap(self.server, ANNA)
        client.select()
        client.store("1:3", "+FLAGS", r"(\Deleted)")
        client.expunge()
        client.logout()
        self.server.stop()
        told = " ".join(self.server.run("verify").stdout.split())
        self.assertRegex(told, rf"\b{COUNT} bodies \(")
        self.assertIn("3 of the bodies are of mail that was deleted or has been sent", told)
        self.assertIn(f"{COUNT - 3} messages", told)

    def test_nothing_lost_leaves_nothing(self):
        flip(self.data / "STORE", 20)
        done = self.server.run("verify", "--repair")
        self.assertEqual(self.note(), [], done.stdout)

    def test_cut_off_it_tells_everything_when_it_is_run_again(self):
        """Killed at any moment: what was lost is told by the repair that ends, wherever the one before was cut off."""
        saved = self.server.dir / "damaged"
        path, at = self.body_of(3)
        flip(path, at + 400)
        group, place = self.body_of(9)
        flip(group, place - 72 - 30)
        shutil.rmtree(self.data / "index")
        shutil.copytree(self.data, saved)
        began = time.monotonic()
        self.server.run("verify", "--repair", check=False)
        took = time.monotonic() - began
        cut = 0
        for part in range(24):
            shutil.rmtree(self.data)
            shutil.copytree(saved, self.data)
            repair = subprocess.Popen([str(HIKYAKU), "verify", "--repair", "--dir", str(self.server.dir)],
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(took * part / 24)
            repair.kill()
            cut += repair.wait() == -signal.SIGKILL
            if any(n.name.startswith("REPAIRED") for n in self.note()):
                told = self.note()[0].read_text()  # it was done
            else:
                done = self.server.run("verify", "--repair", "--json", check=False)
                self.assertEqual(done.returncode, 1, done.stdout)
                report = json.loads(done.stdout)
                told = pathlib.Path(report["note"]).read_text()
                shown = json.dumps([report["earlier"], report["lost"], report["mail"]["lost"]])
                self.assertIn("m3", shown)
                self.assertIn("s9s@beta.test", shown)
            self.assertIn("Subject: m3", told)
            self.assertIn("s9s@beta.test", told)
            self.assertRegex(told, "lost: groups of changes: 1")
            self.assertEqual([n.name for n in self.note() if n.name == "REPAIRING.txt"], [])
            self.assertEqual(self.server.run("verify", check=False).returncode, 0)
        self.assertGreater(cut, 5)


if __name__ == "__main__":
    unittest.main()
