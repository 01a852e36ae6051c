"""Power loss of a real file system under load: nothing acknowledged is lost. Needs root, loop devices and FUSE.

The server's data lie on ext4 (and XFS, btrfs where their mkfs is installed) on a loop device whose backing file is served by
tests/native/power_disk.cc: a disk with a volatile write cache. Copying a backing file while it is written would give no moment of its
life, and a frozen or cloned one only what the kernel had sent; this disk knows every write and every flush, so a cut gives exactly
what a power loss may leave: what was flushed, and any 512-byte sectors of what was not. The image is then mounted (the file system's own
recovery) and the server started on it. What every client's messages were when the last operation before the cut was acknowledged, or after
one of those since: one of these states must be there, as a whole, so that nothing is lost and nothing that was removed comes back. What was
submitted and had not arrived elsewhere must be in the queue, and what the server had said to be delivered must not. `hikyaku verify` has the
last word.

HIKYAKU_POWER_CUTS: how often for each file system (default 3); HIKYAKU_SEED.
"""
import contextlib
import dataclasses
import imaplib
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import unittest

from harness import HIKYAKU, eventually
from load import World, seed_of_environment

CUTS = int(os.environ.get("HIKYAKU_POWER_CUTS", "3"))
PROGRAM = pathlib.Path(HIKYAKU).parent / "power_disk"
MAKERS = {"ext4": (["mkfs.ext4", "-q", "-F"], 640), "xfs": (["mkfs.xfs", "-q", "-f"], 640), "btrfs": (["mkfs.btrfs", "-q", "-f"], 1280)}


def run(*command, check=True):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=120)
    if check and done.returncode != 0:
        raise AssertionError(f"{command} exited {done.returncode}: {done.stdout}{done.stderr}")
    return done


def find(program):
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def attach(path):
    return run(find("losetup"), "--find", "--show", path).stdout.strip()


def detach(device):
    run(find("losetup"), "--detach", device, check=False)


class Disk:
    """The simulated disk with a file system on it, mounted."""

    def __init__(self, stack, kind, seed):
        self.top = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hikyaku-power-")))
        self.served, self.mounted = self.top / "served", self.top / "mounted"
        self.served.mkdir(), self.mounted.mkdir()
        maker, megabytes = MAKERS[kind]
        self.process = subprocess.Popen([str(PROGRAM), str(self.served), str(megabytes), str(seed)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        stack.callback(self.end)
        if self.process.stdout.readline() != "ready\n":
            raise unittest.SkipTest(f"no FUSE here: {self.process.stderr.read().strip()}")
        self.device = attach(self.served / "disk")
        stack.callback(detach, self.device)
        run(find(maker[0]), *maker[1:], self.device)
        run("mount", self.device, self.mounted)
        stack.callback(run, "umount", "--lazy", self.mounted, check=False)
        self.mounted.chmod(0o755)

    def end(self):
        run("umount", "--lazy", self.served, check=False)
        self.process.kill()
        self.process.wait()
        self.process.stdin.close(), self.process.stdout.close(), self.process.stderr.close()

    def cut(self, path):
        self.process.stdin.write(f"cut {path}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"


@contextlib.contextmanager
def image_mounted(image, where):
    device = attach(image)
    try:
        run("mount", device, where)
        try:
            yield
        finally:
            run("umount", where)
    finally:
        detach(device)


@dataclasses.dataclass
class Known:
    """What is known of the moment of a cut. Before it: what was submitted, and what the server had said to be delivered. After it: the states
    that may be there, and what had arrived elsewhere."""
    ledger: dict
    submitted: set
    arrived: set
    delivered: set


class PowerLoss(unittest.TestCase):
    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("needs root: a file system of its own loses its power")
        if not PROGRAM.exists() or not pathlib.Path("/dev/fuse").exists() or not find("losetup"):
            self.skipTest("needs build/power_disk, /dev/fuse and losetup")

    def lose_power(self, kind, env=None):
        """Gives what is wrong after all cuts."""
        if not find(MAKERS[kind][0][0]):
            self.skipTest(f"{MAKERS[kind][0][0]} is not installed")
        seed = seed_of_environment()
        with contextlib.ExitStack() as stack:
            disk = Disk(stack, kind, seed)
            world = World(seed, directory=disk.mounted)
            stack.callback(world.close)
            images, wrong = [], []
            world.server.env = env or {}
            world.server.start()
            try:
                with world.load() as clients:
                    for number in range(CUTS):
                        eventually(world.has_settled)
                        time.sleep(0.5 * world.rng.random())
                        world.recorder.busy = True  # or the queue would be empty
                        time.sleep(0.5 + 0.5 * world.rng.random())
                        eventually(lambda: world.must_be_sent - set(list(world.recorder.got)))
                        _, submitted = world.snapshot()
                        delivered = world.delivered()
                        image = disk.top / f"image{number}"
                        disk.cut(image)
                        images.append((image, Known(world.since_snapshot(), submitted, set(list(world.recorder.got)), delivered)))
                        world.recorder.busy = False
            finally:
                world.server.kill()
            run("umount", disk.mounted)
            world.server.env = {}
            for image, known in images:
                with image_mounted(image, disk.mounted):
                    wrong += [f"{image.name}, HIKYAKU_SEED={seed}: {text}" for text in self.look(world, known)]
            done = sum(client.done for client in clients)
            waiting = [len(known.submitted - known.arrived) for _, known in images]
            delivered = [len(known.delivered) for _, known in images]
            print(f"{kind}: {len(images)} power losses, {done} operations; to be sent {waiting}, delivered {delivered}", flush=True)
            self.assertGreater(done, 5 * CUTS)
            self.assertTrue(all(waiting) and all(delivered), "nothing would be held against the queue")
            return wrong

    def look(self, world, known):
        """Starts the server on what a cut has left. That it does not start, ends or cannot read the mail is loss like any other."""
        server = world.server
        wrong = []
        try:
            began = time.monotonic()
            server.start(60)
            wrong += self.look_at_queue(world, known, began)
            wrong += world.check(known.ledger)
            server.stop()
        except (AssertionError, OSError, imaplib.IMAP4.error, subprocess.SubprocessError) as error:
            wrong.append(f"{type(error).__name__}: {error}")
        finally:
            self.end(server)
        verified = server.run("verify", check=False)
        return wrong if verified.returncode == 0 else [*wrong, verified.stdout + verified.stderr]

    def end(self, server):
        """Nothing of it holds the file system, whatever became of it."""
        if server.process:
            server.process.kill()
            server.process.wait()
            server.process = None

    def look_at_queue(self, world, known, began):
        """It leaves while one looks: what has left since the start was in it."""
        queued = world.queued()
        queued |= {mark for mark, times in list(world.recorder.got.items()) if max(times, default=0) > began}
        wrong = [f"{mark} was submitted, had not left, and is not in the queue" for mark in known.submitted - known.arrived - queued]
        return wrong + [f"{mark} was said to be delivered, and is in the queue again" for mark in known.delivered & queued]

    def test_ext4(self):
        self.assertEqual(self.lose_power("ext4"), [])

    def test_xfs(self):
        self.assertEqual(self.lose_power("xfs"), [])

    def test_btrfs(self):
        self.assertEqual(self.lose_power("btrfs"), [])

    def test_without_syncs_mail_is_lost(self):
        """The disk is one that shows it: a server whose syncs do nothing loses mail on it."""
        shim = PROGRAM.parent / "sync_shim.so"
        self.assertNotEqual(self.lose_power("ext4", {"LD_PRELOAD": str(shim), "HIKYAKU_SHIM_SKIP": "1"}), [])


if __name__ == "__main__":
    unittest.main()
