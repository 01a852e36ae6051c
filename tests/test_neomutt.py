"""neomutt (or mutt), driven by keys as in a terminal: sending, reading, copying, moving, deleting, flagging; POP."""
import os
import pathlib
import shutil
import tempfile
import unittest

from harness import PASSWORD, Instance
from mail import fill, imap, messages, run, stamp, subjects

ANNA, BOB = "anna@alpha.test", "bob@alpha.test"
MUTT = shutil.which("neomutt") or shutil.which("mutt")


@unittest.skipUnless(MUTT, "neither neomutt nor mutt is installed")
@unittest.skipUnless(shutil.which("script"), "script (bsdutils), which makes a terminal, is not installed")
class Neomutt(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Instance(ANNA))
        cls.server.add_account(BOB)
        cls.home = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))

    def configure(self, user, *lines):
        imaps = f"imaps://{self.server.host}:{self.server.port('imaps')}"
        (self.home / "muttrc").write_text("\n".join([
            f'set imap_user="{user}" imap_pass="{PASSWORD}" pop_user="{user}" pop_pass="{PASSWORD}" smtp_pass="{PASSWORD}"',
            f'set smtp_url="smtps://{user}@{self.server.host}:{self.server.port("submissions")}"',
            f'set folder="{imaps}/" spoolfile="+INBOX" record="+Sent" postponed="+Drafts" trash="" from="{user}" realname="Anna A."',
            'set ssl_force_tls ssl_verify_host=no ssl_verify_dates=no', f'set certificate_file="{self.certificate()}" header_cache=""',
            'set use_envelope_from edit_headers=no sleep_time=0 timeout=1 mail_check=1 delete=yes quit=yes move=no copy=yes confirmappend=no confirmcreate=no',
            # Left to itself, neomutt with libgsasl tries SCRAM-SHA-256-PLUS where that is offered, cannot do it, and gives up
            # (SMTP) or takes the answer to its "*" for the answer to the next command (POP3).
            'set smtp_authenticators="plain" pop_authenticators="user"',
            'set mark_old=no wait_key=no pager_stop tmpdir="' + str(self.home) + '"', *lines]) + "\n")

    def certificate(self):
        """The server's own is trusted."""
        return next(p for p in (self.server.dir / "tls").iterdir() if b"BEGIN CERTIFICATE" in p.read_bytes())

    def mutt(self, *arguments, input=None):
        return run(MUTT, "-n", "-F", self.home / "muttrc", *arguments, input=input, env=self.environment())

    def environment(self):
        return {**os.environ, "HOME": str(self.home), "TERM": "vt100", "LANG": "C.UTF-8", "MAIL": "/nonexistent"}

    def keys(self, folder, keys):
        """Opens a folder in a terminal, presses keys, leaves."""
        (self.home / "keys").write_text(f"push '{keys}<sync-mailbox><exit>'\n")
        command = f"{MUTT} -n -F {self.home}/muttrc -f {folder} -e 'source {self.home}/keys'"
        return run("script", "-qec", command, "/dev/null", env=self.environment(), timeout=40)

    def account(self, count):
        user = f"u{stamp()}@alpha.test"
        self.server.add_account(user)
        fill(self.server, user, count)
        self.configure(user)
        return user

    def flags(self, user):
        client = imap(self.server, user)
        client.select(readonly=True)
        rows = client.fetch("1:*", "(FLAGS)")[1]
        client.logout()
        return [set(row.decode().split("FLAGS (")[1].split(")")[0].split()) - {"\\Recent"} for row in rows]

    def test_sends_with_an_attachment(self):
        self.configure(ANNA)
        attachment = self.home / "bericht.txt"
        attachment.write_text("Anhang\n")
        mark = stamp()
        self.mutt("-s", mark, "-a", attachment, "--", BOB, input="Grüße aus 東京\n")
        got = [m for m in messages(self.server, BOB) if m["Subject"] == mark][0]
        self.assertEqual(got["From"], "\"Anna A.\" <anna@alpha.test>")
        text, attached = got.get_payload()
        self.assertEqual(text.get_payload(decode=True).decode().strip(), "Grüße aus 東京")
        self.assertEqual((attached.get_filename(), attached.get_payload(decode=True).strip()), ("bericht.txt", b"Anhang"))

    def test_sends_by_starttls(self):
        self.configure(ANNA, f'set smtp_url="smtp://{ANNA}@{self.server.host}:{self.server.port("submission")}" ssl_starttls=yes')
        mark = stamp()
        self.mutt("-s", mark, BOB, input="x\n")
        self.assertIn(mark, subjects(self.server, BOB))

    def test_reads_flags_copies_moves_and_deletes(self):
        user = self.account(5)
        self.keys("+INBOX", "<first-entry><display-message><exit><flag-message><delete-message>"
                            "<copy-message>+Archive<enter><next-entry><save-message>+Trash<enter>")
        self.assertEqual(subjects(self.server, user), ["Message 1", "Message 3", "Message 5"])
        self.assertEqual(self.flags(user)[0], {"\\Seen", "\\Flagged"})
        self.assertEqual(subjects(self.server, user, "Archive"), ["Message 3"])
        self.assertEqual(subjects(self.server, user, "Trash"), ["Message 4"])

    def test_searches_on_the_server_and_tags(self):
        user = self.account(12)
        self.keys("+INBOX", "<tag-pattern>=b text<enter><untag-pattern>~s \"Message 1\"<enter><tag-prefix><save-message>+Archive<enter>")
        self.assertEqual(subjects(self.server, user), ["Message 1", "Message 10", "Message 11", "Message 12"])
        self.assertEqual(len(subjects(self.server, user, "Archive")), 8)

    def test_reads_by_pop(self):
        user = self.account(3)
        self.configure(user)
        self.keys(f"pops://{self.server.host}:{self.server.port('pop3s')}/", "<last-entry><display-message><exit><first-entry><delete-message>")
        self.assertEqual(subjects(self.server, user), ["Message 2", "Message 3"])

    def test_a_draft_is_kept_recalled_and_sent(self):
        user = self.account(1)
        mark = stamp()
        editor = self.home / "editor"
        editor.write_text('#!/bin/sh\necho "written by hand" >>"$1"\n')
        editor.chmod(0o700)
        self.configure(user, f'set editor="{editor}" autoedit=no fast_reply=no abort_unmodified=no')
        self.keys("+INBOX", f"<mail>{BOB}<enter>{mark}<enter><postpone-message>")
        self.assertEqual(subjects(self.server, user, "Drafts"), [mark])
        self.keys("+INBOX", "<recall-message><send-message>")
        self.assertEqual(subjects(self.server, user, "Drafts"), [])
        self.assertEqual(subjects(self.server, user, "Sent"), [mark])
        self.assertIn("written by hand", [m for m in messages(self.server, BOB) if m["Subject"] == mark][0].get_payload())


if __name__ == "__main__":
    unittest.main()
