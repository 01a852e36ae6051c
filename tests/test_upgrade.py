"""Stores that earlier versions of the program have written are opened, read, written, and verified; one of a later version is refused."""
import base64
import email.policy
import json
import pathlib
import re
import tarfile
import time
import unittest

from harness import HIKYAKU, PASSWORD, SANITIZED, Instance
from load import SavedWorld
from mail import Wire, imap, message, subjects, submit
from make_old_store import ANNA, BOB, look, look_further, numbers
from test_dmarc_reports import bring
from test_python_clients import Scram, b64

CLOCK = pathlib.Path(HIKYAKU).parent / "clock_shim.so"
STORES = sorted((pathlib.Path(__file__).parent / "stores").glob("*.tar.xz"))
KILLED = sorted((pathlib.Path(__file__).parent / "stores" / "killed").glob("*.tar.xz"))


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
            written = max(member.mtime for member in packed.getmembers())
        # The days since then would change what is found: reports leave, mail is given up, what was deleted goes.
        self.env = {"LD_PRELOAD": str(CLOCK), "HIKYAKU_CLOCK_AHEAD": str(int(written + 60 - time.time()))}

    def quickstart(self):
        path = self.dir / "hikyaku.toml"
        text = re.sub(r"(?m)^port_base = \d+", f"port_base = {self.base}", path.read_text())
        text = re.sub(r"(?m)^zone_file = .*", f'zone_file = "{self.dir / "zone"}"', text)
        if SANITIZED:
            text = text.replace("[server]", "[server]\nsandbox = false", 1)
        path.write_text(text)


@unittest.skipUnless(CLOCK.exists(), f"{CLOCK} is not built")
class Upgrade(unittest.TestCase):
    def test_old_stores(self):
        self.assertTrue(STORES)
        for archive in STORES:
            with self.subTest(archive.name), OldInstance(archive) as server:
                expected = json.loads((server.dir / "expected.json").read_text())
                further, passwords, _ = (expected.pop(key, {}) for key in ("further", "passwords", "removed"))
                found = look(server, passwords)
                self.assertEqual(found, expected)
                if further:
                    self.look_at_the_rest(server, further, passwords)
                submit(server, message(ANNA, BOB, "Today"))
                self.assertEqual(subjects(server, BOB, password=passwords.get(BOB, PASSWORD))[-1], "Today")
                server.stop()
                self.assertEqual([line for line in server.log if " error event=" in line], [])
                self.assertIn("Everything is as it was written", server.run("verify").stdout)

    def test_an_account_of_an_old_store_that_is_made_again(self):
        """It goes on above what its clients have seen of the first; also one that was removed by the earlier version."""
        for archive in STORES:
            with self.subTest(archive.name), OldInstance(archive) as server:
                expected = json.loads((server.dir / "expected.json").read_text())
                first = {BOB: numbers(server, BOB, expected.get("passwords", {}).get(BOB, PASSWORD))}
                server.run("account", "remove", BOB, "--yes")
                if removed := expected.get("removed"):
                    first[removed["address"]] = removed["numbers"]
                for address, seen in first.items():
                    server.add_account(address)
                    for before, after in zip(seen, numbers(server, address), strict=True):
                        self.assertGreater(after, before, address)
                server.stop()
                self.assertIn("Everything is as it was written", server.run("verify").stdout)

    def look_at_the_rest(self, server, further, passwords):
        """Directory, keys, reports and stories are what they were; passwords of every kind open, and reports of ours go on."""
        found = look_further(server)
        for what in further:
            self.assertEqual(found[what], further[what], what)
        imap(server, BOB, passwords["phone"]).logout()
        with Wire(server, "submissions", implicit_tls=True) as wire:
            wire.reply()
            wire.ask("EHLO pc.test")
            scram = Scram("sha256", BOB, passwords[BOB])
            challenge = wire.ask("AUTH SCRAM-SHA-256 " + b64(scram.first()))
            self.assertEqual(wire.ask(b64(scram.final(base64.b64decode(challenge[4:]).decode())))[:3], "334")
            self.assertEqual(wire.ask("")[:3], "235")
        submit(server, message(BOB, ANNA, "By CRAM-MD5"), BOB, passwords[BOB])
        bring(server, message("x@told.test", "who@gamma.test", "Caught").as_bytes(policy=email.policy.SMTP), "who@gamma.test", "x@told.test")
        self.assertEqual(subjects(server, BOB, password=passwords[BOB])[-1], "Caught")
        sent = json.loads(server.run("reports", "dmarc", "--send-now", "--json").stdout)
        self.assertIn("told.test", {report["domain"] for report in sent})  # at least what has just come

    def test_killed_stores(self):
        """What an earlier version had acknowledged when it was killed under load, a later one finds: the journal's end, which no index
        knows, is replayed as far as it is whole."""
        self.assertTrue(KILLED)
        for archive in KILLED:
            with self.subTest(archive.name), OldInstance(archive) as server:
                expected = json.loads((server.dir / "expected.json").read_text())
                opened = next(line for line in server.log if "event=store.opened " in line)
                self.assertRegex(opened, r"clean=no")
                self.assertGreater(int(re.search(r"groups=(\d+)", opened).group(1)), 0)
                world = SavedWorld(server, expected)
                self.assertEqual(world.check(world.ledger), [])
                self.assertGreaterEqual(len(json.loads(server.run("queue", "list", "--json").stdout)), expected["queued"])
                account = world.account_of[1]
                submit(server, message(account, account, "Today"), account)
                self.assertEqual(subjects(server, account)[-1], "Today")
                server.stop()
                self.assertEqual([line for line in server.log if " error event=" in line], [])
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
            passwords = json.loads((server.dir / "expected.json").read_text()).get("passwords", {})
            self.assertEqual(subjects(server, BOB, password=passwords.get(BOB, PASSWORD))[-1], "After the restart")


if __name__ == "__main__":
    unittest.main()
