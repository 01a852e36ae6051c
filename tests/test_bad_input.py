"""What bad input gets: the protocol's own error, and nothing else happens."""
import base64
import contextlib
import os
import re
import socket
import unittest

from harness import PASSWORD, Instance, hikyaku
from hostile import Meanwhile
from mail import Wire, stamp, subjects

ANNA, BOB = "anna@alpha.test", "bob@alpha.test"


class OnSmtp(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Instance(ANNA, config={"smtp.max_message_size": 1_000_000, "login.max_failures": 3}))
        cls.server.add_account(BOB)

    def wire(self, service="smtp", greeting="EHLO mx.beta.test"):
        wire = self.enterContext(Wire(self.server, service))
        wire.reply()
        if greeting:
            wire.ask(greeting)
        return wire

    def open(self, wire):
        """Up to DATA."""
        for line, code in (("MAIL FROM:<x@beta.test>", "250"), (f"RCPT TO:<{BOB}>", "250"), ("DATA", "354")):
            self.assertEqual(wire.ask(line)[:3], code, line)

    def test_bare_cr_and_lf_in_a_message_are_refused(self):
        for name, text in (("LF", b"one\ntwo\r\n"), ("CR", b"one\rtwo\r\n"), ("LF.LF", b"one\n.\nMAIL FROM:<y@beta.test>\r\n"),
                           ("LF.CRLF", b"one\n.\r\nMAIL FROM:<y@beta.test>\r\n"), ("CRLF.LF", b"one\r\n.\nMAIL FROM:<y@beta.test>\r\n"),
                           ("CR.CR", b"one\r.\rMAIL FROM:<y@beta.test>\r\n"), ("CRLF.CR", b"one\r\n.\rMAIL FROM:<y@beta.test>\r\n"),
                           ("CRCRLF.CRCRLF", b"one\r\r\n.\r\r\n"), ("NUL", b"one\0two\r\n")):
            with self.subTest(name):
                mark = stamp()
                wire = self.wire()
                self.open(wire)
                wire.send(f"Subject: {mark}\r\n\r\n".encode() + text + b"\r\n.\r\n")
                reply = wire.reply()
                if name == "NUL":
                    self.assertRegex(reply, r"^(250 |5\d\d 5\.6\.0)")
                    continue
                self.assertRegex(reply, r"^5\d\d 5\.[56]\.\d ")
                self.assertEqual(wire.ask("NOOP")[:3], "250")  # in step: nothing of the message was taken for a command
                self.assertNotIn(mark, subjects(self.server, BOB))

    def test_a_user_is_nobody_else_however_the_field_is_written(self):
        """Whoever IMAP or another program shows as an author is one that the user may be; so many that nobody looks at all are refused."""
        wire = self.wire("submission", "EHLO pc.test")
        self.assertEqual(wire.ask("AUTH PLAIN " + base64.b64encode(f"\0{BOB}\0{PASSWORD}".encode()).decode())[:3], "235")
        own, other = f"Bob <{BOB}>", f"Anna <{ANNA}>"
        for field, code in ((own, "250 "), (f"=?utf-8?q?Bob=2C_Sales?= <{BOB}>", "250 "), (f"{BOB} <{BOB}>", "250 "),
                            (f"{own}," + "g:;" * 60 + f" {other}", "550 5.7.1"), ("g:;" * 60 + f"{other}, {own}", "550 5.7.1"),
                            (f"{own},\r\n " * 100 + other, "550 5.6.0"), (f"{own}, x:{other};", "550 5.7.1"),
                            (f"<{BOB}> {ANNA}", "550 5.7.1"), (f"{BOB} ({ANNA})", "550 5.7.1"),
                            (f"=?utf-8?q?{ANNA.replace('@', '=40')}=2C?= <{BOB}>", "550 5.7.1"),
                            (f"{own}\r\nSender: {BOB} {ANNA}", "550 5.7.1"), (f"{own}\r\nFrom\r\n : {other}", "550 5.6.0")):
            with self.subTest(field=field[:80]):
                for line in (f"MAIL FROM:<{BOB}>", f"RCPT TO:<{ANNA}>", "DATA"):
                    self.assertRegex(wire.ask(line), "^[23]5")
                mark = stamp()
                reply = wire.ask(f"From: {field}\r\nSubject: {mark}\r\n\r\nx\r\n.")
                self.assertEqual(reply[:len(code)], code, reply)
                self.assertEqual(mark in subjects(self.server, ANNA), code == "250 ")

    def test_a_transaction_after_a_refused_one_is_whole(self):
        wire = self.wire()
        self.open(wire)
        wire.send("Subject: x\n\nbare\r\n.\r\n")
        self.assertEqual(wire.reply()[:1], "5")
        mark = stamp()
        self.open(wire)
        wire.send(f"Subject: {mark}\r\n\r\ny\r\n.\r\n")
        self.assertEqual(wire.reply()[:3], "250")
        self.assertIn(mark, subjects(self.server, BOB))

    def test_overlong_commands(self):
        wire = self.wire()
        wire.send("NOOP " + "x" * 100_000 + "\r\n")
        self.assertRegex(wire.reply(), r"^500 5\.5\.[26] ")
        self.assertEqual(wire.ask("NOOP")[:3], "250")
        self.assertRegex(wire.ask(f"MAIL FROM:<{'x' * 300}@beta.test>"), r"^5\d\d 5\.1\.[37] ")
        wire.ask("MAIL FROM:<x@beta.test>")
        self.assertRegex(wire.ask(f"RCPT TO:<bob@{'x.' * 200}test>"), r"^5\d\d 5\.1\.[13] ")

    def test_a_line_without_end_is_not_read_for_ever(self):
        wire = self.wire()
        sent = 0
        with contextlib.suppress(OSError):
            while sent < 200_000_000:
                wire.send(b"x" * 1_000_000)
                sent += 1_000_000
        self.assertLess(sent, 200_000_000, "the connection is closed at some point")
        with open(f"/proc/{self.server.process.pid}/status") as status:
            self.assertLess(int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1)), 1_500_000)

    def test_garbage_ends_after_a_while(self):
        wire = self.wire(greeting=None)
        replies = []
        with contextlib.suppress(OSError):
            for _ in range(100):
                wire.send(os.urandom(40).replace(b"\n", b"").replace(b"\r", b"") + b"\r\n")
                reply = wire.reply()
                replies.append(reply)
                if reply is None or reply.startswith("421"):
                    break
        self.assertTrue(all(re.match(r"5\d\d 5\.5\.\d ", r) for r in replies[:-1]), replies)
        self.assertGreaterEqual(len(replies), 5)
        self.assertRegex(replies[-1] or "421 4.7.0", r"^421 4\.")

    def test_wrong_order(self):
        wire = self.wire(greeting=None)
        self.assertRegex(wire.ask("MAIL FROM:<x@beta.test>"), r"^503 5\.5\.1 .*(HELO|EHLO)")
        wire.ask("EHLO mx.beta.test")
        self.assertRegex(wire.ask(f"RCPT TO:<{BOB}>"), r"^503 5\.5\.1 ")
        self.assertRegex(wire.ask("DATA"), r"^503 5\.5\.1 ")
        wire.ask("MAIL FROM:<x@beta.test>")
        self.assertRegex(wire.ask("DATA"), r"^(503|554) 5\.5\.1 ")
        self.assertRegex(wire.ask("MAIL FROM:<x@beta.test>"), r"^503 5\.5\.1 ")
        self.assertRegex(wire.ask("AUTH PLAIN AGEAYg=="), r"^50[23] 5\.5\.1 ")
        self.assertRegex(wire.ask("STARTTLS now"), r"^501 5\.5\.4 ")
        self.assertRegex(wire.ask("BDAT x"), r"^501 5\.5\.4 ")
        self.assertRegex(wire.ask("MAIL FROM:<x@beta.test> FOO=1"), r"^(503|555) 5\.5\.[14] ")
        wire.ask("RSET")
        self.assertRegex(wire.ask("MAIL FROM:<x@beta.test> FOO=1"), r"^555 5\.5\.4 ")
        self.assertRegex(wire.ask("MAIL FROM:<x@beta.test> BODY=9BIT"), r"^501 5\.5\.4 ")

    def test_too_large_at_size_and_once_exceeded(self):
        self.enterContext(Meanwhile(self.server))
        wire = self.wire()
        self.assertRegex(wire.ask("MAIL FROM:<x@beta.test> SIZE=1000001"), r"^552 5\.3\.4 ")
        wire = self.wire()
        self.open(wire)
        wire.send("Subject: large\r\n\r\n" + ("x" * 998 + "\r\n") * 1100 + ".\r\n")
        self.assertRegex(wire.reply(), r"^552 5\.3\.4 ")
        self.assertEqual(wire.ask("NOOP")[:3], "250")
        # Somebody who goes on for ever is not listened to for ever.
        wire = self.wire()
        self.open(wire)
        sent = 0
        with contextlib.suppress(OSError):
            for _ in range(300):
                wire.send(("x" * 998 + "\r\n") * 1000)
                sent += 1_000_000
        self.assertLess(sent, 300_000_000)
        wire = self.wire()
        self.assertEqual(wire.ask("MAIL FROM:<x@beta.test>")[:3], "250")
        wire.ask(f"RCPT TO:<{BOB}>")
        wire.send(b"BDAT 2000000\r\n" + b"x" * 2_000_000)
        self.assertRegex(wire.reply(), r"^552 5\.3\.4 ")

    def test_commands_before_starttls_are_discarded(self):
        for service in ("smtp", "submission"):
            with self.subTest(service):
                wire = self.wire(service)
                wire.send("STARTTLS\r\nMAIL FROM:<mallory@beta.test>\r\nRCPT TO:<bob@alpha.test>\r\n")
                self.assertEqual(wire.reply()[:3], "220")
                wire.start_tls()
                self.assertTrue(wire.quiet(), "nothing of what came in clear is answered")
                self.assertIn(wire.ask("MAIL FROM:<x@beta.test>")[:3], ("503", "530"))  # EHLO counts no more either
                self.assertEqual(wire.ask("EHLO pc1")[:3], "250")
                self.assertRegex(wire.ask(f"RCPT TO:<{BOB}>"), r"^5(03|30) ")

    def test_garbage_instead_of_a_handshake(self):
        wire = self.wire()
        wire.ask("STARTTLS")
        wire.send(b"EHLO not-tls\r\n")
        while wire.line() is not None:  # an alert, then the end
            pass
        self.assertEqual(self.wire().ask("NOOP")[:3], "250")

    def test_guessing_is_stopped_but_an_old_password_does_not_lock_out(self):
        """login.max_failures is 3 here; the same wrong password counts once."""
        def answer(user, password):
            wire = self.wire("submission")
            return wire.ask("AUTH PLAIN " + base64.b64encode(f"\0{user}\0{password}".encode()).decode())

        self.server.add_account("guessed@alpha.test")
        for password in ("old", "old", "old", "old", "wrong"):
            self.assertRegex(answer("guessed@alpha.test", password), r"^535 5\.7\.8 ")
        self.assertRegex(answer("guessed@alpha.test", PASSWORD), "^235 ")  # and forgives
        for password in ("a", "b", "c"):
            self.assertRegex(answer("guessed@alpha.test", password), r"^535 5\.7\.8 ")
        self.assertRegex(answer("guessed@alpha.test", PASSWORD), r"^454 4\.7\.0 .*[Tt]oo many")
        self.assertRegex(answer(BOB, PASSWORD), "^235 ")  # nobody else


class OnImap(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Instance(ANNA))

    def wire(self, login=True):
        wire = self.enterContext(Wire(self.server, "imap"))
        if login:
            self.assertIn("a OK", wire.login(ANNA))
        else:
            wire.line()
        return wire

    def test_commands_before_starttls_are_discarded(self):
        wire = self.wire(login=False)
        wire.send(f'a STARTTLS\r\nb LOGIN {ANNA} "{PASSWORD}"\r\n')
        self.assertTrue(wire.line().startswith("a OK"))
        wire.start_tls()
        self.assertTrue(wire.quiet())
        self.assertRegex(wire.tagged("SELECT INBOX")[-1], r"^a (BAD|NO)")

    def test_garbage_and_wrong_order(self):
        wire = self.wire(login=False)
        for line, expected in (("a SELECT INBOX", "a BAD|a NO"), ("a", r"a BAD|\* BAD"), ("a FETCH", "a BAD"), ("(((", r"\* BAD"), ("", r"\* BAD"),
                               ("a LOGIN x", "a BAD"), ("+ NOOP", r"\* BAD|\+ BAD"), ("a NOOP x", "a BAD"), ("a \x01\x02", r"a BAD|\* BAD")):
            with self.subTest(line):
                wire.send(line + "\r\n")
                self.assertRegex(wire.line(), f"^({expected})")
        wire = self.wire()
        for line, expected in (("a FETCH 1 FLAGS", "a BAD|a NO"), ("a SELECT", "a BAD"), ("a FOO", "a BAD"), ("a SELECT {5}x", "a BAD"), ("a SELECT {x}", "a BAD"),
                               ('a SELECT "INBOX', "a BAD"), ("a SEARCH", "a BAD"), ("a LOGIN a b", "a BAD|a NO"), ("a STARTTLS", "a BAD|a NO")):
            with self.subTest(line):
                wire.send(line + "\r\n")
                self.assertRegex(wire.line(), f"^({expected})")
        self.assertIn("a OK", wire.tagged("SELECT INBOX")[-1])
        for line in ("FETCH 0 FLAGS", "FETCH 1:x FLAGS", "FETCH 1 (FLAGS", "FETCH 1 BODY[", "FETCH 1 BODY[0]", "STORE 1 FLAGS \\Bad\\", "SEARCH KEYWORD",
                     "UID", "UID FOO 1", "SEARCH (((", "FETCH 4294967296 FLAGS", "COPY 1", 'STATUS INBOX (FOO)', 'LIST "" "', "IDLE now"):
            with self.subTest(line):
                self.assertRegex(wire.tagged(line)[-1], "^a BAD")
        # FETCH of what is not there is no bad syntax, but this is how clients learn that they are wrong.
        self.assertRegex(wire.tagged("FETCH 99 FLAGS")[-1], "^a (BAD|NO|OK)")

    def test_depth_and_length(self):
        wire = self.wire()
        wire.tagged("SELECT INBOX")
        self.assertRegex(wire.tagged("SEARCH " + "(" * 5000 + "ALL" + ")" * 5000)[-1], "^a (BAD|NO)")
        self.assertRegex(wire.tagged("SEARCH " + "NOT " * 5000 + "ALL")[-1], "^a (BAD|NO)")
        self.assertRegex(wire.tagged("SEARCH " + "OR ALL " * 5000 + "ALL")[-1], "^a (BAD|NO)")
        wire.send("a NOOP " + "x" * 10_000_000 + "\r\n")
        self.assertRegex(wire.until("a ", "* B")[-1], r"^(a|\*) (BAD|BYE)")

    def test_literals(self):
        wire = self.wire()
        wire.send("a LOGIN {99999999999999999999}\r\n")
        self.assertRegex(wire.line(), "^a (BAD|NO)")
        wire.send("b CREATE {3000000}\r\n")
        self.assertRegex(wire.line(), r"^b (BAD|NO)")
        wire.send("c SELECT {5+}\r\nINBOX\r\n")
        self.assertTrue(wire.until("c ")[-1].startswith("c OK"))

    def test_a_message_with_nul_is_refused_by_append(self):
        wire = self.wire()
        wire.send(b"a APPEND INBOX {20+}\r\nSubject: x\r\n\r\na\0b\r\n\r\n\r\n")
        self.assertRegex(wire.until("a ", "* B")[-1], r"^a (BAD|NO)")


class OnPop3(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Instance(ANNA))

    def wire(self):
        wire = self.enterContext(Wire(self.server, "pop3"))
        wire.line()
        return wire

    def test_commands_before_stls_are_discarded(self):
        wire = self.wire()
        wire.send(f"STLS\r\nUSER {ANNA}\r\nPASS {PASSWORD}\r\n")
        self.assertTrue(wire.line().startswith("+OK"))
        wire.start_tls()
        self.assertTrue(wire.quiet())
        wire.send("STAT\r\n")
        self.assertTrue(wire.line().startswith("-ERR"))

    def test_garbage_and_wrong_order(self):
        wire = self.wire()
        for line in ("STAT", "RETR 1", "PASS x", "FOO", "APOP", "AUTH FOO", "USER", "x" * 5000):
            with self.subTest(line[:20]):
                wire.send(line + "\r\n")
                self.assertTrue(wire.line().startswith("-ERR"))
        wire = self.wire()
        for line in (f"USER {ANNA}", f"PASS {PASSWORD}"):
            wire.send(line + "\r\n")
            self.assertTrue(wire.line().startswith("+OK"))
        for line in ("RETR", "RETR x", "RETR 0", "RETR -1", "RETR 99999999999999999999", "TOP 1", "DELE 1 2", "STLS"):
            with self.subTest(line):
                wire.send(line + "\r\n")
                self.assertTrue(wire.line().startswith("-ERR"))
        wire.send("NOOP\r\n")
        self.assertTrue(wire.line().startswith("+OK"))


class InTheConfiguration(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Instance(ANNA)
        cls.server.quickstart()
        cls.file = cls.server.dir / "hikyaku.toml"
        cls.text = cls.file.read_text()

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    def tearDown(self):
        self.file.write_text(self.text)

    def refused(self, addition):
        """Starts with lines added; gives what was said."""
        self.file.write_text(self.text + "\n" + addition + "\n")
        done = hikyaku("serve", directory=self.server.dir, check=False, timeout=20)
        self.assertEqual(done.returncode, 78, done.stdout + done.stderr)
        return done.stderr, self.text.count("\n") + 2

    def test_mistakes_are_named_with_file_line_and_remedy(self):
        for addition, line, words in (("[smtp]\nmax_recipient = 5", 1, "max_recipients"), ("[smtp]\nmax_recipients = \"many\"", 1, "integer"),
                                      ("[smpt]\nmax_recipients = 5", 0, "smtp"), ("[smtp]\nmax_recipients = -1", 1, "from 1|at least|between"),
                                      ("[smtp]\nmax_recipients = ", 1, "value|parse|expected|Error"), ("[queue]\nretry = [\"soon\"]", 1, "1h|5m|minutes"),
                                      ("[submission]\nmechanisms = [\"PLIAN\"]", 1, "PLAIN"), ("nonsense", 0, "=")):
            with self.subTest(addition):
                said, first = self.refused(addition)
                said = re.sub(r"\s+", " ", said)
                self.assertIn(f"{self.file}:{first + line}", said)
                self.assertRegex(said, words)

    def test_a_certificate_that_is_not_there(self):
        said, _ = self.refused('[tls]\ncertificates = ["/nowhere/fullchain.pem"]')
        self.assertIn("/nowhere/fullchain.pem", said)

    def test_no_configuration(self):
        done = hikyaku("serve", directory="/nowhere", check=False)
        self.assertEqual(done.returncode, 66, done.stderr)  # EX_NOINPUT
        self.assertIn("quickstart", done.stderr)

    def test_taken_ports_are_named(self):
        with socket.socket() as taken:
            taken.bind((self.server.host, self.server.port("imap")))
            taken.listen()
            done = hikyaku("serve", directory=self.server.dir, check=False)
        self.assertEqual(done.returncode, 75, done.stderr)
        self.assertIn(str(self.server.port("imap")), done.stderr)
        self.assertNotIn("ready", done.stdout)


if __name__ == "__main__":
    unittest.main()
