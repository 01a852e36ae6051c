"""A disk that is as good as full: new mail is put off, reading and deleting go on, nothing is lost, and then it works again."""
import json
import os
import shutil
import smtplib
import subprocess
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

    def test_full_and_the_way_out(self):
        """A disk of 96 MB: filled until mail is put off, then mail is deleted and given up, and all is well again; three times."""
        if os.geteuid() != 0:
            self.skipTest("a small disk can be mounted by root only")
        with Instance(ANNA, config={"store.reserve": '"16MB"', "queue.retry": '["1h"]'}) as server:
            server.add_account(BOB)
            server.stop()
            data = server.dir / "data"
            kept = server.dir / "kept"
            shutil.copytree(data, kept)
            mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", data], capture_output=True)
            if mounted.returncode != 0:
                self.skipTest("no file system can be mounted here")
            self.addCleanup(subprocess.run, ["umount", "-l", data])
            shutil.copytree(kept, data, dirs_exist_ok=True)
            server.start()
            sent = 0
            for round in range(3):
                with smtplib.SMTP(server.host, server.port("smtp"), timeout=60) as smtp:
                    smtp.ehlo("mx.beta.test")
                    with self.assertRaises(smtplib.SMTPException) as refused:
                        while sent < 1000:
                            body = ("x" * 900 + "\r\n") * (800 if sent % 3 else 100)
                            smtp.sendmail("x@beta.test", [BOB], f"Subject: Number {sent}\r\n\r\n{body}")
                            sent += 1
                self.assertIn("4.3.1", str(refused.exception))
                there = raw_messages(server, BOB)
                client = imap(server, BOB)
                client.select()
                count = len(client.uid("SEARCH", "ALL")[1][0].split())
                self.assertEqual(client.store(f"2:{count - 1}", "+FLAGS", r"(\Deleted)")[0], "OK")
                self.assertEqual(client.expunge()[0], "OK")
                client.logout()
                self.assertEqual(raw_messages(server, BOB), [there[0], there[-1]])
                if round == 1:
                    server.kill()
                    server.start()
                done = json.loads(server.run("undelete", "--purge", "--json", timeout=120).stdout)
                self.assertGreater(done["bytes"], 20 << 20)
                self.assertEqual(raw_messages(server, BOB), [there[0], there[-1]])
            submit(server, message(BOB, BOB, "After"), sender=BOB)
            self.assertEqual(subjects(server, BOB)[-1], "After")
            server.stop()
            self.assertIn("Everything is as it was written", server.run("verify").stdout)


if __name__ == "__main__":
    unittest.main()
