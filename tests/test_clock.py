"""The clock is set ahead and back while the server runs: nothing is given up early by it, and nothing waits for a time that will not come."""
import json
import mmap
import pathlib
import struct
import tempfile
import time
import unittest

from harness import HIKYAKU, Instance, eventually, free_port_base
from mail import imap, message, submit, subjects
from test_dsn import Recorder

ANNA = "anna@alpha.test"
CLOCK = pathlib.Path(HIKYAKU).parent / "clock_shim.so"
DAY = 86_400
ZONE = """\
$ORIGIN test.
$TTL 60
alpha       MX 10 mx.alpha
mx.alpha    A 127.0.1.1
with        MX 10 mx.with
mx.with     A 127.0.2.2
down        A 127.0.2.4
"""


@unittest.skipUnless(CLOCK.exists(), f"{CLOCK} is not built")
class Clock(unittest.TestCase):
    def setUp(self):
        zone = self.enterContext(tempfile.NamedTemporaryFile("w", suffix=".zone"))
        zone.write(ZONE)
        zone.flush()
        base = free_port_base("127.0.1.1")
        self.other = Recorder("127.0.2.2", base + 25, ["PIPELINING"])
        self.addCleanup(self.other.server_close)
        self.addCleanup(self.other.shutdown)
        self.setting = self.enterContext(tempfile.NamedTemporaryFile())
        self.setting.write(bytes(8))
        self.setting.flush()
        self.clock = mmap.mmap(self.setting.fileno(), 8)
        self.server = Instance(ANNA, host="127.0.1.1", base=base, zone=zone.name, config={"queue.retry": '["1h"]'})
        self.server.env = {"LD_PRELOAD": str(CLOCK), "HIKYAKU_CLOCK_FILE": self.setting.name}
        self.enterContext(self.server)

    def ahead(self, seconds):
        self.clock[:8] = struct.pack("=q", seconds)

    def queue(self):
        return json.loads(self.server.run("queue", "list", "--json").stdout)

    def test_mail_leaves_at_once_after_the_clock_was_set_back(self):
        """What was sent while it was ahead, and what is sent after that, also by the next server."""
        self.ahead(400 * DAY)
        submit(self.server, message(ANNA, "one@with.test", "ahead"))
        eventually(lambda: any("<one@with.test>" in line for line in self.other.said))
        submit(self.server, message(ANNA, "late@down.test", "deferred while ahead"))
        eventually(lambda: [e for e in self.queue() if e["attempts"] == 1])
        # The queue notes now and then from when on it has to look.
        time.sleep(1)
        self.server.restart()
        self.ahead(0)
        submit(self.server, message(ANNA, "two@with.test", "back"))
        eventually(lambda: any("<two@with.test>" in line for line in self.other.said), timeout=90)
        # What was put off by the clock that was ahead is tried again, not in a year.
        eventually(lambda: [e for e in self.queue() if e["attempts"] >= 2], timeout=90)
        self.assertEqual(subjects(self.server, ANNA), [])

    def test_a_leap_ahead_gives_nothing_up(self):
        """Ahead by more than queue.lifetime and store.retention for a moment: no bounce, and deleted mail can still come back."""
        submit(self.server, message(ANNA, ANNA, "kept"))
        eventually(lambda: subjects(self.server, ANNA) == ["kept"])
        client = imap(self.server, ANNA)
        client.select()
        client.store("1", "+FLAGS", r"(\Deleted)")
        client.expunge()
        client.logout()
        submit(self.server, message(ANNA, "late@down.test", "waits"))
        eventually(lambda: [e for e in self.queue() if e["attempts"] == 1])
        self.ahead(30 * DAY)
        eventually(lambda: [e for e in self.queue() if e["attempts"] >= 2], timeout=100)
        # Reclaiming has looked.
        eventually(lambda: any("event=clock.ahead" in line for line in self.server.log), timeout=100, every=1)
        time.sleep(2)
        self.assertEqual(len(json.loads(self.server.run("undelete", "--list", ANNA, "--json").stdout)), 1)
        self.ahead(0)
        self.assertEqual([e["recipient"] for e in self.queue()], ["late@down.test"])
        self.assertEqual(subjects(self.server, ANNA), [])  # neither given up nor late
        self.assertEqual([line for line in self.server.log if "event=store.reclaimed" in line], [])
        self.assertEqual(json.loads(self.server.run("undelete", ANNA, "--json").stdout)["restored"], 1)
        self.assertIn("kept", subjects(self.server, ANNA))

    def test_a_leap_of_centuries_and_back(self):
        """The queue goes on, and what it says of the clock it says once for each time that it was set."""
        told = lambda: len([line for line in self.server.log if "event=queue.clock " in line])
        submit(self.server, message(ANNA, "late@down.test", "waits"))
        put_off_to = lambda start: [e for e in self.queue() if e["attempts"] > 0 and e["next"].startswith(start)]
        eventually(lambda: put_off_to("20"))
        for times in (1, 2):
            self.ahead(250 * 366 * DAY)
            for name in ("one", "two"):
                submit(self.server, message(ANNA, f"{name}{times}@with.test", "ahead"))
                eventually(lambda: any(f"<{name}{times}@with.test>" in line for line in self.other.said))
            self.assertEqual(told(), times - 1, self.server.log[-20:])
            eventually(lambda: put_off_to("22"))
            self.ahead(0)
            submit(self.server, message(ANNA, f"back{times}@with.test", "back"))
            eventually(lambda: any(f"<back{times}@with.test>" in line for line in self.other.said), timeout=90)
            eventually(lambda: put_off_to("20"))
            self.assertEqual(told(), times, self.server.log[-20:])
        self.assertEqual(subjects(self.server, ANNA), [])


if __name__ == "__main__":
    unittest.main()
