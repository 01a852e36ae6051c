"""Stores that earlier versions of the program have written are opened, read, written, and verified; one of a later version is refused."""
import json
import pathlib
import re
import tarfile
import unittest

from harness import SANITIZED, Instance
from mail import message, subjects, submit
from make_old_store import ANNA, BOB, look

STORES = sorted((pathlib.Path(__file__).parent / "stores").glob("*.tar.xz"))


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


class OldInstance(Instance):
    def __init__(self, archive):
        super().__init__(ANNA)
        with tarfile.open(archive) as packed:
            packed.extractall(self.dir, filter="data") if hasattr(tarfile, "data_filter") else packed.extractall(self.dir)

    def quickstart(self):
        path = self.dir / "hikyaku.toml"
        text = re.sub(r"(?m)^port_base = \d+", f"port_base = {self.base}", path.read_text())
        if SANITIZED:
            text = text.replace("[server]", "[server]\nsandbox = false", 1)
        path.write_text(text)


class Upgrade(unittest.TestCase):
    def test_old_stores(self):
        self.assertTrue(STORES)
        for archive in STORES:
            with self.subTest(archive.name), OldInstance(archive) as server:
                expected = json.loads((server.dir / "expected.json").read_text())
                found = look(server)
                # Deleted messages go when their time is over.
                self.assertEqual(expected.pop("deleted"), found.pop("deleted") or ["Message 4"])
                self.assertEqual(found, expected)
                submit(server, message(ANNA, BOB, "Today"))
                self.assertEqual(subjects(server, BOB)[-1], "Today")
                server.stop()
                self.assertIn("Everything is as it was written", server.run("verify").stdout)

    def test_a_later_store_is_refused(self):
        with OldInstance(STORES[-1]) as server:
            server.stop()
            store = server.dir / "data" / "STORE"
            written = store.read_bytes()
            later = written[:-4].replace(b"HIKYAKU STORE 1", b"HIKYAKU STORE 2")
            store.write_bytes(later + crc32c(later).to_bytes(4, "big"))
            for verb in (["serve"], ["account", "list"], ["verify"]):
                refused = server.run(*verb, check=False, timeout=20)
                self.assertNotEqual(refused.returncode, 0)
                self.assertIn("newer version", " ".join(refused.stderr.split()))
            store.write_bytes(written)
            server.start()
            self.assertEqual(subjects(server, BOB)[-1], "After the restart")


if __name__ == "__main__":
    unittest.main()
