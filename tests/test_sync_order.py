"""No reply that promises something leaves before the sync that covers it: every sync of the server takes 300 ms longer and is written
down (tests/native/sync_shim.cc), and each reply is held against the writes of its own transaction, several clients working at once.

The other tests take syncs away from the program, all or some, and see that the same check then finds promises broken.
"""
import dataclasses
import pathlib
import smtplib
import subprocess
import tempfile
import threading
import time
import unittest

from harness import HIKYAKU, PASSWORD, Instance
from load import ZONE
from mail import Wire, imap, pop, tls

SHIM = pathlib.Path(HIKYAKU).parent / "sync_shim.so"
BODY_PLACE, ACCOUNT, QUEUE_ENTRY = 0x02, 0x10, 0x51  # tables (docs/data-model.md)


def now():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


class Bytes:
    """Reads numbers and bytes one after another (docs/storage.md)."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        self.at += count
        return self.data[self.at - count:self.at]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def operations(self):
        """{key: value}; what is erased has no value."""
        found, key = {}, b""
        for _ in range(self.varint()):
            kind, shared = self.take(1)[0], self.varint()
            key = key[:shared] + self.take(self.varint())
            found[key] = self.take(self.varint()) if kind != 2 else None
        return found


@dataclasses.dataclass
class Group:
    """One group of the journal: what was written with one write, for all who were waiting."""
    name: str  # of its segment
    written: int
    accounts: set = dataclasses.field(default_factory=set)  # whose rows it changes
    queued: bytes = b""  # the entries that it puts into the queue
    bulk: dict = dataclasses.field(default_factory=dict)  # segment -> up to where its bodies reach there

    @classmethod
    def read(cls, name, written, data):
        """The group at the beginning of `data`, and its length; no group where none begins."""
        if data[8:9] != b"G":
            return None, len(data)
        bodies, operations = int.from_bytes(data[32:40], "big"), int.from_bytes(data[20:24], "big")
        length = 64 + bodies + operations
        group = cls(name, written)
        for key, value in Bytes(data[64 + bodies:length]).operations().items():
            account, table = int.from_bytes(key[:4], "big"), key[4]
            if value is None:
                continue
            if table == ACCOUNT:
                group.accounts.add(account)
            elif table == QUEUE_ENTRY and account == 0:
                group.queued += value
            elif table == BODY_PLACE and account == 0:
                place = Bytes(value)
                segment, end = f"{place.varint():010}.bulk", place.varint() + place.varint()
                group.bulk[segment] = max(end, group.bulk.get(segment, 0))
        return group, length


class Journal:
    """What the shim has written down, and the groups that the segments hold."""

    def __init__(self, lines=()):
        self.writes, self.syncs, self.groups = [], [], []
        for line in lines:
            kind, path, *numbers = line.split(" ")
            (self.writes if kind == "write" else self.syncs).append((pathlib.Path(path).name, *map(int, numbers)))

    def read_groups(self, folder):
        for name, offset, end, written in self.writes:
            if name.endswith(".log"):
                with open(folder / name, "rb") as file:
                    file.seek(offset)
                    data = file.read(end - offset)
                while len(data) > 64:
                    group, length = Group.read(name, written, data)
                    self.groups += [group] if group else []
                    data = data[length:]

    def is_synced(self, name, written, before):
        return any(s[0] == name and written <= s[1] and s[2] <= before for s in self.syncs)

    def problem(self, owner, asked, answered):
        """Why the reply at `answered` to what `owner` asked at `asked` promised too much; None if it did not. The owner is an account that
        has asked for nothing else meanwhile, or the recipient (bytes) of what is sent on."""
        during = [g for g in self.groups if asked <= g.written <= answered]
        if isinstance(owner, int):
            own = [g for g in during if owner in g.accounts]
        else:
            own = [g for g in during if owner in g.queued][:1]  # the next ones are of attempts to send it
        if not own:
            return "nothing of it was in the journal before the reply"
        for group in own:
            if not self.is_synced(group.name, group.written, answered):
                return f"its group in {group.name} was not synced before the reply"
            for name, offset, end, written in self.writes:
                if end <= group.bulk.get(name, 0) and asked <= written <= group.written and not self.is_synced(name, written, answered):
                    return f"{name} [{offset}, {end}) was not synced before the reply"
        return None


class Check(unittest.TestCase):
    def test_each_reply_is_held_against_its_own_write(self):
        journal = Journal(["sync 1.log 11 30", "sync 1.log 41 90"])
        journal.groups = [Group("1.log", 10, {1}), Group("1.log", 40, {2}, b"to dora")]
        for owner, answered, right in ((1, 50, True), (1, 30, True), (1, 29, False), (1, 9, False), (2, 50, False), (2, 89, False),
                                       (2, 90, True), (b"dora", 50, False), (b"dora", 90, True), (3, 99, False)):
            with self.subTest(owner=owner, answered=answered):
                self.assertEqual(journal.problem(owner, 5, answered) is None, right)

    def test_a_large_body_must_be_synced_where_it_stands(self):
        journal = Journal(["write 2.bulk 0 900 10", "write 2.bulk 900 950 11", "write 2.bulk 950 999 12", "sync 1.log 21 30"])
        journal.groups = [Group("1.log", 20, {1}, bulk={"2.bulk": 950})]
        self.assertIn("2.bulk [0, 900)", journal.problem(1, 5, 50))
        journal.syncs.append(("2.bulk", 11, 19))
        self.assertIsNone(journal.problem(1, 5, 50))


@unittest.skipUnless(SHIM.exists(), f"{SHIM} is not built")
class Promises(unittest.TestCase):
    USERS = ("anna", "bob", "carl", "dora", "emil", "fred")

    def play(self, **env):
        """Every kind of promise, six users at once; gives the journal and (what, owner, asked, answered) of each."""
        # Nothing answers at the address of gamma.test: what is sent there waits, and nobody gets a word about it.
        zone = self.enterContext(tempfile.NamedTemporaryFile("w", suffix=".zone"))
        zone.write(ZONE)
        zone.flush()
        self.server = server = Instance("anna@alpha.test", zone=zone.name)
        server.quickstart()
        self.addCleanup(server.__exit__)
        for user in self.USERS[1:]:
            server.add_account(f"{user}@alpha.test")
        numbers = {user: number for number, user in enumerate(self.USERS, 1)}
        log = server.dir / "shim.log"
        server.env = {"LD_PRELOAD": str(SHIM), "HIKYAKU_SHIM_LOG": str(log), **env}
        server.start(60)
        promised, errors = [], []

        def work(user):
            def promise(what, function, *arguments, owner=numbers[user], good="OK"):
                asked = now()
                answer = function(*arguments)
                promised.append((f"{user}: {what}", owner, asked, now()))
                if isinstance(answer, tuple) and isinstance(answer[0], str):
                    answer = answer[0]
                if isinstance(answer, str):
                    self.assertTrue(answer.startswith(good), (what, answer))

            try:
                getattr(self, user)(f"{user}@alpha.test", promise)
            except Exception as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(user,)) for user in self.USERS]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(errors, [])
        journal = Journal(log.read_text().splitlines())
        journal.read_groups(server.dir / "data" / "journal")
        return journal, promised

    def broken(self, played):
        journal, promised = played
        return [f"{what}: {problem}" for what, *reply in promised if (problem := journal.problem(*reply))]

    def text(self, body="hello", sender="x@beta.test"):
        return f"From: {sender}\r\nSubject: hello\r\n\r\n{body}\r\n"

    # --- what the users do; one operation of each at a time, and nobody else writes to them ---

    def anna(self, address, promise):
        with smtplib.SMTP(self.server.host, self.server.port("smtp"), timeout=20) as smtp:
            for body in ("small", ("x" * 70 + "\r\n") * 9000, "small again"):
                promise(f"DATA of {len(body)}", smtp.sendmail, "x@beta.test", [address], self.text(body))

    def bob(self, address, promise):
        with Wire(self.server, "smtp") as wire:
            wire.reply()
            wire.ask("EHLO mx.beta.test")
            text = self.text()
            for _ in range(4):
                wire.ask("MAIL FROM:<x@beta.test>")
                wire.ask(f"RCPT TO:<{address}>")
                wire.send(f"BDAT 10\r\n{text[:10]}")
                self.assertEqual(wire.reply()[:3], "250")
                promise("BDAT", wire.ask, f"BDAT {len(text) - 10} LAST\r\n{text[10:-2]}", good="250")  # ask ends the line

    def carl(self, address, promise):
        with smtplib.SMTP_SSL(self.server.host, self.server.port("submissions"), context=tls(), timeout=20) as smtp:
            smtp.login(address, PASSWORD)
            for recipient in ("dora@gamma.test", "gina@gamma.test"):
                promise("submission, queued", smtp.sendmail, address, [recipient], self.text("out", address), owner=recipient.encode())
            promise("submission, delivered", smtp.sendmail, address, [address], self.text("in", address))

    def dora(self, address, promise):
        def sendmail(recipient):
            done = subprocess.run([str(HIKYAKU), "sendmail", "--dir", str(self.server.dir), "-f", address, recipient], input=self.text(),
                                  text=True, capture_output=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)

        promise("sendmail, delivered", sendmail, address)
        promise("sendmail, queued", sendmail, "hana@gamma.test", owner=b"hana@gamma.test")
        reader = pop(self.server, address)
        reader.dele(1)
        promise("QUIT of POP3", reader.quit)

    def emil(self, address, promise):
        client = imap(self.server, address)
        promise("CREATE", client.create, "work")
        promise("SUBSCRIBE", client.subscribe, "work")
        promise("APPEND", client.append, "INBOX", None, None, self.text().encode())
        client.select("INBOX")
        promise("STORE", client.uid, "STORE", "1", "+FLAGS", "(\\Flagged)")
        promise("COPY", client.uid, "COPY", "1", "work")
        promise("MOVE", client.uid, "MOVE", "1", "work")
        promise("RENAME", client.rename, "work", "works")
        promise("DELETE", client.delete, "works")
        client.logout()

    def fred(self, address, promise):
        with Wire(self.server, "imaps", implicit_tls=True) as wire:
            self.assertIn("a OK", wire.login(address))
            text = self.text()
            several = f"{{{len(text)}+}}\r\n{text}"
            promise("MULTIAPPEND", lambda: wire.tagged(f"APPEND INBOX {several} {several} {several}")[-1], good="a OK")
            for leave in ("EXPUNGE", "UID EXPUNGE 2", "CLOSE"):
                self.assertIn("a OK", wire.tagged("SELECT INBOX")[-1])
                promise("STORE", lambda: wire.tagged("STORE 1 +FLAGS (\\Deleted)")[-1], good="a OK")
                promise(leave, lambda: wire.tagged(leave)[-1], good="a OK")

    # --- the tests ---

    def test_nothing_is_promised_before_it_is_synced(self):
        journal, promised = self.play()
        self.assertEqual(self.broken((journal, promised)), [])
        self.assertGreater(len(promised), 25)
        self.assertTrue(any(len(group.accounts) > 1 for group in journal.groups), "no sync was for several clients")
        # A single reply a moment earlier is found, whatever was synced before and after it.
        for what, owner, asked, answered in promised:
            covering = min(ended for _, begun, ended in journal.syncs if not journal.problem(owner, asked, ended) and ended <= answered)
            self.assertIsNotNone(journal.problem(owner, asked, covering - 1), what)

    def test_without_syncs_every_promise_is_found_broken(self):
        journal, promised = self.play(HIKYAKU_SHIM_SKIP="1")
        self.assertEqual(len(self.broken((journal, promised))), len(promised))

    def test_a_sync_that_is_left_out_now_and_then_is_found(self):
        journal, promised = self.play(HIKYAKU_SHIM_SKIP="5")
        self.assertTrue(0 < len(self.broken((journal, promised))) < len(promised), promised)


if __name__ == "__main__":
    unittest.main()
