"""Python's imaplib, poplib and smtplib, every command of them; IDLE by hand; two clients that see each other."""
import base64
import hashlib
import hmac
import imaplib
import poplib
import re
import smtplib
import time
import unittest

from harness import PASSWORD, Instance
from mail import Wire, fill, imap, message, pop, raw_messages, stamp, subjects, submit, tls

ANNA = "anna@alpha.test"


class Imaplib(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Instance(ANNA, config={"login.max_failures": 50}))
        cls.count = 0

    def setUp(self):
        type(self).count += 1
        self.user = f"user{self.count}@alpha.test"
        self.server.add_account(self.user)

    def client(self):
        client = imap(self.server, self.user)
        self.addCleanup(self.leave, client)
        return client

    @staticmethod
    def leave(client):
        if client.state != "LOGOUT":
            client.logout()

    def ok(self, answer):
        self.assertEqual(answer[0], "OK", answer)
        return answer[1]

    def test_login_in_every_way(self):
        def plain(_):
            return f"\0{self.user}\0{PASSWORD}".encode()

        with imaplib.IMAP4(self.server.host, self.server.port("imap"), timeout=20) as client:
            self.assertIn("STARTTLS", client.capabilities)
            self.ok(client.starttls(tls()))
            self.assertNotIn("STARTTLS", client.capabilities)
            self.ok(client.login(self.user, PASSWORD))
        for login in (lambda c: c.login_cram_md5(self.user, PASSWORD), lambda c: c.authenticate("PLAIN", plain),
                      lambda c: c.login(self.user, PASSWORD)):
            with imaplib.IMAP4_SSL(self.server.host, self.server.port("imaps"), ssl_context=tls(), timeout=20) as client:
                self.ok(login(client))
                self.ok(client.select())
        with imaplib.IMAP4_SSL(self.server.host, self.server.port("imaps"), ssl_context=tls(), timeout=20) as client:
            with self.assertRaisesRegex(imaplib.IMAP4.error, "AUTHENTICATIONFAILED"):
                client.login(self.user, "wrong")
            self.ok(client.login(self.user, PASSWORD))  # the connection lives

    def test_folders(self):
        client = self.client()
        self.ok(client.create("a/b/c"))
        self.ok(client.create("&ZeVnLIqe-"))
        names = [re.search(rb'"/" (.*)$', line).group(1) for line in self.ok(client.list())]
        for name in (b"INBOX", b"a", b"a/b", b"a/b/c", b"&ZeVnLIqe-", b"Sent"):
            self.assertIn(name, names)
        self.assertEqual([line.rsplit(b" ", 1)[1] for line in self.ok(client.list("a", "%"))], [b"a"])
        self.assertEqual([line.rsplit(b" ", 1)[1] for line in self.ok(client.list("a/", "%"))], [b"a/b"])
        self.ok(client.subscribe("a/b"))
        self.assertIn(b"a/b", b" ".join(self.ok(client.lsub())))
        self.ok(client.unsubscribe("a/b"))
        self.assertNotIn(b"a/b", [line.rsplit(b" ", 1)[1] for line in self.ok(client.lsub())])
        self.ok(client.rename("a", "z"))
        names = [line.rsplit(b" ", 1)[1] for line in self.ok(client.list())]
        self.assertIn(b"z/b/c", names)
        self.assertNotIn(b"a/b/c", names)
        self.ok(client.delete("z/b/c"))
        self.assertEqual(client.delete("z/b/c")[0], "NO")
        self.assertEqual(client.create("inbox")[0], "NO")
        self.assertEqual(client.select("nowhere")[0], "NO")
        self.assertIn(b"TRYCREATE", client.append("nowhere", None, None, b"Subject: x\r\n\r\n")[1][0])
        self.assertRegex(self.ok(client.namespace())[0], rb'\(\("" "/"\)\) NIL NIL')

    def test_append_status_and_fetch(self):
        client = self.client()
        text = b"From: =?utf-8?B?44GC44GK?= <anna@alpha.test>\r\nTo: bob@alpha.test\r\nSubject: parts\r\nDate: Mon, 05 Oct 2026 10:11:12 +0900\r\n" \
               b"Message-ID: <parts@alpha.test>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\npreamble\r\n" \
               b"--x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nfirst\r\n--x\r\nContent-Type: application/pdf; name=\"a.pdf\"\r\n" \
               b"Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"a.pdf\"\r\n\r\nAAECAwQ=\r\n--x--\r\n"
        appended = self.ok(client.append("INBOX", r"(\Seen $Label1)", '"05-Oct-2026 10:11:12 +0900"', text))
        self.assertRegex(appended[0], rb"\[APPENDUID \d+ 1\]")
        self.assertEqual(self.ok(client.status("INBOX", "(MESSAGES UIDNEXT UNSEEN)"))[0], b"INBOX (MESSAGES 1 UIDNEXT 2 UNSEEN 0)")
        self.assertEqual(self.ok(client.select()), [b"1"])

        def fetch(items):
            return self.ok(client.fetch("1", items))

        self.assertEqual(fetch("(BODY.PEEK[])")[0][1], text)
        self.assertEqual(fetch("(RFC822)")[0][1], text)
        self.assertEqual(fetch("(RFC822.HEADER)")[0][1], text[:text.index(b"preamble")])
        self.assertEqual(fetch("(BODY[HEADER.FIELDS (SUBJECT TO)])")[0][1], b"To: bob@alpha.test\r\nSubject: parts\r\n\r\n")
        self.assertNotIn(b"Subject", fetch("(BODY[HEADER.FIELDS.NOT (SUBJECT)])")[0][1])
        self.assertEqual(fetch("(BODY[1])")[0][1], b"first")
        self.assertEqual(fetch("(BODY[2])")[0][1], b"AAECAwQ=")
        self.assertEqual(fetch("(BINARY.PEEK[2])")[0][1], b"\0\1\2\3\4")
        self.assertEqual(fetch("(BODY[1]<1.3>)")[0], (b"1 (BODY[1]<1> {3}", b"irs"))
        self.assertEqual(time.mktime(imaplib.Internaldate2tuple(fetch("(INTERNALDATE)")[0])), 1791162672)
        self.assertIn(b"RFC822.SIZE %d" % len(text), fetch("FAST")[0])
        self.assertEqual(set(imaplib.ParseFlags(fetch("(FLAGS)")[0])), {b"\\Seen", b"\\Recent", b"$Label1"})
        envelope = b'("Mon, 05 Oct 2026 10:11:12 +0900" "parts" (("=?utf-8?B?44GC44GK?=" NIL "anna" "alpha.test"))'
        self.assertIn(envelope, fetch("ALL")[0])
        self.assertIn(b'"APPLICATION" "PDF" ("NAME" "a.pdf")', fetch("(BODYSTRUCTURE)")[0].upper().replace(b"A.PDF", b"a.pdf"))

    def test_flags_copy_move_and_expunge(self):
        fill(self.server, self.user, 5)
        client = self.client()
        self.ok(client.select())
        self.ok(client.store("1:3", "+FLAGS", r"(\Flagged keyword)"))
        self.ok(client.store("2", "-FLAGS", "keyword"))
        self.ok(client.store("3", "FLAGS", r"(\Deleted)"))
        self.assertEqual(self.ok(client.search(None, "KEYWORD", "keyword"))[0], b"1")
        self.ok(client.copy("1:2", "Archive"))
        self.assertRegex(client.response("COPYUID")[1][0], rb"^\d+ 1:2 1:2$")
        self.assertEqual(client.copy("1", "nowhere")[0], "NO")
        self.assertEqual(self.ok(client.expunge()), [b"3"])
        self.ok(client.uid("MOVE", "4:5", "Archive"))
        self.assertEqual(self.ok(client.uid("SEARCH", "ALL"))[0], b"1 2")
        self.ok(client.store("1:2", "+FLAGS.SILENT", r"\Deleted"))
        self.ok(client.uid("EXPUNGE", "2"))
        self.assertEqual(self.ok(client.uid("SEARCH", "ALL"))[0], b"1")
        self.ok(client.close())  # expunges without saying so
        self.assertEqual(self.ok(client.status("INBOX", "(MESSAGES)"))[0], b"INBOX (MESSAGES 0)")
        self.ok(client.select("Archive", readonly=True))
        flags = self.ok(client.fetch("1", "(FLAGS)"))[0]
        self.assertIn(b"keyword", flags)
        self.assertEqual(client.store("1", "+FLAGS", r"\Seen")[0], "NO")
        self.ok(client.unselect())
        self.assertEqual(sorted(subjects(self.server, self.user, "Archive")), ["Message 1", "Message 2", "Message 4", "Message 5"])

    def test_search(self):
        client = self.client()
        for i, (subject, body, flags) in enumerate((("Greetings", "The quick brown fox", r"(\Seen)"), ("=?iso-2022-jp?B?GyRCRnxLXDhsGyhC?=", "nihongo", None),
                                                    ("Meeting", "x" * 3000, r"(\Answered \Flagged)")), 1):
            self.ok(client.append("INBOX", flags, f'"{i:02}-Oct-2026 12:00:00 +0000"',
                                  f"From: anna{i}@alpha.test\r\nTo: {self.user}\r\nCc: carl@beta.test\r\nSubject: {subject}\r\nX-Mark: yes{i}\r\n"
                                  f"Date: Thu, {10 + i} Sep 2026 10:00:00 +0000\r\nMessage-ID: <{i}@x>\r\n\r\n{body}\r\n".encode()))
        self.ok(client.select())
        for keys, found in (("ALL", "1 2 3"), ("SEEN", "1"), ("UNSEEN", "2 3"), ("FLAGGED", "3"), ("ANSWERED UNSEEN", "3"), ("FROM anna2", "2"),
                            ("SUBJECT greet", "1"), ("BODY fox", "1"), ("TEXT meeting", "3"), ("LARGER 2000", "3"), ("SMALLER 2000", "1 2"),
                            ("SINCE 2-Oct-2026", "2 3"), ("BEFORE 2-Oct-2026", "1"), ("ON 3-Oct-2026", "3"), ("SENTON 12-Sep-2026", "2"),
                            ("SENTSINCE 13-Sep-2026", "3"), ("SENTBEFORE 12-Sep-2026", "1"), ("HEADER X-Mark yes2", "2"), ('HEADER Cc ""', "1 2 3"),
                            ("OR FROM anna1 FROM anna3", "1 3"), ("NOT (SEEN)", "2 3"), ("UID 2:*", "2 3"), ("1:2 UNSEEN", "2"), ("CC carl", "1 2 3"),
                            ("TO nobody", ""), ("BCC x", ""), ("DRAFT", ""), ("UNDELETED UNDRAFT UNANSWERED UNFLAGGED", "1 2"), ("UNKEYWORD $x", "1 2 3")):
            with self.subTest(keys):
                self.assertEqual(self.ok(client.search(None, keys))[0].decode(), found)
        for charset, word in (("UTF-8", "日本語"), ("ISO-2022-JP", "日本"), ("SHIFT_JIS", "本語"), ("EUC-JP", "日本語")):
            with self.subTest(charset):
                client.literal = word.encode(charset)
                self.assertEqual(self.ok(client.search(charset, "SUBJECT"))[0], b"2")
        client.literal = b"x"
        status, why = client.search("KLINGON", "SUBJECT")
        self.assertEqual((status, b"BADCHARSET" in why[0]), ("NO", True))

    def test_what_changes_nothing(self):
        client = self.client()
        self.ok(client.noop())
        self.ok(client.enable("UTF8=ACCEPT"))
        self.ok(client.select())
        self.ok(client.check())
        self.ok(client.capability())
        self.assertEqual(client.xatom("ID", "NIL")[0], "OK")
        self.assertTrue(client.response("ID")[1][0])
        for unsupported in (lambda: client.thread("REFERENCES", "UTF-8", "ALL"), lambda: client.sort("DATE", "UTF-8", "ALL"),
                            lambda: client.getquotaroot("INBOX"), lambda: client.getacl("INBOX")):
            with self.assertRaises(imaplib.IMAP4.error):
                unsupported()
        self.assertEqual(client.logout()[0], "BYE")

    def test_a_literal_that_is_refused_is_not_read(self):
        with Wire(self.server, "imap") as wire:
            wire.login(self.user)
            wire.send("b APPEND INBOX {900000000}\r\n")
            self.assertRegex(wire.line(), r"^b NO \[(TOOBIG|LIMIT)\]")
            self.assertIn("a OK", wire.tagged("NOOP")[-1])


class SeveralAtOnce(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Instance(ANNA))

    def account(self):
        user = f"u{stamp()}@alpha.test"
        self.server.add_account(user)
        return user

    def idler(self, user):
        wire = self.enterContext(Wire(self.server, "imaps", implicit_tls=True))
        wire.login(user)
        wire.tagged("SELECT INBOX")
        wire.send("i IDLE\r\n")
        self.assertTrue(wire.line().startswith("+"))
        return wire

    def test_idle_hears_of_mail_flags_and_expunges(self):
        user = self.account()
        idle = self.idler(user)
        started = time.monotonic()
        submit(self.server, message(ANNA, user, "While you wait"))
        self.assertIn("* 1 EXISTS", idle.until("* 1 EXISTS"))
        self.assertLess(time.monotonic() - started, 5)
        other = imap(self.server, user)
        other.select()
        other.store("1", "+FLAGS", r"(\Flagged)")
        self.assertIn(r"\Flagged", idle.until("* 1 FETCH")[-1])
        other.store("1", "+FLAGS", r"(\Deleted)")
        other.expunge()
        idle.until("* 1 EXPUNGE")
        idle.send("DONE\r\n")
        self.assertTrue(idle.until("i ")[-1].startswith("i OK"))
        self.assertTrue(idle.tagged("NOOP")[-1].startswith("a OK"))
        other.logout()

    def test_idle_ends_only_with_done(self):
        idle = self.idler(self.account())
        idle.send("a NOOP\r\n")
        self.assertRegex(idle.until("i ", "a ", "* BYE")[-1], r"^i BAD")

    def test_two_clients_see_each_other_at_the_next_command(self):
        user = self.account()
        fill(self.server, user, 3)
        one, two = imap(self.server, user), imap(self.server, user)
        one.select()
        two.select()
        one.store("2", "+FLAGS", r"(\Seen \Flagged)")
        two.noop()
        self.assertTrue(any(line and line.startswith(b"2 (") and b"\\Flagged" in line for line in two.response("FETCH")[1]))
        one.store("1", "+FLAGS", r"(\Deleted)")
        one.expunge()
        # An expunge is told by NOOP, not by FETCH (RFC 3501 section 7.4.1): numbers stay what they were.
        self.assertIn(b"Message 3", two.fetch("3", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1][0][1])
        two.noop()
        self.assertEqual(two.response("EXPUNGE")[1], [b"1"])
        self.assertEqual(two.fetch("1:*", "(UID)")[1], [b"1 (UID 2)", b"2 (UID 3)"])
        two.append("INBOX", None, None, b"Subject: new\r\n\r\nx\r\n")
        one.noop()
        self.assertEqual(one.response("EXISTS")[1][-1], b"3")
        one.logout()
        two.logout()

    def test_a_folder_is_deleted_while_another_has_it_open(self):
        user = self.account()
        one, two = imap(self.server, user), imap(self.server, user)
        one.create("short")
        two.append("short", None, None, b"Subject: x\r\n\r\nx\r\n")
        two.select("short")
        self.assertEqual(one.delete("short")[0], "OK")
        try:
            two.noop()
            two.fetch("1", "(FLAGS)")
        except imaplib.IMAP4.abort as bye:
            self.assertIn("deleted", str(bye))
        third = imap(self.server, user)
        self.assertEqual(third.select("INBOX")[0], "OK")
        third.logout()
        one.logout()

    def test_half_a_command_is_acknowledged_at_once(self):
        """A client whose kernel holds back the second half (Nagle) is not slowed down by 40 ms a command."""
        with Wire(self.server, "imap") as wire:
            wire.line()
            took = {pieces: [] for pieces in (("a NOOP\r\n",), ("a NO", "OP\r\n"))}
            for _ in range(40):
                for pieces, all_times in took.items():
                    started = time.monotonic()
                    for piece in pieces:
                        wire.send(piece)
                    self.assertTrue(wire.line().startswith("a OK"))
                    all_times.append(time.monotonic() - started)
            # On a busy machine many take long; held back, most of the halves take 40 ms at least.
            whole, halves = (sorted(all_times)[10] for all_times in took.values())
            self.assertLess(halves, whole + 0.02)


class Poplib(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Instance(ANNA, config={"login.max_failures": 50}))

    def account(self, count=3):
        user = f"u{stamp()}@alpha.test"
        self.server.add_account(user)
        fill(self.server, user, count)
        return user

    def plain(self):
        client = poplib.POP3(self.server.host, self.server.port("pop3"), timeout=20)
        self.addCleanup(client.close)
        return client

    def test_every_command(self):
        user = self.account()
        client = pop(self.server, user)
        count, size = client.stat()
        self.assertEqual(count, 3)
        listed = client.list()[1]
        self.assertEqual(sum(int(line.split()[1]) for line in listed), size)
        self.assertEqual(client.list(2), b"+OK " + listed[1])
        self.assertEqual(len({line.split()[1] for line in client.uidl()[1]}), 3)
        self.assertEqual(client.uidl(3).split()[-1], client.uidl()[1][2].split()[-1])
        answer, lines, octets = client.retr(1)
        self.assertEqual(octets, int(listed[0].split()[1]))
        self.assertIn(b"Subject: Message 1", lines)
        self.assertEqual(client.top(1, 0)[1], lines[:lines.index(b"") + 1])
        self.assertEqual(client.top(1, 1)[1], lines)
        client.dele(1)
        with self.assertRaises(poplib.error_proto):
            client.retr(1)
        self.assertEqual(client.stat()[0], 2)
        client.rset()
        self.assertEqual(client.stat()[0], 3)
        client.dele(2)
        client.noop()
        for bad in (lambda: client.retr(9), lambda: client.dele(2), lambda: client.top(0, 1), lambda: client.list(7)):
            with self.assertRaises(poplib.error_proto):
                bad()
        self.assertIn("UIDL", client.capa())
        client.quit()
        self.assertEqual(subjects(self.server, user), ["Message 1", "Message 3"])

    def test_nothing_is_deleted_without_quit(self):
        user = self.account()
        client = pop(self.server, user)
        client.dele(1)
        client.close()
        self.assertEqual(len(subjects(self.server, user)), 3)

    def test_logins(self):
        user = self.account(1)
        client = self.plain()
        client.apop(user, PASSWORD)
        self.assertEqual(client.stat()[0], 1)
        client.quit()
        client = self.plain()
        self.assertIn("STLS", client.capa())
        client.stls(tls())
        self.assertNotIn("STLS", client.capa())
        client.user(user)
        client.pass_(PASSWORD)
        client.quit()
        client = self.plain()
        client.user(user)
        with self.assertRaisesRegex(poplib.error_proto, r"-ERR \[AUTH\]"):
            client.pass_("wrong")
        with self.assertRaisesRegex(poplib.error_proto, r"-ERR \[AUTH\]"):
            self.plain().apop(user, "wrong")

    def test_mechanisms_are_offered_where_they_can_work(self):
        client = self.plain()
        self.assertFalse([m for m in client.capa()["SASL"] if m.endswith("-PLUS")])  # there is nothing to bind to
        client.stls(tls())
        self.assertTrue([m for m in client.capa()["SASL"] if m.endswith("-PLUS")])

    def test_a_maildrop_is_locked(self):
        user = self.account(1)
        first = pop(self.server, user)
        with self.assertRaisesRegex(poplib.error_proto, r"-ERR \[IN-USE\]"):
            pop(self.server, user)
        first.quit()
        pop(self.server, user).quit()

    def test_utf8(self):
        client = pop(self.server, self.account(1))
        if "UTF8" in client.capa():
            client.utf8()
        client.quit()


class Smtplib(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Instance(ANNA, config={"login.max_failures": 50}))
        cls.server.add_account("bob@alpha.test")

    def test_every_mechanism(self):
        for method in ("auth_plain", "auth_login", "auth_cram_md5"):
            for initial in (True, False):
                with self.subTest(method=method, initial=initial), \
                        smtplib.SMTP(self.server.host, self.server.port("submission"), timeout=20) as smtp:
                    smtp.starttls(context=tls())
                    smtp.ehlo()
                    smtp.user, smtp.password = ANNA, PASSWORD
                    code, text = smtp.auth(method[5:].upper().replace("_", "-"), getattr(smtp, method), initial_response_ok=initial)
                    self.assertEqual(code, 235, text)

    def test_scram_by_hand(self):
        for mechanism, digest in (("SCRAM-SHA-256", "sha256"), ("SCRAM-SHA-1", "sha1")):
            for password, expected in ((PASSWORD, 235), ("wrong", 535)):
                with self.subTest(mechanism=mechanism, password=password), \
                        smtplib.SMTP_SSL(self.server.host, self.server.port("submissions"), context=tls(), timeout=20) as smtp:
                    smtp.ehlo()
                    scram = Scram(digest, ANNA, password)
                    code, text = smtp.docmd("AUTH", f"{mechanism} {b64(scram.first())}")
                    self.assertEqual(code, 334, text)
                    code, text = smtp.docmd(b64(scram.final(base64.b64decode(text).decode())))
                    if code == 334:
                        self.assertEqual(base64.b64decode(text).decode(), scram.expected_signature())
                        code, text = smtp.docmd("")
                    self.assertEqual(code, expected, text)

    def test_commands(self):
        with smtplib.SMTP(self.server.host, self.server.port("smtp"), timeout=20) as smtp:
            smtp.ehlo("mx.beta.test")
            for extension in ("pipelining", "size", "8bitmime", "smtputf8", "enhancedstatuscodes", "chunking", "starttls"):
                self.assertTrue(smtp.has_extn(extension), extension)
            self.assertFalse(smtp.has_extn("auth"))
            self.assertEqual(smtp.verify("bob@alpha.test")[0], 252)
            self.assertIn(smtp.expn("staff")[0], (502, 550, 252))
            self.assertEqual(smtp.noop()[0], 250)
            self.assertEqual(smtp.rset()[0], 250)
            self.assertTrue(smtp.help())
            self.assertEqual(smtp.mail("x@beta.test")[0], 250)
            self.assertEqual(smtp.docmd("MAIL FROM:<y@beta.test>")[0], 503)
            self.assertEqual(smtp.rset()[0], 250)
            self.assertEqual(smtp.docmd("DATA")[0], 503)

    def test_bdat(self):
        mark = stamp()
        with smtplib.SMTP(self.server.host, self.server.port("smtp"), timeout=20) as smtp:
            smtp.ehlo("mx.beta.test")
            smtp.mail("x@beta.test")
            smtp.rcpt("bob@alpha.test")
            text = f"Subject: {mark}\r\n\r\n.\r\n..dots stay as they are\r\n".encode()
            smtp.send(b"BDAT %d\r\n" % 10 + text[:10])
            self.assertEqual(smtp.getreply()[0], 250)
            smtp.send(b"BDAT %d LAST\r\n" % (len(text) - 10) + text[10:])
            self.assertEqual(smtp.getreply()[0], 250)
        self.assertTrue(any(raw.endswith(text) for raw in raw_messages(self.server, "bob@alpha.test")))

    def test_smtputf8(self):
        self.server.add_account("花子@alpha.test")
        m = message(ANNA, "花子@alpha.test", "日本語の件名", "こんにちは\n")
        with smtplib.SMTP_SSL(self.server.host, self.server.port("submissions"), context=tls(), timeout=20) as smtp:
            smtp.login(ANNA, PASSWORD)
            smtp.send_message(m)
        with Wire(self.server, "imaps", implicit_tls=True) as wire:
            wire.line()
            name = "花子@alpha.test"
            self.assertIn("a OK", wire.tagged(f"LOGIN {{{len(name.encode())}+}}\r\n{name} \"{PASSWORD}\"")[-1])
            self.assertIn("* 1 EXISTS", wire.tagged("SELECT INBOX"))

    def test_half_of_the_recipients(self):
        with smtplib.SMTP(self.server.host, self.server.port("smtp"), timeout=20) as smtp:
            refused = smtp.sendmail("x@beta.test", ["bob@alpha.test", "nobody@alpha.test"], "Subject: half\r\n\r\nx\r\n")
            self.assertEqual(refused["nobody@alpha.test"][0], 550)


def b64(text):
    return base64.b64encode(text.encode()).decode()


class Scram:
    """The client's half of SCRAM (RFC 5802), without channel binding."""

    def __init__(self, digest, user, password):
        self.digest, self.password, self.bare = digest, password, f"n={user},r=fyko+d2lbbFgONRv9qkxdawL"

    def first(self):
        return "n,," + self.bare

    def final(self, challenge):
        nonce, salt, rounds = re.match(r"r=([^,]+),s=([^,]+),i=(\d+)", challenge).groups()
        self.salted = hashlib.pbkdf2_hmac(self.digest, self.password.encode(), base64.b64decode(salt), int(rounds))
        client_key = hmac.digest(self.salted, b"Client Key", self.digest)
        without_proof = f"c=biws,r={nonce}"
        self.signed = f"{self.bare},{challenge},{without_proof}".encode()
        signature = hmac.digest(hashlib.new(self.digest, client_key).digest(), self.signed, self.digest)
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        return f"{without_proof},p={base64.b64encode(proof).decode()}"

    def expected_signature(self):
        server_key = hmac.digest(self.salted, b"Server Key", self.digest)
        return "v=" + base64.b64encode(hmac.digest(server_key, self.signed, self.digest)).decode()


if __name__ == "__main__":
    unittest.main()
