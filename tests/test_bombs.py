"""Bombs: messages and commands made to cost far more than they weigh. Each is answered in bounded time and memory."""
import time
import unittest

from harness import HANGS, PASSWORD, SANITIZED
from hostile import ANNA, BOB, Attacked, Meanwhile, Peer, deliver, memory
from mail import raw_messages, stamp

DEPTH = 10_000


def nested(depth):
    """multipart in multipart in multipart …"""
    text = "".join(f'Content-Type: multipart/mixed; boundary="b{i}"\r\n\r\n--b{i}\r\n' for i in range(depth))
    return text + "Content-Type: text/plain\r\n\r\ninnermost\r\n" + "".join(f"--b{i}--\r\n" for i in reversed(range(depth)))


def forwarded(depth):
    """message/rfc822 in message/rfc822 …"""
    return "Content-Type: message/rfc822\r\n\r\n" * depth + "Subject: innermost\r\n\r\nx\r\n"


MESSAGES = {
    "MIME depth 10,000": nested(DEPTH),
    "message/rfc822 depth 10,000": forwarded(DEPTH),
    "unclosed depth": "".join(f"Content-Type: multipart/mixed; boundary=b{i}\r\n\r\n--b{i}\r\n" for i in range(DEPTH)),
    "20,000 parts": "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + "--b\r\n\r\nx\r\n" * 20_000 + "--b--\r\n",
    "the same boundary at each depth": "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" * 5_000 + "\r\nx\r\n--b--\r\n",
    "100,000 delimiters that are none": "Content-Type: multipart/mixed; boundary=bb\r\n\r\n" + "--b\r\n" * 100_000,
    "100,000 fields": "X: y\r\n" * 100_000 + "\r\nx\r\n",
    "100,000 continuation lines": "X: y\r\n" + " z\r\n" * 100_000 + "\r\nx\r\n",
    "a field of 1 MB": "X: " + "y" * 1_000_000 + "\r\n\r\nx\r\n",
    "a Subject of 1 MB": "Subject: " + "=?utf-8?q?a?= " * 70_000 + "\r\n\r\nx\r\n",
    "100,000 parameter continuations": "Content-Type: text/plain; " + "; ".join(f"name*{i}*=utf-8''%41" if i == 0 else f"name*{i}*=%41" for i in range(100_000)) + "\r\n\r\nx\r\n",
    "100,000 parameters": "Content-Type: text/plain; " + "; ".join(f"p{i}=v" for i in range(100_000)) + "\r\n\r\nx\r\n",
    "100,000 addresses": "To: " + ", ".join(f"u{i}@x.test" for i in range(100_000)) + "\r\n\r\nx\r\n",
    "comment depth": "From: " + "(" * 100_000 + ")" * 100_000 + " x@y.test\r\nContent-Type: " + "(" * 100_000 + "text/plain\r\n\r\nx\r\n",
    "group depth": "To: " + "a:" * 100_000 + ";" * 100_000 + "\r\n\r\nx\r\n",
    "quoted pairs": 'To: "' + "\\\\" * 300_000 + '" <x@y.test>\r\n\r\nx\r\n',
    "angle brackets": "From: " + "<" * 300_000 + "\r\n\r\nx\r\n",
    "100,000 References": "Message-ID: <m@x.test>\r\nReferences: " + " ".join(f"<{i}@x.test>" for i in range(100_000)) + "\r\n\r\nx\r\n",
    "a boundary of 1 MB": 'Content-Type: multipart/mixed; boundary="' + "b" * 1_000_000 + '"\r\n\r\n--' + "b" * 1_000_000 + "\r\n\r\nx\r\n",
    "base64 of nothing": "Content-Transfer-Encoding: base64\r\n\r\n" + "=" * 1_000_000 + "\r\n",
    "a charset that is none": "Content-Type: text/plain; charset=" + "x" * 100_000 + "\r\nSubject: =?" + "y" * 100_000 + "?b?eA==?=\r\n\r\nx\r\n",
    "ISO-2022-JP escapes": "Content-Type: text/plain; charset=iso-2022-jp\r\nSubject: =?iso-2022-jp?b?" + "GyRCGyhC" * 50_000 + "?=\r\n\r\n" + "\x1b$B\x1b(B" * 100_000 + "\r\n",
}


class InMessages(Attacked):
    config = {"smtp.max_header": '"4MB"'}  # the bombs in headers are to come in

    def test_messages_come_in_and_are_read(self):
        """Each is accepted or refused with a reason, soon; what was accepted can be read, listed and searched, and comes back equal."""
        worst = 4.0 * (8 if SANITIZED else 1)
        with Meanwhile(self.server):
            accepted = {}
            for name, text in MESSAGES.items():
                with self.subTest(name):
                    mark = stamp()
                    peer = self.mta(timeout=60)
                    self.open(peer)
                    peer.ask("DATA")
                    began = time.monotonic()
                    peer.send((f"X-Mark: {mark}\r\n" + text).encode() + b".\r\n")
                    reply = peer.reply() or ""
                    self.assertLess(time.monotonic() - began, worst)
                    self.assertRegex(reply, r"^(250 2|5\d\d 5)\.\d+\.\d+ ")
                    if reply.startswith("250"):
                        accepted[mark] = text
            self.assertGreater(len(accepted), len(MESSAGES) // 2)
            reader = self.reader(timeout=60)
            for command in ("FETCH 1:* (UID FLAGS ENVELOPE BODYSTRUCTURE RFC822.SIZE)", "SEARCH TEXT innermost", "SEARCH HEADER Subject x FROM y TO z",
                            "FETCH 1:* BODY.PEEK[1.1.1.1.1.1.1.1]", "FETCH 1:* BODY.PEEK[HEADER.FIELDS (Subject References)]"):
                with self.subTest(command):
                    began = time.monotonic()
                    self.assertRegex(reader.tagged(command)[-1], "^a (OK|NO)")
                    self.assertLess(time.monotonic() - began, worst)
            stored = raw_messages(self.server, BOB)
            for mark, text in accepted.items():
                self.assertTrue(any(mark.encode() in m and m.endswith(text.encode()) for m in stored), text[:60])

    def test_two_from_fields(self):
        """RFC 5322 §3.6: one. From outside it is stored as it is, and every reader of ours takes the same one; our users may not send it."""
        mark = stamp()
        peer = self.mta()
        self.open(peer)
        peer.ask("DATA")
        peer.send(f"From: first@one.test\r\nFrom: second@two.test\r\nSubject: {mark}\r\n\r\nx\r\n.\r\n")
        self.assertEqual(peer.reply()[:3], "250")
        reader = self.reader()
        number = reader.tagged(f"SEARCH SUBJECT {mark}")[0].split()[-1]
        envelope = reader.tagged(f"FETCH {number} ENVELOPE")[0]
        self.assertEqual(envelope.count("first"), 3, envelope)  # From, and Sender and Reply-To after it
        self.assertNotIn("second", envelope)

    def test_two_from_fields_of_our_users(self):
        import base64
        for fields in (f"From: {BOB}\r\nFrom: ceo@bank.test\r\n", f"From: ceo@bank.test\r\nFrom: {BOB}\r\n", f"From: {BOB}, ceo@bank.test\r\n", f"from : ceo@bank.test\r\nFrom: {BOB}\r\n",
                       f"From: {BOB}\r\nSender: ceo@bank.test\r\nFrom:\r\n ceo@bank.test\r\n"):
            with self.subTest(fields):
                peer = self.enterContext(Peer(self.server, "submission", "127.0.0.1"))
                peer.reply()
                peer.ask("EHLO pc.test")
                self.assertEqual(peer.ask("AUTH PLAIN " + base64.b64encode(f"\0{BOB}\0{PASSWORD}".encode()).decode())[:3], "235")
                peer.ask(f"MAIL FROM:<{BOB}>")
                peer.ask(f"RCPT TO:<{ANNA}>")
                peer.ask("DATA")
                peer.send(fields + "Subject: x\r\n\r\nx\r\n.\r\n")
                self.assertRegex(peer.reply(), r"^5\d\d 5\.\d\.\d ")


class InImapCommands(Attacked):
    config = {"imap.max_errors": 1000, "imap.max_line": '"4MB"', "imap.max_command": '"8MB"', "login.timeout": '"20s"'}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for _ in range(20):
            deliver(cls.server, "127.0.0.79", BOB)

    COMMANDS = {
        "SEARCH nesting": ("SEARCH " + "(" * 30_000 + "ALL" + ")" * 30_000, "BAD|NO"),
        "SEARCH NOT": ("SEARCH " + "NOT " * 30_000 + "ALL", "BAD|NO"),
        "SEARCH OR": ("SEARCH " + "OR ALL " * 30_000 + "ALL", "BAD|NO"),
        "SEARCH of many keys": ("SEARCH " + "TEXT x " * 100_000, "BAD|NO"),
        "SEARCH of many texts": ("SEARCH " + " ".join(f"TEXT nothing{i}" for i in range(1_900)), "OK|NO|BAD"),
        "a sequence set of 1 MB": ("FETCH " + ",".join(["1"] * 500_000) + " FLAGS", "OK|BAD|NO"),
        "a sequence set of 3 MB": ("UID FETCH " + ",".join(f"{i}:{i}" for i in range(1, 250_000)) + " FLAGS", "OK|BAD|NO"),
        "sequence sets all over": ("FETCH " + ",".join(["1:*"] * 300_000) + " FLAGS", "OK|BAD|NO"),
        "a huge sequence number": ("FETCH " + "9" * 1_000_000 + " FLAGS", "BAD"),
        "a deep section": ("FETCH 1:* BODY.PEEK[" + ".".join(["1"] * 100_000) + "]", "BAD|NO"),
        "many sections": ("FETCH 1:* (" + " ".join(f"BODY.PEEK[{i}]" for i in range(1, 50_000)) + ")", "BAD|NO"),
        "one section many times": ("FETCH 1 (" + " ".join(["BODY.PEEK[]"] * 50_000) + ")", "OK|BAD|NO"),
        "many header fields": ("FETCH 1:* BODY.PEEK[HEADER.FIELDS (" + " ".join(f"x{i}" for i in range(100_000)) + ")]", "BAD|NO"),
        "LIST wildcards": ('LIST "" ' + "%*" * 400, "OK|BAD|NO"),
        "LIST long wildcards": ('LIST "" ' + "%*" * 400_000, "BAD|NO"),
        "LIST many patterns": ('LIST "" (' + " ".join(["%*%*%*%*a"] * 50_000) + ")", "BAD|NO"),
        "many flags": ("STORE 1 +FLAGS (" + " ".join(f"f{i}" for i in range(50_000)) + ")", "BAD|NO"),
        "ENABLE of everything": ("ENABLE " + " ".join(f"x{i}" for i in range(50_000)), "BAD|NO"),
        "ID of everything": ("ID (" + " ".join(f'"k{i}" "v"' for i in range(50_000)) + ")", "BAD|NO"),
        "STATUS of everything": ("STATUS INBOX (" + "MESSAGES " * 50_000 + "UIDNEXT)", "OK|BAD|NO"),
        "a deep mailbox": ("CREATE " + "/".join(["a"] * 5_000), "OK|BAD|NO"),
        "a long name": ("CREATE " + "a" * 100_000, "BAD|NO"),
    }

    def test_commands(self):
        worst = 3.0 * (8 if SANITIZED else 1)
        with Meanwhile(self.server):
            reader = self.reader(timeout=60)
            for name, (command, expected) in self.COMMANDS.items():
                with self.subTest(name):
                    began = time.monotonic()
                    self.assertRegex(reader.tagged(command)[-1], f"^a ({expected})")
                    self.assertLess(time.monotonic() - began, worst)

    def test_wildcards_against_hostile_names(self):
        """Names made so that a matcher that tries everything never ends."""
        reader = self.reader(mailbox=None, timeout=60)
        for i in range(60):
            self.assertIn("a OK", reader.tagged("CREATE " + "a" * 100 + f"b{i}")[-1])
        with Meanwhile(self.server):
            for pattern in ("*a" * 100 + "c", "%a" * 100 + "c", "*%" * 200 + "c", "a*" * 200 + "c"):
                began = time.monotonic()
                self.assertRegex(reader.tagged(f'LIST "" {pattern}')[-1], "^a (OK|NO|BAD)")
                self.assertLess(time.monotonic() - began, HANGS)

    def test_literals_that_are_only_announced(self):
        """The size is a promise, nothing is set aside for it."""
        with Meanwhile(self.server):
            before = memory(self.server)
            peers = []
            for i in range(50):
                peer = self.reader(mailbox=None)
                peer.send("b APPEND INBOX {100000000}\r\n")
                self.assertTrue(peer.line().startswith("+"))
                peer.send(b"x" * 100)
                peers.append(peer)
            self.assertLess(memory(self.server) - before, 100_000)
            reader = self.reader(mailbox=None)
            for size in ("4294967296", "18446744073709551616", "99999999999999999999999", "-1", "2000000000"):
                self.assertRegex(reader.tagged(f"APPEND INBOX {{{size}}}")[-1], "^a (BAD|NO)")
            for literal in ("{99999999}", "{0000000000000000000000005}x"):
                self.assertRegex(reader.tagged(f"SELECT {literal}")[-1], "^a (BAD|NO)")

    def test_many_literals(self):
        reader = self.reader(mailbox=None)
        reader.send("a LIST \"\" (" + "{1+}\r\na " * 5_000 + "b)\r\n")
        self.assertRegex(reader.until("a ", "* BYE")[-1], r"^(a (BAD|NO)|\* BYE)")

    def test_appends_of_thousands(self):
        message = b"Subject: x\r\n\r\nx\r\n"
        with Meanwhile(self.server):
            reader = self.reader(mailbox=None, timeout=60)
            one = b" {%d+}\r\n" % len(message) + message
            reader.send(b"a APPEND INBOX" + one * 900 + b"\r\n")
            self.assertTrue(reader.until("a ")[-1].startswith("a OK"))
            reader.send(b"b APPEND INBOX" + one * 5_000 + b"\r\n")
            self.assertRegex(reader.until("b ", "* BYE")[-1], "^b (NO|BAD)")
            self.assertIn("MESSAGES 9", reader.tagged("STATUS INBOX (MESSAGES)")[0])

    def test_nuls(self):
        for login in (False, True):
            for line in (b"a NOOP\0\r\n", b"\0\r\n", b"a LOGIN \0 x\r\n", b'a LOGIN "a\0b" x\r\n', b"a LOGIN {3+}\r\na\0b x\r\n", b"a CREATE {3+}\r\na\0b\r\n", b"a\0b NOOP\r\n"):
                with self.subTest(line, login=login):
                    reader = self.reader() if login else self.peer("imap")
                    reader.send(line)
                    self.assertRegex(reader.until("a ", "* BAD", "* BYE")[-1], r"^(a|\*) (BAD|NO|BYE)")
        for service, line in (("smtp", b"MAIL FROM:<a\0b@x.test>\r\n"), ("smtp", b"EHLO \0\r\n"), ("pop3", b"USER a\0b\r\n"), ("pop3", b"\0\r\n")):
            with self.subTest(line):
                peer = self.peer(service)
                if service == "smtp":
                    peer.ask("EHLO x.test")
                peer.send(line)
                self.assertRegex(peer.line(), r"^(5\d\d |-ERR)")


class InAddresses(Attacked):
    config = {"smtp.max_errors": 1000}
    GOOD = ('"bob"@alpha.test', "<@relay.test,@other.test:bob@alpha.test>", "BOB@Alpha.Test", "bob+tag@alpha.test", "Postmaster", '"b\\ob"@alpha.test')
    BAD = ("bob@[127.0.0.1", "bob", "@alpha.test", "bob@", "bob@@alpha.test", "bob alpha@alpha.test", "bob(comment)@alpha.test", "bob@alpha.test(comment)", "bob@alpha..test", ".bob@alpha.test",
           "bob@-alpha.test", '"bob@alpha.test', "a" * 400 + "@alpha.test", "bob@" + "a." * 300 + "test", "bob@alpha.test\tx", "bob\\@alpha.test", "bob%beta.test@alpha.test", "beta.test!bob@alpha.test",
           "bob@alpha.test@beta.test", '"bob@beta.test"@alpha.test', "@alpha.test:carl@beta.test", "carl@[127.0.0.1]", "carl@#2130706433", '""@alpha.test', '"\0"@alpha.test', "b\u00f6b@alpha.test")

    def test_recipients(self):
        """Whatever the form, it is our Bob or it is nobody: nothing is relayed, and one reply each."""
        with Meanwhile(self.server):
            peer = self.mta()
            for address in self.GOOD + self.BAD:
                with self.subTest(address):
                    self.assertEqual(peer.ask("MAIL FROM:<>")[:3], "250")
                    path = address if address.startswith("<") else f"<{address}>"
                    self.assertRegex(peer.ask(f"RCPT TO:{path}"), r"^250 " if address in self.GOOD else r"^5\d\d 5\.\d\.\d ")
                    self.assertEqual(peer.ask("RSET")[:3], "250")

    def test_senders(self):
        peer = self.mta()
        for path in ("<" + "x" * 65 + "@y.test>", '<"a b"@y.test>', "<@a.test:x@y.test>", "<x@[192.0.2.1]>", "<x@[IPv6:::1]>", "<>", "x@y.test", "<x@y.test", "<<x@y.test>>", "<x@y.test> <z@y.test>",
                     "<x@y.test>\x00", "<x@[IPv6:1:2]>", "<\u00e9@y.test>", "<x@y.test> SMTPUTF8 SMTPUTF8", "<x@y.test> SIZE=1 SIZE=2", "<x@y.test> SIZE=99999999999999999999", "<x@y.test> " + "A=B " * 300):
            with self.subTest(path):
                reply = peer.ask(f"MAIL FROM:{path}")
                self.assertRegex(reply, r"^(250|5\d\d) [25]\.\d\.\d ")
                peer.ask("RSET")


if __name__ == "__main__":
    unittest.main()
