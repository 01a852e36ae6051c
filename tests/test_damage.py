"""A server over a damaged store: what is lost is told at the start and as soon as somebody meets it, in the log, to Prometheus, by /health
and by `hikyaku check`; clients get an answer about that message, and all others."""
import contextlib
import imaplib
import json
import mailbox
import poplib
import shutil
import smtplib
import tempfile
import time
import unittest

from harness import eventually, free_port_base, Instance, PASSWORD
from mail import deliver_with_sendmail, fill, imap, message, messages, pop, submit, tls
from test_damaged_index import ZONE
from test_dsn import Recorder
from saved_store import ANNA, flip, SavedStore, Watching

BOB = "bob@alpha.test"
COUNT, LARGE, LATER = 8, 5, 6  # LARGE: above 256 KB, in a bulk segment; LATER: in a log segment after the first


class WatchedStore(Watching, SavedStore):
    COUNT, LARGE, LATER = COUNT, LARGE, LATER
    METRICS = True


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
        self.assertIn(f"hikyaku verify --dir {self.server.dir} --repair", " ".join(checked.stdout.split()))
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
        quiet = self.server.run("check", "--quiet", "--no-dns")
        self.assertEqual((quiet.stdout, quiet.stderr), ("", ""))
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
        quiet = self.server.run("check", "--quiet", "--no-dns", check=False)  # what cron mails
        self.assertEqual(quiet.returncode, 1)
        self.assertRegex(quiet.stdout, r"\Aproblem +2 messages cannot be read")
        self.assertNotRegex(quiet.stdout, "(?m)^(good|note|Problems)")
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


class Behind(unittest.TestCase):
    """A record in the midst of the journal is damaged, and the index has not come so far: what the server could show is older than what it has acknowledged."""

    def test_nobody_is_told_that_accounts_or_mail_do_not_exist(self):
        with Instance(ANNA, metrics=True) as server:
            fill(server, ANNA, 2)
            server.add_account(BOB)
            fill(server, ANNA, 3)
            submit(server, message(ANNA, BOB, "for bob"))
            eventually(lambda: messages(server, BOB))
            server.kill()
            log = next(path for path in sorted((server.dir / "data" / "journal").glob("*.log")) if BOB.encode() in path.read_bytes())
            flip(log, log.read_bytes().find(BOB.encode()))
            server.start()
            self.assertTrue(any("event=store.read_only" in line for line in server.log))
            for user in (ANNA, BOB, "nobody@alpha.test"):
                with self.subTest(user):
                    with self.assertRaisesRegex(imaplib.IMAP4.error, r"\[UNAVAILABLE\] Cannot check this at the moment"):
                        imap(server, user)
                    with self.assertRaisesRegex(poplib.error_proto, r"\[SYS/TEMP\]"):
                        pop(server, user)
                    with smtplib.SMTP(server.host, server.port("smtp")) as other:
                        other.ehlo()
                        other.mail("x@elsewhere.test")
                        self.assertEqual(other.rcpt(user), (451, b"4.3.0 Mail cannot be taken at the moment: try again later"))
            with smtplib.SMTP(server.host, server.port("smtp")) as other:
                other.ehlo()
                other.mail("x@elsewhere.test")
                self.assertEqual(other.rcpt("x@far.test")[0], 451)
            with smtplib.SMTP_SSL(server.host, server.port("submissions"), context=tls()) as client, self.assertRaises(smtplib.SMTPAuthenticationError) as refused:
                client.login(ANNA, PASSWORD)
            self.assertEqual(refused.exception.smtp_code, 454)
            done = deliver_with_sendmail(server, "Subject: x\n\n", "-f", ANNA, BOB, check=False)
            self.assertEqual(done.returncode, 75, done.stderr)
            server.stop()
            server.run("verify", "--repair", check=False)
            server.start()
            self.assertEqual(len(messages(server, ANNA)), 5)
