"""A disk that is as good as full: new mail is put off, reading and deleting go on, nothing is lost, and then it works again."""
import contextlib
import errno
import itertools
import json
import os
import re
import shutil
import signal
import smtplib
import subprocess
import tempfile
import time
import unittest

from harness import eventually, Instance
from mail import fill, http_get, imap, message, pop, raw_messages, subjects, submit

ANNA, BOB = "anna@alpha.test", "bob@alpha.test"


class FullDisk(unittest.TestCase):
    def assert_health(self, server, status, disk):
        """What a load balancer asks: the code alone; and what is said beside it."""
        got, _, text = http_get(server, "/health")
        said = json.loads(text)
        checks = {check["name"]: check for check in said["checks"]}
        self.assertEqual((got, checks["disk"]["status"]), (status, disk), text)
        if disk == "failing":
            self.assertEqual(said["status"], "failing")
            self.assertIn("no mail is accepted", checks["disk"]["text"].lower())

    def test_below_the_reserve(self):
        with Instance(ANNA, config={"queue.retry": '["1h"]'}, metrics=True) as server:
            server.add_account(BOB)
            submit(server, message(ANNA, BOB, "Before"))
            fill(server, BOB, 3)
            before = raw_messages(server, BOB)
            missing = shutil.disk_usage(tempfile.gettempdir()).total // 10**9 + 10
            server.configure({"store.reserve": f'"{missing}GB"'})
            server.restart()
            self.assert_health(server, 503, "failing")

            with smtplib.SMTP(server.host, server.port("smtp"), timeout=20) as smtp:
                smtp.ehlo("mx.beta.test")
                with self.assertRaises(smtplib.SMTPException) as refused:
                    smtp.sendmail("x@beta.test", [BOB], "Subject: later\r\n\r\nx\r\n")
                self.assertIn("452", str(refused.exception))
                self.assertIn("4.3.1", str(refused.exception))
            client = imap(server, BOB)
            status, why = client.append("INBOX", None, None, b"Subject: later\r\n\r\nx\r\n")
            self.assertEqual(status, "NO", why)
            # Not the user's quota, and nothing that he has to know of the machine.
            self.assertEqual(why, [b"[UNAVAILABLE] The server has too little disk space at the moment: try again later"])
            said = eventually(lambda: [line for line in server.log if "event=store.no_space " in line])
            self.assertEqual(len(said), 1)
            self.assertRegex(said[0], rf" error event=store.no_space free=\d+ needed={missing << 30}")

            # What is there can be read and deleted.
            self.assertEqual(raw_messages(server, BOB), before)
            client.select()
            self.assertEqual(client.store("1", "+FLAGS", r"(\Deleted)")[0], "OK")
            self.assertEqual(client.expunge(), ("OK", [b"1"]))
            client.logout()
            taking = pop(server, BOB)
            taking.dele(1)
            taking.quit()
            self.assertEqual(subjects(server, BOB), ["Message 2", "Message 3"])

            # There is no room for moving either: half of the reserve is not left.
            client = imap(server, BOB)
            client.select()
            self.assertEqual(client._simple_command("MOVE", "1", "Trash")[0], "NO")
            client.logout()

            # Half of it is: clients delete by moving to Trash, or by copying there first.
            free = shutil.disk_usage(tempfile.gettempdir()).free
            server.configure({"store.reserve": f'"{free * 5 // 4 // 10**6}MB"'})
            server.restart()
            client = imap(server, BOB)
            self.assertEqual(client.append("INBOX", None, None, b"Subject: later\r\n\r\nx\r\n")[0], "NO")
            client.select()
            self.assertEqual(client._simple_command("MOVE", "1", "Trash")[0], "OK")
            self.assertEqual(client.copy("1", "Trash")[0], "OK")
            self.assertEqual(client.copy("1", "Sent")[0], "NO")
            client.store("1", "+FLAGS", r"(\Deleted)")
            self.assertEqual(client.expunge()[0], "OK")
            client.logout()
            self.assertEqual(subjects(server, BOB), [])
            self.assertEqual(subjects(server, BOB, "Trash"), ["Message 2", "Message 3"])

            server.configure({"store.reserve": '"16MB"'})
            server.restart()
            self.assert_health(server, 200, "ok")
            submit(server, message(ANNA, BOB, "After"))
            self.assertEqual(subjects(server, BOB), ["After"])

    def send_until_put_off(self, server, sent):
        """How many have been sent now, and what was said to the next."""
        with smtplib.SMTP(server.host, server.port("smtp"), timeout=60) as smtp:
            smtp.ehlo("mx.beta.test")
            with self.assertRaises(smtplib.SMTPException) as refused:
                while sent < 1000:
                    body = ("x" * 900 + "\r\n") * (800 if sent % 3 else 100)
                    smtp.sendmail("x@beta.test", [BOB], f"Subject: Number {sent}\r\n\r\n{body}")
                    sent += 1
        return sent, str(refused.exception)

    def test_full_and_the_way_out(self):
        """A disk of 96 MB: filled until mail is put off, then mail is deleted and given up, and all is well again; three times."""
        if os.geteuid() != 0:
            self.skipTest("a small disk can be mounted by root only")
        with Instance(ANNA, config={"store.reserve": '"16MB"', "queue.retry": '["1h"]'}, metrics=True) as server:
            server.add_account(BOB)
            server.stop()
            data = server.dir / "data"
            kept = server.dir / "kept"
            shutil.copytree(data, kept)
            mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", data], capture_output=True)
            if mounted.returncode != 0:
                self.skipTest("no file system can be mounted here")
            self.addCleanup(subprocess.run, ["umount", "-l", data])
            shutil.copytree(kept, data, dirs_exist_ok=True)
            server.start()
            sent = 0
            for round in range(3):
                # The space of what was purged may still be on its way back when mail is put off first.
                for _ in range(100):
                    sent, refused = self.send_until_put_off(server, sent)
                    self.assertIn("4.3.1", refused)
                    if http_get(server, "/health")[0] == 503:
                        break
                    time.sleep(0.1)
                self.assert_health(server, 503, "failing")
                full = shutil.disk_usage(data).free
                there = raw_messages(server, BOB)
                client = imap(server, BOB)
                client.select()
                count = len(client.uid("SEARCH", "ALL")[1][0].split())
                self.assertEqual(client.store(f"2:{count - 1}", "+FLAGS", r"(\Deleted)")[0], "OK")
                self.assertEqual(client.expunge()[0], "OK")
                client.logout()
                self.assertEqual(raw_messages(server, BOB), [there[0], there[-1]])
                if round == 1:
                    server.kill()
                    server.start()
                purged = server.run("undelete", "--purge", timeout=120)
                self.assertGreater(shutil.disk_usage(data).free, full + (20 << 20), purged.stdout + purged.stderr)
                self.assertEqual(http_get(server, "/health")[0], 200)
                self.assertEqual(raw_messages(server, BOB), [there[0], there[-1]])
            submit(server, message(BOB, BOB, "After"), sender=BOB)
            self.assertEqual(subjects(server, BOB)[-1], "After")
            server.stop()
            self.assertIn("Everything is as it was written", server.run("verify").stdout)


@contextlib.contextmanager
def small_disk(server, size):
    """The data of a server that does not run, on an ext4 of its own, which others use too."""
    if os.geteuid() != 0 or not shutil.which("mkfs.ext4"):
        raise unittest.SkipTest("a small disk can be mounted by root only, with mkfs.ext4")
    data = server.dir / "data"
    image, mount = server.dir / "disk.img", server.dir / "disk"
    mount.mkdir()
    with open(image, "wb") as file:
        file.truncate(size)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
    if subprocess.run(["mount", "-o", "loop", image, mount], capture_output=True).returncode != 0:
        raise unittest.SkipTest("no file system can be mounted here")
    try:
        shutil.copytree(data, mount / "data", symlinks=True)
        shutil.rmtree(data)
        data.symlink_to(mount / "data")
        yield mount
    finally:
        server.stop()
        subprocess.run(["umount", "-l", mount], check=True)


def fill_up(disk):
    """Another program takes every byte that is left."""
    taken = disk / "others"
    with open(taken, "ab", buffering=0) as file:
        for piece in (1 << 20, 4096, 512):
            try:
                while True:
                    file.write(b"x" * piece)
                    os.fsync(file.fileno())
            except OSError as error:
                assert error.errno == errno.ENOSPC, error
    assert shutil.disk_usage(disk).free == 0, shutil.disk_usage(disk)
    return taken


class FilledByOthers(unittest.TestCase):
    def deliver(self, server, count, first=0):
        with smtplib.SMTP(server.host, server.port("smtp"), timeout=60) as smtp:
            smtp.ehlo("mx.beta.test")
            for i in range(first, first + count):
                smtp.sendmail("x@beta.test", [ANNA], f"Subject: Number {i}\r\n\r\n" + ("x" * 900 + "\r\n") * 20)

    def expunge_all(self, server):
        client = imap(server, ANNA)
        client.select()
        self.assertEqual(client.store("1:*", "+FLAGS", r"(\Deleted)")[0], "OK")
        self.assertEqual(client.expunge()[0], "OK")
        client.logout()

    def kept(self, server):
        return int(re.search(r"(?m)^hikyaku_store_ballast_bytes (\d+)", server.run("metrics").stdout)[1])

    def test_the_way_out(self):
        """0 bytes are left: the server starts, mail is deleted and given up, space returns, and all is as before; twice."""
        with Instance(ANNA, config={"store.reserve": '"16MB"', "queue.retry": '["1h"]'}) as server:
            server.stop()
            with small_disk(server, 192 << 20) as disk:
                server.start()
                ballast = disk / "data" / "BALLAST"
                self.assertGreater(ballast.stat().st_blocks * 512, 4 << 20)
                for round, how in enumerate((signal.SIGKILL, signal.SIGTERM)):
                    self.deliver(server, 300, first=1000 * round)
                    there = raw_messages(server, ANNA)
                    self.assertEqual(len(there), 300)
                    taken = fill_up(disk)
                    with smtplib.SMTP(server.host, server.port("smtp"), timeout=20) as smtp:
                        smtp.ehlo("mx.beta.test")
                        with self.assertRaises(smtplib.SMTPException) as refused:
                            smtp.sendmail("x@beta.test", [ANNA], "Subject: later\r\n\r\nx\r\n")
                        self.assertIn("4.3.1", str(refused.exception))
                    if round == 0:
                        eventually(lambda: any("event=store.no_space " in line for line in server.log))
                        taken.unlink()
                        eventually(lambda: any(" warn event=store.space_again " in line for line in server.log))
                        taken = fill_up(disk)
                    server.restart(how)
                    self.assertTrue(any("store.ballast_given" in line for line in server.log), server.log[-20:])
                    self.assertLess(self.kept(server), 4 << 20)
                    said = " ".join(server.run("check", check=False).stdout.split())
                    self.assertIn(f"hikyaku undelete --dir {server.dir} --purge", said)
                    self.assertEqual(raw_messages(server, ANNA), there)
                    self.expunge_all(server)
                    done = json.loads(server.run("undelete", "--purge", "--json", timeout=120).stdout)
                    self.assertGreater(done["bytes"], 0)
                    self.assertGreater(shutil.disk_usage(disk).free, 1 << 20)
                    taken.unlink()
                    json.loads(server.run("undelete", "--purge", "--json", timeout=120).stdout)
                    self.assertGreater(ballast.stat().st_blocks * 512, 4 << 20)
                    self.assertEqual(self.kept(server), ballast.stat().st_size)
                self.deliver(server, 1, first=5000)
                self.assertEqual(len(raw_messages(server, ANNA)), 1)
                server.stop()
                self.assertIn("Everything is as it was written", server.run("verify").stdout)

    def test_without_anything_left_it_says_what_to_do(self):
        """Nobody has kept space: the server does not start, says what to do, loses nothing, and starts when it has been done."""
        with Instance(ANNA, config={"store.reserve": '"16MB"'}) as server:
            server.stop()
            with small_disk(server, 160 << 20) as disk:
                server.start()
                self.deliver(server, 50)
                there = raw_messages(server, ANNA)
                server.kill()
                (disk / "data" / "BALLAST").unlink()
                taken = fill_up(disk)
                before = sorted(p.name for p in (disk / "data" / "index").iterdir() if p.suffix == ".sst")
                done = server.run("serve", check=False)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn("is full: make", done.stderr)
                self.assertIn("MB of room", done.stderr)
                after = [p.name for p in (disk / "data" / "index").iterdir()]
                self.assertEqual([name for name in before if name not in after], [])
                taken.unlink()
                server.start()
                self.assertEqual(raw_messages(server, ANNA), there)

    def test_without_inodes_it_says_so(self):
        """There is space, and no file can be made: that is what is said, and not how many bytes are wanted."""
        with Instance(ANNA, config={"store.reserve": '"16MB"'}, metrics=True) as server:
            server.stop()
            with small_disk(server, 160 << 20) as disk:
                server.start()
                self.deliver(server, 50)
                there = raw_messages(server, ANNA)
                others = disk / "others"
                others.mkdir()
                with self.assertRaises(OSError) as taken:
                    for number in itertools.count():
                        os.mknod(others / str(number))
                self.assertEqual(taken.exception.errno, errno.ENOSPC)
                self.assertGreater(shutil.disk_usage(disk).free, 64 << 20)
                self.assertIn("no inodes left", " ".join(server.run("check", check=False).stdout.split()))
                self.assertIn("no inodes left", http_get(server, "/health")[2])
                client = imap(server, ANNA)
                status, why = client.append("INBOX", None, None, b"Subject: large\r\n\r\n" + 40_000 * b"0123456789\r\n")
                self.assertEqual(status, "NO", why)
                self.assertIn(b"[UNAVAILABLE]", why[0])
                self.assertNotIn(b"/", why[0])  # no place on the server
                server.kill()
                done = server.run("serve", check=False)
                self.assertEqual(done.returncode, 75, done.stderr)
                self.assertIn("no inodes left", " ".join(done.stderr.split()))
                self.assertNotIn("MB of room", done.stderr)
                shutil.rmtree(others)
                server.start()
                self.assertEqual(raw_messages(server, ANNA), there)

    def test_a_store_is_verified_and_repaired(self):
        """0 bytes are left: verify looks at everything and mends it in the space that is kept for such a time."""
        with Instance(ANNA, config={"store.reserve": '"16MB"'}) as server:
            server.stop()
            with small_disk(server, 192 << 20) as disk:
                server.start()
                self.deliver(server, 50)
                there = raw_messages(server, ANNA)
                server.kill()
                ballast = disk / "data" / "BALLAST"
                taken = fill_up(disk)
                done = server.run("verify")
                self.assertIn("Everything is as it was written", done.stdout)
                self.assertIn(f"{server.dir}/data/BALLAST", "".join(done.stderr.split()))
                taken.unlink()
                server.start()
                self.assertEqual(raw_messages(server, ANNA), there)
                server.stop()
                self.assertGreater(ballast.stat().st_size, 4 << 20)
                manifest = max((disk / "data" / "index").glob("MANIFEST-*"))
                os.truncate(manifest, manifest.stat().st_size // 2)
                taken = fill_up(disk)
                self.assertNotEqual(server.run("verify", check=False).returncode, 0)
                server.run("verify", "--repair")
                taken.unlink()
                server.start()
                self.assertEqual(raw_messages(server, ANNA), there)

    def test_deleting_goes_on_while_others_fill_it(self):
        """The disk fills up under a server that works: deleting goes on until all is deleted, and the index comes to the disk."""
        with Instance(ANNA, config={"store.reserve": '"16MB"'}) as server:
            server.stop()
            with small_disk(server, 192 << 20) as disk:
                server.start()
                self.deliver(server, 400)
                fill_up(disk)
                client = imap(server, ANNA)
                client.select()
                for _ in range(20):
                    self.assertEqual(client.store("1:20", "+FLAGS", r"(\Deleted)")[0], "OK")
                    self.assertEqual(client.expunge()[0], "OK")
                client.logout()
                done = json.loads(server.run("undelete", "--purge", "--json", timeout=120).stdout)
                self.assertGreater(done["bytes"], 0)
                self.assertEqual(raw_messages(server, ANNA), [])
                server.stop()
                self.assertIn("Everything is as it was written", server.run("verify").stdout)


if __name__ == "__main__":
    unittest.main()
