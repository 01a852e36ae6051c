"""A limit of file sizes (ulimit -f) is no reason to end: what finds no room is put off as on a full disk."""
import smtplib
import time
import unittest

from harness import Instance
from mail import imap, message, raw_messages, submit

ANNA = "anna@alpha.test"


class FileSizes(unittest.TestCase):
    def test_files_may_not_grow(self):
        """The kernel sends SIGXFSZ, which ends who does not ignore it."""
        with Instance(ANNA) as server:
            submit(server, message(ANNA, ANNA, "Before"))
            server.stop()
            server.wrapper = ["sh", "-c", 'ulimit -f 300; exec "$@"', "sh"]  # 150 KB
            server.start()
            with smtplib.SMTP(server.host, server.port("smtp"), timeout=20) as smtp:
                smtp.ehlo("mx.beta.test")
                with self.assertRaises(smtplib.SMTPException) as refused:
                    for _ in range(20):
                        smtp.sendmail("x@beta.test", [ANNA], "Subject: large\r\n\r\n" + ("x" * 70 + "\r\n") * 4000)
                self.assertRegex(str(refused.exception), r"45\d.*4\.3\.[01]")
            client = imap(server)
            self.assertEqual(client.append("INBOX", None, None, b"Subject: large\r\n\r\n" + b"x" * 400_000)[0], "NO")
            client.logout()
            time.sleep(1)
            self.assertIsNone(server.process.poll())
            there = raw_messages(server)
            self.assertIn(b"Subject: Before", there[0])
            server.stop()
            server.wrapper = []
            server.start()
            self.assertEqual(raw_messages(server), there)
            submit(server, message(ANNA, ANNA, "After"))
            self.assertEqual(len(raw_messages(server)), len(there) + 1)


if __name__ == "__main__":
    unittest.main()
