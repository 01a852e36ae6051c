"""Reports of strangers are read in processes that have nothing to lose: what those are, and what becomes of the server when they die."""
import email.policy
import gzip
import os
import pathlib
import resource
import signal
import tempfile
import time
import unittest

from harness import SANITIZED, Instance, eventually
from mail import message, raw_messages, stamp
from test_dmarc_reports import PROVED, ROW, bring, mail_with, of_kind, shown, xml

ANNA = "anna@alpha.test"
GOOD = [("192.0.2.1", 5, "pass", "pass")]


def children(pid):
    return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def status(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def allow_core_dumps():
    """For us, and for what we start: as far as we may. Gives a function that takes it back."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    most = resource.RLIM_INFINITY if os.geteuid() == 0 else before[1]
    resource.setrlimit(resource.RLIMIT_CORE, (most, most))
    return lambda: resource.setrlimit(resource.RLIMIT_CORE, before)


def core_limits(pid):
    """Bytes of a core dump: soft and hard limit."""
    [line] = [line for line in pathlib.Path(f"/proc/{pid}/limits").read_text().splitlines() if line.startswith("Max core file size")]
    return line.split()[4:6]


def gone(pid):
    return not pathlib.Path(f"/proc/{pid}").exists() or status(pid)["State"].startswith("Z")


def worked(pid):
    """Clock ticks of processor time."""
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()[11])


def files(pid):
    """What its open files are; None without the right to look."""
    try:
        return [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    except PermissionError:
        return None


def slow_report(id="slow"):
    """Some 30 MB of XML in some 100 KB: a while of work."""
    row = ROW.format(ip="192.0.2.9", count=1, dkim="pass", spf="pass", domain="alpha.test")
    return mail_with(gzip.compress(xml(id, []).replace(b"</feedback>", row.encode() * 90_000 + b"</feedback>"), 6))


def catch_worker(spawner, timeout=30):
    """Stops a worker in the middle of its work; gives its pid."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        for pid in children(spawner):
            try:
                os.kill(pid, signal.SIGSTOP)
                # Not on its way in, before it has read anything.
                if worked(pid) >= 5 if SANITIZED else status(pid)["Seccomp_filters"].strip() == "2":
                    return pid
                os.kill(pid, signal.SIGCONT)
            except (ProcessLookupError, FileNotFoundError):
                pass
    raise AssertionError("no worker was seen")


class Confined(unittest.TestCase):
    def events(self, name):
        return [line for line in self.server.log if f"event={name}" in line]

    def setUp(self):
        self.addCleanup(allow_core_dumps())
        zone = self.enterContext(tempfile.NamedTemporaryFile("w", suffix=".zone"))
        zone.write(PROVED)
        zone.flush()
        self.server = self.enterContext(Instance(ANNA, zone=zone.name))
        [self.spawner] = children(self.server.process.pid)

    def assert_confined(self, pid):
        found = status(pid)
        self.assertEqual(found["NoNewPrivs"].strip(), "1")
        self.assertEqual(int(found["CapEff"], 16), 0)
        self.assertEqual(int(found["CapPrm"], 16), 0)
        self.assertEqual(core_limits(pid), ["0", "0"])
        if SANITIZED:
            return
        self.assertEqual(found["Seccomp"].strip(), "2")
        opened = files(pid)
        if opened is not None:
            self.assertEqual([name.split(":")[0] for name in opened], ["socket"])
            self.assertEqual(pathlib.Path(f"/proc/{pid}/environ").read_bytes(), b"")

    def assert_still_reads(self, id):
        bring(self.server, mail_with(gzip.compress(xml(id, GOOD, org=f"{id}.test")), sender=f"d@{id}.test"), sender=f"d@{id}.test")
        eventually(lambda: f"{id}.test" in (of_kind(shown(self.server), "domain") or [{"reporters": []}])[0]["reporters"])

    def assert_still_serves(self):
        mark = stamp()
        bring(self.server, message("x@beta.test", ANNA, mark).as_bytes(policy=email.policy.SMTP), to=ANNA, sender="x@beta.test")
        eventually(lambda: any(mark.encode() in m for m in raw_messages(self.server)))

    def test_spawner_and_worker_have_one_socket_and_no_rights(self):
        self.assert_confined(self.spawner)
        bring(self.server, slow_report())
        worker = catch_worker(self.spawner)
        self.assert_confined(worker)
        if not SANITIZED:
            self.assertEqual(status(worker)["Seccomp_filters"].strip(), "2")
        os.kill(worker, signal.SIGCONT)
        eventually(lambda: of_kind(shown(self.server), "domain"), timeout=60)
        self.assertEqual(of_kind(shown(self.server), "domain")[0]["messages"], 90_000)
        eventually(lambda: gone(worker))
        self.assert_still_reads("next")

    def test_one_that_hangs_does_not_hold_up_the_others(self):
        bring(self.server, slow_report("hangs"))
        worker = catch_worker(self.spawner)
        self.assert_still_reads("next")
        os.kill(worker, signal.SIGCONT)
        eventually(lambda: len(self.events("report.receive")) == 2, timeout=60)

    def test_a_worker_that_dies_costs_its_report_only(self):
        bring(self.server, slow_report())
        worker = catch_worker(self.spawner)
        self.assert_still_serves()
        os.kill(worker, signal.SIGKILL)
        eventually(lambda: self.events("report.unread"))
        self.assertIn("ended by signal 9", self.events("report.unread")[0])
        self.assertEqual(len(self.events("confined.crash")), 1)
        self.assert_still_reads("next")
        self.assertEqual(of_kind(shown(self.server), "domain")[0]["messages"], 5)
        self.assertIn('hikyaku_confined_jobs_total{outcome="crashed"} 1', self.server.run("metrics").stdout)

    def test_without_the_spawner_mail_goes_on_and_reports_wait(self):
        os.kill(self.spawner, signal.SIGKILL)
        eventually(lambda: self.events("confined.lost"))
        bring(self.server, mail_with(gzip.compress(xml("waits", GOOD))))
        self.assert_still_serves()
        self.assertIn("hikyaku_confined_available 0", self.server.run("metrics").stdout)
        self.assertEqual(shown(self.server), [])
        self.server.stop()
        self.server.start()
        eventually(lambda: of_kind(shown(self.server), "domain"))
        self.assertFalse(self.events("report.unread"))

    def test_nobody_outlives_the_server(self):
        for how in (signal.SIGTERM, signal.SIGKILL):
            bring(self.server, slow_report(how.name))
            worker = catch_worker(self.spawner)
            began = time.monotonic()
            self.server.stop(how)
            self.assertLess(time.monotonic() - began, 30, "it waited for a job")  # whose deadline is 60 s
            eventually(lambda: gone(self.spawner) and gone(worker))
            self.server.start()
            [self.spawner] = children(self.server.process.pid)
            # What was cut off is read now.
            eventually(lambda: len(self.events("report.receive")) == 1, timeout=60)

    def test_bombs_are_refused_in_words_and_bounded_memory(self):
        entities = b"<!DOCTYPE l [<!ENTITY a \"lol\">" + b"".join(
            b"<!ENTITY %c \"%s\">" % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(9)) + b"]><feedback>&j;</feedback>"
        memory = "<record>" + "<auth_results>" + "<dkim/>" * 100 + "</auth_results></record>"
        greedy = xml("greedy", []).replace(b"</feedback>", memory.encode() * 70_000 + b"</feedback>")
        for name, bomb in {"zeros": gzip.compress(bytes(500_000_000), 9), "entities": gzip.compress(entities),
                           "greedy": gzip.compress(greedy)}.items():
            with self.subTest(name):
                before = len(self.events("report.unread")) + len(self.events("report.receive"))
                bring(self.server, mail_with(bomb))
                eventually(lambda: len(self.events("report.unread")) + len(self.events("report.receive")) > before, timeout=60)
        self.assertFalse(self.events("confined.crash"))
        self.assertEqual(len(children(self.spawner)), 0)
        peak = int(status(self.server.process.pid)["VmHWM"].split()[0])
        if not SANITIZED:
            self.assertLess(peak, 300_000)  # kB
        self.assert_still_reads("next")


if __name__ == "__main__":
    unittest.main()
