"""Mixed load with ledgers: every client writes down what the server acknowledged, so that a test can tell after a crash what must be
there, to the byte, and that no UID was ever given to two messages. Each client touches only messages of its own, also where several share
an account, so of each at most one operation is in doubt when the server goes.

    world = World(seed); with world.server: with world.load(): …kill…; world.server.start(); world.check()
"""
import collections
import contextlib
import hashlib
import imaplib
import itertools
import json
import os
import poplib
import random
import re
import smtplib
import socketserver
import ssl
import tempfile
import threading
import time

from harness import PASSWORD, Instance, eventually
from mail import imap, tls

REMOTE_HOST = "127.0.3.9"
ZONE = ("$ORIGIN test.\n$TTL 60\nalpha MX 10 mx.alpha\nmx.alpha A 127.0.0.1\ngamma MX 10 mx.gamma\n"
        f"mx.gamma A {REMOTE_HOST}\n")
# imaplib and poplib turn a lost connection into these; a refusal is none of them.
GONE = (OSError, EOFError, smtplib.SMTPServerDisconnected, smtplib.SMTPConnectError, imaplib.IMAP4.abort, ssl.SSLError)

MAILBOXES = ("INBOX", "Archive", "Copies")
DELIVERED = re.compile(r"event=attempt\.end mid=(\S+) .*status=delivered")


def elsewhere(mark):
    """Where a message goes that leaves: the queue tells recipients, and so which messages are in it."""
    return f"dora+{mark}@gamma.test"


def seed_of_environment():
    seed = int(os.environ.get("HIKYAKU_SEED") or time.time_ns() % 1_000_000)
    print(f"HIKYAKU_SEED={seed}", flush=True)
    return seed


class Recorder(socketserver.ThreadingTCPServer):
    """Another organisation's server: takes every message and remembers when, and by which number we send it. While it is `busy` it takes none."""
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port):
        self.got = collections.defaultdict(list)  # mark -> times at which it was accepted
        self.mark_of = {}  # the number in our Received field -> mark
        self.busy = False
        super().__init__((REMOTE_HOST, port), RecorderSession)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class RecorderSession(socketserver.StreamRequestHandler):
    def handle(self):
        with contextlib.suppress(OSError):
            self.say("220 mx.gamma.test ESMTP")
            while line := self.rfile.readline():
                verb = line[:4].upper()
                if verb == b"DATA":
                    self.say("354 go on")
                    self.data()
                elif verb == b"RCPT" and self.server.busy:
                    self.say("451 4.3.2 later")
                elif verb == b"EHLO":
                    self.say("250-mx.gamma.test\r\n250 8BITMIME")
                elif verb == b"QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("250 ok")

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def data(self):
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                raise ConnectionAbortedError  # in the middle: it was not taken
            lines.append(line)
        text = b"".join(lines)
        mark = re.search(rb"(?m)^Subject: (\S+)", text).group(1).decode()
        number = re.search(rb"(?m)^Received: [^;]*\sid ([^\s;]+)", text).group(1).decode()
        # Written down before it is said: who is not told may send it again (RFC 5321 §4.5.4.1).
        self.server.mark_of[number] = mark
        self.server.got[mark].append(time.monotonic())
        self.say("250 taken")


class Client(threading.Thread):
    """Works until the server is gone. `has` is what its account must hold of its messages: (mailbox, mark) -> flags. `doubt` are the states that the
    operation under way may have led to beside `has`; `since` those that it has had since the last snapshot, in order."""

    def __init__(self, world, number, account, rng):
        super().__init__(daemon=True)
        self.world, self.number, self.account, self.rng = world, number, account, rng
        self.has, self.doubt, self.since, self.done, self.error = {}, [], None, 0, None
        self.lock = threading.Lock()  # `has`, `doubt` and `since` belong together

    def run(self):
        try:
            with contextlib.suppress(*GONE):
                self.work()
        except poplib.error_proto as error:
            if "EOF" not in str(error):
                self.error = error
        except Exception as error:  # what a server must not answer
            self.error = error

    def mark(self):
        return self.world.next_mark(self.number)

    def text(self, mark, sender="x@beta.test", body=None):
        size = self.rng.choice([0, 100, 5_000, 60_000, 300_000] if self.rng.random() < 0.2 else [0, 100, 3_000])
        text = f"From: {sender}\r\nTo: {self.account}\r\nSubject: {mark}\r\n\r\n" + "x" * 70 + "\r\n"
        text += body or "".join(self.rng.choice("abcdefgh") * 70 + "\r\n" for _ in range(size // 72))
        self.world.sent[mark] = len(text), hashlib.sha256(text.encode()).digest()
        return text

    @contextlib.contextmanager
    def change(self, *after):
        """An operation: if it does not end, the account is as before or as one of `after`; if it does, as the first."""
        with self.lock:
            self.doubt = list(after)
        yield
        with self.lock:
            self.has, self.doubt = after[0], []
            if self.since is not None:
                self.since.append(self.has)
        self.done += 1

    def adding(self, mark, mailbox="INBOX", flags=()):
        return self.change({**self.has, (mailbox, mark): frozenset(flags)})


class Sender(Client):
    """Another server, which delivers."""

    def work(self):
        with contextlib.closing(smtplib.SMTP(self.world.server.host, self.world.server.port("smtp"), timeout=20)) as smtp:
            while not self.world.stopping:
                mark = self.mark()
                with self.adding(mark):
                    smtp.sendmail("x@beta.test", [self.account], self.text(mark))


class Submitter(Client):
    """A user who writes to himself and to somebody elsewhere at once."""

    def work(self):
        server = self.world.server
        with contextlib.closing(smtplib.SMTP_SSL(server.host, server.port("submissions"), context=tls(), timeout=20)) as smtp:
            smtp.login(self.account, PASSWORD)
            while not self.world.stopping:
                mark = self.mark()
                self.world.may_be_sent.add(mark)
                with self.adding(mark):
                    smtp.sendmail(self.account, [self.account, elsewhere(mark)], self.text(mark, self.account))
                self.world.must_be_sent.add(mark)
                time.sleep(0.005)


class Reader(Client):
    """Appends, sets flags, copies, moves, expunges."""

    def log_in(self):
        client = imap(self.world.server, self.account)
        for mailbox in MAILBOXES[1:]:
            client.create(mailbox)  # or it is there
        client.select("INBOX")
        self.uids = {}  # of this session's messages in INBOX
        return client

    def work(self):
        client = self.log_in()
        while not self.world.stopping:
            present = [key for key in self.has if key[0] == "INBOX" and key[1] in self.uids]
            what = self.rng.random()
            if what < 0.4 or not present:
                self.append(client)
                continue
            key = self.rng.choice(present)
            mark, uid = key[1], self.uids[key[1]]
            if what < 0.55:
                flags = frozenset(self.rng.sample(["\\Seen", "\\Flagged", "\\Answered", "word"], self.rng.randrange(4)))
                with self.change({**self.has, key: flags}):
                    self.ok(client.uid("STORE", uid, "FLAGS", "(" + " ".join(flags) + ")"))
            elif what < 0.7 and ("Copies", mark) not in self.has:
                with self.change({**self.has, ("Copies", mark): self.has[key]}):
                    self.ok(client.uid("COPY", uid, "Copies"))
                self.told(client, "COPYUID", "Copies", mark)
            elif what < 0.85:
                with self.change({k: v for k, v in self.has.items() if k != key} | {("Archive", mark): self.has[key]}):
                    self.ok(client.uid("MOVE", uid, "Archive"))
                self.told(client, "COPYUID", "Archive", mark)
            else:
                self.delete(client, key)

    def append(self, client, body=None):
        mark = self.mark()
        with self.adding(mark):
            self.ok(client.append("INBOX", None, None, self.text(mark, body=body).encode()))
        self.uids[mark] = self.told(client, "APPENDUID", "INBOX", mark)
        return "INBOX", mark

    def delete(self, client, key):
        with self.change({**self.has, key: self.has[key] | {"\\Deleted"}}):
            self.ok(client.uid("STORE", self.uids[key[1]], "+FLAGS", "(\\Deleted)"))
        self.expunge(client, self.uids[key[1]], key)

    def expunge(self, client, uid, key):
        # Others may have been left with the flag when the server was killed.
        with self.change({k: v for k, v in self.has.items() if k[0] != "INBOX" or "\\Deleted" not in v}):
            self.ok(client.expunge())

    def told(self, client, code, mailbox, mark):
        """Notes the UID that the server has told; gives it. (COPYUID has the former one between.)"""
        uid_validity, *_, uid = client.response(code)[1][-1].split()
        self.world.note_uid(self.account, mailbox, int(uid_validity), int(uid), mark)
        return uid.decode()

    def ok(self, answer):
        if answer[0] != "OK":
            raise AssertionError(f"{self.account}: {answer}")


class SharingReader(Reader):
    """The same where another works in the same mailboxes: its messages are not to be expunged."""

    def expunge(self, client, uid, key):
        with self.change({k: v for k, v in self.has.items() if k != key}):
            self.ok(client.uid("EXPUNGE", uid))


class Popper(Client):
    """Fetches and deletes: what QUIT has said +OK to is gone."""

    def work(self):
        server = self.world.server
        smtp = smtplib.SMTP(server.host, server.port("smtp"), timeout=20)
        while not self.world.stopping:
            for _ in range(3):
                mark = self.mark()
                with self.adding(mark):
                    smtp.sendmail("x@beta.test", [self.account], self.text(mark))
            pop = poplib.POP3_SSL(server.host, server.port("pop3s"), context=tls(), timeout=20)
            pop.user(self.account)
            pop.pass_(PASSWORD)
            kept = dict(self.has)
            for number in range(1, len(pop.list()[1]) + 1):
                if self.rng.random() < 0.7:
                    lines = b"\n".join(pop.top(number, 0)[1])
                    kept.pop(("INBOX", re.search(rb"(?m)^Subject: (\S+)", lines).group(1).decode()), None)
                    pop.dele(number)
            with self.change(kept):
                pop.quit()


class World:
    """One server, its accounts, another organisation, and everything that was acknowledged."""

    # Those of one account work in it at once.
    KINDS = ((Sender,), (Sender,), (Submitter,), (Reader,), (SharingReader, SharingReader, Sender), (Popper,))

    def __init__(self, seed, directory=None, kinds=KINDS):
        self.seed, self.rng, self.stopping = seed, random.Random(seed), False
        self._lock, self._count = threading.Lock(), 0
        self.may_be_sent, self.must_be_sent = set(), set()
        self.sent = {}  # mark -> length and SHA-256 of what was sent
        self.stored = {}  # account, mark -> SHA-256 of it with what the server put before it
        self.uids = {}  # account, mailbox, UIDVALIDITY, UID -> mark, over all rounds
        self.wrong_uids = []
        self.kills = []  # when the server was gone
        self.settled = {}  # number of a message -> when the server that had said that it is delivered was gone
        self.zone = tempfile.NamedTemporaryFile("w", suffix=".zone")
        self.zone.write(ZONE)
        self.zone.flush()
        self.server = Instance("u1@alpha.test", zone=self.zone.name, directory=directory,
                               config={"queue.retry": '["1s", "1s", "1s", "1h"]'})
        self.server.quickstart()
        for number in range(2, len(kinds) + 1):
            self.server.add_account(f"u{number}@alpha.test")
        pairs = [(kind, f"u{number}@alpha.test") for number, several in enumerate(kinds, 1) for kind in several]
        self.kinds = [(kind, number, account) for number, (kind, account) in enumerate(pairs, 1)]
        self.account_of = {number: account for _, number, account in self.kinds}
        self.has = {number: {} for number in self.account_of}
        self.recorder = Recorder(self.server.port("smtp"))
        self.clients = []

    def close(self):
        self.recorder.shutdown()
        self.recorder.server_close()
        self.zone.close()

    def kill(self):
        """Ends the server as it is, and keeps what it has said of deliveries: what comes twice is held against that."""
        log = self.server.log
        self.server.kill()
        self.kills.append(time.monotonic())
        for line in list(log):
            if said := DELIVERED.search(line):
                self.settled.setdefault(said.group(1), self.kills[-1])

    def submit_elsewhere(self):
        """One message that nobody gets but dora, taken when this returns."""
        account = self.account_of[1]
        mark = self.next_mark(0)
        with smtplib.SMTP_SSL(self.server.host, self.server.port("submissions"), context=tls(), timeout=20) as smtp:
            smtp.login(account, PASSWORD)
            self.may_be_sent.add(mark)
            smtp.sendmail(account, [elsewhere(mark)], f"From: {account}\r\nSubject: {mark}\r\n\r\nx\r\n")
        self.must_be_sent.add(mark)

    def has_settled(self):
        """Whether the server has said since its start that something was delivered elsewhere."""
        return any(DELIVERED.search(line) for line in list(self.server.log))

    def next_mark(self, number):
        with self._lock:
            self._count += 1
            return f"m{self._count}.{number}"

    @contextlib.contextmanager
    def load(self):
        self.stopping = False
        self.clients = []
        for kind, number, account in self.kinds:
            client = kind(self, number, account, random.Random(self.rng.random()))
            client.has = self.has[number]
            self.clients.append(client)
            client.start()
        try:
            yield self.clients
        finally:
            self.stopping = True
            for client in self.clients:
                client.join(60)
                assert not client.is_alive(), f"{client.account} hangs"
        for client in self.clients:
            if client.error:
                raise client.error

    def snapshot(self):
        """The ledger now, by client: what a crash from now on may leave. Taken while the load runs."""
        ledger = {}
        for client in self.clients:
            with client.lock:
                ledger[client.number] = (client.has, list(client.doubt))
                client.since = [client.has]
        return ledger, set(self.must_be_sent)

    def since_snapshot(self):
        """A ledger of all states that the clients' messages have had from the last snapshot until now: a crash in between left one of them,
        whole. Taken while the load runs."""
        ledger = {}
        for client in self.clients:
            with client.lock:
                ledger[client.number] = (client.since[0], [*client.since[1:], *client.doubt])
        return ledger

    def delivered(self):
        """The marks of which the server has said since its start that they were delivered elsewhere."""
        return {self.recorder.mark_of[said.group(1)] for line in list(self.server.log) if (said := DELIVERED.search(line))}

    def queued(self):
        """The marks of what is in the queue."""
        return {re.match(r"dora\+(.*)@", entry["recipient"]).group(1) for entry in json.loads(self.server.run("queue", "list", "--json").stdout)}

    def reality(self, number):
        """What is there of a client's messages: how often each (mailbox, mark), and their flags. Notes UIDs and compares every byte."""
        account = self.account_of[number]
        others = {str(n) for n, of in self.account_of.items() if of == account and n != number}
        found, flags_of = collections.Counter(), {}
        client = imap(self.server, account)
        for mailbox in MAILBOXES:
            if client.select(mailbox, readonly=True)[0] != "OK":
                continue
            uid_validity = int(client.response("UIDVALIDITY")[1][-1])
            status, rows = client.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[])")
            assert status == "OK", rows
            for row in rows:
                if not isinstance(row, tuple):
                    continue
                mark = re.search(rb"(?m)^Subject: (\S+)", row[1]).group(1).decode()
                if mark.split(".")[1] in others:
                    continue
                self.note_uid(account, mailbox, uid_validity, int(re.search(rb"UID (\d+)", row[0]).group(1)), mark)
                self.compare(account, mark, row[1])
                flags = re.search(rb"FLAGS \(([^)]*)\)", row[0]).group(1).decode().split()
                found[(mailbox, mark)] += 1
                flags_of[(mailbox, mark)] = frozenset(f for f in flags if f != "\\Recent")
        client.logout()
        return found, flags_of

    def note_uid(self, account, mailbox, uid_validity, uid, mark):
        with self._lock:
            first = self.uids.setdefault((account, mailbox, uid_validity, uid), mark)
        if first != mark:
            self.wrong_uids.append(f"{account}: UID {uid} of {mailbox} ({uid_validity}) was {first} and is {mark}")

    def compare(self, account, mark, text):
        """What was sent stands at the end, whole; with what the server put before it, it is always the same."""
        length, digest = self.sent[mark]
        assert hashlib.sha256(text[-length:]).digest() == digest, f"{account}: {mark} is not what was sent"
        stored = hashlib.sha256(text).digest()
        assert self.stored.setdefault((account, mark), stored) == stored, f"{account}: {mark} has changed"

    def check(self, ledger=None):
        """Compares every account with its ledger; gives what is wrong. The server runs again."""
        wrong = []
        ledger = ledger or {client.number: (client.has, client.doubt) for client in self.clients}
        for number, (has, doubt) in ledger.items():
            account = self.account_of[number]
            found, flags_of = self.reality(number)
            wrong += [f"{account}: {key} is there {n} times" for key, n in found.items() if n > 1]
            if flags_of not in [has, *doubt]:
                lost = [k for k in has if k not in flags_of and not any(k not in d for d in doubt)]
                back = [k for k in flags_of if k not in has and not any(k in d for d in doubt)]
                other = [(k, set(has[k]), set(flags_of[k])) for k in has if k in flags_of and has[k] != flags_of[k]]
                wrong.append(f"{account}: lost {lost}, not expected {back}, other flags {other}, in doubt {len(doubt)}")
            self.has[number] = flags_of
        return wrong + self.wrong_uids

    def check_sent(self):
        """Everything submitted arrives elsewhere; twice only what the server had not yet written down as delivered when it was killed.

        It says so (attempt.end) when it has been written: what was said before a kill may not come after it."""
        self.server.run("queue", "retry", "all", check=False)
        eventually(lambda: self.must_be_sent <= set(self.recorder.got), timeout=60)
        eventually(lambda: json.loads(self.server.run("queue", "list", "--json").stdout) == [], timeout=60)
        wrong = [f"{mark} was never submitted" for mark in self.recorder.got if mark not in self.may_be_sent]
        for number, gone in self.settled.items():
            mark = self.recorder.mark_of[number]
            if any(taken > gone for taken in self.recorder.got[mark]):
                wrong.append(f"{mark} was sent again after its delivery had been written down ({number})")
        for mark, times in self.recorder.got.items():
            for first, second in itertools.pairwise(times):
                # One server sends it once. (What it sent last may be looked at a moment after its end.)
                if not any(first - 1 < kill < second for kill in self.kills):
                    wrong.append(f"{mark} was sent {len(times)} times, twice by the same server")
        return wrong

    def clear(self):
        """Empties the mailboxes, so that rounds do not become longer and longer. What comes back is found by the next check."""
        for account in set(self.account_of.values()):
            numbers = [number for number, of in self.account_of.items() if of == account]
            if sum(len(self.has[number]) for number in numbers) < 300:
                continue
            client = imap(self.server, account)
            for mailbox in MAILBOXES:
                if client.select(mailbox)[0] == "OK":
                    client.uid("STORE", "1:*", "+FLAGS.SILENT", "(\\Deleted)")
                    client.expunge()
            client.logout()
            self.has.update({number: {} for number in numbers})

    def saved(self):
        """All that check() needs, for a file; the server is gone."""
        def listed(state):
            return [[mailbox, mark, sorted(flags)] for (mailbox, mark), flags in state.items()]
        states = {client.number: [client.has, *client.doubt] for client in self.clients}
        marks = {mark for several in states.values() for state in several for _, mark in state}
        return {"account_of": self.account_of, "states": {number: [listed(state) for state in several] for number, several in states.items()},
                "sent": {mark: [length, digest.hex()] for mark, (length, digest) in self.sent.items() if mark in marks},
                "uids": [[*key, mark] for key, mark in self.uids.items()]}


class SavedWorld(World):
    """What a world knew when it was saved, beside a server that has its store; for check() alone."""

    def __init__(self, server, saved):  # noqa: no super: nothing is made
        self.server, self._lock, self.clients, self.has, self.stored, self.wrong_uids = server, threading.Lock(), [], {}, {}, []
        self.account_of = {int(number): account for number, account in saved["account_of"].items()}
        self.sent = {mark: (length, bytes.fromhex(digest)) for mark, (length, digest) in saved["sent"].items()}
        self.uids = {tuple(key): mark for *key, mark in saved["uids"]}
        self.ledger = {}
        for number, states in saved["states"].items():
            has, *doubt = [{(mailbox, mark): frozenset(flags) for mailbox, mark, flags in state} for state in states]
            self.ledger[int(number)] = (has, doubt)
