"""kill -9 under mixed load, again and again: nothing acknowledged is lost, nothing deleted comes back.

HIKYAKU_KILL_ROUNDS: how often (default 10); HIKYAKU_SEED: repeats the load and the moments as far as threads can be repeated.
"""
import os
import shutil
import time
import unittest

from load import World, seed_of_environment

ROUNDS = int(os.environ.get("HIKYAKU_KILL_ROUNDS", "10"))


class KillNine(unittest.TestCase):
    def test_nothing_acknowledged_is_lost(self):
        world = World(seed_of_environment())
        self.addCleanup(world.close)
        self.addCleanup(shutil.rmtree, world.server.dir, ignore_errors=True)
        world.server.start()
        self.addCleanup(world.server.stop)
        done = 0
        for round_number in range(1, ROUNDS + 1):
            with world.load() as clients:
                time.sleep(0.1 + world.rng.random())
                world.kills.append(time.monotonic())
                world.server.kill()
                world.stopping = True
            done += sum(client.done for client in clients)
            # Sometimes also while it starts and recovers.
            while world.rng.random() < 0.3:
                self.kill_while_it_starts(world)
            world.server.start()
            self.assertEqual(world.check(), [], f"round {round_number}, HIKYAKU_SEED={world.seed}")
            world.clear()
            if round_number % 10 == 0:
                print(f"{round_number} rounds, {done} operations acknowledged, {len(world.recorder.got)} sent", flush=True)
        self.assertGreater(done, ROUNDS * 5)
        self.assertEqual(world.check_sent(), [], f"HIKYAKU_SEED={world.seed}")
        world.server.stop()
        verified = world.server.run("verify", check=False)
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)

    def kill_while_it_starts(self, world):
        world.server.spawn()
        time.sleep(world.rng.random() * 0.08)
        world.kills.append(time.monotonic())
        world.server.kill()


if __name__ == "__main__":
    unittest.main()
