"""`hikyaku export` and `import`: mail to files and back."""
import imaplib
import json
import mailbox
import re
import shutil
import unittest

from harness import hikyaku, Instance
from mail import imap


class Transfer(unittest.TestCase):
    """Mail out into files and back, and files that others wrote."""

    def fill(self, server):
        client = imap(server, "anna@alpha.test")
        client.create('"Work/Pro.jects"')
        client.create('"&ZeVnLIqe-"')  # 日本語
        bodies = {}
        for folder in ("INBOX", "Work/Pro.jects", "&ZeVnLIqe-"):
            for i in range(3):
                text = (f"From: a@b.test\r\nSubject: {folder} {i}\r\nMessage-ID: <{folder}{i}@x>\r\n\r\n"
                        f"From here\r\n>From there\r\n{'x' * 3000 * i}\r\n\r\n").encode()
                flags = ["\\Seen", "\\Flagged $Label1", ""][i]
                when = imaplib.Time2Internaldate(1_600_000_000 + i * 100_000)
                client.append(f'"{folder}"', f"({flags})", when, text)
                bodies.setdefault(folder, []).append(text)
        client.logout()
        return bodies

    def state(self, server, user):
        client = imap(server, user)
        state = {}
        for line in client.list()[1]:
            name = re.search(rb'"/" "?(.*?)"?$', line)[1].decode()
            client.select(f'"{name}"', readonly=True)
            rows = []
            for number in client.search(None, "ALL")[1][0].split():
                got = client.fetch(number, "(FLAGS INTERNALDATE BODY.PEEK[])")[1]
                head = got[0][0] + (got[1] if isinstance(got[1], bytes) else b"")
                flags = sorted(set(re.search(rb"FLAGS \((.*?)\)", head)[1].split()) - {b"\\Recent"})
                rows.append((re.search(rb'INTERNALDATE "(.*?)"', head)[1], flags, got[0][1]))
            state[name] = sorted(rows)
        client.logout()
        return state

    def test_there_and_back(self):
        for form in ("maildir", "mbox"):
            for running in (True, False):
                with self.subTest(form=form, running=running), Instance("anna@alpha.test") as server:
                    server.add_account("ben@alpha.test")
                    self.fill(server)
                    if not running:
                        server.stop()
                    out = server.dir / "out"
                    done = json.loads(server.run("export", "--account", "anna@alpha.test", "--format", form, out,
                                                 "--json").stdout)
                    self.assertEqual(done["count"], 9)
                    made = json.loads(server.run("import", "--account", "ben@alpha.test", out, "--json").stdout)
                    self.assertEqual((made["imported"], made["known"], made["refused"]), (9, 0, 0))
                    again = json.loads(server.run("import", "--account", "ben@alpha.test", out, "--json").stdout)
                    self.assertEqual((again["imported"], again["known"]), (0, 9))
                    if not running:
                        server.start()
                    self.assertEqual(self.state(server, "anna@alpha.test"), self.state(server, "ben@alpha.test"))
                    full = server.run("export", "--account", "anna@alpha.test", out, check=False)
                    self.assertEqual(full.returncode, 73)

    def test_names_too_long_for_a_file(self):
        kana = "かな" * 42
        mailboxes = (f"Work/{kana}", f"Work/{kana}a", f"{kana}/下/{kana}", "zzz")
        with Instance("anna@alpha.test") as server:
            server.add_account("ben@alpha.test")
            for i, mailbox_ in enumerate(mailboxes):
                one = server.dir / f"{i}.mbox"
                one.write_text(f"From - Fri Jul 14 02:40:00 2017\nStatus: RO\nSubject: mail {i}\n\n")
                server.run("import", "--account", "anna@alpha.test", "--mailbox", mailbox_, one)
            # UTF-7 has room for one such level, and counts all levels together.
            for form, too_long in (("mbox", mailboxes[:3]), ("maildir", mailboxes[2:3])):
                with self.subTest(form=form):
                    out = server.dir / form
                    told = server.run("export", "--account", "anna@alpha.test", "--format", form, out).stdout
                    said = "".join(told.split())
                    self.assertRegex(said, "LONG-NAMESsayswhat(theyare|itis)called")
                    self.assertEqual([f":{name}" in said for name in mailboxes], [name in too_long for name in mailboxes])
                    server.run("import", "--account", "ben@alpha.test", "--mailbox", form, out)
                    state = self.state(server, "ben@alpha.test")
                    below = {name: rows for name, rows in state.items() if name.startswith(form) and rows}
                    mine = {name: rows for name, rows in self.state(server, "anna@alpha.test").items() if rows}
                    self.assertEqual(sorted(below.values()), sorted(mine.values()))
                    self.assertEqual(len(below), 4)
            again = json.loads(server.run("export", "--account", "ben@alpha.test", "--mailbox", "mbox", "--format", "mbox", "--json", server.dir / "again").stdout)
            self.assertLessEqual({f"mbox/{name}" for name in mailboxes[:3]}, {one["mailbox"] for one in again["long_names"]})

    def test_what_is_there_is_counted_once(self):
        """Of two that are the same one is there already, the other is not."""
        with Instance("anna@alpha.test") as server:
            text = "From: a@b.test\nSubject: twin\nMessage-ID: <twin@x>\n\nthe same\n"
            box = mailbox.Maildir(server.dir / "twins")
            box.add(text)
            server.run("import", "--account", "anna@alpha.test", "--mailbox", "Twins", server.dir / "twins")
            box.add(text)
            for running in (True, False):
                with self.subTest(running=running):
                    if not running:
                        box.add(text)
                        server.stop()
                    made = json.loads(server.run("import", "--account", "anna@alpha.test", "--mailbox", "Twins", server.dir / "twins",
                                                 "--json").stdout)
                    self.assertEqual((made["imported"], made["known"]), (1, 1 if running else 2))

    def test_what_only_looks_the_same_is_taken(self):
        """Message-ID and size may be those of another one: copies of a mailing list, a forged one."""
        with Instance("anna@alpha.test") as server:
            def taken(*versions):
                (server.dir / "box").unlink(missing_ok=True)
                box = mailbox.mbox(server.dir / "box")
                for version in versions:
                    box.add(f"From: a@b.test\nMessage-ID: <same@x>\n\nversion {version}\n")
                box.close()
                made = json.loads(server.run("import", "--account", "anna@alpha.test", server.dir / "box", "--json").stdout)
                return made["imported"], made["known"]

            self.assertEqual(taken("A"), (1, 0))
            self.assertEqual(taken("B"), (1, 0))
            for running in (True, False):
                with self.subTest(running=running):
                    if not running:
                        server.stop()
                    self.assertEqual(taken("B"), (0, 1))
                    self.assertEqual(taken("B", "C", "A"), (1, 2) if running else (0, 3))
            self.assertEqual(taken("C", "C"), (1, 1))

    def test_files_of_others(self):
        with Instance("anna@alpha.test") as server:
            top = server.dir / "files"
            box = mailbox.Maildir(top)
            work = box.add_folder("Work")
            message = mailbox.MaildirMessage("Subject: by Python\n\nhello\n")
            message.set_flags("RS")
            message.set_date(1_500_000_000)
            message.set_subdir("cur")
            work.add(message)
            server.run("import", "--account", "anna@alpha.test", "--mailbox", "Old", top)
            state = self.state(server, "anna@alpha.test")
            self.assertEqual(state["Old/Work"],
                             [(b"14-Jul-2017 02:40:00 +0000", [b"\\Answered", b"\\Seen"],
                               b"Subject: by Python\r\n\r\nhello\r\n")])
            single = server.dir / "single"
            single.write_text("From - Fri Jul 14 02:40:00 2017\nStatus: RO\nSubject: one\n\n>From x\nFrom y\n\n"
                              "From a b@c Fri Jul 14 02:40:01 2017\nSubject: two\n\nlast")
            server.run("import", "--account", "anna@alpha.test", "--mailbox", "Single", single)
            self.assertEqual([row[1:] for row in self.state(server, "anna@alpha.test")["Single"]],
                             [([b"\\Seen"], b"Subject: one\r\n\r\nFrom x\r\nFrom y\r\n"),
                              ([], b"Subject: two\r\n\r\nlast\r\n")])
            (top / ".Sub" / "cur").mkdir(parents=True)
            (top / ".Sub" / "new").symlink_to("/etc")  # not even root reads it
            (top / ".Sub" / "cur" / "1:2,S").write_text("Subject: beside it\n\n")
            done = server.run("import", "--account", "anna@alpha.test", "--mailbox", "Old", top, check=False)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertRegex(done.stdout, r"1 message imported into anna@alpha.test, 1 was there already")
            self.assertRegex(" ".join(done.stdout.split()), r"1 folder or file could not be read, and was passed over: \S+/\.Sub/new is a link")
            told = json.loads(server.run("import", "--account", "anna@alpha.test", "--mailbox", "Old", top, "--json", check=False).stdout)
            self.assertEqual((told["imported"], told["known"], told["unreadable"], len(told["passed_over"])), (0, 2, 1, 1))
            shutil.rmtree(top / ".Sub")
            for wrong in (server.dir / "nothing", server.dir / "tls", server.dir / "hikyaku.toml"):
                done = server.run("import", "--account", "anna@alpha.test", wrong, check=False)
                self.assertIn(done.returncode, (65, 66), done.stderr)
            exported = server.dir / "exported"
            server.run("export", "--account", "anna@alpha.test", "--format", "mbox", exported)
            self.assertEqual(len(mailbox.mbox(exported / "Single.mbox")), 2)
            server.run("export", "--account", "anna@alpha.test", "--mailbox", "Old", server.dir / "m")
            self.assertEqual(len(mailbox.Maildir(server.dir / "m").get_folder("Old.Work")), 1)
