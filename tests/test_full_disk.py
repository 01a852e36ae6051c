"""A disk that is as good as full: new mail is put off, reading and deleting go on, nothing is lost, and then it works again."""
import shutil
import smtplib
import tempfile
import unittest

from harness import Instance
from mail import fill, imap, message, pop, raw_messages, subjects, submit

ANNA, BOB = "anna@alpha.test", "bob@alpha.test"


class FullDisk(unittest.TestCase):
    def test_below_the_reserve(self):
        if shutil.disk_usage(tempfile.gettempdir()).free > 900 * 10**9:
            self.skipTest("the disk is too large for a reserve of 1 TB to be missing")
        with Instance(ANNA, config={"queue.retry": '["1h"]'}) as server:
            server.add_account(BOB)
            submit(server, message(ANNA, BOB, "Before"))
            fill(server, BOB, 3)
            before = raw_messages(server, BOB)
            server.configure({"store.reserve": '"1TB"'})
            server.restart()

            with smtplib.SMTP(server.host, server.port("smtp"), timeout=20) as smtp:
                smtp.ehlo("mx.beta.test")
                with self.assertRaises(smtplib.SMTPException) as refused:
                    smtp.sendmail("x@beta.test", [BOB], "Subject: later\r\n\r\nx\r\n")
                self.assertIn("452", str(refused.exception))
                self.assertIn("4.3.1", str(refused.exception))
            client = imap(server, BOB)
            status, why = client.append("INBOX", None, None, b"Subject: later\r\n\r\nx\r\n")
            self.assertEqual(status, "NO", why)
            self.assertRegex(why[0], rb"\[(OVERQUOTA|UNAVAILABLE|LIMIT)\]")

            # What is there can be read and deleted.
            self.assertEqual(raw_messages(server, BOB), before)
            client.select()
            self.assertEqual(client.store("1", "+FLAGS", r"(\Deleted)")[0], "OK")
            self.assertEqual(client.expunge(), ("OK", [b"1"]))
            client.logout()
            taking = pop(server, BOB)
            taking.dele(1)
            taking.quit()
            self.assertEqual(subjects(server, BOB), ["Message 2", "Message 3"])

            # There is no room for moving either: half of the reserve is not left.
            client = imap(server, BOB)
            client.select()
            self.assertEqual(client._simple_command("MOVE", "1", "Trash")[0], "NO")
            client.logout()

            # Half of it is: clients delete by moving to Trash, or by copying there first.
            free = shutil.disk_usage(tempfile.gettempdir()).free
            server.configure({"store.reserve": f'"{free * 5 // 4 // 10**6}MB"'})
            server.restart()
            client = imap(server, BOB)
            self.assertEqual(client.append("INBOX", None, None, b"Subject: later\r\n\r\nx\r\n")[0], "NO")
            client.select()
            self.assertEqual(client._simple_command("MOVE", "1", "Trash")[0], "OK")
            self.assertEqual(client.copy("1", "Trash")[0], "OK")
            self.assertEqual(client.copy("1", "Sent")[0], "NO")
            client.store("1", "+FLAGS", r"(\Deleted)")
            self.assertEqual(client.expunge()[0], "OK")
            client.logout()
            self.assertEqual(subjects(server, BOB), [])
            self.assertEqual(subjects(server, BOB, "Trash"), ["Message 2", "Message 3"])

            server.configure({"store.reserve": '"16MB"'})
            server.restart()
            submit(server, message(ANNA, BOB, "After"))
            self.assertEqual(subjects(server, BOB), ["After"])


if __name__ == "__main__":
    unittest.main()
