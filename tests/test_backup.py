"""Backups while the server works, everything and single accounts out of them."""
import fcntl
import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import smtplib
import subprocess
import tempfile
import threading
import time

from backed_up import BackedUp, number
from harness import HIKYAKU, hikyaku, Instance
from mail import fill, imap, message, raw_messages, subjects, submit

ANNA, BOB = "anna@alpha.test", "bob@alpha.test"


def files_of(backup):
    """{name below the backup: path}"""
    top = pathlib.Path(backup["path"])
    return {str(path.relative_to(top)): path for path in top.rglob("*") if path.is_file()}


class Backup(BackedUp):
    def test_under_load(self):
        """Everything acknowledged before the backup began is in it, whatever goes on meanwhile."""
        with Instance(ANNA) as server:
            server.add_account(BOB)
            fill(server, BOB, 30)
            acknowledged, errors, ending = [], [], threading.Event()

            def deliver(n):
                try:
                    with smtplib.SMTP(server.host, server.port("smtp"), timeout=20) as smtp:
                        smtp.ehlo("mx.beta.test")
                        i = 0
                        while not ending.is_set():
                            subject = f"Load {n}.{i}"
                            body = "y" * 300_000 if i % 25 == 24 else "How are you?\r\n" * (i % 50)
                            body = re.sub("(.{900})", "\\1\r\n", body)
                            smtp.sendmail("x@beta.test", [BOB], f"Subject: {subject}\r\n\r\n{body}\r\n")
                            acknowledged.append(subject)
                            i += 1
                except Exception as error:
                    errors.append(error)

            def change():
                try:
                    client = imap(server, BOB)
                    client.create("Other")
                    while not ending.is_set():
                        client.select()
                        client.store("1:20", "+FLAGS", r"(\Seen)")
                        client.copy("1:5", "Other")
                        client.select("Other")
                        client.store("1:2", "+FLAGS", r"(\Deleted)")
                        client.expunge()
                    client.logout()
                except Exception as error:
                    errors.append(error)

            threads = [threading.Thread(target=deliver, args=(n,)) for n in range(3)]
            threads.append(threading.Thread(target=change))
            for thread in threads:
                thread.start()
            made = []
            for _ in range(3):
                time.sleep(1)
                before = list(acknowledged)
                made.append((before, self.backup(server, "--with-config")))
            ending.set()
            for thread in threads:
                thread.join()
            self.assertEqual(errors, [])
            self.assertGreater(len(made[0][0]), 20)
            key = (server.dir / "secret.key").read_bytes()
            server.stop()
            for before, info in made:
                checked = json.loads(server.run("backup", "--check", info["path"], "--json").stdout)
                self.assertTrue(checked["good"], checked)
                self.assertGreaterEqual(checked["bodies"], len(before) + 30)
                other = Instance(ANNA, base=server.base)
                self.addCleanup(shutil.rmtree, other.dir, True)
                # Without its key it says what is missing.
                refused = other.run("restore", info["path"], check=False)
                self.assertNotEqual(refused.returncode, 0)
                self.assertIn("secret.key", refused.stderr)
                (other.dir / "secret.key").write_bytes(key)
                other.run("restore", info["path"])
                self.verify(other)
                other.start()
                there = subjects(other, BOB)
                self.assertEqual(set(before) - set(there), set())
                self.assertEqual(len(there), len(set(there)))
                submit(other, message(ANNA, BOB, "After the restore"))
                self.assertEqual(subjects(other, BOB)[-1], "After the restore")
                other.stop()
                self.verify(other)
            # The backups have not changed by being restored from.
            self.assertTrue(json.loads(server.run("backup", "--check", self.to, "--json").stdout)["good"])

    def test_incremental(self):
        with Instance(ANNA) as server:
            server.add_account(BOB)
            fill(server, BOB, 5)
            big = "z" * 900 + "\n"
            for i in range(12):
                submit(server, message(ANNA, BOB, f"Big {i}", big * 1000))
            server.restart()
            first = self.backup(server)
            submit(server, message(ANNA, BOB, "Later"))
            second = self.backup(server)
            self.assertGreater(first["bytes"], 10 << 20)
            self.assertLess(second["copied"], 3 << 20)
            listed = json.loads(server.run("backup", "--list", self.to, "--json").stdout)
            self.assertEqual([one["path"] for one in listed], [first["path"], second["path"]])
            # Each is complete in itself.
            shutil.rmtree(first["path"])
            server.stop()
            third = self.backup(server)  # also when no server runs
            self.assertTrue(json.loads(server.run("backup", "--check", self.to, "--json").stdout)["good"])
            self.assertTrue(json.loads(server.run("backup", "--check", second["path"], "--json").stdout)["good"])
            # Flipping one bit is noticed.
            segments = sorted(pathlib.Path(third["path"], "store", "journal").iterdir(), key=lambda f: f.stat().st_size)
            with open(segments[-1], "r+b") as file:
                file.seek(2 << 20)
                byte = file.read(1)[0]
                file.seek(2 << 20)
                file.write(bytes([byte ^ 1]))
            checked = server.run("backup", "--check", third["path"], "--json", check=False)
            self.assertEqual(checked.returncode, 1)
            self.assertFalse(json.loads(checked.stdout)["good"])

    def test_as_many_stay_as_are_to_be_kept(self):
        with Instance(ANNA) as server:
            fill(server, ANNA, 3)
            made = [self.backup(server) for _ in range(3)]
            self.assertNotIn("removed", made[-1])
            last = json.loads(server.run("backup", self.to, "--keep", "2", "--json").stdout)
            self.assertEqual(last["removed"], [one["path"] for one in made[:2]])
            self.assertEqual([one["path"] for one in json.loads(server.run("backup", "--list", self.to, "--json").stdout)],
                             [made[2]["path"], last["path"]])
            self.assertIn("1 older one is removed", server.run("backup", self.to, "--keep", "2").stdout)
            self.assertTrue(json.loads(server.run("backup", "--check", self.to, "--json").stdout)["good"])
            wrong = server.run("backup", self.to, "--keep", "0", check=False)
            self.assertEqual(wrong.returncode, 64)

    def test_whoever_calls_it_may_lock_the_directory(self):
        """As from cron: flock /backup/mail hikyaku backup /backup/mail."""
        with Instance(ANNA) as server:
            self.to.mkdir(mode=0o700)
            descriptor = os.open(self.to, os.O_RDONLY | os.O_DIRECTORY)
            self.addCleanup(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            first = self.backup(server)
            last = json.loads(server.run("backup", self.to, "--keep", "1", "--json").stdout)
            self.assertEqual(last["removed"], [first["path"]])

    def test_what_has_not_changed_is_linked(self):
        """Of two backups the second takes no space for what the first has, and nothing that happens to its own files reaches the first."""
        with Instance(ANNA) as server:
            server.add_account(BOB)
            for i in range(4):
                submit(server, message(ANNA, BOB, f"Big {i}", random.Random(i).randbytes(500_000).hex()))
            server.restart()  # the segment of before is left
            first = self.backup(server)
            former = subjects(server, BOB)
            state = lambda path: (path.stat().st_ino, hashlib.sha256(path.read_bytes()).hexdigest())
            old = {name: state(path) for name, path in files_of(first).items()}
            submit(server, message(ANNA, BOB, "Later"))
            second = self.backup(server)
            server.stop()
            new = files_of(second)
            linked = {name for name, path in new.items() if name in old and path.stat().st_ino == old[name][0]}
            self.assertTrue(all(new[name].stat().st_nlink >= 2 for name in linked))
            self.assertGreater(sum(new[name].stat().st_size for name in linked), 3 << 20)
            # What changes from time to time, and is small, is a file of its own in each; nothing else with the same bytes is there twice.
            twice = {name for name in new if name in old and name not in linked and state(new[name])[1] == old[name][1]}
            self.assertEqual([name for name in twice if new[name].stat().st_size > 8192], [])
            own = [path for path in new.values() if path.stat().st_ino not in {inode for inode, _ in old.values()}]
            self.assertGreater(len(own), 2)
            self.assertLess(sum(path.stat().st_blocks * 512 for path in own), 3 << 20)
            # The first is as it was made, and stays so whatever happens to what only the second has.
            for path in own:
                with open(path, "r+b") as file:
                    data = bytearray(file.read())
                    for at in range(0, len(data), 512):
                        data[at] ^= 1
                    file.seek(0)
                    file.write(data)
            self.assertEqual({name: state(path) for name, path in files_of(first).items()}, old)
            self.assertNotEqual(server.run("backup", "--check", second["path"], check=False).returncode, 0)
            self.assertTrue(json.loads(server.run("backup", "--check", first["path"], "--json").stdout)["good"])
            server.run("restore", first["path"], "--force")
            self.verify(server)
            server.start()
            self.assertEqual(subjects(server, BOB), former)

    def test_nothing_new_takes_no_space(self):
        with Instance(ANNA) as server:
            for i in range(3):
                submit(server, message(ANNA, ANNA, f"Big {i}", random.Random(i).randbytes(900_000).hex()))
            first = self.backup(server)
            second = self.backup(server)
            self.assertGreater(first["copied"], 3 << 20)
            self.assertLess(second["copied"], 64 << 10)
            live = {path.stat().st_ino for path in (server.dir / "data" / "journal").iterdir()}
            self.assertEqual([name for name, path in files_of(second).items() if "journal" in name and path.stat().st_ino in live], [])
            submit(server, message(ANNA, ANNA, "Later"))
            self.assertTrue(json.loads(server.run("backup", "--check", second["path"], "--json").stdout)["good"])

    def test_quiet_says_only_what_is_wrong(self):
        with Instance(ANNA) as server:
            for words in (("--with-config", "--keep", "2"), ("--keep", "1"), ("--check",)):
                done = server.run("backup", self.to, *words, "--quiet")
                self.assertEqual((done.stdout, done.stderr), ("", ""), words)
            path = next(self.to.glob("*/store/STORE"))
            path.write_bytes(b"")
            done = server.run("backup", "--check", self.to, "--quiet", check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("STORE", done.stdout)
            self.assertEqual(server.run("backup", "--list", self.to, "--quiet", check=False).returncode, 64)

    def test_everything_is_for_its_owner_alone(self):
        with Instance(ANNA) as server:
            submit(server, message(ANNA, ANNA, "Private"))
            server.restart()
            self.backup(server)
            server.stop()
            for top in (server.dir / "data", self.to):
                for path in [top, *top.rglob("*")]:
                    self.assertEqual(path.stat().st_mode & 0o777, 0o700 if path.is_dir() else 0o600, path)

    def test_what_of_a_backup_was_not_used_is_named(self):
        with Instance(ANNA, config={"imap.max_errors": 17}) as server:
            self.backup(server, "--with-config")
            key = (server.dir / "secret.key").read_bytes()
            other = Instance(ANNA, base=server.base)
            self.addCleanup(shutil.rmtree, other.dir, True)
            other.quickstart()
            (other.dir / "secret.key").write_bytes(key)
            told = " ".join(other.run("restore", self.to, "--force").stdout.split())
            self.assertIn(f"was not used: {other.dir}/hikyaku.toml, {other.dir}/tls, {other.dir}/dkim", told)
            again = re.search(r"restore once more: hikyaku (restore \S+ --force)", told)[1].split()
            self.assertNotIn("max_errors", (other.dir / "hikyaku.toml").read_text())
            for name in ("hikyaku.toml", "tls", "dkim"):
                (other.dir / name).rename(other.dir / f"{name}.old")
            self.assertNotIn("not used", " ".join(other.run(*again).stdout.split()))
            self.assertIn("max_errors = 17", (other.dir / "hikyaku.toml").read_text())
            self.assertEqual(json.loads(other.run(*again, "--json").stdout)["config_unused"], [])

    def test_other_file_system(self):
        if not os.access("/dev/shm", os.W_OK) or os.stat("/dev/shm").st_dev == os.stat(tempfile.gettempdir()).st_dev:
            self.skipTest("no second file system")
        self.to = pathlib.Path(tempfile.mkdtemp(prefix="hikyaku-backup-", dir="/dev/shm"))
        self.addCleanup(shutil.rmtree, self.to, True)
        with Instance(ANNA) as server:
            server.add_account(BOB)
            for i in range(10):
                submit(server, message(ANNA, BOB, f"Big {i}", "z" * 900 + "\n" * 400_000))
            server.restart()
            first = self.backup(server)
            self.assertEqual(first["copied"], first["bytes"])
            second = self.backup(server)
            self.assertLess(second["copied"], first["copied"] / 2)
            server.stop()
            self.assertTrue(json.loads(server.run("backup", "--check", self.to, "--json").stdout)["good"])

    def test_the_queue_is_held(self):
        with Instance(ANNA, config={"queue.retry": '["1h"]'}) as server:
            submit(server, message(ANNA, "far@nowhere.test", "Away"), rcpt=["far@nowhere.test"])
            self.assertEqual(len(json.loads(server.run("queue", "list", "--json").stdout)), 1)
            self.backup(server)
            server.stop()
            done = json.loads(server.run("restore", self.to, "--force", "--json").stdout)
            self.assertEqual(done["held"], 1)
            server.start()
            (entry,) = json.loads(server.run("queue", "list", "--json").stdout)
            self.assertEqual(entry["state"], "held")
            self.assertIn("backup", entry["reply"])

    def test_one_account_beside_what_is_there(self):
        with Instance(ANNA) as server:
            server.add_account(BOB)
            fill(server, BOB, 4)
            client = imap(server, BOB)
            client.create("Work")
            client.select()
            client.store("2", "+FLAGS", r"(\Flagged $Mine)")
            client.copy("1:2", "Work")
            client.logout()
            before = raw_messages(server, BOB)
            self.backup(server)
            client = imap(server, BOB)
            client.select()
            uid_validity = number(client, "UIDVALIDITY")
            client.store("1:3", "+FLAGS", r"(\Deleted)")
            client.expunge()
            client.delete("Work")
            client.logout()
            submit(server, message(ANNA, BOB, "Since then"))
            server.run("undelete", "--purge")  # not by that way

            done = json.loads(server.run("restore", self.to, "--account", BOB, "--mailbox", "INBOX", "--json").stdout)
            self.assertEqual((done["imported"], done["known"]), (3, 1))
            self.assertEqual(sorted(raw_messages(server, BOB))[0:1] != [], True)
            self.assertEqual(set(before) - set(raw_messages(server, BOB)), set())
            self.assertIn("Since then", subjects(server, BOB))
            client = imap(server, BOB)
            client.select()
            self.assertEqual(number(client, "UIDVALIDITY"), uid_validity)
            flagged = client.search(None, "FLAGGED", "KEYWORD", "$Mine")[1][0].split()
            self.assertEqual(len(flagged), 1)
            client.logout()
            # Again: nothing more. All of it: the other mailbox too.
            done = json.loads(server.run("restore", self.to, "--account", BOB, "--json").stdout)
            self.assertEqual((done["imported"], done["known"]), (2, 4))
            self.assertEqual(len(raw_messages(server, BOB, "Work")), 2)
            # Into another account.
            server.run("restore", self.to, "--account", BOB, "--mailbox", "Work", "--into", ANNA)
            self.assertEqual(len(raw_messages(server, ANNA, "Work")), 2)
            for wrong in (["--account", "nobody@alpha.test"], ["--account", BOB, "--mailbox", "Nothing"], ["--into", BOB]):
                refused = server.run("restore", self.to, *wrong, check=False)
                self.assertNotEqual(refused.returncode, 0)
                self.assertTrue(refused.stderr.startswith("hikyaku: "), refused.stderr)
            server.stop()
            self.verify(server)

    def test_what_only_looks_the_same_is_no_copy(self):
        """A Message-ID is what its sender makes it: with it and the size alone mail would be lost."""
        with Instance(ANNA) as server:
            server.add_account(BOB)
            first, second = (f"Message-ID: <same@beta.test>\r\nSubject: s\r\n\r\nversion {v}\r\n".encode()
                             for v in "AB")
            client = imap(server, BOB)
            for options in ((), ("--mailbox", "INBOX")):
                with self.subTest(options=options):
                    client.append("INBOX", None, None, first)
                    backup = self.backup(server)["path"]
                    client.select()
                    client.store("1:*", "+FLAGS", r"(\Deleted)")
                    client.expunge()
                    client.append("INBOX", None, None, second)
                    for imported, known in ((1, 0), (0, 1)):
                        done = json.loads(server.run("restore", backup, "--account", BOB, *options, "--json").stdout)
                        self.assertEqual((done["imported"], done["known"]), (imported, known))
                    self.assertEqual(sorted(raw_messages(server, BOB)), [first, second])
                    client.select()
                    client.store("1:*", "+FLAGS", r"(\Deleted)")
                    client.expunge()
            client.logout()

    def test_what_was_moved_or_renamed_is_still_there(self):
        with Instance(ANNA) as server:
            server.add_account(BOB)
            fill(server, BOB, 6)
            client = imap(server, BOB)
            for name in ("Archive", "Old", "Deep/Inner"):
                client.create(name)
            client.select()
            client.copy("1:2", "Archive")  # these lie in two mailboxes
            client.store("3", "+FLAGS", r"(\Flagged)")
            client.copy("3:4", "Old")
            client.copy("5", "Deep/Inner")
            client.store("3:4", "+FLAGS", r"(\Deleted)")
            client.expunge()
            client.logout()
            self.backup(server)
            client = imap(server, BOB)
            client.rename("Old", "New")
            client.rename("Deep", "Deeper")
            client.select()
            client.uid("MOVE", "6", "Archive")
            client.select("Archive")
            client.store("1:2", "+FLAGS", r"(\Deleted)")
            client.expunge()
            client.select("Deeper/Inner")
            client.store("1", "+FLAGS", r"(\Deleted)")
            client.expunge()
            client.logout()
            server.run("undelete", "--purge")

            # Of those in two mailboxes one copy is missing, each where it was.
            done = json.loads(server.run("restore", self.to, "--account", BOB, "--json").stdout)
            self.assertEqual((done["imported"], done["known"]), (3, 6))
            client = imap(server, BOB)
            names = {line.decode().rsplit(" ", 1)[1].strip('"') for line in client.list()[1]}
            client.logout()
            self.assertNotIn("Old", names)
            self.assertEqual(len(raw_messages(server, BOB, "New")), 2)
            self.assertEqual(len(raw_messages(server, BOB, "Archive")), 3)
            self.assertEqual(len(raw_messages(server, BOB, "Deep/Inner")), 1)
            self.assertEqual(len(raw_messages(server, BOB)), 3)
            done = json.loads(server.run("restore", self.to, "--account", BOB, "--json").stdout)
            self.assertEqual(done["imported"], 0)
            # Asked for by name it is there again, whole.
            done = json.loads(server.run("restore", self.to, "--account", BOB, "--mailbox", "Old", "--json").stdout)
            self.assertEqual(done["imported"], 2)
            self.assertEqual(len(raw_messages(server, BOB, "Old")), 2)
            client = imap(server, BOB)
            client.select("Old")
            self.assertEqual(len(client.search(None, "FLAGGED")[1][0].split()), 1)
            client.logout()
            server.stop()
            self.verify(server)

    def test_an_account_comes_back_without_what_cannot_be_read(self):
        with Instance(ANNA) as server:
            server.add_account(BOB)
            submit(server, message(ANNA, BOB, "Small"))
            submit(server, message(ANNA, BOB, "Large", random.Random(1).randbytes(450_000).hex()))
            submit(server, message(ANNA, BOB, "After"))
            info = self.backup(server)
            client = imap(server, BOB)
            client.select()
            client.store("1:*", "+FLAGS", r"(\Deleted)")
            client.expunge()
            client.logout()
            [bulk] = pathlib.Path(info["path"], "store", "journal").glob("*.bulk")
            damaged = bytearray(bulk.read_bytes())
            damaged[300_000] ^= 1
            bulk.unlink()  # not the store's own
            bulk.write_bytes(damaged)
            done = server.run("restore", self.to, "--account", BOB, "--json", check=False)
            self.assertEqual(done.returncode, 1, done.stderr)
            answer = json.loads(done.stdout)
            self.assertEqual((answer["imported"], len(answer["lost"])), (2, 1))
            self.assertIn("INBOX, UID 2", answer["lost"][0])
            self.assertEqual(sorted(subjects(server, BOB)), ["After", "Small"])
            # The whole: what is lost has a name, and the rest comes only when that is wanted.
            server.stop()
            refused = server.run("restore", self.to, "--force", check=False)
            self.assertEqual(refused.returncode, 1)
            for word in (bulk.name, "bob@alpha.test, INBOX, UID 2", "--with-losses"):
                self.assertIn(word, " ".join(refused.stdout.split()))
            self.assertEqual(list(server.dir.glob("data.*")), [])
            done = server.run("restore", self.to, "--force", "--with-losses", "--json", check=False)
            restored = json.loads(done.stdout)
            self.assertEqual((done.returncode, restored["lost_count"]), (1, 1))
            # That stays written, as after a repair.
            note, = (server.dir / "data").glob("REPAIR*")
            self.assertEqual((restored["note"], note.stat().st_mode & 0o777), (str(note), 0o600))
            self.assertRegex(note.read_text(), r"(?m)^hikyaku restore --with-losses, " + re.escape(str(self.to)))
            self.assertRegex(note.read_text(), r"(?m)^lost: .*bob@alpha.test, INBOX, UID 2")
            self.verify(server)
            server.start()
            self.assertIn(note.name, "".join(server.run("check", check=False).stdout.split()))
            self.assertEqual(sorted(subjects(server, BOB)), ["After", "Small"])

    def test_a_server_that_ends_in_the_middle_is_to_be_asked_again(self):
        with Instance(ANNA) as server:
            server.add_account(BOB)
            for i in range(40):
                submit(server, message(ANNA, BOB, f"Big {i}", "z" * 900 + "\n" * 900_000))
            making = subprocess.Popen([str(HIKYAKU), "backup", str(self.to), "--dir", str(server.dir)], stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True, env={**os.environ, "LANG": "C.UTF-8"})
            deadline = time.monotonic() + 30
            while not list(self.to.glob(".partial-*/store/*")):
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.001)
            making.send_signal(signal.SIGSTOP)
            server.kill()
            server.start()
            making.send_signal(signal.SIGCONT)
            told = " ".join(making.communicate(timeout=60)[1].split())
            self.assertEqual(making.returncode, 75, told)
            self.assertIn("the server ended or was started again before the backup was whole", told)
            self.assertIn("make it once more", told)
            self.assertEqual([entry.name for entry in self.to.iterdir()], [".lock"])
            self.backup(server)

    def test_reclaiming_waits_for_a_backup_and_goes_on_after_it(self):
        with Instance(ANNA) as server:
            server.add_account(BOB)
            for i in range(12):
                submit(server, message(ANNA, BOB, f"Big {i}", "z" * 900 + "\n" * 900_000))
            info = self.backup(server)
            client = imap(server, BOB)
            client.select()
            client.store("1:11", "+FLAGS", r"(\Deleted)")
            client.expunge()
            client.logout()
            done = json.loads(server.run("undelete", "--purge", "--json", timeout=120).stdout)
            self.assertEqual(done["bodies"], 11)
            after = self.backup(server)
            deadline = time.monotonic() + 10
            while list((server.dir / "data").glob("frozen-*")):
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.1)
            server.stop()
            self.verify(server)
            for path, bodies in ((info["path"], 12), (after["path"], 1)):
                checked = json.loads(server.run("backup", "--check", path, "--json").stdout)
                self.assertTrue(checked["good"], checked)
                self.assertEqual(checked["bodies"], bodies)
