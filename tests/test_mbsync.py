"""mbsync (isync) keeps a Maildir and the server the same: both ways, flags, folders, expunges, a thousand messages."""
import os
import pathlib
import re
import tempfile
import time
import unittest

from harness import PASSWORD, Instance, need
from mail import fill, imap, run, subjects


class Mbsync(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        need("mbsync")
        cls.server = cls.enterClassContext(Instance("anna@alpha.test"))

    def client(self, user, tls="IMAPS"):
        """A local store of its own for an account of its own."""
        self.server.add_account(user)
        self.user = user
        self.home = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.local = self.home / "mail"
        self.local.mkdir()
        (self.home / "mbsyncrc").write_text(f"""\
FSync no

IMAPAccount there
Host {self.server.host}
Port {self.server.port("imaps" if tls == "IMAPS" else "imap")}
User {user}
Pass "{PASSWORD}"
SSLType {tls}
CertificateFile {self.server_certificate()}
AuthMechs *
PipelineDepth 50

IMAPStore far
Account there

MaildirStore near
Path {self.local}/
Inbox {self.local}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
SyncState *
CopyArrivalDate yes
Sync All
""")

    def server_certificate(self):
        return next(p for p in (self.server.dir / "tls").iterdir() if b"BEGIN CERTIFICATE" in p.read_bytes())

    def sync(self):
        return run("mbsync", "-c", self.home / "mbsyncrc", "-V", "all", env={**os.environ, "HOME": str(self.home)}, timeout=120).stdout

    def here(self, folder="INBOX"):
        """{subject: (flags, path)} of the local folder."""
        found = {}
        for path in [*(self.local / folder / "cur").iterdir(), *(self.local / folder / "new").iterdir()]:
            subject = re.search(r"(?m)^Subject: (.*?)\r?$", path.read_text(errors="replace")).group(1)
            found[subject] = (path.name.partition(":2,")[2], path)
        return found

    def put(self, folder, subject, flags=""):
        for sub in ("cur", "new", "tmp"):
            (self.local / folder / sub).mkdir(parents=True, exist_ok=True)
        path = self.local / folder / "cur" / f"{time.monotonic_ns()}.1.pc1:2,{flags}"
        path.write_text(f"From: anna@alpha.test\nSubject: {subject}\nMessage-ID: <{subject}@pc1>\n\nwritten here\n")

    def flags_there(self, folder="INBOX"):
        client = imap(self.server, self.user)
        client.select(f'"{folder}"', readonly=True)
        rows = client.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
        client.logout()
        flags = {}
        for row, rest in zip(rows[::2], rows[1::2]):
            known = re.search(rb"FLAGS \(([^)]*)\)", row[0] + rest).group(1).decode()
            flags[re.search(rb"Subject: (.*)\r", row[1]).group(1).decode()] = set(known.split()) - {"\\Recent"}
        return flags

    def test_both_ways_with_flags_folders_and_expunges(self):
        self.client("sync@alpha.test")
        fill(self.server, self.user, 3)
        self.sync()
        self.assertEqual(set(self.here()), {"Message 1", "Message 2", "Message 3"})
        self.assertEqual({"INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"}, {p.name for p in self.local.iterdir() if p.is_dir()})

        # Here: flags, a new message, a new folder with a name that is not ASCII.
        flags, path = self.here()["Message 1"]
        path.rename(self.local / "INBOX" / "cur" / (path.name.partition(":2,")[0] + ":2,FRS"))
        self.put("INBOX", "From here", "S")
        self.put("旅行", "Trip", "FS")
        # There: a flag, a new message in a folder of a folder.
        client = imap(self.server, self.user)
        client.select("INBOX")
        client.store("2", "+FLAGS", r"(\Answered)")
        client.create("projects/hikyaku")
        client.logout()
        fill(self.server, self.user, 1, "projects/hikyaku", r"(\Flagged)")
        self.sync()
        there = self.flags_there()
        self.assertEqual(there["Message 1"], {r"\Flagged", r"\Answered", r"\Seen"})
        self.assertEqual(there["From here"], {r"\Seen"})
        self.assertEqual(self.flags_there("&ZcWITA-"), {"Trip": {r"\Flagged", r"\Seen"}})
        self.assertEqual(self.here()["Message 2"][0], "R")
        self.assertEqual({s: f for s, (f, _) in self.here("projects/hikyaku").items()}, {"Message 1": "F"})

        # Deleted here, expunged there; deleted there, gone here.
        self.here()["Message 3"][1].unlink()
        client = imap(self.server, self.user)
        client.select("INBOX")
        client.store("2", "+FLAGS", r"(\Deleted)")
        client.expunge()
        client.logout()
        self.sync()
        self.assertEqual(sorted(subjects(self.server, self.user)), ["From here", "Message 1"])
        self.assertEqual(sorted(self.here()), ["From here", "Message 1"])
        self.check_second_run()

    def check_second_run(self):
        """Nothing more is to be done."""
        before = self.snapshot()
        output = self.sync()
        self.assertEqual(self.snapshot(), before)
        self.assertNotRegex(output, r"[1-9]\d* new message|C: [^\n]*\+[1-9]")

    def snapshot(self):
        return sorted(str(p) for p in self.local.rglob("*") if ":2," in p.name), subjects(self.server, self.user)

    def test_a_thousand_messages_down_and_up(self):
        self.client("thousand@alpha.test", "STARTTLS")
        for i in range(1000):
            self.put("big", f"Number {i}", "S" if i % 3 else "")
        self.sync()
        client = imap(self.server, self.user)
        self.assertEqual(client.status("big", "(MESSAGES UNSEEN)")[1][0].split(b" ", 1)[1], b"(MESSAGES 1000 UNSEEN 334)")
        client.logout()
        for path in (self.local / "big" / "cur").iterdir():
            path.unlink()
        for name in self.local.rglob(".mbsyncstate*"):
            name.unlink()
        for name in self.local.rglob(".uidvalidity"):
            name.unlink()
        self.sync()
        self.assertEqual(sorted(self.here("big")), sorted(f"Number {i}" for i in range(1000)))
        self.assertEqual(sum(flags == "S" for flags, _ in self.here("big").values()), 666)
        self.check_second_run()

    def test_arrival_dates_are_kept(self):
        self.client("dates@alpha.test")
        client = imap(self.server, self.user)
        client.append("INBOX", None, '"05-Oct-2001 12:34:56 +0900"', b"Subject: old\r\n\r\nx\r\n")
        client.logout()
        self.sync()
        self.assertEqual(int(self.here()["old"][1].stat().st_mtime), 1002252896)


if __name__ == "__main__":
    unittest.main()
