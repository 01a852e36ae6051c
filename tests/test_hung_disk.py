"""A disk that hangs: no sync of the journal ends (tests/native/sync_shim.cc). Nothing fails then, everybody waits; the server says so by all
that a person or a program may look at, goes on with what needs no disk, and takes it back once the disk has come to."""
import json
import pathlib
import smtplib
import tempfile
import threading
import time
import unittest

from harness import HIKYAKU, Instance, eventually
from mail import http_get, imap, message
from saved_store import Watching

SHIM = pathlib.Path(HIKYAKU).parent / "sync_shim.so"
ANNA = "anna@alpha.test"
GAUGE = "hikyaku_store_write_under_way_seconds"


class HungDisk(Watching, unittest.TestCase):
    def setUp(self):
        self.hang = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()), "hang")
        self.hang.touch()
        self.server = Instance(ANNA, metrics=True)
        self.server.env = {"LD_PRELOAD": str(SHIM), "HIKYAKU_SHIM_HANG": str(self.hang)}
        self.enterContext(self.server)
        self.addCleanup(self.hang.write_text, "")

    def send(self):
        with smtplib.SMTP(self.server.host, self.server.port("smtp"), timeout=60) as client:
            client.sendmail("x@beta.test", [ANNA], message("x@beta.test", ANNA, "waits").as_string())
        self.accepted = time.monotonic()

    def top(self):
        return self.server.run("top", "--once", "--json", "--interval", "1").stdout

    def test_it_is_told_while_it_hangs_and_when_it_is_over(self):
        eventually(lambda: self.metric(GAUGE) == 0)
        self.assertEqual(self.health(), {"name": "store", "status": "ok"})
        reader = self.enterContext(imap(self.server, ANNA))
        self.accepted = None
        self.hang.write_text("hang")
        sender = threading.Thread(target=self.send)
        sender.start()
        began = time.monotonic()

        eventually(lambda: self.metric(GAUGE) > 0.5)
        self.assertEqual(self.health()["status"], "ok")  # a second is nothing
        warned = eventually(lambda: self.health()["status"] == "warning" and self.health())
        self.assertGreater(time.monotonic() - began, 4)
        self.assertIn("the disk hangs", warned["text"])
        self.assertEqual(http_get(self.server, "/health")[0], 200)
        self.assertGreaterEqual(self.metric(GAUGE), 5)
        eventually(lambda: self.logged("store.write_hangs"))
        told = self.server.run("check", "--no-dns", check=False).stdout
        self.assertIn("a write to the store has gone on for", " ".join(told.split()))
        self.assertGreaterEqual(json.loads(self.top())["store"]["write_under_way"], 5)
        self.assertEqual(reader.select("INBOX", readonly=True), ("OK", [b"0"]))  # who reads is served
        self.assertIsNone(self.accepted)

        self.hang.write_text("")
        sender.join()
        self.assertIsNotNone(self.accepted)
        eventually(lambda: self.metric(GAUGE) == 0)
        self.assertEqual(self.health(), {"name": "store", "status": "ok"})
        over, = eventually(lambda: self.logged("store.write_goes_on"))
        self.assertGreaterEqual(int(over.split(" ms=")[1].split()[0]), 5000)
        self.assertEqual(len(self.logged("store.write_hangs")), 1)


if __name__ == "__main__":
    unittest.main()
