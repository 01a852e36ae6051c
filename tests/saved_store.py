"""A store with mail that tests damage: made once, and each test gets it as it was."""
import base64
import json
import pathlib
import random
import shutil
import signal
import smtplib
import tempfile
import unittest
import urllib.request

from harness import Instance

ANNA = "anna@alpha.test"


def flip(path, offset, bits=0x10):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ bits]))


def data_blocks(index):
    """The largest table of an index, and where its rows end: behind them stand the filter, the list of the blocks, and its properties."""
    path = max(index.glob("*.sst"), key=lambda p: p.stat().st_size)
    table = path.read_bytes()
    # The metaindex, near the end, gives the filter's place as two varints behind its name.
    name = b"fullfilter.rocksdb.BuiltinBloomFilter"
    at = table.rindex(name) + len(name)
    place = shift = 0
    while True:
        place |= (table[at] & 0x7F) << shift
        shift += 7
        at += 1
        if table[at - 1] < 0x80:
            return path, place


class Watching:
    """What the test's `server`, one with metrics, tells about itself."""

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.server.metrics_port}{path}", timeout=20) as answer:
            return answer.read().decode()

    def health(self):
        return next(check for check in json.loads(self.get("/health"))["checks"] if check["name"] == "store")

    def metric(self, name):
        return next(float(line.split()[1]) for line in self.get("/metrics").splitlines() if line.startswith(name + " "))

    def logged(self, event):
        return [line for line in self.server.log if f"event={event} " in line]


class SavedStore(unittest.TestCase):
    """Message i comes from s{i}s@beta.test, has the subject m{i} and begins with word{i}. The server is stopped."""

    COUNT = 24
    LARGE = 5  # above 256 KB: in a bulk segment
    LATER = None  # from this one on they are in a log segment after the first
    CONFIG, METRICS = {}, False
    OTHERS = ()  # accounts beside Anna's

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Instance(ANNA, config=cls.CONFIG, metrics=cls.METRICS))
        for address in cls.OTHERS:
            cls.server.add_account(address)
        rng = random.Random(7)
        for i in range(cls.COUNT):
            if i == cls.LATER:
                cls.server.restart(signal.SIGKILL)
            body = base64.encodebytes(rng.randbytes(900_000 if i == cls.LARGE else 2_000)).decode().replace("\n", "\r\n")
            with smtplib.SMTP(cls.server.host, cls.server.port("smtp"), timeout=20) as smtp:
                smtp.sendmail(f"s{i}s@beta.test", [ANNA], f"From: m{i}@beta.test\r\nSubject: m{i}\r\n\r\nword{i}\r\n{body}\r\n")
        cls.server.stop()
        cls.saved = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory())) / "saved"
        shutil.copytree(cls.server.dir, cls.saved, symlinks=True, ignore=shutil.ignore_patterns("*.sock"))
        cls.data = next(p.parent for p in cls.server.dir.rglob("STORE"))

    def setUp(self):
        for entry in self.server.dir.iterdir():
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        shutil.copytree(self.saved, self.server.dir, symlinks=True, dirs_exist_ok=True)
        self.addCleanup(self.server.stop)

    def body_of(self, number):
        """The file and the place of the salvage bytes: after the frames of a large message, before those of others."""
        for path in sorted((self.data / "journal").glob("*.bulk" if number == self.LARGE else "*.log")):
            at = path.read_bytes().find(f"s{number}s@beta.test".encode())
            if at >= 0:
                return path, at
        raise AssertionError("not found")
