"""What was deleted comes back, or is gone for good: hikyaku undelete, with and without a running server; and space that returns."""
import base64
import json
import pathlib
import random
import smtplib
import time
import unittest

from harness import HIKYAKU, Instance, eventually
from mail import fill, fill_at_once, imap, message, messages, pop, raw_messages, submit
from saved_store import flip

ANNA, BOB = "anna@alpha.test", "bob@alpha.test"
CLOCK = pathlib.Path(HIKYAKU).parent / "clock_shim.so"


def journal_bytes(server):
    return sum(f.stat().st_blocks * 512 for f in (server.dir / "data" / "journal").iterdir())


def expunge(client, which):
    client.store(which, "+FLAGS", r"(\Deleted)")
    client.expunge()


def flags_by_subject(server, user, mailbox="INBOX"):
    """{subject: set of flags}"""
    client = imap(server, user)
    client.select(f'"{mailbox}"', readonly=True)
    found = {}
    for part in client.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]:
        if isinstance(part, tuple):
            flags = part[0].split(b"FLAGS (")[1].split(b")")[0].decode().split()
            found[part[1].decode().split(":", 1)[1].strip()] = set(flags) - {"\\Recent"}
    client.logout()
    return found


class Undelete(unittest.TestCase):
    def test_what_is_damaged_is_named_and_the_others_come_back(self):
        with Instance(ANNA) as server:
            rng = random.Random(11)
            for word in ("one", "two"):  # who sent it stands beside its body in the journal
                with smtplib.SMTP(server.host, server.port("smtp"), timeout=20) as smtp:
                    smtp.sendmail(f"{word}@beta.test", [ANNA], f"Subject: {word}\r\n\r\n{base64.encodebytes(rng.randbytes(2_000)).decode()}\r\n")
            eventually(lambda: len(messages(server)) == 2)
            client = imap(server)
            client.select()
            client.store("1:*", "+FLAGS", r"\Deleted")
            client.expunge()
            client.logout()
            server.stop()
            self.assertEqual(server.run("verify").returncode, 0)
            path, at = next((path, at) for path in sorted((server.dir / "data" / "journal").glob("*.log"))
                            if (at := path.read_bytes().find(b"two@beta.test")) >= 0)
            flip(path, at + 400)
            done = server.run("verify", check=False)
            self.assertEqual(done.returncode, 1, done.stdout)
            told = " ".join(done.stdout.split())
            self.assertIn("1 deleted message that undelete would bring back is damaged", told)
            self.assertIn("Subject: two", told)
            self.assertNotIn("Subject: one", told)
            self.assertNotIn("Everything is as it was written", told)
            found = json.loads(server.run("verify", "--json", check=False).stdout)
            self.assertEqual((found["good"], found["problem_count"], found["waiting_damaged"], len(found["mail"]["promised"])), (False, 0, 1, 1))
            server.start()
            done = server.run("undelete", ANNA, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("1 message of anna@alpha.test is back", " ".join(done.stdout.split()))
            self.assertIn("1 message is damaged and cannot be brought back", " ".join(done.stderr.split()))
            self.assertIn("two", done.stderr.splitlines()[-1])
            self.assertEqual([m["Subject"] for m in messages(server)], ["one"])
            server.stop()
            done = server.run("verify", "--repair", check=False)
            self.assertEqual(done.returncode, 1)  # something was lost
            self.assertIn("cannot be brought back any more", " ".join(done.stdout.split()))
            self.assertEqual(server.run("verify").returncode, 0)
            server.start()
            self.assertEqual(server.run("undelete", ANNA).returncode, 0)
            self.assertEqual([m["Subject"] for m in messages(server)], ["one"])

    def test_messages_come_back(self):
        with Instance(ANNA) as server:
            server.add_account(BOB)
            fill(server, BOB, 6)
            before = raw_messages(server, BOB)
            client = imap(server, BOB)
            client.create("Work/Old")
            client.select()
            uid_validity = client.untagged_responses["UIDVALIDITY"]
            client.store("2", "+FLAGS", r"(\Seen \Flagged $Todo)")
            client.copy("4", "Work/Old")
            expunge(client, "2:3")
            client.select('"Work/Old"')
            expunge(client, "1")
            client.close()
            client.delete("Work/Old")
            client.logout()
            taking = pop(server, BOB)
            taking.dele(1)
            taking.quit()
            self.assertEqual(len(raw_messages(server, BOB)), 3)

            listed = json.loads(server.run("undelete", "--list", BOB, "--json").stdout)
            self.assertEqual(sorted((m["mailbox"], m["subject"]) for m in listed),
                             [("INBOX", "Message 1"), ("INBOX", "Message 2"), ("INBOX", "Message 3"),
                              ("Work/Old", "Message 4")])
            shown = server.run("undelete", "--list").stdout
            self.assertIn("Message 2", shown)
            self.assertRegex(shown, r"DELETED \(UTC\) +UNTIL \(UTC\) +ACCOUNT")

            # By mailbox and time; while the server runs.
            done = json.loads(server.run("undelete", BOB, "--mailbox", "INBOX", "--since", "1h", "--json").stdout)
            self.assertEqual((done["restored"], done["orphans"], done["refused"]), (3, 0, 0))
            self.assertEqual(sorted(raw_messages(server, BOB)), sorted(before))
            self.assertEqual(flags_by_subject(server, BOB)["Message 2"], {"\\Seen", "\\Flagged", "$Todo"})
            client = imap(server, BOB)
            client.select()
            self.assertEqual(client.untagged_responses["UIDVALIDITY"], uid_validity)
            self.assertEqual(client.uid("SEARCH", "ALL")[1], [b"4 5 6 7 8 9"])
            client.logout()
            self.assertEqual(server.run("undelete", BOB, "--mailbox", "INBOX").stdout.split()[0], "0")

            # Its mailbox has gone; and no server runs.
            server.stop()
            self.assertIn("Undeleted", server.run("undelete", BOB).stdout)
            server.start()
            self.assertEqual(list(flags_by_subject(server, BOB, "Undeleted")), ["Message 4"])
            self.assertEqual(json.loads(server.run("undelete", "--list", "--json").stdout), [])
            server.stop()
            self.assertIn("Everything is as it was written", server.run("verify").stdout)

    def test_a_large_mailbox_comes_back_once_it_is_deleted(self):
        with Instance(ANNA) as server:
            client = imap(server)
            client.create("Large")
            fill(server, ANNA, 250, "Large", flags=r"\Seen")
            self.assertEqual(client.delete("Large")[0], "OK")
            client.logout()
            self.assertEqual(len(json.loads(server.run("undelete", "--list", ANNA, "--json").stdout)), 250)
            self.assertEqual(json.loads(server.run("undelete", ANNA, "--json").stdout)["restored"], 250)
            self.assertEqual(flags_by_subject(server, ANNA, "Undeleted"), {f"Message {i}": {"\\Seen"} for i in range(1, 251)})
            server.stop()
            self.assertIn("Everything is as it was written", server.run("verify").stdout)

    def test_a_purge_gives_up_what_a_delete_has_only_begun(self):
        with Instance(ANNA) as server:
            client = imap(server, ANNA)
            client.create("Large")
            fill_at_once(client, "Large", 36_000)
            self.assertEqual(client.delete("Large")[0], "OK")
            client.logout()
            server.run("undelete", "--purge", timeout=120)
            self.assertEqual(json.loads(server.run("undelete", "--list", ANNA, "--json").stdout), [])

    def test_the_server_ends_while_deletes_are_worked_off(self):
        """Two accounts have such work: the one in hand stops, the other is not begun; the next start goes on."""
        with Instance(ANNA) as server:
            server.add_account(BOB)
            clients = [imap(server, user) for user in (ANNA, BOB)]
            for client in clients:
                client.create("Large")
                fill_at_once(client, "Large", 27_000)
            for client in clients:
                self.assertEqual(client.delete("Large")[0], "OK")
            started = time.monotonic()
            server.stop()
            self.assertLess(time.monotonic() - started, 15)
            server.start()
            for user in (ANNA, BOB):
                self.assertEqual(len(json.loads(server.run("undelete", "--list", user, "--json", timeout=120).stdout)), 27_000)

    def test_before_and_renamed(self):
        with Instance(ANNA) as server:
            server.add_account(BOB)
            fill(server, BOB, 4)
            client = imap(server, BOB)
            client.create("Work")
            client.select()
            client.copy("1", "Work")
            client.select("Work")
            expunge(client, "1")
            client.close()
            client.rename("Work", "Play")
            client.logout()
            time.sleep(1.1)
            moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            time.sleep(1.1)
            client = imap(server, BOB)
            client.select()
            expunge(client, "2")
            client.logout()
            listed = json.loads(server.run("undelete", "--list", BOB, "--before", moment, "--json").stdout)
            self.assertEqual([m["subject"] for m in listed], ["Message 1"])
            done = json.loads(server.run("undelete", BOB, "--before", moment, "--json").stdout)
            self.assertEqual((done["restored"], done["orphans"]), (1, 0))
            self.assertEqual(list(flags_by_subject(server, BOB, "Play")), ["Message 1"])
            self.assertEqual(len(raw_messages(server, BOB)), 3)
            done = json.loads(server.run("undelete", BOB, "--json").stdout)
            self.assertEqual((done["restored"], len(raw_messages(server, BOB))), (1, 4))

    def test_nothing_comes_back_twice(self):
        """What was brought back by other means, byte for byte, is left out and counted; what only looks like it is not."""
        with Instance(ANNA) as server:
            server.add_account(BOB)
            fill(server, BOB, 4)
            submit(server, message(ANNA, BOB, "Received"))
            eventually(lambda: len(raw_messages(server, BOB)) == 5)
            before = raw_messages(server, BOB)
            client = imap(server, BOB)
            client.create("Gone")
            client.select()
            client.copy("1", "Gone")
            client.copy("1", "Gone")
            expunge(client, "1:5")
            # The second and the received one come back by hand, the third with another text of the same length.
            client.append("INBOX", None, None, before[1])
            client.append("INBOX", None, None, before[4])
            client.append("INBOX", None, None, before[2].replace(b"text", b"tExt"))
            client.select("Gone")
            expunge(client, "1:2")
            client.close()
            client.delete("Gone")
            client.logout()
            self.assertIn("2 more are in their mailboxes already", " ".join(server.run("undelete", BOB, "--mailbox", "INBOX").stdout.split()))
            self.assertEqual(sorted(raw_messages(server, BOB)), sorted([*before, before[2].replace(b"text", b"tExt")]))
            # The copies have one place to go to, and are the same.
            done = json.loads(server.run("undelete", BOB, "--json").stdout)
            self.assertEqual((done["restored"], done["orphans"], done["present"], done["refused"]), (1, 1, 3, 0))
            done = json.loads(server.run("undelete", BOB, "--json").stdout)
            self.assertEqual((done["restored"], done["present"]), (0, 3))
            self.assertEqual(len(raw_messages(server, BOB, "Undeleted")), 1)
            self.assertEqual(len(raw_messages(server, BOB)), 6)
            server.stop()
            self.assertIn("Everything is as it was written", server.run("verify").stdout)

    def test_bad_requests(self):
        with Instance(ANNA) as server:
            server.add_account(BOB)
            for wrong in (["undelete"], ["undelete", "nobody@alpha.test"], ["undelete", BOB, "--since", "yesterday"],
                          ["undelete", BOB, "--purge"], ["undelete", "--purge", "--mailbox", "X"]):
                done = server.run(*wrong, check=False)
                self.assertNotEqual(done.returncode, 0, wrong)
                self.assertTrue(done.stderr.startswith("hikyaku: "), done.stderr)
            refused = server.run("undelete", BOB, "--mailbox", "Nope", check=False)
            self.assertEqual(refused.returncode, 67, refused.stdout)
            self.assertIn("no mailbox Nope", refused.stderr)
            # Also where there is one account only, it has a name.
            server.run("account", "remove", BOB, "--yes")
            self.assertNotEqual(server.run("undelete", check=False).returncode, 0)


@unittest.skipUnless(CLOCK.exists(), f"{CLOCK} is not built")
class Retention(unittest.TestCase):
    def test_what_is_deleted_stays_as_long_as_is_configured(self):
        """Two hours after it was deleted, as the servers' clock has it; their first look is a minute after the start."""
        servers = {kept: self.enterContext(Instance(ANNA, config={"store.retention": f'"{kept}"'})) for kept in ("3h", "1h")}
        listed = lambda server: [m["subject"] for m in json.loads(server.run("undelete", "--list", "--json").stdout)]
        for server in servers.values():
            fill(server, ANNA, 2)
            client = imap(server, ANNA)
            client.select()
            expunge(client, "1")
            client.logout()
            self.assertEqual(listed(server), ["Message 1"])
            server.stop()
            server.env = {"LD_PRELOAD": str(CLOCK), "HIKYAKU_CLOCK_AHEAD": "7200"}
            server.start()
        eventually(lambda: any("event=store.reclaimed bodies=1 " in line for line in servers["1h"].log), timeout=100, every=1)
        self.assertEqual(listed(servers["1h"]), [])
        # The other was started before it, and has looked.
        self.assertEqual([line for line in servers["3h"].log if "event=store.reclaim" in line], [])
        self.assertEqual(listed(servers["3h"]), ["Message 1"])
        servers["3h"].run("undelete", ANNA)
        self.assertEqual([len(raw_messages(server, ANNA)) for server in servers.values()], [2, 1])


class Space(unittest.TestCase):
    def test_a_purge_returns_space_while_mail_comes_in(self):
        with Instance(ANNA, config={"store.reserve": '"16MB"'}) as server:
            server.add_account(BOB)
            big = "".join(f"{i:06d} " + "x" * 60 + "\n" for i in range(15_000))  # 1 MB
            for i in range(30):
                submit(server, message(ANNA, BOB, f"Big {i}", big))
            for i in range(20):
                submit(server, message(ANNA, BOB, f"Small {i}"))
            full = journal_bytes(server)
            self.assertGreater(full, 30 << 20)
            client = imap(server, BOB)
            client.select()
            expunge(client, "1:29")
            kept = raw_messages(server, BOB)
            self.assertEqual(len(kept), 21)
            server.run("undelete", BOB, "--since", "2030-01-01")
            self.assertGreater(journal_bytes(server), 30 << 20)

            done = json.loads(server.run("undelete", "--purge", "--json", timeout=120).stdout)
            self.assertEqual(done["bodies"], 29)
            self.assertLess(journal_bytes(server), full - (25 << 20))
            self.assertEqual(raw_messages(server, BOB), kept)
            self.assertEqual(json.loads(server.run("undelete", "--list", "--json").stdout), [])
            self.assertIn("journal takes", server.run("check", "--no-dns", check=False).stdout)
            submit(server, message(ANNA, BOB, "After"))
            server.kill()
            server.start()
            self.assertEqual(raw_messages(server, BOB)[:-1], kept)
            server.stop()
            self.assertIn("Everything is as it was written", server.run("verify").stdout)


if __name__ == "__main__":
    unittest.main()
