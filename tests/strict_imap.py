"""Reads IMAP responses as RFC 3501 section 9 (with the extensions that are named) writes them, and refuses everything else.

    reader = Reader(socket)
    lines = reader.command("a1", "FETCH 1 (ENVELOPE)")      # [[b"*", 1, b"FETCH", [...]], ...]

Values: bytes for strings (Quoted, Literal), Atom for atoms, int for numbers, None for NIL, list for parentheses.
"""
import re

ATOM = re.compile(rb"[^\x00-\x20\x7f-\xff(){\"%*\\\]]+")
FLAG = re.compile(rb"\\\*|\\?[^\x00-\x20\x7f-\xff(){\"%*\\\]]+")
SECTION = re.compile(rb"(BINARY(?:\.SIZE)?|BODY|RFC822(?:\.[A-Z]+)?)\[[^\]]*\](?:<\d+>)?")


class Atom(bytes):
    pass


class Malformed(AssertionError):
    pass


class Reader:
    """`read(n)` gives at least one and at most n bytes, or nothing at the end."""

    def __init__(self, read):
        self._read, self._buffer, self._at = read, b"", 0

    def _more(self):
        data = self._read(1 << 20)
        if not data:
            raise Malformed(f"the connection ended inside of {self._buffer[-80:]!r}")
        self._buffer = self._buffer[self._at:] + data
        self._at = 0

    def _line(self):
        """Up to the next CRLF, which is left out."""
        start = self._at
        while (end := self._buffer.find(b"\r\n", start)) < 0:
            start = max(len(self._buffer) - 1 - self._at, 0)
            self._more()
        line = self._buffer[self._at:end]
        self._at = end + 2
        if b"\n" in line or b"\r" in line or b"\0" in line:
            raise Malformed(f"bare CR, LF or NUL in {line!r}")
        return line

    def _exactly(self, count):
        if len(self._buffer) - self._at < count:
            parts = [self._buffer[self._at:]]
            missing = count - len(parts[0])
            while missing:
                data = self._read(min(missing, 1 << 20))
                if not data:
                    raise Malformed("the connection ended inside of a literal")
                parts.append(data)
                missing -= len(data)
            self._buffer, self._at = b"", 0
            return b"".join(parts)
        value = self._buffer[self._at:self._at + count]
        self._at += count
        return value

    def response(self):
        """One response: [b"*", …], [b"+", text] or [tag, b"OK", text]."""
        line = self._line()
        if line.startswith(b"+ ") or line == b"+":
            return [Atom(b"+"), line[2:]]
        tag, _, rest = line.partition(b" ")
        word = rest.split(b" ")[0].upper()
        if word in (b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH"):
            return [Atom(tag), Atom(word), rest[len(word) + 1:]]
        if tag != b"*":
            raise Malformed(f"neither untagged nor a status: {line!r}")
        self.text, self.pos = rest, 0
        values = [Atom(b"*")]
        while True:
            values.append(self._value())
            if self.pos == len(self.text):
                return values
            self._space()

    def until(self, tag):
        """Responses up to the tagged one."""
        got = []
        while True:
            got.append(self.response())
            if got[-1][0] == tag:
                return got

    def _space(self):
        if self.text[self.pos:self.pos + 1] != b" ":
            raise Malformed(f"no space at {self.text[self.pos:self.pos + 40]!r} in {self.text[:200]!r}")
        self.pos += 1

    def _value(self, depth=0):
        if depth > 2000:
            raise Malformed("too deep")
        c = self.text[self.pos:self.pos + 1]
        if c == b"(":
            return self._list(depth)
        if c == b'"':
            return self._quoted()
        if c in (b"{", b"~"):
            return self._literal()
        section = SECTION.match(self.text, self.pos)
        if section:
            self.pos = section.end()
            return Atom(section.group())
        atom = FLAG.match(self.text, self.pos) if c == b"\\" else ATOM.match(self.text, self.pos)
        if not atom:
            raise Malformed(f"no value at {self.text[self.pos:self.pos + 40]!r} in {self.text[:200]!r}")
        self.pos = atom.end()
        word = atom.group()
        if word.upper() == b"NIL":
            return None
        return int(word) if word.isdigit() else Atom(word)

    def _list(self, depth):
        self.pos += 1
        values = []
        if self.text[self.pos:self.pos + 1] == b")":
            self.pos += 1
            return values
        while True:
            values.append(self._value(depth + 1))
            c = self.text[self.pos:self.pos + 1]
            if c == b")":
                self.pos += 1
                return values
            # RFC 3501: body-type-mpart is 1*body, and an address list 1*address: no space between them.
            if c == b"(" and isinstance(values[-1], list):
                continue
            self._space()

    def _quoted(self):
        out, i = bytearray(), self.pos + 1
        while True:
            c = self.text[i:i + 1]
            if c == b"":
                raise Malformed(f"a quoted string without its end: {self.text[self.pos:self.pos + 80]!r}")
            if c == b'"':
                break
            if c == b"\\":
                i += 1
                c = self.text[i:i + 1]
                if c not in (b"\\", b'"'):
                    raise Malformed(f"\\{c!r} in a quoted string")
            if c[0] >= 0x80:
                raise Malformed(f"8-bit in a quoted string: {self.text[self.pos:i + 20]!r}")
            out += c
            i += 1
        self.pos = i + 1
        return bytes(out)

    def _literal(self):
        found = re.compile(rb"~?\{(\d+)\}").match(self.text, self.pos)
        if not found or found.end() != len(self.text):
            raise Malformed(f"not a literal: {self.text[self.pos:self.pos + 40]!r}")
        value = self._exactly(int(found.group(1)))
        self.text, self.pos = self._line(), 0
        return value


def expect(condition, what, value):
    if not condition:
        raise Malformed(f"{what}: {value!r}"[:400])


def nstring(value, what="nstring"):
    expect(value is None or (isinstance(value, bytes) and not isinstance(value, Atom)), what, value)


def string(value, what="string"):
    expect(isinstance(value, bytes) and not isinstance(value, Atom), what, value)


def check_envelope(value):
    expect(isinstance(value, list) and len(value) == 10, "an envelope has ten members", value)
    for i in (0, 1, 8, 9):
        nstring(value[i], "date, subject, in-reply-to, message-id")
    for i in range(2, 8):
        addresses = value[i]
        expect(addresses is None or (isinstance(addresses, list) and addresses), "NIL or 1*address", addresses)
        for address in addresses or []:
            expect(isinstance(address, list) and len(address) == 4, "an address has four members", address)
            for member in address:
                nstring(member, "name, adl, mailbox, host")
    expect((value[2] is None) == (value[3] is None) == (value[4] is None), "sender and reply-to default to from", value[2:5])


def check_parameters(value):
    expect(value is None or (isinstance(value, list) and value and len(value) % 2 == 0), "NIL or pairs", value)
    for word in value or []:
        string(word, "body-fld-param")


def check_extension(rest):
    """dsp, lang, loc, and what may follow."""
    if len(rest) > 0:
        dsp = rest[0]
        expect(dsp is None or (isinstance(dsp, list) and len(dsp) == 2), "body-fld-dsp", dsp)
        if dsp:
            string(dsp[0], "disposition")
            check_parameters(dsp[1])
    if len(rest) > 1:
        lang = rest[1]
        if isinstance(lang, list):
            expect(lang, "1*string", lang)
            for word in lang:
                string(word, "language")
        else:
            nstring(lang, "language")
    if len(rest) > 2:
        nstring(rest[2], "location")


def check_structure(value, path="", extended=True, parts=None):
    """Checks BODYSTRUCTURE (or BODY); gives [(section path, type, octets)] of the parts, the path of the whole being ""."""
    parts = [] if parts is None else parts
    expect(isinstance(value, list) and value, "a body structure", value)
    if isinstance(value[0], list):
        count = 0
        while count < len(value) and isinstance(value[count], list):
            count += 1
        string(value[count], "subtype")
        rest = value[count + 1:]
        expect(extended or not rest, "BODY has no extension data", rest)
        if rest:
            check_parameters(rest[0])
            check_extension(rest[1:])
        parts.append((path, "multipart", None))
        for i in range(count):
            check_structure(value[i], f"{path}.{i + 1}" if path else str(i + 1), extended, parts)
        return parts
    path = path or "1"
    string(value[0], "type")
    string(value[1], "subtype")
    check_parameters(value[2])
    nstring(value[3], "content-id")
    nstring(value[4], "content-description")
    string(value[5], "encoding")
    expect(isinstance(value[6], int), "octets", value[6])
    kind, rest = value[0].lower(), value[7:]
    parts.append((path, f"{kind.decode()}/{value[1].lower().decode()}", value[6]))
    if kind == b"message" and value[1].lower() == b"rfc822":
        expect(len(rest) >= 3 and isinstance(rest[2], int), "envelope, body, lines", rest)
        check_envelope(rest[0])
        inner = rest[1]
        below = path
        if isinstance(inner[0], list):  # the parts of a multipart in a message are numbered below the message
            check_structure(inner, below, extended, parts)
        else:
            check_structure(inner, below + ".1", extended, parts)
        rest = rest[3:]
    elif kind == b"text":
        expect(rest and isinstance(rest[0], int), "lines", rest)
        rest = rest[1:]
    expect(extended or not rest, "BODY has no extension data", rest)
    if rest:
        nstring(rest[0], "md5")
        check_extension(rest[1:])
    return parts
