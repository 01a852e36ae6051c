"""Under packaging/hikyaku.service: the server does all its work behind the unit's own filters, and the unit is as tight as it says."""
import email.policy
import gzip
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import unittest

import under_unit
from harness import SANITIZED, TOP, Instance, eventually, hikyaku, need
from hostile import Peer
from mail import message, stamp, subjects
from test_dmarc_reports import bring, mail_with, of_kind, shown, xml

ANNA = "anna@alpha.test"


def in_source(name, constant):
    """The system calls that a list of our own filters (src/app) names."""
    text = (TOP / "src" / "app" / name).read_text()
    body = re.search(rf"{constant} =\n(.*?);\n", text, re.DOTALL).group(1)
    return set("".join(re.findall(r'"([^"]*)"', re.sub(r"//.*", "", body))).split())


class Restarts(unittest.TestCase):
    """What trying again does not mend is not tried again, whoever says it: the program's list is the unit's."""

    def listed(self):
        text = (TOP / "src" / "app" / "exit.h").read_text()
        codes = {name: int(number) for name, number in re.findall(r"^  (\w+) = (\d+),", text, re.MULTILINE)}
        names = re.search(r"kNotMendedByRestart = \{(.*?)\};", text, re.DOTALL).group(1)
        return {codes[name] for name in re.findall(r"Exit::(\w+)", names)}

    def test_the_unit_has_the_codes_of_the_program(self):
        told, = under_unit.values("RestartPreventExitStatus")
        self.assertEqual({int(code) for code in told}, self.listed())

    def test_a_server_that_is_stuck_is_started_again(self):
        """Who asks for signs must start it again without them, and know when it is ready to give them."""
        seconds = int(under_unit.values("WatchdogSec")[0][0])
        self.assertIn(f"`WatchdogSec={seconds}`", (TOP / "docs" / "operation.md").read_text())
        self.assertEqual(under_unit.values("Restart"), [["on-failure"]])
        self.assertEqual(under_unit.values("Type"), [["notify"]])

    def test_what_an_administrator_must_mend_is_among_them_and_what_passes_is_not(self):
        server = Instance(ANNA)
        self.addCleanup(shutil.rmtree, server.dir)
        server.quickstart()

        def code():
            return hikyaku("serve", directory=server.dir, check=False).returncode
        kept = {path: path.read_bytes() for path in (server.dir / "tls" / "cert.pem", server.dir / "hikyaku.toml")}
        for path in kept:
            path.write_text("nonsense\n")
            self.assertIn(code(), self.listed(), path)
            path.write_bytes(kept[path])
        with socket.create_server((server.host, server.port("imap"))):
            self.assertNotIn(code(), self.listed())  # another server may end
        server.configure({"listen.addresses": '["127.0.0.1", "192.0.2.77"]', "server.local": "false", "server.user": '""'})
        self.assertNotIn(code(), self.listed())  # an address may come later than the server


class Unit(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        need("systemd-analyze")
        if not under_unit.library():
            raise unittest.SkipTest("not installed: libseccomp2")

    @unittest.skipIf(SANITIZED, "a leak checker traces the process that it is in")
    def test_the_server_works_behind_its_filters(self):
        """A call that the unit does not let through would end the server here."""
        server = Instance(ANNA)
        server.wrapper = [sys.executable, str(pathlib.Path(under_unit.__file__).resolve())]
        with server:
            filters = re.search(r"Seccomp_filters:\s+(\d+)", pathlib.Path(f"/proc/{server.process.pid}/status").read_text())
            self.assertEqual(int(filters.group(1)), 3)  # the unit's two, and the server's own
            with Peer(server, "imap", "127.0.0.1") as reader:
                self.assertIn("a OK", reader.login(ANNA))  # by the threads that check passwords
            mark = stamp()
            bring(server, message("x@beta.test", ANNA, mark).as_bytes(policy=email.policy.SMTP), to=ANNA, sender="x@beta.test")
            eventually(lambda: mark in subjects(server, ANNA))
            bring(server, mail_with(gzip.compress(xml("one", [("192.0.2.1", 5, "pass", "pass")]))))  # by a confined process
            eventually(lambda: of_kind(shown(server), "unproved"))  # from this machine: nobody is shown to have sent it
            server.process.send_signal(signal.SIGHUP)
            eventually(lambda: any("event=server.reload" in line for line in list(server.log)))
            mark = stamp()
            bring(server, message("x@beta.test", ANNA, mark).as_bytes(policy=email.policy.SMTP), to=ANNA, sender="x@beta.test")
            eventually(lambda: mark in subjects(server, ANNA))
            self.assertFalse([line for line in server.log if "confined.crash" in line or " error " in line])
            self.assertEqual(server.stop(), 0)

    def test_it_lets_through_what_our_own_filters_let_through(self):
        """Also what is called rarely."""
        calls = in_source("sandbox.cc", "kAllowed") | in_source("confinement.cc", "kWork") | in_source("confinement.cc", "kSpawn")
        self.assertGreater(len(calls), 100)
        self.assertIn("setpriority", calls)
        own = {"clone", "socket", "socketpair", "ioctl", "prctl", "mmap", "mprotect"}  # with conditions
        self.assertEqual(calls | own, (calls | own) & under_unit.allowed())

    def test_what_is_left_out_fails_and_kills_nothing(self):
        self.assertEqual(under_unit.values("SystemCallErrorNumber"), [["EPERM"]])

    def test_it_is_as_tight_as_the_documentation_says(self):
        told = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", str(under_unit.UNIT)], capture_output=True, text=True).stdout
        score = re.search(r"exposure level for .*: ([\d.]+)", told).group(1)
        text = (TOP / "docs" / "security.md").read_text()
        self.assertLessEqual(float(score), float(re.search(r"an exposure of ([\d.]+)", text).group(1)))


if __name__ == "__main__":
    unittest.main()
