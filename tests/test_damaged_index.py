"""A server over an index of which blocks cannot be read: told to all who look, and to clients in words that they know; the next start
makes it again."""
import contextlib
import imaplib
import json
import pathlib
import shutil
import signal
import smtplib
import tempfile
import time
import unittest

from harness import PASSWORD, eventually, free_port_base, Instance
from mail import fill, imap, message, messages, submit, tls
from test_dsn import Recorder
from saved_store import ANNA, data_blocks, flip, Watching

BOB = "bob@alpha.test"
ZONE = """\
$ORIGIN test.
$TTL 60
alpha       MX 10 mx.alpha
mx.alpha    A 127.0.1.1
down        A 127.0.2.4
"""


class Index(Watching, unittest.TestCase):
    """Blocks of the index's tables are damaged: told to all who look, and to clients in words that they know; the next start makes it again."""

    FIRST = 300  # messages, so that there are some blocks
    KEPT = 140  # of them, when the journal is reclaimed

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Instance(ANNA, metrics=True))
        cls.data = cls.server.dir / "data"
        cls.server.add_account(BOB)
        fill(cls.server, ANNA, cls.FIRST)
        cls.server.restart()
        time.sleep(1)  # tables are merged now, and not when they are damaged: that ends the server
        cls.server.stop()
        cls.saved = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory())) / "saved"
        shutil.copytree(cls.data, cls.saved)

    def setUp(self):
        shutil.rmtree(self.data)
        shutil.copytree(self.saved, self.data)
        self.addCleanup(self.server.stop)

    def spoil(self, first=False):
        """Damages the rows of the accounts, which the start does not read, or those that it reads `first`."""
        path, end = data_blocks(self.data / "index")
        self.assertGreater(end, 12_000)
        # The store's own rows come first, the accounts' behind them.
        for offset in (range(100, 101) if first else range(end // 3, end, 1_000)):
            flip(path, offset)

    def select(self):
        client = imap(self.server, ANNA)
        try:
            answers = [client.select()]
            if answers[0][0] == "OK":
                answers.append(client.fetch("1:*", "(ENVELOPE)"))
            self.assertEqual(client.noop()[0], "OK")  # the connection lives
            return next((a for a in answers if a[0] == "NO"), None)
        finally:
            client.logout()

    def is_well(self, count):
        self.assertEqual(self.health(), {"name": "store", "status": "ok"})
        self.assertEqual(self.metric("hikyaku_store_index_damaged"), 0)
        self.assertEqual(len(messages(self.server, ANNA)), count)

    def all_is_told(self):
        said = self.logged("store.index_unreadable")
        self.assertEqual(len(said), 1, self.server.log)
        self.assertEqual(self.metric("hikyaku_store_index_damaged"), 1)
        health = self.health()
        self.assertEqual(health["status"], "warning")
        self.assertIn("restart the server", health["text"])
        checked = self.server.run("check", "--no-dns", check=False)
        self.assertNotEqual(checked.returncode, 0)
        self.assertIn("a part of the index cannot be read", " ".join(checked.stdout.split()))
        self.assertEqual(json.loads(self.server.run("top", "--once", "--json").stdout)["store"]["index_damaged"], 1)
        self.assertEqual([line for line in self.server.log if ".defect " in line], [])

    def test_clients_are_told_and_the_next_start_makes_it_again(self):
        self.spoil()
        self.server.start()
        self.assertEqual(self.logged("store.index_made_again"), [])
        for _ in range(2):
            refused = self.select()
            self.assertIsNotNone(refused)
            self.assertTrue(refused[1][0].startswith(b"[CORRUPTION]"), refused)
        with smtplib.SMTP(self.server.host, self.server.port("smtp"), timeout=20) as smtp:
            with self.assertRaises((smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError, smtplib.SMTPSenderRefused)) as refused:
                smtp.sendmail("x@beta.test", [ANNA], "Subject: refused\r\n\r\nx\r\n")
            codes = [c for c, _ in getattr(refused.exception, "recipients", {}).values()] or [refused.exception.smtp_code]
            self.assertEqual(codes, [451])
            self.assertEqual(smtp.noop()[0], 250)
        self.all_is_told()
        self.server.restart()
        self.assertEqual(len(self.logged("store.index_made_again")), 1, self.server.log)
        self.assertTrue((self.data / "index.damaged" / "DAMAGED").exists())
        self.is_well(self.FIRST)
        self.server.stop()
        self.assertEqual(self.server.run("verify", check=False).returncode, 0)
        self.server.start()
        self.assertEqual(self.logged("store.index_made_again"), [])

    def test_what_is_accepted_meanwhile_is_there_afterwards(self):
        """Also when the server has no time to end well: the journal has it."""
        both = 0  # a block that IMAP needs, and deliveries do not
        for part in range(3, 10):
            with self.subTest(part=part):
                self.server.stop()
                shutil.rmtree(self.data)
                shutil.copytree(self.saved, self.data)
                table, end = data_blocks(self.data / "index")
                flip(table, end * part // 10)
                self.server.start()
                refused = self.select()
                accepted = {ANNA: 0, BOB: 0}
                for address in [ANNA, BOB] * 5:
                    with contextlib.suppress(smtplib.SMTPException), smtplib.SMTP(self.server.host, self.server.port("smtp"), timeout=20) as smtp:
                        smtp.sendmail("x@beta.test", [address], "Subject: meanwhile\r\n\r\nx\r\n")
                        accepted[address] += 1
                met = self.logged("store.index_unreadable")
                self.assertTrue(met or not refused)
                self.server.restart(signal.SIGKILL)
                self.assertEqual(len(self.logged("store.index_made_again")), len(met), self.server.log)
                self.is_well(self.FIRST + accepted[ANNA])
                self.assertEqual(len(messages(self.server, BOB)), accepted[BOB])
                both += refused is not None and sum(accepted.values()) == 10
        self.assertGreater(both, 0)

    def test_a_start_that_meets_it_makes_it_again_at_once(self):
        self.spoil(first=True)
        self.server.start()
        self.assertEqual(len(self.logged("store.index_made_again")), 1, self.server.log)
        self.is_well(self.FIRST)

    def test_a_compaction_that_meets_it(self):
        """It would stop all writes: the server ends, and the next start makes the index again, with all that was accepted."""
        path, end = data_blocks(self.data / "index")
        flip(path, end // 2)  # in the rows of an account for which nobody asks here
        accepted, made_again, ended, met = 0, 0, 0, 0
        for i in range(12):
            self.server.start()
            made_again += len(self.logged("store.index_made_again"))
            with contextlib.suppress(smtplib.SMTPException, OSError), smtplib.SMTP(self.server.host, self.server.port("smtp"), timeout=30) as smtp:
                smtp.sendmail("x@beta.test", [BOB], f"Subject: {i}\r\n\r\nx\r\n")
                accepted += 1
            if self.server.process.poll() is None:
                self.server.stop()
            else:
                ended += 1
                self.server.process = None
            met += len(self.logged("store.index_background_error"))
        self.assertGreater(met, 0)
        self.assertLess(ended, 2)
        self.assertEqual(made_again, 1)
        self.assertGreaterEqual(accepted, 11)
        self.server.start()
        self.is_well(self.FIRST)
        self.assertIn(len(messages(self.server, BOB)), (accepted, accepted + 1))

    def reclaimed(self):
        """Most of the journal is gone, and a copy of the index has what was in it; its tables are those of the index."""
        self.server.start()
        client = imap(self.server, ANNA)
        client.select()
        client.store(f"1:{self.FIRST - self.KEPT}", "+FLAGS", r"(\Deleted)")
        client.expunge()
        client.logout()
        self.server.run("undelete", "--purge")
        self.assertFalse((self.data / "journal" / "0000000001.log").exists())
        self.server.stop()

    def test_with_a_good_copy_and_what_came_since(self):
        self.reclaimed()
        copied = {p.name for p in (self.data / "checkpoint").glob("*.sst")}
        self.server.start()
        fill(self.server, ANNA, self.FIRST)
        self.server.stop()
        tables = [p for p in (self.data / "index").glob("*.sst") if p.name not in copied]
        self.assertTrue(tables)
        for table in tables:
            for offset in range(0, table.stat().st_size // 2, 1_000):
                flip(table, offset)
        self.server.start()
        if not self.logged("store.index_made_again"):
            self.assertIsNotNone(self.select())
            self.server.restart()
        self.assertEqual(len(self.logged("store.index_made_again")), 1, self.server.log)
        self.is_well(self.FIRST + self.KEPT)

    def test_a_copy_with_the_same_damage_does_not_take_its_place(self):
        """Then nothing is moved away: what can be read is served, and the reason is told at every start."""
        self.reclaimed()
        self.spoil()
        copy, end = data_blocks(self.data / "checkpoint")
        if copy.stat().st_nlink == 1:  # the index has others by now
            flip(copy, end * 2 // 3)
        journal = sorted(p.name for p in (self.data / "journal").iterdir())
        self.server.start()
        self.assertIsNotNone(self.select())
        # The copy stays as it is, and with it all that could be of use.
        self.server.run("undelete", "--purge", check=False)
        for _ in range(2):
            self.server.restart()
            self.assertEqual(len(self.logged("store.index_unreadable")), 1, self.server.log)
            told, = self.logged("store.index_unreadable")
            self.assertIn("cannot be made again from the journal", told)
            self.assertIn("checkpoint", told)
            self.assertEqual(self.logged("store.index_made_again"), [])
            self.assertFalse((self.data / "index.damaged").exists())
            self.assertEqual(self.health()["status"], "warning")
        self.assertTrue(set(journal) <= {p.name for p in (self.data / "journal").iterdir()})


class QueueRows(Watching, unittest.TestCase):
    """Blocks with the queue's own rows: what the server does by itself, and what it is asked, meets them all the time."""

    MESSAGES, RECIPIENTS = 40, 100

    @classmethod
    def setUpClass(cls):
        zone = cls.enterClassContext(tempfile.NamedTemporaryFile("w", suffix=".zone"))
        zone.write(ZONE)
        zone.flush()
        cls.base = free_port_base("127.0.1.1")
        cls.server = cls.enterClassContext(Instance(ANNA, host="127.0.1.1", base=cls.base, zone=zone.name, metrics=True))
        cls.data = cls.server.dir / "data"
        cls.fill_queue()
        cls.server.restart(signal.SIGKILL)  # what comes now is in another segment
        fill(cls.server, ANNA, 5)
        cls.server.run("queue", "hold", "all")
        cls.server.restart()
        time.sleep(1)  # tables are merged now, and not under the damaged ones
        cls.server.stop()
        cls.saved = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory())) / "saved"
        shutil.copytree(cls.data, cls.saved)

    @classmethod
    def fill_queue(cls):
        with smtplib.SMTP(cls.server.host, cls.server.port("submission"), timeout=60) as smtp:
            smtp.starttls(context=tls())
            smtp.login(ANNA, PASSWORD)
            for i in range(cls.MESSAGES):
                to = [f"recipient{i}.{j}@down.test" for j in range(cls.RECIPIENTS)]
                smtp.send_message(message(ANNA, "many@down.test", f"waits {i}"), to_addrs=to)

    def setUp(self):
        shutil.rmtree(self.data)
        shutil.copytree(self.saved, self.data)
        self.addCleanup(self.server.stop)
        self.other = Recorder("127.0.2.4", self.base + 25, ["PIPELINING"])
        self.addCleanup(self.other.server_close)
        self.addCleanup(self.other.shutdown)

    def spoil(self, lasting=False):
        """Damages blocks all over the held entries; `lasting`: nothing is left from which they could be made again."""
        path, end = data_blocks(self.data / "index")
        self.assertGreater(end, 100_000)
        # Of the many rows about these messages the queue's come first; behind them stands what became of each.
        for percent in range(6, 19, 3):
            for byte in range(8):
                flip(path, end * percent // 100 + byte)
        if lasting:
            min((self.data / "journal").glob("*.log")).unlink()
            shutil.rmtree(self.data / "checkpoint", ignore_errors=True)

    def serves(self):
        """Beyond the moment at which the server looks at its queue: mail comes, is read, and goes."""
        end = time.monotonic() + 8
        count = 0
        while time.monotonic() < end:
            self.assertIsNone(self.server.process.poll(), self.server.log)
            count += 1
            submit(self.server, message(ANNA, "x@down.test", f"goes {count}"))
            with contextlib.suppress(imaplib.IMAP4.error):
                messages(self.server, ANNA)
            time.sleep(0.5)
        eventually(lambda: len([line for line in self.other.said if line.startswith("MAIL")]) >= count)
        # Whoever asks is answered, and the server lives on.
        listed = self.server.run("queue", "list", "--json", check=False)
        self.assertEqual(listed.returncode, 65, listed.stdout[-300:] + listed.stderr)
        self.assertIn("damaged", listed.stderr)
        self.assertNotIn("server is gone", listed.stderr)
        self.assertEqual(len(messages(self.server, ANNA)), 5)
        self.assertEqual(self.health()["status"], "warning")
        self.assertEqual(self.metric("hikyaku_store_index_damaged"), 1)
        failed = self.logged("work.fail")
        self.assertEqual(len([line for line in failed if "what=watch " in line]), 1, failed)
        self.assertLess(len(failed), 6, failed)
        self.assertEqual([line for line in self.server.log if ".defect " in line], [])

    def test_the_server_stays_up_and_the_next_start_has_all(self):
        self.spoil()
        self.server.start()
        self.serves()
        self.server.restart()
        self.assertEqual(len(self.logged("store.index_made_again")), 1, self.server.log)
        self.assertEqual(self.health(), {"name": "store", "status": "ok"})
        queued = json.loads(self.server.run("queue", "list", "--json").stdout)
        self.assertEqual(len(queued), self.MESSAGES * self.RECIPIENTS)

    def test_every_start_serves_where_nothing_as_good_can_be_made(self):
        self.spoil(lasting=True)
        for _ in range(2):
            self.server.start()
            self.serves()
            self.assertEqual(self.logged("store.index_made_again"), [])
            self.server.stop()
