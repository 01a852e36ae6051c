"""What clients with old numbers see after a restore has undone some time: the epoch rule."""
import json
import pathlib
import re
import unittest

from backed_up import BackedUp, number
from harness import Instance, turn
from mail import Wire, fill, imap, message, submit

ANNA, BOB = "anna@alpha.test", "bob@alpha.test"


def fill_two_mailboxes(server, copied):
    """Five messages in INBOX, and these of them in Quiet."""
    server.add_account(BOB)
    fill(server, BOB, 5)
    client = imap(server, BOB)
    client.create("Quiet")
    client.select()
    client.copy(copied, "Quiet")
    client.logout()


class Resynchronised:
    """What SELECT with QRESYNC has told."""

    def __init__(self, lines):
        text = "\n".join(lines)
        assert re.search("(?m)^a OK", text), text
        first = lambda pattern: int(re.search(pattern, text).group(1))
        self.state = first(r"UIDVALIDITY (\d+)"), first(r"HIGHESTMODSEQ (\d+)")
        self.exists = first(r"\* (\d+) EXISTS")
        self.fetched = {int(uid): flags for uid, flags in re.findall(r"FETCH \(UID (\d+) FLAGS \(([^)]*)\)", text)}
        self.vanished = set()
        for ranges in re.findall(r"VANISHED \(EARLIER\) (\S+)", text):
            for part in ranges.split(","):
                ends = [int(end) for end in part.split(":")]
                self.vanished |= set(range(ends[0], ends[-1] + 1))


class Epoch(BackedUp):
    def test_old_numbers(self):
        """Clients that have seen UIDs and change numbers of the lost time notice."""
        with Instance(ANNA) as server:
            fill_two_mailboxes(server, "1")
            info = self.backup(server)

            # The lost future.
            client = imap(server, BOB)
            client.select()
            uid_validity = number(client, "UIDVALIDITY")
            client.store("3", "+FLAGS", r"(\Flagged)")
            client.store("1", "+FLAGS", r"(\Deleted)")
            client.expunge()
            fill(server, BOB, 3)
            client.noop()
            lost_uids = client.uid("SEARCH", "ALL")[1][0].split()
            client.select("INBOX")
            lost_modseq = number(client, "HIGHESTMODSEQ")
            client.logout()
            server.stop()

            refused = server.run("restore", self.to, check=False)
            self.assertNotEqual(refused.returncode, 0)
            self.assertIn("--force", refused.stderr)
            done = json.loads(server.run("restore", self.to, "--force", "--json").stdout)
            self.assertEqual(turn(done["epoch"]), turn(info["epoch"]) + 1)
            self.assertTrue(pathlib.Path(done["former"]).exists())
            server.start()

            client = imap(server, BOB)
            client.enable("QRESYNC") if hasattr(client, "enable") else None
            # A client of before that resynchronises is told of everything, and of what is not there.
            status, _ = client.select("INBOX")
            self.assertEqual(status, "OK")
            changed = client.uid("FETCH", "1:*", f"(FLAGS) (CHANGEDSINCE {lost_modseq})")[1]
            self.assertEqual(len([c for c in changed if c]), 5, changed)
            found = client.uid("SEARCH", "MODSEQ", str(lost_modseq))[1][0]
            self.assertEqual(len(found.split(b"(")[0].split()), 5, found)
            # It changes no flags of messages that it knows from then.
            stored = client.uid("STORE", "1:*", f"(UNCHANGEDSINCE {lost_modseq})", "+FLAGS", r"(\Draft)")[1]
            self.assertEqual(stored, [None])
            self.assertEqual(client.uid("SEARCH", "DRAFT")[1], [b""])
            # The first message since: a new UIDVALIDITY, no UID of the lost time again.
            client.logout()
            submit(server, message(ANNA, BOB, "New"))
            client = imap(server, BOB)
            client.select("INBOX")
            self.assertNotEqual(number(client, "UIDVALIDITY"), uid_validity)
            self.assertGreater(number(client, "UIDVALIDITY"), uid_validity)
            self.assertGreater(number(client, "HIGHESTMODSEQ"), lost_modseq + 2**31)
            # A mailbox that nothing has happened in is as it was.
            client.select("Quiet")
            self.assertEqual(len(client.uid("SEARCH", "ALL")[1][0].split()), 1)
            quiet = number(client, "UIDVALIDITY")
            client.logout()
            self.assertGreater(len(lost_uids), 5)

            # Once more from the same backup: again other numbers.
            server.stop()
            again = json.loads(server.run("restore", self.to, "--force", "--json").stdout)
            self.assertEqual(turn(again["epoch"]), turn(info["epoch"]) + 2)
            server.start()
            client = imap(server, BOB)
            client.select("Quiet")
            self.assertEqual(number(client, "UIDVALIDITY"), quiet)
            client.logout()
            server.stop()
            self.verify(server)

    def test_clients_that_resynchronise(self):
        """QRESYNC with what clients have from the time that a restore has undone: everything that is gone or different is told, also
        behind the next changes, and no UID of theirs ever means another message."""
        meant = {}  # (mailbox, UIDVALIDITY, UID) -> Message-ID

        def note():
            for mailbox in ("INBOX", "Quiet"):
                client = imap(server, BOB)
                client.select(mailbox, readonly=True)
                validity = number(client, "UIDVALIDITY")
                for row in client.uid("FETCH", "1:*", "(UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")[1]:
                    if isinstance(row, tuple):
                        uid = int(re.search(rb"UID (\d+)", row[0]).group(1))
                        self.assertEqual(meant.setdefault((mailbox, validity, uid), row[1].strip()), row[1].strip())
                client.logout()

        def resynchronise(mailbox, state, known=""):
            with Wire(server, "imaps", implicit_tls=True) as wire:
                wire.login(BOB)
                wire.tagged("ENABLE QRESYNC")
                return Resynchronised(wire.tagged(f"SELECT {mailbox} (QRESYNC ({state[0]} {state[1]}{known}))"))

        with Instance(ANNA) as server:
            fill_two_mailboxes(server, "1:2")
            note()
            saved = {mailbox: resynchronise(mailbox, (1, 1)).state for mailbox in ("INBOX", "Quiet")}
            self.backup(server)

            # The lost future: in INBOX 1 goes, 3 is flagged, 6 to 8 come; in Quiet 1 goes, 2 is flagged, 3 comes.
            client = imap(server, BOB)
            for mailbox, flagged in (("INBOX", "3"), ("Quiet", "2")):
                client.select(mailbox)
                client.store(flagged, "+FLAGS", r"(\Flagged)")
                client.store("1", "+FLAGS", r"(\Deleted)")
                client.expunge()
            client.logout()
            fill(server, BOB, 3, body="of the lost time\r\n", marks="lost")
            client = imap(server, BOB)
            client.select()
            client.copy("7", "Quiet")
            client.logout()
            note()
            lost = {mailbox: resynchronise(mailbox, (1, 1)).state for mailbox in ("INBOX", "Quiet")}
            server.stop()
            server.run("restore", self.to, "--force")
            server.start()
            note()

            def check_inbox():
                seen = resynchronise("INBOX", lost["INBOX"], " 2:8")
                self.assertEqual((seen.state[0], seen.exists, seen.vanished), (lost["INBOX"][0], 5, {6, 7, 8}))
                self.assertLessEqual({2, 3, 4, 5}, set(seen.fetched))  # of what it knows; the flag of 3 is gone
                self.assertNotIn("\\Flagged", seen.fetched[3])
                # Without known UIDs 1 to UIDNEXT - 1 count (RFC 7162 §3.2.5.1): also the one that is back.
                self.assertEqual(set(resynchronise("INBOX", lost["INBOX"]).fetched), {1, 2, 3, 4, 5})

            def check_quiet():
                seen = resynchronise("Quiet", lost["Quiet"], " 2:3")
                self.assertEqual((seen.state[0], seen.exists, seen.vanished), (lost["Quiet"][0], 2, {3}))
                self.assertNotIn("\\Flagged", seen.fetched[2])
                self.assertEqual(set(resynchronise("Quiet", lost["Quiet"]).fetched), {1, 2})

            check_inbox()
            check_quiet()
            # Who was away in the lost time has missed nothing.
            for mailbox, state in saved.items():
                seen = resynchronise(mailbox, state)
                self.assertEqual((seen.state, seen.vanished, seen.fetched), (state, set(), {}))

            # The next change: numbers are above all of the lost time, which is known to be none of theirs.
            client = imap(server, BOB)
            client.select()
            client.store("5", "+FLAGS", r"(\Answered)")
            self.assertGreater(resynchronise("INBOX", lost["INBOX"]).state[1], lost["INBOX"][1] + 2**31)
            check_inbox()
            check_quiet()
            self.assertEqual(set(resynchronise("INBOX", saved["INBOX"]).fetched), {5})

            # The next message, while somebody has INBOX open and knows it by its old UIDVALIDITY.
            with Wire(server, "imaps", implicit_tls=True) as wire:
                wire.login(BOB)
                self.assertIn("a OK", wire.tagged("SELECT INBOX")[-1])
                submit(server, message(ANNA, BOB, "New"))
                said = wire.tagged("NOOP")
                self.assertTrue(said[-1].startswith("* BYE"), said)
                self.assertFalse(any("EXISTS" in line for line in said), said)
            note()
            seen = resynchronise("INBOX", lost["INBOX"], " 2:8")
            self.assertGreater(seen.state[0], lost["INBOX"][0])
            self.assertEqual((seen.exists, seen.vanished, seen.fetched), (6, set(), {}))  # it begins anew
            check_quiet()

            # Once more, so that the message since is of a lost time, too.
            again = seen.state
            server.stop()
            server.run("restore", self.to, "--force")
            server.start()
            note()
            check_inbox()
            check_quiet()
            seen = resynchronise("INBOX", again, " 1:6")
            self.assertEqual((seen.state[0], seen.vanished, seen.fetched), (saved["INBOX"][0], set(), {}))
            submit(server, message(ANNA, BOB, "Newer"))
            note()
            self.assertGreater(resynchronise("INBOX", again).state[0], again[0])
            check_quiet()


if __name__ == "__main__":
    unittest.main()
