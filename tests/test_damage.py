"""A server over a damaged store: what is lost is told at the start and as soon as somebody meets it, in the log, to Prometheus, by /health
and by `hikyaku check`; clients get an answer about that message, and all others."""
import contextlib
import imaplib
import json
import mailbox
import pathlib
import poplib
import shutil
import signal
import smtplib
import tempfile
import time
import unittest
import urllib.request

from harness import Instance, PASSWORD, eventually, free_port_base
from mail import fill, imap, message, messages, pop, submit, tls
from saved_store import ANNA, SavedStore, flip
from test_dsn import Recorder

BOB = "bob@alpha.test"
COUNT, LARGE, LATER = 8, 5, 6  # LARGE: above 256 KB, in a bulk segment; LATER: in a log segment after the first


class WatchedStore(SavedStore):
    COUNT, LARGE, LATER = COUNT, LARGE, LATER
    METRICS = True

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.server.metrics_port}{path}", timeout=20) as answer:
            return answer.read().decode()

    def health(self):
        return next(check for check in json.loads(self.get("/health"))["checks"] if check["name"] == "store")

    def metric(self, name):
        return next(float(line.split()[1]) for line in self.get("/metrics").splitlines() if line.startswith(name + " "))

    def logged(self, event):
        return [line for line in self.server.log if f"event={event} " in line]


class Damage(WatchedStore):
    OTHERS = [BOB]

    def fetch(self, client, what="(BODY.PEEK[])"):
        """The tagged answer, and what came: {number: bytes}."""
        status, parts = client.fetch("1:*", what)
        if status == "NO":  # imaplib keeps what came before it
            self.assertEqual(parts[0], b"[CORRUPTION] A message is damaged on the server; the administrator has been told")
            parts = client.response("FETCH")[1]
        return status, {int(p[0].split()[0]): p[1] for p in parts if isinstance(p, tuple)}

    def read(self, lost):
        """Reads everything by IMAP and POP3, twice, over one connection each: all but what is lost comes."""
        kept = {i + 1 for i in range(COUNT)} - {i + 1 for i in lost}
        client = imap(self.server, ANNA)
        client.select()
        for _ in range(2):
            status, came = self.fetch(client)
            self.assertEqual((status, set(came)), ("NO", kept))
        for i in kept:
            self.assertIn(f"word{i - 1}\r\n".encode(), came[i])
        self.assertEqual(client.noop()[0], "OK")
        # Whoever searches for text finds it in the others.
        status, found = client.search(None, "BODY", '"word"')
        self.assertEqual((status, set(map(int, found[0].split()))), ("OK", kept))
        client.logout()
        taking = pop(self.server, ANNA)
        for i in range(COUNT):
            if i in lost:
                with self.assertRaisesRegex(poplib.error_proto, r"^b'-ERR \[SYS/PERM\] this message is damaged on the server; the administrator has been told'$"):
                    taking.retr(i + 1)
            else:
                self.assertIn(f"word{i}".encode(), taking.retr(i + 1)[1])
        taking.quit()
        self.assertEqual(len(self.logged("store.body_unreadable")), len(lost), self.server.log)
        # Whose it is, and where, stands in the log.
        self.assertRegex(self.logged("imap.failed")[-1], rf'cid=\d+ .*user={ANNA} .*err="body \d+ ')
        self.assertEqual(self.metric("hikyaku_store_unreadable_bodies_total"), len(lost))
        health = self.health()
        self.assertEqual(health["status"], "warning")
        self.assertIn(f"{len(lost)} message", health["text"])

    def start_over_loss(self, lost):
        """What is told at the start about one segment, before anybody asks for a message."""
        self.server.start()
        said = self.logged("store.segment_lost")
        self.assertEqual(len(said), 1, self.server.log)
        health = self.health()
        self.assertEqual(health["status"], "warning")
        self.assertIn("journal segment", health["text"])
        self.assertIn("`hikyaku verify --repair`", health["text"])
        self.assertEqual(self.metric("hikyaku_store_lost_segments"), 1)
        checked = self.server.run("check", "--no-dns", check=False)
        self.assertNotEqual(checked.returncode, 0, checked.stdout)
        self.assertIn("hikyaku verify --repair", " ".join(checked.stdout.split()))
        self.assertEqual(json.loads(self.server.run("top", "--once", "--json").stdout)["store"]["lost_segments"], 1)
        self.read(lost)
        # Mail comes in all the same; and after a repair nothing is left to tell.
        submit(self.server, message(BOB, ANNA, "after"), sender=BOB)
        self.server.stop()
        self.server.run("verify", "--repair", check=False)
        self.server.start()
        self.assertEqual(self.logged("store.segment_lost"), [])
        self.assertEqual(self.health()["status"], "ok")
        client = imap(self.server, ANNA)
        client.select()
        status, came = self.fetch(client)
        self.assertEqual((status, len(came)), ("OK", COUNT - len(lost) + 1))
        client.logout()

    def test_a_good_store_says_nothing(self):
        self.server.start()
        self.assertEqual(self.health(), {"name": "store", "status": "ok"})
        self.assertEqual(self.logged("store.segment_lost"), [])

    def test_a_bulk_segment_is_missing(self):
        self.body_of(LARGE)[0].unlink()
        self.start_over_loss([LARGE])

    def test_a_bulk_segment_is_cut_short(self):
        path, at = self.body_of(LARGE)
        with open(path, "r+b") as file:
            file.truncate(at)
        self.start_over_loss([LARGE])

    def test_a_log_segment_is_missing_that_the_index_has_come_past(self):
        first, second = self.body_of(0)[0], self.body_of(LATER)[0]
        self.assertNotEqual(first, second)
        first.unlink()
        self.start_over_loss([i for i in range(LATER) if i != LARGE])

    def test_a_segments_header_is_gone(self):
        path, _ = self.body_of(LARGE)
        flip(path, 20)
        flip(path, 2068)
        self.start_over_loss([LARGE])

    def test_a_bit_of_a_small_body(self):
        path, at = self.body_of(3)
        flip(path, at + 400)
        self.server.start()
        self.assertEqual(self.health()["status"], "ok")
        self.read([3])

    def test_a_bit_near_the_end_of_a_large_body(self):
        """Found before its first byte is promised, so that the connection can go on."""
        path, at = self.body_of(LARGE)
        flip(path, at - 10_000)  # the frames stand before the header there
        self.server.start()
        self.read([LARGE])
        client = imap(self.server, ANNA)
        client.select()
        # What stands before the damage can be had.
        status, parts = client.fetch(str(LARGE + 1), "(BODY.PEEK[]<0.100000>)")
        self.assertEqual((status, len(parts[0][1])), ("OK", 100_000))
        client.logout()

    def test_an_export_goes_on_and_names_what_is_missing(self):
        path, at = self.body_of(3)
        flip(path, at + 400)
        self.body_of(LARGE)[0].unlink()
        for running in (True, False):
            for form in ("maildir", "mbox"):
                with self.subTest(form=form, running=running):
                    if running and not self.server.process:
                        self.server.start()
                    elif not running:
                        self.server.stop()
                    out = self.server.dir / f"out-{form}-{running}"
                    done = self.server.run("export", "--account", ANNA, "--format", form, out, check=False)
                    self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
                    told = " ".join(done.stderr.split())
                    for lost in (3, LARGE):
                        self.assertRegex(told, rf"{ANNA}, INBOX, UID {lost + 1}, 20\d\d-[^ ]*, \d+ bytes, From: m{lost}@beta.test, "
                                               rf"Subject: m{lost}: ")
                    note = (out / "INCOMPLETE").read_text()
                    self.assertEqual(note.count("UID"), 2, note)
                    self.assertIn("Subject: m3", note)
                    box = mailbox.Maildir(out) if form == "maildir" else mailbox.mbox(out / "INBOX.mbox")
                    self.assertEqual(sorted(m["Subject"] for m in box), [f"m{i}" for i in range(COUNT) if i not in (3, LARGE)])
                    self.assertEqual(list((out / "tmp").iterdir()) if form == "maildir" else [], [])
        shutil.rmtree(out)
        done = json.loads(self.server.run("export", "--account", ANNA, out, "--json", check=False).stdout)
        self.assertEqual((done["count"], done["unreadable"], len(done["missing"])), (COUNT - 2, 2, 2))

    def test_a_good_export_has_no_such_note(self):
        out = self.server.dir / "out"
        self.server.run("export", "--account", ANNA, out)
        self.assertFalse((out / "INCOMPLETE").exists())


def data_blocks(index):
    """The largest table of an index, and where its data ends: behind it stand the filter, the list of the blocks, and its properties."""
    path = max(index.glob("*.sst"), key=lambda p: p.stat().st_size)
    table = path.read_bytes()
    # The metaindex, near the end, gives the filter's place as two varints behind its name.
    at = table.rindex(b"fullfilter.rocksdb.BuiltinBloomFilter") + len("fullfilter.rocksdb.BuiltinBloomFilter")
    place = shift = 0
    while True:
        place |= (table[at] & 0x7F) << shift
        shift += 7
        at += 1
        if table[at - 1] < 0x80:
            return path, place


class Index(unittest.TestCase):
    """Blocks of the index's tables are damaged: told to all who look, and to clients in words that they know; the next start makes it again."""

    FIRST = 300  # messages, so that there are some blocks
    KEPT = 140  # of them, when the journal is reclaimed

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Instance(ANNA, metrics=True))
        cls.data = cls.server.dir / "data"
        cls.server.add_account(BOB)
        fill(cls.server, ANNA, cls.FIRST)
        cls.server.stop()
        cls.saved = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory())) / "saved"
        shutil.copytree(cls.data, cls.saved)

    get, health, metric, logged = Damage.get, Damage.health, Damage.metric, Damage.logged

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


class Scrub(WatchedStore):
    """The store is read through all the time, instead of once in a month."""
    CONFIG = {"store.scrub_every": '"1s"'}

    def check(self):
        checked = self.server.run("check", "--no-dns", check=False)
        return checked.returncode, " ".join(checked.stdout.split())

    def test_a_flipped_bit_that_nobody_reads_is_told_and_forgotten_when_mended(self):
        self.server.start()
        eventually(lambda: self.metric("hikyaku_store_scrub_end_timestamp_seconds") > 0)
        self.assertGreater(self.metric("hikyaku_store_scrubbed_bytes_total"), 900_000)
        self.assertEqual(self.health(), {"name": "store", "status": "ok"})
        self.assertEqual(self.logged("store.body_unreadable"), [])
        self.assertIn("last read through to the end on 20", self.check()[1])
        # Under the running server: one in a log segment, one in a bulk segment.
        path, at = self.body_of(2)
        large, end = self.body_of(LARGE)
        flip(path, at + 700)
        flip(large, end - 100_000)
        named = eventually(lambda: (lines := self.logged("store.message_unreadable")) and len(lines) == 2 and lines)
        for uid in 3, LARGE + 1:
            self.assertEqual(len([l for l in named if f" user={ANNA} mailbox=INBOX uid={uid} " in l]), 1, named)
        self.assertEqual(len(self.logged("store.body_unreadable")), 2, self.server.log)
        self.assertEqual(self.health()["status"], "warning")
        self.assertIn("2 messages cannot be read; stop the server and run `hikyaku verify`", self.health()["text"])
        self.assertEqual(self.metric("hikyaku_store_unreadable_bodies"), 2)
        self.assertEqual(self.metric("hikyaku_store_scrub_found_total"), 2)
        status, said = self.check()
        self.assertNotEqual(status, 0, said)
        self.assertIn("2 messages cannot be read", said)
        self.assertEqual(json.loads(self.server.run("top", "--once", "--json").stdout)["store"]["unreadable"], 2)
        # Who starts again still knows, without anybody's reading.
        self.server.restart()
        eventually(lambda: self.metric("hikyaku_store_unreadable_bodies") == 2)
        flip(path, at + 700)
        flip(large, end - 100_000)
        eventually(lambda: self.health()["status"] == "ok")
        self.assertEqual(self.metric("hikyaku_store_unreadable_bodies"), 0)

    def test_a_record_of_the_journal_is_told(self):
        self.server.start()
        path = min((self.data / "journal").glob("*.log"))
        flip(path, 4096 + 20)
        eventually(lambda: self.logged("store.record_unreadable"))
        self.assertIn("journal segment 1, byte 4096", self.health()["text"])
        self.assertEqual(self.metric("hikyaku_store_damaged_records"), 1)
        self.assertEqual(self.logged("store.body_unreadable"), [])
        status, said = self.check()
        self.assertNotEqual(status, 0, said)
        self.assertIn("journal segment 1, byte 4096", said)
        flip(path, 4096 + 20)
        eventually(lambda: self.health()["status"] == "ok")

    def test_a_block_of_the_index_is_told_though_nobody_needs_it(self):
        self.server.start()
        eventually(lambda: self.metric("hikyaku_store_scrub_end_timestamp_seconds") > 0)
        self.assertEqual(self.metric("hikyaku_store_index_damaged"), 0)
        for table in (self.data / "index").glob("*.sst"):
            flip(table, 100)
        eventually(lambda: self.logged("store.index_unreadable"))
        self.assertEqual(self.metric("hikyaku_store_index_damaged"), 1)


ZONE = """\
$ORIGIN test.
$TTL 60
alpha       MX 10 mx.alpha
mx.alpha    A 127.0.1.1
down        A 127.0.2.4
"""


class QueueRows(unittest.TestCase):
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

    get, health, metric, logged = Damage.get, Damage.health, Damage.metric, Damage.logged

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


class Queue(unittest.TestCase):
    def test_a_damaged_message_is_held_and_its_sender_told(self):
        with tempfile.NamedTemporaryFile("w", suffix=".zone") as zone, contextlib.ExitStack() as stack:
            zone.write(ZONE)
            zone.flush()
            base = free_port_base("127.0.1.1")
            server = stack.enter_context(Instance(ANNA, host="127.0.1.1", base=base, zone=zone.name))
            queue = lambda: json.loads(server.run("queue", "list", "--json").stdout)
            submit(server, message(ANNA, "x@down.test", "whole", "word\n" * 100_000))
            submit(server, message(ANNA, "x@down.test", "to be damaged", "word\n" * 100_000))
            eventually(lambda: [e["attempts"] for e in queue()] == [1, 1])
            server.stop()
            bulk = next((server.dir / "data" / "journal").glob("*.bulk"))
            flip(bulk, bulk.read_bytes().find(b"Subject: to be damaged") + 400_000)
            other = Recorder("127.0.2.4", base + 25, ["PIPELINING"])
            stack.callback(other.server_close)
            stack.callback(other.shutdown)
            server.start()
            for entry in queue():
                server.run("queue", "retry", entry["id"])
            # The one that is whole leaves; of the other, its server is told nothing.
            held = eventually(lambda: [e for e in queue() if len(queue()) == 1 and e["state"] == "held"])
            self.assertIn("damaged", held[0]["reply"])
            self.assertEqual(len([line for line in other.said if line.startswith("MAIL")]), 1, other.said)
            told = eventually(lambda: messages(server, ANNA))
            self.assertEqual([m["Subject"] for m in told], ["Held: your message to x@down.test"])
            self.assertIn("no longer read it from its disk", told[0].get_payload())
            self.assertIn("hikyaku queue release", told[0].get_payload())
            self.assertTrue(any("event=store.body_unreadable " in line for line in server.log))
            # Mended (from a backup, say), it goes.
            server.stop()
            flip(bulk, bulk.read_bytes().find(b"Subject: to be damaged") + 400_000)
            server.start()
            server.run("queue", "release", held[0]["id"])
            eventually(lambda: queue() == [])
            self.assertEqual(len([line for line in other.said if line.startswith("MAIL")]), 2)


if __name__ == "__main__":
    unittest.main()
