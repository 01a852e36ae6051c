"""What the running server has given up."""
import contextlib
import os
import pathlib
import signal
import smtplib
import socket
import tempfile
import unittest

from harness import PASSWORD, SANITIZED, Instance, eventually, hikyaku, server_user
from test_confined import allow_core_dumps, children, core_limits, status

ALL_SERVICES = {"smtp": 25, "submission": 587, "submissions": 465, "imap": 143, "imaps": 993, "pop3s": 995}


def free_low_ports():
    """A loopback address and a base for ports there that are free, though only root may open them; the usual ones where they are."""
    for base in range(1023 - max(ALL_SERVICES.values())):
        for last in range(1, 250):
            with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
                for port in ALL_SERVICES.values():
                    s = stack.enter_context(socket.socket())
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    s.bind((f"127.0.9.{last}", base + port))
                return f"127.0.9.{last}", base
    raise AssertionError("low ports are taken on every loopback address")


@unittest.skipIf(SANITIZED, "a leak checker traces the process that it is in")
class StartedByRoot(unittest.TestCase):
    """As on a machine of its own: the ports that only root may open, and then server.user."""

    def setUp(self):
        self.user = server_user(self)
        above = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="hikyaku-test-")))
        above.chmod(0o755)
        address, base = free_low_ports()
        self.server = Instance("anna@alpha.test", base=-1, host=address, directory=above)
        self.server.base = base
        self.server.dir = above / "mail"
        hikyaku("quickstart", "anna@alpha.test", "--host-name", "mail.alpha.test", *(["--port-base", base] if base else []), "--password-stdin",
                directory=self.server.dir, input=PASSWORD + "\n")
        self.server.configure(self.server.options)

    def assert_gave_up(self, pid):
        found = status(pid)
        self.assertEqual(found["Uid"].split(), [str(self.user.pw_uid)] * 4)
        self.assertEqual(found["Gid"].split(), [str(self.user.pw_gid)] * 4)
        self.assertEqual(set(map(int, found["Groups"].split())), set(os.getgrouplist("hikyaku", self.user.pw_gid)))
        for capabilities in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertEqual(int(found[capabilities], 16), 0, capabilities)
        self.assertEqual(found["NoNewPrivs"].strip(), "1")

    def test_nothing_of_root_is_left(self):
        self.server.start()
        self.addCleanup(self.server.stop)
        self.assert_gave_up(self.server.process.pid)
        [spawner] = children(self.server.process.pid)
        self.assert_gave_up(spawner)
        for service, port in ALL_SERVICES.items():
            with self.subTest(service), socket.create_connection((self.server.host, self.server.base + port), timeout=10):
                pass
        with smtplib.SMTP(self.server.host, self.server.base + 25, timeout=10) as smtp:
            smtp.sendmail("x@beta.test", ["anna@alpha.test"], "Subject: x\r\n\r\nx\r\n")
        owners = {path.stat().st_uid for path in (self.server.dir / "data").rglob("*")}
        self.assertEqual(owners, {self.user.pw_uid})


class Sandbox(unittest.TestCase):
    @unittest.skipIf(SANITIZED, "a leak checker traces the process that it is in")
    def test_the_running_server_is_in_the_sandbox(self):
        self.addCleanup(allow_core_dumps())
        with Instance("anna@alpha.test") as server:
            found = status(server.process.pid)
            self.assertEqual(found["Seccomp"].strip(), "2")
            self.assertEqual(found["NoNewPrivs"].strip(), "1")
            self.assertEqual(int(found["CapEff"], 16), 0)
            self.assertEqual(int(found["CapPrm"], 16), 0)
            self.assertEqual(core_limits(server.process.pid), ["0", "0"])
            with smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=10) as smtp:
                smtp.sendmail("x@beta.test", ["anna@alpha.test"], "Subject: from inside\r\n\r\nx\r\n")

    def test_certificates_and_options_are_still_read_again(self):
        with Instance("anna@alpha.test") as server:
            server.configure({"smtp.max_recipients": "100"})
            server.process.send_signal(signal.SIGHUP)
            eventually(lambda: any("server.reload" in line for line in server.log))
            self.assertFalse([line for line in server.log if " error " in line])
            with smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=10) as smtp:
                smtp.ehlo("x")
                smtp.mail("x@beta.test")
                replies = [smtp.rcpt("anna@alpha.test")[0] for _ in range(101)]
            self.assertEqual(replies[-1], 452)

    def test_it_can_be_left_out(self):
        with Instance("anna@alpha.test", config={"server.sandbox": "false"}) as server:
            self.assertEqual(status(server.process.pid)["Seccomp"].strip(), "0")


if __name__ == "__main__":
    unittest.main()
