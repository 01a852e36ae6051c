"""hikyaku migrate, with a real Dovecot at the other end: there and back, killed half-way, followed later."""
import contextlib
import getpass
import hashlib
import imaplib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from harness import HIKYAKU, PASSWORD, Instance, eventually, hikyaku, need, place_of_root
from test_road import tls

USER = "anna@old.test"


class Dovecot:
    """Dovecot on a high port of 127.0.0.1, with everything in a directory of its own."""

    def __init__(self, extra=""):
        self.extra = extra

    def __enter__(self):
        need("dovecot")
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="hikyaku-dovecot-"))
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        root = os.getuid() == 0
        login, mail = ("dovenull", "nobody") if root else (getpass.getuser(), getpass.getuser())
        internal = "dovecot" if root else getpass.getuser()
        (self.dir / "mail").mkdir()
        if root:
            self.dir.chmod(0o755)
            shutil.chown(self.dir / "mail", "nobody", "nogroup")
        (self.dir / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}::::::\n")
        group = "mail_gid = nogroup" if root else ""
        (self.dir / "dovecot.conf").write_text(f"""
base_dir = {self.dir}/run
state_dir = {self.dir}/state
instance_name = {self.dir.name}
protocols = imap
listen = 127.0.0.1
log_path = {self.dir}/log
default_internal_user = {internal}
default_login_user = {login}
mail_location = sdbox:{self.dir}/mail/%n
mail_uid = {mail}
{group}
first_valid_uid = 1
first_valid_gid = 1
disable_plaintext_auth = no
auth_mechanisms = plain
ssl = no
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {self.dir}/users
}}
userdb {{
  driver = static
  args = uid={mail} home={self.dir}/mail/%n
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {self.port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
{self.extra}
""")
        self.process = subprocess.Popen(["dovecot", "-F", "-c", str(self.dir / "dovecot.conf")],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        eventually(self._listens)
        return self

    def _listens(self):
        if self.process.poll() is not None:
            raise AssertionError("dovecot ended:\n" + (self.dir / "log").read_text())
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def __exit__(self, *exc):
        self.process.terminate()
        self.process.wait(20)
        shutil.rmtree(self.dir, ignore_errors=True)

    @property
    def url(self):
        return f"imap://{USER}@127.0.0.1:{self.port}"

    def imap(self):
        client = imaplib.IMAP4("127.0.0.1", self.port, timeout=20)
        client.login(USER, PASSWORD)
        return client


def ours(server):
    client = imaplib.IMAP4_SSL(server.host, server.port("imaps"), ssl_context=tls(), timeout=20)
    client.login(server.address, PASSWORD)
    return client


def text(number, size=0, rng=random.Random(7)):
    body = "".join(rng.choices("abcdefghij \r\n", k=size)).replace("\r", "").replace("\n", "\r\n")
    return (f"From: x@old.test\r\nSubject: {number} gr\u00fc\u00df\r\nMessage-ID: <{number}@old.test>\r\n\r\n"
            f"body {number}\r\n{body}\r\n").encode()


def fill(client, folders):
    """`folders`: name in modified UTF-7 -> [(flags, date, text)]."""
    for name, messages in folders.items():
        if name != "INBOX":
            client.create(f'"{name}"')
            client.subscribe(f'"{name}"')
        for flags, date, content in messages:
            ok, said = client.append(f'"{name}"', flags, f'"{date}"', content)
            assert ok == "OK", said


def contents(client, name):
    """What stands in a folder: sorted (hash, flags, date)."""
    ok, _ = client.select(f'"{name}"', readonly=True)
    assert ok == "OK", name
    found = []
    _, data = client.uid("FETCH", "1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")
    for item in data:
        if not isinstance(item, tuple):
            continue
        head = item[0]
        flags = sorted(f for f in imaplib.ParseFlags(head) if f != b"\\Recent")
        found.append((hashlib.sha256(item[1]).hexdigest(), tuple(flags),
                      time.mktime(imaplib.Internaldate2tuple(head))))
    return sorted(found)


def names(client):
    _, lines = client.list()
    return {line.decode().rsplit(" ", 1)[1].strip('"') if '"' not in line.decode().rsplit('" ', 1)[1] else
            line.decode().rsplit('" ', 1)[1].strip('"') for line in lines}


DATE = "17-Jul-2006 02:44:25 +0900"
SAMPLE = {
    "INBOX": [("\\Seen", DATE, text(1)), ("(\\Flagged $Forwarded work)", DATE, text(2, 3000)), ("", DATE, text(3)),
              ("", DATE, text(3))],  # twice the same
    "Sent": [("\\Seen \\Answered", DATE, text(4))],
    "Work/K&APY-ln/2006": [("\\Draft", DATE, text(5, 400_000))],
    "empty": [],
}


def migrate(*arguments, directory=None, passwords=1, check=True, **options):
    return hikyaku("migrate", *arguments, "--password-stdin", "--json", directory=directory, check=check,
                   input=(PASSWORD + "\n") * passwords, **options)


class Migrate(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Instance("anna@alpha.test"))

    def here(self, address):
        """A new, empty account."""
        self.server.add_account(address)
        server = self.server

        class Here:
            host, port, domain = server.host, server.port, server.domain
        here = Here()
        here.address = address
        return here

    def same(self, a, b, folders):
        for name in folders:
            self.assertEqual(contents(a, name), contents(b, name), name)

    def test_from_dovecot_to_here_and_to_another_dovecot(self):
        account = self.here("there-and-back@alpha.test")
        with Dovecot() as old:
            fill(old.imap(), SAMPLE)
            dry = json.loads(migrate("--from", old.url, account.address, "--dry-run", directory=self.server.dir).stdout)
            self.assertEqual((dry["to_copy"], dry["at_target"]), (6, 0))
            self.assertNotIn("empty", names(ours(account)))

            report = json.loads(migrate("--from", old.url, account.address, directory=self.server.dir).stdout)
            self.assertTrue(report["proven"], report)
            self.assertEqual(report["copied"], 6)
            for folder in report["folders"]:
                self.assertEqual(folder["from_sha256"], folder["to_sha256"])
            self.same(old.imap(), ours(account), SAMPLE)
            _, subscribed = ours(account).lsub()
            self.assertIn("empty", b" ".join(subscribed).decode())

            # Once more: nothing to do. Then a new message, and one that was read meanwhile.
            again = json.loads(migrate("--from", old.url, account.address, directory=self.server.dir).stdout)
            self.assertEqual((again["copied"], again["proven"]), (0, True))
            client = old.imap()
            client.append("INBOX", "", f'"{DATE}"', text(6))
            client.select("INBOX")
            client.store("3", "+FLAGS", "(\\Seen later)")
            client.close()
            later = json.loads(migrate("--from", old.url, account.address, directory=self.server.dir).stdout)
            self.assertEqual((later["copied"], later["proven"]), (1, True))
            self.assertEqual(sum(f["flags_changed"] for f in later["folders"]), 1)
            self.same(old.imap(), ours(account), SAMPLE)

            # From us to another server.
            with Dovecot() as new:
                out = json.loads(migrate(account.address, "--to", new.url, directory=self.server.dir).stdout)
                self.assertTrue(out["proven"], out)
                self.same(ours(account), new.imap(), SAMPLE)

    def test_between_two_other_servers(self):
        # Another separator and a namespace at one end.
        namespace = 'namespace inbox {\n inbox = yes\n prefix = INBOX.\n separator = .\n}\n'
        with Dovecot() as old, Dovecot(namespace) as new, tempfile.TemporaryDirectory() as state:
            fill(old.imap(), {**SAMPLE, "v1.2": [("", DATE, text(8))]})
            report = json.loads(migrate("--from", old.url, "--to", new.url, "--state", state, passwords=2).stdout)
            self.assertTrue(report["proven"], report)
            becomes = {f["from"]: f["to"] for f in report["folders"]}
            self.assertEqual(becomes["Work/K\u00f6ln/2006"], "INBOX.Work.K\u00f6ln.2006")
            self.assertEqual(becomes["v1.2"], "INBOX.v1_2")
            self.assertEqual(contents(old.imap(), "Sent"), contents(new.imap(), "INBOX.Sent"))
            # And the way back: everything is known by its content, though not by any notes.
            with tempfile.TemporaryDirectory() as other:
                back = json.loads(migrate("--from", new.url, "--to", old.url, "--state", other, passwords=2).stdout)
                self.assertTrue(back["proven"], back)
                self.assertEqual({f["from"]: f["copied"] for f in back["folders"] if f["copied"]}, {"INBOX.v1_2": 1})

    def test_special_uses_go_before_names(self):
        account = self.here("uses@alpha.test")
        namespace = 'namespace inbox {\n inbox = yes\n mailbox "Sent Items" {\n  special_use = \\Sent\n auto = create\n }\n}\n'
        with Dovecot(namespace) as old:
            fill(old.imap(), {"Sent Items": [("\\Seen", DATE, text(1))], "Sent": [("", DATE, text(2))]})
            report = json.loads(migrate("--from", old.url, account.address, directory=self.server.dir).stdout)
            becomes = {f["from"]: f["to"] for f in report["folders"]}
            self.assertEqual((becomes["Sent Items"], becomes["Sent"]), ("Sent", "Sent (2)"))
            self.assertTrue(report["proven"], report)

    def begin(self, old, account):
        """Starts a migration and gives its process when some of it is done."""
        before = self.noted()
        process = subprocess.Popen([str(HIKYAKU), "migrate", "--from", old.url, account.address, "--password-stdin",
                                    "--json", "--dir", str(self.server.dir)], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdin.write((PASSWORD + "\n").encode())
        process.stdin.flush()
        deadline = time.monotonic() + 20
        while process.poll() is None and self.noted() < before + 1000 and time.monotonic() < deadline:
            time.sleep(0.002)
        return process

    def noted(self):
        """How much the notes of all migrations are."""
        return sum(f.stat().st_size for f in (self.server.dir / "migrate").glob("*/*"))

    def test_killed_and_resumed(self):
        account = self.here("killed@alpha.test")
        with Dovecot() as old:
            messages = {name: [("\\Seen", DATE, text(f"{name}{n}", 20_000)) for n in range(250)] for name in ("INBOX", "Old")}
            fill(old.imap(), messages)
            halves = []
            for _ in range(3):
                process = self.begin(old, account)
                process.kill()
                process.communicate()
                client = ours(account)
                halves.append(sum(int(client.select(f'"{name}"', readonly=True)[1][0] or 0)
                                  for name in messages if name in names(client)))
            self.assertTrue(0 < halves[0] < 500, halves)
            report = json.loads(migrate("--from", old.url, account.address, directory=self.server.dir).stdout)
            self.assertTrue(report["proven"], report)
            self.assertEqual(report["messages"], 500)
            self.same(old.imap(), ours(account), messages)

    def test_without_its_notes_nothing_is_copied_twice(self):
        account = self.here("notes@alpha.test")
        with Dovecot() as old:
            fill(old.imap(), SAMPLE)
            migrate("--from", old.url, account.address, directory=self.server.dir)
            client = ours(account)
            client.select("INBOX")
            client.store("1", "-FLAGS", "\\Seen")
            shutil.rmtree(self.server.dir / "migrate")
            report = json.loads(migrate("--from", old.url, account.address, directory=self.server.dir).stdout)
            self.assertEqual((report["copied"], report["proven"]), (0, True), report)
            self.assertEqual(sum(f["already"] for f in report["folders"]), 6)
            self.same(old.imap(), ours(account), SAMPLE)
            # A message that somebody deletes here afterwards does not come back, and is not counted as there.
            client.store("1", "+FLAGS", "\\Deleted")
            client.expunge()
            left = migrate("--from", old.url, account.address, directory=self.server.dir, check=False)
            self.assertEqual(left.returncode, 1)
            inbox = json.loads(left.stdout)["folders"][0]
            self.assertEqual((inbox["copied"], inbox["at_target"], inbox["missing"], inbox["proven"]), (0, 3, 1, False))

    def test_the_server_goes_away_and_comes_back(self):
        account = self.here("restart@alpha.test")
        with Dovecot() as old:
            messages = {"INBOX": [("", DATE, text(f"r{n}", 40_000)) for n in range(400)]}
            fill(old.imap(), messages)
            process = self.begin(old, account)
            self.server.restart(signal.SIGKILL)
            out, err = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 0, err)
            self.assertIn(b"trying again", err)
            self.assertTrue(json.loads(out)["proven"], err)
            self.same(old.imap(), ours(account), messages)

    def test_without_a_running_server(self):
        account = self.here("offline@alpha.test")
        with Dovecot() as old:
            fill(old.imap(), SAMPLE)
            self.server.stop()
            try:
                report = json.loads(migrate("--from", old.url, account.address, directory=self.server.dir).stdout)
            finally:
                self.server.start()
            self.assertTrue(report["proven"], report)
            self.same(old.imap(), ours(account), SAMPLE)

    def test_what_cannot_be(self):
        with Dovecot() as old:
            wrong = hikyaku("migrate", "--from", old.url, "anna@alpha.test", "--password-stdin", directory=self.server.dir,
                            input="wrong\n", check=False)
            self.assertEqual(wrong.returncode, 77, wrong.stderr)
            self.assertIn("login refused", wrong.stderr)
            nobody = migrate("--from", old.url, "nobody@alpha.test", directory=self.server.dir, check=False)
            self.assertEqual(nobody.returncode, 67, nobody.stderr)
        for arguments in (["--from", "imaps://x@y"], ["anna@alpha.test"], [],
                          ["--from", "http://x@y", "anna@alpha.test"], ["--from", "imaps://y", "anna@alpha.test"],
                          ["--from", "imaps://x:secret@y", "anna@alpha.test"]):
            self.assertEqual(migrate(*arguments, directory=self.server.dir, check=False).returncode, 64, arguments)
        closed = migrate("--from", "imap://x@127.0.0.1:9", "anna@alpha.test", directory=self.server.dir, check=False, timeout=120)
        self.assertEqual(closed.returncode, 75, closed.stderr)


class Proxy:
    """Between us and an IMAP server: changes what goes either way. What `up` or `down` makes of a piece goes on; None ends the connection."""

    def __init__(self, port, up=lambda data: data, down=lambda data: data):
        self.to, self.up, self.down = port, up, down

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"imap://{USER}@127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exc):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", self.to), 20)
                for source, sink, change in ((near, far, self.up), (far, near, self.down)):
                    threading.Thread(target=self._pass, args=(source, sink, change), daemon=True).start()

    @staticmethod
    def _pass(source, sink, change):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                data = change(data)
                if data is None:
                    break
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def without_uidplus(data):
    """The target tells no UID of what it takes, and takes one message at a time, asked for each."""
    for extension in (b" UIDPLUS", b" MULTIAPPEND", b" LITERAL+"):
        data = data.replace(extension, b"")
    return re.sub(rb"\[APPENDUID [^\]]*\] ", b"", data)


class OddTargets(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Instance("anna@alpha.test"))

    def migrate_to(self, proxy, check=True):
        done = migrate("anna@alpha.test", "--to", proxy.url, "--exclude", "INBOX", directory=self.server.dir, check=check)
        report = json.loads(done.stdout)
        return next(folder for folder in report["folders"] if folder["from"] == self.folder), done

    def fill(self, name, messages):
        self.folder = name
        fill(ours(self.server), {name: [("", DATE, message) for message in messages]})
        self.addCleanup(lambda: ours(self.server).delete(name))

    def test_doubles_arrive_all_also_when_the_connection_is_lost(self):
        """The target tells no UIDs: after the cut, the copy that is there is not taken for one of the others."""
        self.fill("Dup", [text(1)] * 3)
        appends = []

        def cut(data):
            if b" APPEND " in data:
                appends.append(data)
                if len(appends) == 2:
                    return None
            return data
        with Dovecot() as target, Proxy(target.port, cut, without_uidplus) as proxy:
            folder, done = self.migrate_to(proxy, check=False)
            self.assertIn("trying again", done.stderr)
            self.assertEqual((folder["at_target"], folder["missing"], folder["problems"], folder["proven"]), (3, 0, [], True), folder)
            self.assertEqual(contents(ours(self.server), "Dup"), contents(target.imap(), "Dup"))
            self.assertEqual(len(contents(target.imap(), "Dup")), 3)

    def spoil(self, times):
        """What spoils the message that says so, as often as this."""
        left = [times]

        def change(data):
            if b"spoil me" in data and left[0] > 0:
                left[0] -= 1
                return data.replace(b"spoil me", b"spoiled!")
            return data
        return change

    def spoiled(self, tells_uids, times):
        """The reports of four runs to a target that changes one message of three so many times, and how many copies there are then."""
        self.fill("Spoiled", [text(1), b"Subject: x\r\n\r\nspoil me\r\n", text(2)])
        down = (lambda data: data) if tells_uids else without_uidplus
        with Dovecot() as target, Proxy(target.port, self.spoil(times), down) as proxy:
            runs = [self.migrate_to(proxy, check=False)[0] for _ in range(4)]
            return runs, contents(target.imap(), "Spoiled")

    def test_what_came_out_different_is_copied_once_more(self):
        for tells_uids in (True, False):
            with self.subTest(tells_uids=tells_uids):
                (first, *later), there = self.spoiled(tells_uids, 1)
                self.assertEqual((first["at_target"], first["missing"], first["proven"]), (2, 0, False))
                (problem,) = first["problems"]
                self.assertIn("its copy at the target (UID 2) is not the same" if tells_uids else "no copy with the same bytes", problem)
                self.assertIn("copies it once more", problem)
                for run in later:
                    self.assertEqual((run["at_target"], run["missing"], run["problems"], run["proven"]), (3, 0, [], True), run)
                self.assertEqual([run["copied"] for run in later], [1, 0, 0])
                self.assertEqual(set(contents(ours(self.server), "Spoiled")) - set(there), set())
                self.assertEqual(len(there), 4)
                self.doCleanups()

    def test_what_always_comes_out_different_is_left_alone(self):
        for tells_uids in (True, False):
            with self.subTest(tells_uids=tells_uids):
                runs, there = self.spoiled(tells_uids, 1000)
                self.assertEqual([run["copied"] for run in runs], [3, 1, 0, 0])
                for run in runs:
                    self.assertEqual((run["at_target"], run["missing"], run["proven"]), (2, 0, False), run)
                    (problem,) = run["problems"]
                    self.assertEqual("left alone" in problem, run is not runs[0], problem)
                self.assertEqual(len(there), 4)
                self.doCleanups()

    def test_a_folder_without_a_name_is_named_and_left_alone(self):
        def add(data):
            return re.sub(rb'(?m)^(\* LIST \([^)]*\) "/" )"?INBOX"?\r$', rb'\g<0>\n\1"/"\r', data)
        with Dovecot() as source, Proxy(source.port, down=add) as proxy, tempfile.TemporaryDirectory() as state:
            fill(source.imap(), {"Work": [("", DATE, text(1))]})
            self.server.add_account("slash@alpha.test")
            done = migrate("--from", proxy.url, "slash@alpha.test", "--state", state, directory=self.server.dir, check=False)
            self.assertEqual(done.returncode, 1, done.stderr)
            folders = {folder["from"]: folder for folder in json.loads(done.stdout)["folders"]}
            self.assertIn("left alone", folders["/"]["problems"][0])
            self.assertTrue(folders["Work"]["proven"], folders)
            done = migrate("--from", proxy.url, "slash@alpha.test", "--state", state, "--exclude", "/", directory=self.server.dir)
            self.assertTrue(json.loads(done.stdout)["proven"])


class AsRoot(unittest.TestCase):
    """An instance as quickstart makes it for root, whose store is the server's user's: what root names is read and written as root."""

    def setUp(self):
        self.place = place_of_root(self)
        self.server = Instance("anna@alpha.test", directory=self.place)
        self.server.dir = self.place / "mail"
        hikyaku("quickstart", "anna@alpha.test", "--host-name", "mail.alpha.test", "--port-base", self.server.base,
                "--password-stdin", directory=self.server.dir, input=PASSWORD + "\n")
        self.server.configure({**self.server.options, "server.local": "true", "server.user": '"hikyaku"'})
        self.hidden = self.place / "root"
        self.hidden.mkdir(mode=0o700)

    def check_store(self):
        for path in [self.server.dir / "data", *(self.server.dir / "data").rglob("*")]:
            self.assertEqual(path.owner(), "hikyaku", path)

    def test_root_migrates_without_a_running_server_and_beside_one(self):
        with Dovecot() as old:
            fill(old.imap(), SAMPLE)
            for running in (False, True, False):
                if running:
                    self.server.start()
                client = old.imap()
                client.append("INBOX", "", f'"{DATE}"', text(f"running {running}"))
                try:
                    done = migrate("--from", old.url, "anna@alpha.test", directory=self.server.dir)
                finally:
                    self.server.stop()
                self.assertTrue(json.loads(done.stdout)["proven"], done.stdout)
                self.check_store()
            self.server.start()
            self.addCleanup(self.server.stop)
            self.same_as(old)

    def same_as(self, old):
        self.assertEqual(len(contents(ours(self.server), "INBOX")), len(SAMPLE["INBOX"]) + 3)
        for name in SAMPLE:
            self.assertEqual(contents(old.imap(), name), contents(ours(self.server), name), name)

    def test_root_imports_and_exports_where_only_root_may(self):
        mbox = self.hidden / "old.mbox"
        mbox.write_text("From x@y Mon Jul 17 02:44:25 2006\nSubject: one\n\nbody\n\nFrom x@y Mon Jul 17 02:44:26 2006\nSubject: two\n\nbody\n")
        several = self.hidden / "several"
        several.mkdir(mode=0o700)
        shutil.copy(mbox, several / "Work.mbox")
        maildir = self.hidden / "Maildir"
        for part in ("cur", "new", "tmp"):
            (maildir / ".Old" / part).mkdir(parents=True)
            (maildir / part).mkdir()
        (maildir / ".Old" / "cur" / "1:2,S").write_text("Subject: three\n\nbody\n")
        for source, expected in ((mbox, 2), (several, 2), (maildir, 1)):
            for path in [source, *source.rglob("*")]:
                path.chmod(0o700 if path.is_dir() else 0o600)
            done = json.loads(self.server.run("import", "--account", "anna@alpha.test", source, "--json").stdout)
            self.assertEqual((done["imported"], done["refused"], done["unreadable"]), (expected, 0, 0), done)
        to = self.hidden / "out" / "anna"
        to.parent.mkdir(mode=0o700)
        done = json.loads(self.server.run("export", "--account", "anna@alpha.test", to, "--json").stdout)
        self.assertEqual((done["count"], done["missing"]), (5, []))
        written = [path for path in to.rglob("*") if path.is_file() and path.parent.name == "cur"]
        self.assertEqual((len(written), {path.owner() for path in written}), (5, {"root"}))
        self.check_store()
        # What is wrong is told as without another process.
        nobody = self.server.run("import", "--account", "nobody@alpha.test", mbox, check=False)
        self.assertEqual(nobody.returncode, 67, nobody.stderr)
        (self.server.dir / "data").rename(self.server.dir / "away")
        gone = self.server.run("export", "--account", "anna@alpha.test", self.hidden / "more", check=False)
        self.assertIn("away" if "away" in gone.stderr else "data", gone.stderr)
        self.assertNotEqual(gone.returncode, 0)
        self.assertFalse((self.hidden / "more").exists())


if __name__ == "__main__":
    unittest.main()
