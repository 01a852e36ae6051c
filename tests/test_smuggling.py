"""Smuggling: nothing that one peer says can be taken for what another said, in or out (RFC 5321 §2.3.8, RFC 3207 §5)."""
import base64
import contextlib
import re
import smtplib
import socket
import ssl
import threading
import time
import unittest

from harness import PASSWORD, Instance, eventually
from hostile import ANNA, BOB, Attacked, Meanwhile, Peer
from mail import raw_messages, stamp, subjects

SECOND = b"MAIL FROM:<ceo@bank.test>\r\nRCPT TO:<bob@alpha.test>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n"

# Ends of data that some server has been seen to accept, and none of which is one.
FALSE_ENDS = {
    "LF.LF": b"\n.\n", "LF.CRLF": b"\n.\r\n", "CRLF.LF": b"\r\n.\n", "CR.CR": b"\r.\r", "CR.CRLF": b"\r.\r\n", "CRLF.CR": b"\r\n.\r",
    "CR.LF": b"\r.\n", "LF.CR": b"\n.\r", "CRLF.CRCRLF": b"\r\n.\r\r\n", "CRLF NUL.CRLF": b"\r\n\0.\r\n",
    "CRLF.NUL CRLF": b"\r\n.\0\r\n", "CR NUL LF.CRLF": b"\r\0\n.\r\n", "CRLF.CR NUL LF": b"\r\n.\r\0\n", "LFCR.LFCR": b"\n\r.\n\r",
    "NUL LF.LF": b"\0\n.\n", "CRLF..CRLF LF.LF": b"\r\n..\r\n\n.\n",
}


class In(Attacked):
    config = {"smtp.max_idle_commands": 1000, "smtp.max_errors": 1000}

    def test_false_ends_in_data(self):
        with Meanwhile(self.server):
            for name, end in FALSE_ENDS.items():
                with self.subTest(name):
                    peer = self.mta()
                    self.open(peer)
                    peer.ask("DATA")
                    peer.send(b"Subject: outer\r\n\r\nouter" + end + SECOND)
                    # One refusal, for what ends with the true end behind the smuggled message; and in step afterwards.
                    self.assertRegex(peer.reply(), r"^5\d\d 5\.[56]\.\d ")
                    self.assertEqual(peer.ask("NOOP")[:3], "250")
                    self.assertEqual(peer.ask("QUIT")[:3], "221")
        self.assertEqual([s for s in subjects(self.server, BOB) if s in ("outer", "smuggled")], [])

    def test_a_bare_cr_before_the_true_end(self):
        """CR CRLF.CRLF is the true end, of a message that is refused for the CR."""
        peer = self.mta()
        self.open(peer)
        peer.ask("DATA")
        peer.send(b"Subject: outer\r\n\r\nouter\r\r\n.\r\nNOOP\r\n")
        self.assertRegex(peer.reply(), r"^5\d\d 5\.[56]\.\d ")
        self.assertEqual(peer.reply()[:3], "250")

    def test_a_first_line_that_would_continue_our_own_field(self):
        mark = stamp()
        with Meanwhile(self.server):
            peer = self.mta()
            self.open(peer)
            peer.ask("DATA")
            peer.send(f" ; spf=pass (we say so)\r\nFrom: ceo@bank.test\r\nSubject: {mark}\r\n\r\nx\r\n.\r\n".encode())
            self.assertRegex(peer.reply(), r"^550 5\.6\.0 .*begins with a blank")
            with smtplib.SMTP_SSL("127.0.0.1", self.server.port("submissions"), context=ssl._create_unverified_context()) as user:
                user.login(BOB, PASSWORD)
                with self.assertRaises(smtplib.SMTPDataError):
                    user.sendmail(BOB, BOB, f"\tfolded\r\nFrom: {BOB}\r\nSubject: {mark}\r\n\r\nx\r\n")
            # Text without any header is a body, whatever it begins with.
            self.open(peer)
            peer.ask("DATA")
            peer.send(f"  {mark} indented\r\nsecond line\r\n.\r\n".encode())
            self.assertEqual(peer.reply()[:3], "250")
        header, _, body = next(m for m in raw_messages(self.server, BOB) if mark.encode() in m).partition(b"\r\n\r\n")
        self.assertEqual(body, f"  {mark} indented\r\nsecond line\r\n".encode())

    def test_false_ends_in_data_cut_at_every_byte(self):
        for name in ("LF.LF", "LF.CRLF", "CRLF.LF", "CR.CR", "CRLF.CRCRLF", "CRLF.NUL CRLF"):
            end = FALSE_ENDS[name]
            peer = self.mta()
            for cut in range(1, len(end) + 2):
                with self.subTest(name, cut=cut):
                    self.open(peer)
                    peer.ask("DATA")
                    text = b"Subject: outer\r\n\r\nouter" + end + SECOND
                    at = text.index(end) + cut
                    peer.send(text[:at])
                    time.sleep(0.01)  # into two segments
                    peer.send(text[at:])
                    self.assertRegex(peer.reply(), r"^5\d\d 5\.[56]\.\d ")
                    self.assertEqual(peer.ask("NOOP")[:3], "250")
        self.assertNotIn("smuggled", subjects(self.server, BOB))

    def test_the_true_end_cut_at_every_byte(self):
        mark, end = stamp(), b"\r\n.\r\n"
        peer = self.mta()
        for cut in range(1, len(end)):
            self.open(peer)
            peer.ask("DATA")
            peer.send(f"Subject: {mark}-{cut}\r\n\r\n..dot".encode() + end[:cut])
            time.sleep(0.01)
            peer.send(end[cut:])
            self.assertEqual(peer.reply()[:3], "250")
        self.assertEqual(sum(mark in s for s in subjects(self.server, BOB) if s), len(end) - 1)

    def test_false_ends_in_bdat(self):
        for name, end in FALSE_ENDS.items():
            with self.subTest(name):
                peer = self.mta()
                self.open(peer)
                text = b"Subject: outer\r\n\r\nouter" + end + SECOND
                peer.send(b"BDAT %d LAST\r\n" % len(text) + text)
                self.assertRegex(peer.reply(), r"^5\d\d 5\.[56]\.\d ")
                self.assertEqual(peer.ask("NOOP")[:3], "250")
        self.assertEqual([s for s in subjects(self.server, BOB) if s in ("outer", "smuggled")], [])

    def test_an_end_of_data_within_bdat_is_content(self):
        mark = stamp()
        peer = self.mta()
        self.open(peer)
        text = f"Subject: {mark}\r\n\r\nouter\r\n.\r\n".encode() + SECOND
        half = text.index(b".\r\n") + 1  # the chunks part at the dot
        peer.send(b"BDAT %d\r\n" % half + text[:half])
        self.assertEqual(peer.reply()[:3], "250")
        peer.send(b"BDAT %d LAST\r\n" % (len(text) - half) + text[half:])
        self.assertEqual(peer.reply()[:3], "250")
        stored = next(m for m in raw_messages(self.server, BOB) if mark.encode() in m)
        self.assertTrue(stored.endswith(text))
        self.assertNotIn("smuggled", subjects(self.server, BOB))

    def test_commands_with_bare_line_ends_are_one_bad_command(self):
        peer = self.mta()
        for line in (b"NOOP\nMAIL FROM:<x@y.test>\r\n", b"NOOP\rRSET\r\n", b"NO\0OP\r\n", b"NOOP\r\r\n", b"RCPT TO:<bob@alpha.test>\nDATA\r\n"):
            with self.subTest(line):
                peer.send(line)
                for _ in range(line.count(b"\n")):  # one word for each that might be taken for a line; none is carried out
                    self.assertRegex(peer.reply(), r"^50\d 5\.5\.\d ")
                self.assertEqual(peer.ask("NOOP")[:3], "250")

    def test_a_refused_chunk_is_no_command(self):
        for line in (b"BDAT 9999999999\r\n", b"BDAT 18446744073709551615 LAST\r\n", b"BDAT 18446744073709551616 LAST\r\n"):
            with self.subTest(line):
                peer = self.mta()
                self.open(peer)
                peer.send(line + SECOND)
                replies = []
                with contextlib.suppress(OSError):
                    peer.socket.settimeout(1)
                    while (reply := peer.reply()) is not None:
                        replies.append(reply)
                self.assertRegex(replies[0], "^5")
                self.assertEqual(len(replies), 1, replies)
        self.assertNotIn("smuggled", subjects(self.server, BOB))


class BeforeTls(Attacked):
    """What was sent in clear counts for nothing under TLS, wherever it was cut."""

    CASES = (("smtp", b"EHLO mx.mallory.test\r\n", b"STARTTLS\r\n", b"MAIL FROM:<x@mallory.test>\r\nRCPT TO:<bob@alpha.test>\r\n", b"NOOP\r\n", b"250"),
             ("submission", b"EHLO pc.test\r\n", b"STARTTLS\r\n", b"AUTH PLAIN " + base64.b64encode(f"\0{BOB}\0{PASSWORD}".encode()) + b"\r\n", b"NOOP\r\n", b"250"),
             ("imap", b"", b"a STARTTLS\r\n", f'b LOGIN {BOB} "{PASSWORD}"\r\n'.encode(), b"c NOOP\r\n", b"c OK"),
             ("pop3", b"", b"STLS\r\n", f"USER {BOB}\r\nPASS {PASSWORD}\r\n".encode(), b"CAPA\r\n", b"+OK"))

    def test_injected_commands_are_discarded(self):
        with Meanwhile(self.server):
            for service, hello, command, injected, probe, answer in self.CASES:
                for whole in (True, False):
                    with self.subTest(service, whole=whole):
                        peer = self.peer(service)
                        if hello:
                            peer.send(hello)
                            self.assertIn("STARTTLS", peer.reply())
                        peer.send(command + (injected if whole else injected[:7]))
                        self.assertRegex(peer.line(), r"^(220|a OK|\+OK)")
                        peer.start_tls()
                        peer.send((b"" if whole else injected[7:]) + probe)
                        lines = [peer.line()]
                        if not whole:  # the rest of a cut command is a bad command, not the end of a good one
                            self.assertRegex(lines[0], r"^(500 |\* BAD|\S+ BAD|-ERR)")
                            while not lines[-1].startswith(answer.decode()):
                                lines.append(peer.line())
                        self.assertTrue(lines[-1].startswith(answer.decode()), lines)
                        self.assertFalse(any(re.match(r"235|b OK|\+OK .*messages", l) for l in lines), lines)

    def test_a_handshake_is_taken_from_behind_the_command_only_as_such(self):
        """The client's first flight right behind STARTTLS is not what follows the 220: it is dropped, and the handshake never comes."""
        peer = self.peer("smtp")
        peer.ask("EHLO mx.mallory.test")
        peer.send(b"STARTTLS\r\n\x16\x03\x01\x00\x05hello")
        self.assertEqual(peer.reply()[:3], "220")
        peer.start_tls()  # a fresh one works: nothing of the old is left
        self.assertEqual(peer.ask("EHLO mx.mallory.test")[:3], "250")


class FakeMx:
    """Another organisation's server, which records what it is told and answers what it likes."""

    def __init__(self, port, host="127.0.0.3", after_starttls=None, certificate=None, end="250 2.0.0 taken", rcpt="250 2.1.5 ok"):
        self.after_starttls, self.certificate, self.end, self.rcpt = after_starttls, certificate, end, rcpt
        self.messages, self.lines, self.errors, self.connections = [], [], [], []
        self.listening = socket.create_server((host, port))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listening.accept()
                self.connections.append(connection)
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def close(self):
        self.listening.shutdown(socket.SHUT_RDWR)  # ends the accept() of the other thread
        self.listening.close()
        for connection in self.connections:  # or the next message goes by one that is kept open
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def serve(self, connection):
        try:
            connection.settimeout(20)
            self.converse(connection)
        except Exception as error:  # noqa: BLE001 the test looks
            self.errors.append(error)
        finally:
            connection.close()

    def converse(self, connection):
        connection.sendall(b"220 mx.beta.test ESMTP\r\n")
        text, data = b"", None
        while True:
            if data is not None:
                # Exactly the end of RFC 5321 §4.1.1.4.
                at = 0 if text.startswith(b".\r\n") and not data else text.find(b"\r\n.\r\n")
                if at >= 0:
                    end = 3 if text.startswith(b".\r\n") else at + 5
                    self.messages.append(text[:end])
                    text, data = text[end:], None
                    connection.sendall(self.end.encode("latin-1") + b"\r\n")
                    continue
            elif b"\r\n" in text:
                line, text = text.split(b"\r\n", 1)
                self.lines.append(line)
                verb = line.split(b" ")[0].split(b":")[0].upper()
                if verb == b"STARTTLS":
                    connection.sendall(b"220 2.0.0 go\r\n" + (self.after_starttls or b""))
                    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                    context.load_cert_chain(*self.certificate)
                    connection = context.wrap_socket(connection, server_side=True)
                    self.connections.append(connection)
                    text = b""
                    continue
                reply = {b"EHLO": b"250-mx.beta.test\r\n" + (b"250-STARTTLS\r\n" if self.certificate and not isinstance(connection, ssl.SSLSocket) else b"") + b"250 PIPELINING",
                         b"RCPT": self.rcpt.encode("latin-1"), b"DATA": b"354 go", b"QUIT": b"221 bye"}.get(verb, b"250 2.0.0 ok")
                connection.sendall(reply + b"\r\n")
                if verb == b"QUIT":
                    return
                if verb == b"DATA":
                    data = b""
                continue
            more = connection.recv(65536)
            if not more:
                return
            text += more


ZONE = "beta.test. 300 IN MX 10 mx.beta.test.\nmx.beta.test. 300 IN A 127.0.0.3\nalpha.test. 300 IN A 127.0.0.1\n"


class Out(unittest.TestCase):
    """What we relay ends once, with the one true end; and what others answer is taken for nothing else."""

    @classmethod
    def setUpClass(cls):
        import pathlib
        import tempfile
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        zone = pathlib.Path(folder) / "zone"
        zone.write_text(ZONE)
        cls.server = cls.enterClassContext(Instance(ANNA, zone=zone, config={"queue.retry": '["2s"]'}))
        cls.certificate = (cls.server.dir / "tls" / "cert.pem", cls.server.dir / "tls" / "key.pem")

    def mx(self, **options):
        mx = FakeMx(self.server.base + 25, **options)
        self.addCleanup(mx.close)
        return mx

    def submit_raw(self, text, how="DATA"):
        peer = self.enterContext(Peer(self.server, "submission", "127.0.0.1"))
        peer.reply()
        peer.ask("EHLO pc.test")
        peer.ask("STARTTLS")
        peer.start_tls()
        peer.ask("EHLO pc.test")
        self.assertEqual(peer.ask("AUTH PLAIN " + base64.b64encode(f"\0{ANNA}\0{PASSWORD}".encode()).decode())[:3], "235")
        peer.ask(f"MAIL FROM:<{ANNA}>")
        self.assertEqual(peer.ask("RCPT TO:<carl@beta.test>")[:3], "250")
        if how == "DATA":
            peer.ask("DATA")
            peer.send(text)
        else:
            peer.send(b"BDAT %d LAST\r\n" % len(text) + text)
        return peer.reply()

    def test_odd_endings_go_out_with_one_true_end(self):
        mx = self.mx()
        bodies = {"no line end": b"x", "a dot": b".", "dots": b"..\r\n.\r\n...\r\n.x", "an end of data inside": b"a\r\n.\r\nMAIL FROM:<x@y.test>\r\n",
                  "ends with a dot line": b"a\r\n.", "empty": b"", "only dots": b".\r\n.\r\n.\r\n"}
        for i, (name, body) in enumerate(bodies.items()):
            with self.subTest(name):
                mark = stamp()
                head = f"From: {ANNA}\r\nSubject: {mark}\r\n\r\n".encode()
                self.assertEqual(self.submit_raw(head + body, "BDAT")[:3], "250")
                eventually(lambda: len(mx.messages) == i + 1)
                wire = mx.messages[-1]
                self.assertTrue(wire.endswith(b"\r\n.\r\n"))
                self.assertEqual(wire.count(b"\r\n.\r\n"), 1, "one end of data")
                self.assertNotRegex(wire, rb"\r(?!\n)|(?<!\r)\n", "no bare CR or LF")
                content = wire[:-3].replace(b"\r\n..", b"\r\n.").split(b"\r\n\r\n", 1)[1]
                self.assertEqual(content, body if body.endswith(b"\r\n") or not body else body + b"\r\n")
        self.assertEqual([l for l in mx.lines if b"y.test" in l], [])
        self.assertEqual(mx.errors, [])

    def test_bare_line_ends_are_refused_before_they_are_anywhere(self):
        mx = self.mx()
        for name, end in FALSE_ENDS.items():
            with self.subTest(name):
                text = f"From: {ANNA}\r\nSubject: x\r\n\r\na".encode() + end + b"b\r\n"
                self.assertRegex(self.submit_raw(text, "BDAT"), r"^5\d\d 5\.[56]\.")
        self.assertEqual(mx.messages, [])

    def test_replies_injected_behind_starttls_are_discarded(self):
        """A man in the middle answers in advance: EHLO, MAIL, RCPT, DATA and the end would all seem to have succeeded."""
        lies = b"250-mx.beta.test\r\n250 AUTH PLAIN\r\n" + b"250 2.0.0 injected\r\n" * 2 + b"354 go\r\n250 2.0.0 injected\r\n"
        mx = self.mx(after_starttls=lies, certificate=self.certificate)
        mark = stamp()
        self.assertEqual(self.submit_raw(f"From: {ANNA}\r\nSubject: {mark}\r\n\r\nx\r\n.\r\n".encode())[:3], "250")
        told = eventually(lambda: (t := self.server.run("trace", "carl@beta.test").stdout) and mark in t and ("injected" in t or "taken" in t or mx.errors) and t)
        # Either the handshake fails on what stood there (and nothing counts), or it was dropped and the true answers counted.
        self.assertNotIn("injected", told)
        if mx.messages:
            self.assertIn(mark.encode(), mx.messages[-1])

    def test_what_a_remote_server_answers_cannot_break_the_bounce(self):
        mx = self.mx(rcpt="550 5.1.1 no\rFrom: ceo@bank.test\0 \xe9 \x1b[2J <b>" + "x" * 400)
        mark = stamp()
        self.assertEqual(self.submit_raw(f"From: {ANNA}\r\nSubject: {mark}\r\n\r\nx\r\n.\r\n".encode())[:3], "250")

        def bounce():
            return next((m for m in raw_messages(self.server) if mark.encode() in m and b"delivery-status" in m), None)
        text = eventually(bounce)
        self.assertNotRegex(text, rb"\r(?!\n)|(?<!\r)\n|\0|\x1b")
        self.assertNotRegex(text, rb"\r\nFrom: ceo@bank")
        self.assertTrue(mx.lines)


if __name__ == "__main__":
    unittest.main()
