"""Space returns while everything else goes on: mail comes in, is read, copied and expunged, backups are made, what was deleted is given up, all
at once, and the server is killed in between. Every message stays as it was, and the last backup is a whole store.

HIKYAKU_RECLAIM_ROUNDS: how many rounds (default 3); HIKYAKU_SEED: repeats the load and the moments as far as threads can be repeated.
"""
import contextlib
import json
import os
import pathlib
import shutil
import tempfile
import threading
import time
import unittest

from harness import eventually, restored_instance
from load import GONE, Popper, Sender, SharingReader, Submitter, World, seed_of_environment

ROUNDS = int(os.environ.get("HIKYAKU_RECLAIM_ROUNDS", "3"))
CHURN = [10_000, 60_000, 300_000]  # bytes: within groups, and in bulk segments


class Churner(SharingReader):
    """Has large messages, keeps one of four: segments become mostly dead."""

    def work(self):
        client = self.log_in()
        while not self.world.stopping:
            keys = [self.append(client, self.noise()) for _ in range(4)]
            for key in self.rng.sample(keys, 3):
                self.delete(client, key)
            time.sleep(0.1)

    def noise(self):
        """What cannot be compressed."""
        text = self.rng.randbytes(self.rng.choice(CHURN) // 2).hex()
        return "".join(text[i:i + 76] + "\r\n" for i in range(0, len(text), 76))


class Repeated(threading.Thread):
    """Runs a command of the program again and again, until it is told to end or the server is gone."""

    def __init__(self, world, *command, pause=0.0):
        super().__init__(daemon=True)
        self.world, self.command, self.pause = world, command, pause
        self.running, self.refused, self.done = False, [], []  # done: the ledger before it, and its answer

    def run(self):
        while not self.world.stopping:
            ledger, _ = self.world.snapshot()
            self.running = True
            done = self.world.server.run(*self.command, "--json", check=False, timeout=120)
            self.running = False
            if done.returncode == 0:
                self.done.append((ledger, json.loads(done.stdout)))
            elif not self.world.stopping:
                self.refused.append(done.stdout + done.stderr)
            time.sleep(self.pause)


class Watcher(threading.Thread):
    """Reads everything again and again, and compares it to the byte."""

    def __init__(self, world):
        super().__init__(daemon=True)
        self.world, self.looks, self.error = world, 0, None

    def run(self):
        try:
            with contextlib.suppress(*GONE):
                while not self.world.stopping:
                    for number in self.world.account_of:
                        self.world.reality(number)
                        self.looks += 1
        except Exception as error:
            self.error = error


class Reclaim(unittest.TestCase):
    def setUp(self):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="hikyaku-reclaim-"))
        self.addCleanup(shutil.rmtree, self.place, True)
        self.backups = self.place / "backups"
        kinds = [[Sender], [Submitter], [Churner, Churner, Sender], [Churner], [SharingReader, SharingReader], [Popper]]
        self.world = World(seed_of_environment(), kinds=kinds)
        self.addCleanup(self.world.close)
        self.addCleanup(shutil.rmtree, self.world.server.dir, ignore_errors=True)
        self.world.server.start()
        self.addCleanup(self.world.server.stop)

    def round(self, kill):
        """A while of everything at once; gives what purged and what backed up."""
        world = self.world
        with world.load():
            purge = Repeated(world, "undelete", "--purge")
            backup = Repeated(world, "backup", self.backups, "--with-config", pause=1)
            watcher = Watcher(world)
            threads = [purge, backup, watcher]
            for thread in threads:
                thread.start()
            time.sleep(1 + world.rng.random())
            eventually(lambda: watcher.looks or watcher.error)
            if not kill:
                eventually(lambda: purge.done and backup.done)
            else:
                eventually(lambda: purge.running and backup.running, every=0.001)
                time.sleep(world.rng.random() * 0.1)
                world.stopping = True
                world.kill()
            world.stopping = True
            for thread in threads:
                thread.join(60)
        self.assertIsNone(watcher.error)
        # Only a backup that takes long is in its way.
        self.assertEqual([text for text in purge.refused + backup.refused if "a backup is being made" not in text], [])
        return purge, backup

    def test_all_at_once_and_kills(self):
        world, server = self.world, self.world.server
        purged, removed, backups = 0, 0, []
        for number in range(ROUNDS):
            kill = number < ROUNDS - 1
            purge, backup = self.round(kill)
            purged += sum(answer["bodies"] for _, answer in purge.done)
            removed += sum("event=store.segment_removed" in line for line in server.log)
            backups += backup.done
            if kill:
                server.start()
            self.assertEqual(world.check(), [], f"round {number}, HIKYAKU_SEED={world.seed}")
        self.assertGreater(purged, 10)
        self.assertGreater(removed, ROUNDS)
        server.stop()
        verified = server.run("verify", check=False)
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)
        self.restore(*backups[-1])

    def restore(self, ledger, made):
        """The last backup of the load: a whole store, and everything in it that stayed where it was from before it to the end."""
        world = self.world
        checked = world.server.run("backup", "--check", made["path"], check=False)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
        other = restored_instance(world.server, made["path"])
        self.addCleanup(shutil.rmtree, other.dir, True)
        verified = other.run("verify", check=False)
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)
        original, world.server = world.server, other
        other.start()
        try:
            stayed = {number: set(has) & set(world.has[number]) for number, (has, _) in ledger.items()}
            self.assertGreater(sum(map(len, stayed.values())), 20)
            for number, keys in stayed.items():
                found, _ = world.reality(number)  # compares bytes and UIDs
                self.assertEqual(keys - set(found), set(), f"HIKYAKU_SEED={world.seed}")
            self.assertEqual(world.wrong_uids, [])
        finally:
            other.stop()
            world.server = original


if __name__ == "__main__":
    unittest.main()
