"""Every message of the test material goes in by SMTP and comes back equal by IMAP and POP3, whole and in pieces."""
import concurrent.futures
import re
import socket
import time
import unittest

from harness import PASSWORD, VECTORS, Instance
from mail import tls
from strict_imap import Atom, Reader, check_envelope, check_structure

USER = "vectors@alpha.test"
NOT_MAIL = re.compile(r"README|LICENSE|COPYING|MIT\.txt|Apache|\.json$", re.I)


def files():
    """(name, bytes) of every message; mbox files are taken apart."""
    for path in sorted(p for p in VECTORS.rglob("*") if p.is_file()):
        name = str(path.relative_to(VECTORS))
        if NOT_MAIL.search(name):
            continue
        mail = path.suffix in (".eml", ".msg") or re.match(
            r"corpus-notmuch/|mime/cpython-email/msg|mime/mail-mime-parser/[^/]+\.txt$|dkim/mail-dkim/.*\.txt$|"
            r"dkim/canonicalization/email\.", name)
        if name.endswith(".mbox.txt"):
            for i, one in enumerate(re.split(rb"(?m)^\xef?\xbb?\xbf?From [^\n]*\n", path.read_bytes())[1:]):
                yield f"{name}#{i}", one
        elif name.startswith("dkim/mail-auth/") and path.suffix == ".txt":
            yield name, re.split(rb"\r?\n\r?\n", path.read_bytes(), maxsplit=1)[1]  # key records stand before the message
        elif mail:
            yield name, path.read_bytes()


def wire_form(raw):
    """As it goes over SMTP; or the reason why it cannot."""
    raw = re.sub(rb"\A>?From [^\n]*\n", b"", raw).replace(b"\r\n", b"\n")
    if not raw:
        return None, "empty"
    if b"\r" in raw:
        return None, "a bare CR"
    if b"\0" in raw:
        return None, "a NUL"
    raw = raw if raw.endswith(b"\n") else raw + b"\n"
    return raw.replace(b"\n", b"\r\n"), None


class Connection:
    def __init__(self, server, service, implicit_tls=False):
        self.socket = socket.create_connection((server.host, server.port(service)), 60)
        if implicit_tls:
            self.socket = tls().wrap_socket(self.socket)
        self.file = self.socket.makefile("rb", 1 << 20)

    def reply(self):
        while True:
            line = self.file.readline()
            if line[3:4] != b"-":
                return line

    def close(self):
        self.file.close()
        self.socket.close()


class SmtpSender(Connection):
    def __init__(self, server):
        super().__init__(server, "smtp")
        self.reply()
        self.socket.sendall(b"EHLO vectors.test\r\n")
        self.reply()

    def send(self, number, text):
        """The last reply: that of the message, or the first refusal."""
        self.socket.sendall(b"MAIL FROM:<n%d@vectors.test> BODY=8BITMIME\r\nRCPT TO:<%s>\r\nDATA\r\n" % (number, USER.encode()))
        replies = [self.reply() for _ in range(3)]
        bad = [r for r in replies if r[:1] not in b"23"]
        if bad:
            return b" ".join(bad)
        self.socket.sendall(re.sub(rb"(?m)^\.", b"..", text) + b".\r\n")
        return self.reply()


def has_header(message):
    """Whether a field stands in the first lines; else it is all body."""
    return bool(re.search(rb"\A(?:[^\r\n]+\r\n){0,20}?[\x21-\x39\x3b-\x7e]+[ \t]*:|\A\r\n", message))


def delivered(sent):
    """A message is delivered without the Return-Path fields that it came with (RFC 5321 §4.4)."""
    header, empty, body = sent.partition(b"\r\n\r\n")
    return re.sub(rb"(?mi)^return-path[ \t]*:[^\n]*\n(?:[ \t][^\n]*\n)*", b"", header + b"\r\n")[:-2] + empty + body if empty else sent


@unittest.skipUnless(VECTORS.is_dir(), f"the test material is not at {VECTORS}; HIKYAKU_VECTORS may say where")
class Vectors(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Instance("anna@alpha.test"))
        cls.server.add_account(USER)
        cls.sent, cls.names, cls.skipped, cls.refused = {}, {}, [], []
        for number, (name, raw) in enumerate(files()):
            text, reason = wire_form(raw)
            cls.names[number] = name
            if reason:
                cls.skipped.append(f"{name} ({reason})")
            else:
                cls.sent[number] = text
        started = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            work = list(cls.sent.items())
            for refused in pool.map(cls.deliver, [work[i::6] for i in range(6)]):
                cls.refused += refused
        cls.fetched = None
        print(f"{len(cls.sent)} messages went in in {time.monotonic() - started:.1f} s; skipped: {', '.join(cls.skipped)}", flush=True)

    @classmethod
    def deliver(cls, work):
        sender, refused = SmtpSender(cls.server), []
        for number, text in work:
            reply = sender.send(number, text)
            if reply[:3] != b"250":
                refused.append(f"{cls.names[number]}: {reply.decode(errors='replace')}")
                sender.close()
                sender = SmtpSender(cls.server)
        sender.close()
        return refused

    def imap(self):
        connection = Connection(self.server, "imap")  # without TLS: one thread writes while another reads
        reader = Reader(connection.socket.recv)
        reader.response()
        connection.socket.sendall(f'a LOGIN {USER} "{PASSWORD}"\r\nb SELECT INBOX\r\n'.encode())
        reader.until(b"a")
        self.assertEqual(reader.until(b"b")[-1][1], b"OK")
        self.addCleanup(connection.close)
        return connection, reader

    def fetch(self, connection, reader, numbers, items):
        """{sequence number: {item: value}}"""
        connection.socket.sendall(f"f FETCH {numbers} ({items})\r\n".encode())
        *data, last = reader.until(b"f")
        self.assertEqual(last[1], b"OK", last)
        found = {}
        for line in data:
            if line[2:3] == [b"FETCH"]:
                row = line[3]
                self.assertTrue(all(isinstance(k, Atom) for k in row[::2]), row[::2])
                found.setdefault(line[1], {}).update(zip(row[::2], row[1::2]))
        return found

    def everything(self):
        """What IMAP gives of each message; fetched once."""
        if Vectors.fetched is None:
            connection, reader = self.imap()
            Vectors.fetched = self.fetch(connection, reader, "1:*", "UID RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE BODY.PEEK[]")
        return self.fetched

    def number_of(self, raw):
        return int(re.search(rb"\AReturn-Path: <n(\d+)@vectors\.test>\r\n", raw).group(1))

    def compare(self, got):
        """Whole messages against what was sent; gives what differs."""
        wrong, seen = [], set()
        for raw in got:
            number = self.number_of(raw)
            seen.add(number)
            sent = delivered(self.sent[number])
            front = raw[:len(raw) - len(sent)]
            if not raw.endswith(sent):
                wrong.append(f"{self.names[number]}: differs")
            # A text without a header gets the empty line that makes it a body.
            elif not re.fullmatch(rb"(?:[\x21-\x39\x3b-\x7e]+:[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*)+" + (rb"" if has_header(sent) else rb"\r\n"), front):
                wrong.append(f"{self.names[number]}: what we put in front is not header fields: {front!r}")
        wrong += [f"{self.names[n]}: missing" for n in self.sent if n not in seen]
        return wrong

    def test_all_are_accepted(self):
        self.assertGreater(len(self.sent), 2500)
        self.assertEqual(self.refused, [])

    def test_they_come_back_equal_by_imap(self):
        self.assertEqual(self.compare(row[b"BODY[]"] for row in self.everything().values()), [])
        for row in self.everything().values():
            self.assertEqual(row[b"RFC822.SIZE"], len(row[b"BODY[]"]))

    def test_they_come_back_equal_by_pop3(self):
        connection = Connection(self.server, "pop3s", implicit_tls=True)
        self.addCleanup(connection.close)
        connection.socket.sendall(f"USER {USER}\r\nPASS {PASSWORD}\r\nSTAT\r\n".encode())
        replies = [connection.file.readline() for _ in range(4)]
        count = int(replies[-1].split()[1])
        connection.socket.sendall(b"LIST\r\n")
        connection.file.readline()
        sizes = [int(connection.file.readline().split()[1]) for _ in range(count)]
        self.assertEqual(connection.file.readline(), b".\r\n")
        got = []
        for first in range(1, count + 1, 50):
            last = min(first + 50, count + 1)
            connection.socket.sendall(b"".join(b"RETR %d\r\n" % i for i in range(first, last)))
            for i in range(first, last):
                self.assertTrue(connection.file.readline().startswith(b"+OK"))
                lines = []
                while (line := connection.file.readline()) != b".\r\n":
                    self.assertTrue(line.endswith(b"\r\n"), line[-80:])
                    lines.append(line[1:] if line.startswith(b".") else line)
                got.append(b"".join(lines))
                self.assertEqual(len(got[-1]), sizes[i - 1])
        self.assertEqual(self.compare(got), [])

    def test_envelopes_and_structures_are_well_formed(self):
        wrong = []
        for row in self.everything().values():
            try:
                check_envelope(row[b"ENVELOPE"])
                long = check_structure(row[b"BODYSTRUCTURE"])
                short = check_structure(row[b"BODY"], extended=False)
                self.assertEqual(long, short)
            except AssertionError as error:
                wrong.append(f"{self.names[self.number_of(row[b'BODY[]'])]}: {error}")
        self.assertEqual(wrong, [])

    def test_they_come_back_equal_piece_by_piece(self):
        connection, reader = self.imap()
        rows = self.everything()
        paths = {n: check_structure(row[b"BODYSTRUCTURE"]) for n, row in rows.items()}
        wrong = []
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            def ask():
                for n in rows:
                    items = ["BODY.PEEK[HEADER]", "BODY.PEEK[TEXT]", "BODY.PEEK[]<100.200>"]
                    for path, kind, _ in paths[n]:
                        if path:
                            items += [f"BODY.PEEK[{path}.MIME]", f"BODY.PEEK[{path}]"]
                        if path and kind == "message/rfc822":
                            items += [f"BODY.PEEK[{path}.HEADER]", f"BODY.PEEK[{path}.TEXT]"]
                    connection.socket.sendall(f"f FETCH {n} ({' '.join(items)})\r\n".encode())
            asked = pool.submit(ask)
            for n in rows:
                *data, last = reader.until(b"f")
                self.assertEqual(last[1], b"OK")
                pieces = {}
                for line in data:
                    pieces.update(zip(line[3][::2], line[3][1::2]))
                wrong += [f"{self.names[self.number_of(rows[n][b'BODY[]'])]}: {w}"
                          for w in self.wrong_pieces(rows[n][b"BODY[]"], pieces, paths[n])]
            asked.result()
        self.assertEqual(wrong, [])

    def wrong_pieces(self, raw, pieces, paths):
        if pieces[b"BODY[HEADER]"] + pieces[b"BODY[TEXT]"] != raw:
            yield "HEADER and TEXT are not the whole"
        if pieces[b"BODY[]<100>"] != raw[100:300]:
            yield "a partial fetch differs"
        single = len(paths) == 1
        for path, kind, octets in paths:
            if not path:
                continue
            body, mime = pieces[f"BODY[{path}]".encode()], pieces[f"BODY[{path}.MIME]".encode()]
            if octets is not None and len(body) != octets:
                yield f"part {path}: {len(body)} octets, the structure says {octets}"
            if body not in raw:
                yield f"part {path} is not in the message"
            if single and body != pieces[b"BODY[TEXT]"]:
                yield "the only part is not the text"
            if path != "1" and mime + body not in raw and (mime or body) and "." not in path:
                yield f"part {path}: its header and body do not follow each other"
            if kind == "message/rfc822" and pieces[f"BODY[{path}.HEADER]".encode()] + pieces[f"BODY[{path}.TEXT]".encode()] != body:
                yield f"part {path}: header and text are not the message"


if __name__ == "__main__":
    unittest.main()
