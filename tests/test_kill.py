"""kill -9 under mixed load, again and again: nothing acknowledged is lost, nothing deleted comes back.

HIKYAKU_KILL_ROUNDS: how often (default 10); HIKYAKU_SEED: repeats the load and the moments as far as threads can be repeated.
"""
import os
import shutil
import time
import unittest

from harness import eventually
from load import World, seed_of_environment

ROUNDS = int(os.environ.get("HIKYAKU_KILL_ROUNDS", "10"))


class KillNine(unittest.TestCase):
    def setUp(self):
        self.world = World(seed_of_environment())
        self.addCleanup(self.world.close)
        self.addCleanup(shutil.rmtree, self.world.server.dir, ignore_errors=True)
        self.start()
        self.addCleanup(self.world.server.stop)

    def start(self):
        began = time.monotonic()
        self.world.server.start()
        self.took = time.monotonic() - began

    def test_nothing_acknowledged_is_lost(self):
        world, done = self.world, 0
        for round_number in range(1, ROUNDS + 1):
            with world.load() as clients:
                if round_number % 2:  # the other rounds end wherever they are
                    eventually(world.has_settled)
                time.sleep(0.1 + world.rng.random())
                world.kill()
                world.stopping = True
            done += sum(client.done for client in clients)
            # Sometimes also while it starts and recovers.
            while world.rng.random() < 0.3:
                self.kill_while_it_starts(world)
            self.start()
            self.assertEqual(world.check(), [], f"round {round_number}, HIKYAKU_SEED={world.seed}")
            world.clear()
            if round_number % 10 == 0:
                print(f"{round_number} rounds, {done} operations acknowledged, {len(world.recorder.got)} sent", flush=True)
        self.assertGreater(done, ROUNDS * 5)
        self.assertGreaterEqual(len(world.settled), ROUNDS // 2)  # or nothing would be held against what the server said
        self.assertEqual(world.check_sent(), [], f"HIKYAKU_SEED={world.seed}")
        world.server.stop()
        verified = world.server.run("verify", check=False)
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)

    def test_what_is_said_to_be_delivered_is_not_sent_again(self):
        """Nothing else goes on that would take what is not on the disk yet there with it."""
        world = self.world
        for _ in range(5):
            world.submit_elsewhere()
            eventually(world.has_settled, every=0.001)
            world.kill()
            world.server.start()
        self.assertEqual(world.check_sent(), [], f"HIKYAKU_SEED={world.seed}")
        self.assertEqual(len(world.settled), 5)

    def kill_while_it_starts(self, world):
        """At any moment of what the last start took: before the store is open, while the journal is replayed, or behind it."""
        world.server.spawn()
        time.sleep(world.rng.random() * self.took)
        world.kill()


if __name__ == "__main__":
    unittest.main()
