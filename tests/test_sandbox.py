"""What the running server has given up."""
import signal
import smtplib
import unittest

from harness import SANITIZED, Instance, eventually


class Sandbox(unittest.TestCase):
    @unittest.skipIf(SANITIZED, "a leak checker traces the process that it is in")
    def test_the_running_server_is_in_the_sandbox(self):
        with Instance("anna@alpha.test") as server:
            status = dict(line.split(":\t", 1) for line in open(f"/proc/{server.process.pid}/status") if ":\t" in line)
            self.assertEqual(status["Seccomp"].strip(), "2")
            self.assertEqual(status["NoNewPrivs"].strip(), "1")
            self.assertEqual(int(status["CapEff"], 16), 0)
            self.assertEqual(int(status["CapPrm"], 16), 0)
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
            status = open(f"/proc/{server.process.pid}/status").read()
            self.assertIn("Seccomp:\t0", status)


if __name__ == "__main__":
    unittest.main()
