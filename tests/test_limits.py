"""Limits on what all connections together, and each by itself, may take: memory, the queue, local connections, logins in flight. Each is
hit; everybody else is served meanwhile. (Connections, commands, sizes: test_floods.py. Time: test_slow_peers.py. Nesting: test_bombs.py.)"""
import base64
import concurrent.futures
import contextlib
import json
import os
import re
import resource
import select
import socket
import tempfile
import threading
import time
import unittest

from harness import PASSWORD, SANITIZED, Instance, eventually
from hostile import ANNA, BOB, Attacked, Meanwhile, Peer, memory
from mail import imap, subjects

BUSY = {"smtp": r"^421 4\.3\.1 ", "submission": r"^421 4\.3\.1 ", "imap": r"^\* BYE \[UNAVAILABLE\] Too much", "pop3": r"^-ERR \[SYS/TEMP\] Too much"}


def metric(server, name):
    found = re.search(rf"(?m)^{name}(?:{{[^}}]*}})? (\S+)$", server.run("metrics").stdout)
    return float(found.group(1))


class OfOpenFiles(Attacked):
    """As a shell without further limits has them."""
    FILES = 1024

    @classmethod
    def setUpClass(cls):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < 2 * cls.FILES:
            raise unittest.SkipTest(f"{2 * cls.FILES} open files are needed, {hard} are allowed")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * cls.FILES), hard))
        cls.addClassCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        super().setUpClass()

    config = {"limits.connections_per_address": 1000}
    wrapper = ["sh", "-c", f'ulimit -n {FILES}; exec "$0" "$@"']

    def test_strangers_leave_the_store_its_files(self):
        client = imap(self.server, BOB)
        self.assertTrue(any("event=server.files limit=1024" in line for line in self.server.log))
        with contextlib.ExitStack() as stack:
            refused = 0
            for n in range(self.FILES):
                peer = stack.enter_context(Peer(self.server, "smtp", f"127.0.1.{n % 4 + 1}"))
                refused += (peer.line() or "").startswith("421")
            self.assertGreater(refused, self.FILES / 2 - 20)
            # What makes segments and files of the index.
            for n in range(40):
                text = b"Subject: %d\r\n\r\n" % n + b"y" * (300_000 if n % 3 == 0 else 2000) + b"\r\n"
                self.assertEqual(client.append("INBOX", None, None, text)[0], "OK")
            self.server.run("backup", self.enterContext(tempfile.TemporaryDirectory()) + "/b")
        self.assertFalse([line for line in self.server.log if " error " in line])
        eventually(lambda: re.match("220 ", self.peer("smtp", greet=False, source="127.0.2.1").line() or ""))

    def test_with_too_few_none_starts(self):
        other = Instance(ANNA)
        self.addCleanup(other.__exit__)
        other.quickstart()
        other.wrapper = ["sh", "-c", 'ulimit -n 255; exec "$0" "$@"']
        other.spawn().wait(30)
        self.assertEqual(other.process.wait(30), 75)
        other.process = None
        self.assertIn("only 255 files may be open at once", "\n".join(other.log))


class OfMemoryInTotal(Attacked):
    config = {"limits.memory": '"1MB"', "limits.connections_per_address": 1000}

    def fill_logged_in(self, stack):
        """Sessions that have logged in, from everywhere, until nobody else is let in; what the last one was told."""
        for n in range(200):
            peer = stack.enter_context(Peer(self.server, "imap", f"127.0.9.{n + 1}"))
            line = peer.line() or ""
            if not line.startswith("* OK"):
                return line
            self.assertIn("a OK", peer.tagged(f"LOGIN {BOB if n % 2 else ANNA} \"{PASSWORD}\"")[-1])
        self.fail("everybody was let in")

    def test_new_connections_wait_for_better_times(self):
        """Who is in is served; who comes when all memory is taken is told so in its protocol's words, until there is some again."""
        reader = self.reader(source="127.0.0.77")
        with contextlib.ExitStack() as stack:
            self.assertRegex(self.fill_logged_in(stack), BUSY["imap"])
            for service, words in BUSY.items():
                self.assertRegex(self.peer(service, greet=False, source="127.0.2.1").line() or "", words)
            self.assertIsNone(self.peer("imaps", greet=False, source="127.0.2.1").line())
            self.assertIn("a OK", reader.tagged("NOOP")[-1])
            self.assertGreaterEqual(metric(self.server, "hikyaku_sessions_memory_bytes"), 1 << 20)
        eventually(lambda: re.match("220 ", self.peer("smtp", greet=False, source="127.0.2.1").line() or ""))
        eventually(lambda: metric(self.server, "hikyaku_sessions_memory_bytes") < 200_000)

    def test_silent_strangers_give_way(self):
        """An address that fills the memory and falls silent keeps nobody out; those who came in stay."""
        reader = self.reader(source="127.0.0.77")
        honest = self.mta(source="127.0.0.78")
        with contextlib.ExitStack() as stack:
            for n in range(1000):
                peer = stack.enter_context(Peer(self.server, "smtp", "127.0.1.1"))
                line = peer.line() or ""
                if not line.startswith("220 "):
                    break
                if n % 4 == 0:  # a header that does not end
                    for command in ("EHLO x.test", "MAIL FROM:<x@mallory.test>", f"RCPT TO:<{BOB}>"):
                        peer.ask(command)
                    peer.send("BDAT 50000\r\n" + "y" * 20_000)
            self.assertRegex(line, BUSY["smtp"])
            self.assertGreater(n, 20)
            for round in range(3):
                for service, words in (("smtp", "220 "), ("submission", "220 "), ("imap", r"\* OK"), ("pop3", r"\+OK")):
                    self.assertRegex(self.peer(service, greet=False, source=f"127.0.2.{round + 1}").line() or "", words)
                time.sleep(0.3)
            eventually(lambda: any("ip=127.0.1.1" in line and "why=crowded" in line for line in list(self.server.log)))
            self.assertFalse([line for line in list(self.server.log) if "why=crowded" in line and "ip=127.0.1.1" not in line])
            self.assertEqual(honest.ask("NOOP")[:3], "250")
            self.assertIn("a OK", reader.tagged("NOOP")[-1])

    def test_the_greedy_give_way(self):
        """While too much is held, a user whose connection holds more than its part is told to go as soon as it takes more; one that holds
        little goes on. (Both have logged in: it is no stranger that has to make room.)"""
        small, greedy = self.reader(source="127.0.0.77"), self.reader(source="127.0.0.78")
        greedy.send("a SEARCH" + " SUBJECT {60000+}\r\n".join([""] + ["x" * 60_000] * 3))
        with contextlib.ExitStack() as stack:
            self.fill_logged_in(stack)
            self.assertIn("a OK", small.tagged("NOOP")[-1])
            with contextlib.suppress(OSError):
                greedy.send(" SUBJECT {60000+}\r\n" + "x" * 60_000)
            self.assertRegex(greedy.until("a ", "* BYE")[-1], r"^\* BYE \[LIMIT\] .*memory")
            self.assertIn("a OK", small.tagged('SEARCH SUBJECT "x"')[-1])
            eventually(lambda: any("ip=127.0.0.78" in line and "why=memory" in line for line in list(self.server.log)))


class OfMemoryOfOne(Attacked):
    config = {"limits.memory_per_connection": '"128KB"', "imap.max_append_messages": 1000}

    def test_a_long_header(self):
        with Meanwhile(self.server):
            peer = self.mta()
            self.open(peer)
            peer.ask("DATA")
            with contextlib.suppress(OSError):
                peer.send("Subject: x\r\n" + ("X-Long: " + "y" * 60 + "\r\n") * 3_000)
            self.assertRegex(peer.reply() or "", r"^421 4\.3\.1 .*memory")
            self.assertIsNotNone(peer.ended(10))

    def test_many_literals(self):
        with Meanwhile(self.server):
            reader = self.reader(mailbox=None)
            with contextlib.suppress(OSError):
                reader.send("a SEARCH" + (" SUBJECT {60000+}\r\n" + "x" * 60_000) * 4)
            self.assertRegex(reader.until("a ", "* BYE")[-1], r"^\* BYE \[LIMIT\] .*memory")

    def test_a_full_maildrop(self):
        """What POP3 must remember of a maildrop counts too; there IMAP is the way."""
        message = b"Subject: x\r\n\r\nx\r\n"
        reader = self.reader(mailbox=None, timeout=60)
        for _ in range(170):
            reader.send(b"a APPEND INBOX" + (b" {%d+}\r\n" % len(message) + message) * 100 + b"\r\n")
            self.assertTrue(reader.until("a ")[-1].startswith("a OK"))
        with Meanwhile(self.server):
            pop = self.peer("pop3")
            pop.send(f"USER {BOB}\r\nPASS {PASSWORD}\r\nCAPA\r\n")
            said = [pop.line() for _ in range(3)]
            self.assertRegex(said[1], r"^-ERR \[SYS/PERM\] the inbox has 17000 messages, .*\(limits.memory_per_connection\): use IMAP")
            self.assertRegex(said[2], r"^\+OK")  # and goes on
            self.assertIn("MESSAGES 17000", reader.tagged("STATUS INBOX (MESSAGES)")[0])


class OneLargeMailbox(Attacked):
    """Many clients of one mailbox, "told", whose answers are more than what the kernel takes for them."""
    config = {"limits.connections_per_account": 100}
    MESSAGES = 51_200

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        message = b"Subject: x\r\n\r\nx\r\n"
        with Peer(cls.server, "imap", "127.0.0.70", timeout=60) as peer:
            peer.login(BOB)
            peer.tagged("CREATE told")
            peer.send(b"a APPEND told" + (b" {%d+}\r\n" % len(message) + message) * 100 + b"\r\n")
            assert "a OK" in peer.until("a ")[-1]
            peer.tagged("SELECT told")
            for _ in range(9):
                assert "a OK" in peer.tagged("COPY 1:* told")[-1]
                peer.tagged("NOOP")
            # Lines that are long enough: more than what the kernel takes.
            assert "a OK" in peer.tagged(f"STORE 1:* +FLAGS.SILENT ({'a' * 50} {'b' * 50})")[-1]


class OfWhatIsTold(OneLargeMailbox):
    """What others have changed is told to those who read slowly, too; nobody remembers it for each of them."""

    def slow_readers(self, command, before=lambda: None):
        """Twenty ask for more than what the kernel takes for them, and read none of it. Kilobytes that the server grew by, and their
        connections."""
        slow = [self.reader(mailbox="told", receive_buffer=4096, timeout=60) for _ in range(20)]
        before()
        first = self.reader(mailbox="told", receive_buffer=4096, timeout=60)  # all share the view that this one has
        first.tagged("NOOP")
        held = memory(self.server)
        for one in slow:
            one.send(f"a {command}\r\n")

        def waiting():
            sessions = json.loads(self.server.run("who", "--json").stdout)
            return [s["memory"] for s in sessions if s["state"] == "busy"]
        eventually(lambda: len(waiting()) == 20 and min(waiting()) > 10_000, timeout=30)
        self.assertLess(max(waiting()), 1 << 20)
        return memory(self.server) - held, slow

    def check(self, command, before):
        grown, slow = self.slow_readers(command, before)
        if not SANITIZED:
            self.assertLess(grown, 16_000)
        # And everybody is told all of it.
        for one in slow[:2]:
            lines = one.until("a ")
            self.assertIn("a OK", lines[-1])
            self.assertEqual(sum(" FETCH (UID " in line for line in lines), self.MESSAGES)
        for one in slow:
            one.socket.close()

    def test_what_others_have_changed(self):
        writer = self.reader(mailbox="told", timeout=60)
        self.check("NOOP", lambda: self.assertIn("a OK", writer.tagged(r"STORE 1:* +FLAGS.SILENT (\Flagged)")[-1]))

    def test_what_they_have_stored(self):
        writer = self.reader(mailbox="told", timeout=60)
        self.assertIn("a OK", writer.tagged(r"STORE 1:* +FLAGS.SILENT (\Seen)")[-1])
        self.check(r"STORE 1:* +FLAGS (\Seen)", lambda: None)


class OfOldRows(OneLargeMailbox):
    """Who does not read keeps an older list of the messages than others have; that counts as memory, too."""
    config = OneLargeMailbox.config | {"limits.memory": '"12MB"'}
    READERS = 8  # of 2.9 MB each

    def ended(self):
        return [line for line in list(self.server.log) if "why=memory" in line]

    def behind(self):
        """How many sessions have been found to hold a list of their own."""
        return sum(s["memory"] > 2 << 20 for s in json.loads(self.server.run("who", "--json").stdout))

    def test_of_many_who_do_not_read(self):
        """One after the other changes every message and reads no answer. Some must go; the others, and who comes, are served."""
        held, slow = memory(self.server), []
        with Meanwhile(self.server):
            for n in range(self.READERS):
                slow.append(self.reader(mailbox="told", source=f"127.0.3.{n + 1}", receive_buffer=4096, timeout=60))
                slow[-1].send(f"a STORE 1:* {'-' if n % 2 else '+'}FLAGS (\\Seen)\r\n")
                slow[-1].line()  # it is done, and told
                eventually(lambda: len(self.ended()) + self.behind() >= n)
                eventually(lambda: metric(self.server, "hikyaku_sessions_memory_bytes") < 11 << 20)
            self.assertGreater(len(self.ended()), self.READERS // 3)
            self.assertTrue(all("ip=127.0.3." in line for line in self.ended()))
            self.assertLess(metric(self.server, "hikyaku_sessions_memory_bytes"), 12 << 20)
            if not SANITIZED:
                self.assertLess(memory(self.server) - held, 30_000)
        self.assertIn("a OK", slow[-1].until("a ")[-1])  # the last one is told all


class OfTheQueue(Attacked):
    config = {"queue.max_recipients": 3, "queue.retry": '["1h"]'}
    ZONE = "$ORIGIN test.\n$TTL 60\nalpha MX 10 mx.alpha\nmx.alpha A 127.0.0.1\nbeta MX 10 mx.beta\nmx.beta A 127.0.0.250\n"

    @classmethod
    def setUpClass(cls):
        zone = cls.enterClassContext(tempfile.NamedTemporaryFile("w", suffix=".zone"))
        zone.write(cls.ZONE)
        zone.flush()
        cls.server = cls.enterClassContext(Instance(ANNA, config=cls.config, zone=zone.name))
        cls.server.add_account(BOB)

    def user(self, source="127.0.0.1"):
        peer = self.enterContext(Peer(self.server, "submission", source))
        peer.reply()
        peer.ask("EHLO pc.test")
        peer.ask("AUTH PLAIN " + base64.b64encode(f"\0{BOB}\0{PASSWORD}".encode()).decode())
        return peer

    def queued(self):
        return [(entry["id"], entry["recipient"]) for entry in json.loads(self.server.run("queue", "list", "--json").stdout)]

    def test_mail_for_others_waits_outside(self):
        def send(peer, *to):
            self.assertEqual(peer.ask(f"MAIL FROM:<{BOB}>")[:3], "250")
            replies = [peer.ask(f"RCPT TO:<{one}>") for one in to]
            if not any(reply.startswith("250") for reply in replies):
                peer.ask("RSET")
                return replies[-1]
            peer.ask("DATA")
            return peer.ask(f"From: {BOB}\r\nSubject: x\r\n\r\nx\r\n.")
        self.server.run("alias", "add", "out@alpha.test", "x@beta.test")
        user = self.user()
        for i in range(3):  # nobody listens there
            self.assertEqual(send(user, f"x{i}@beta.test")[:3], "250")
        held = self.queued()
        with Meanwhile(self.server):  # mail from others to mailboxes here
            self.assertRegex(send(user, "x4@beta.test"), r"^452 4\.3\.1 ")
            self.assertEqual(send(user, ANNA)[:3], "250")
            self.assertEqual(send(user, ANNA, "x4@beta.test")[:3], "250")  # to Anna; the other is tried again by the client
            other = self.mta()
            other.ask("MAIL FROM:<x@mallory.test>")
            self.assertRegex(other.ask("RCPT TO:<out@alpha.test>"), r"^452 4\.3\.1 ")
            self.assertEqual(other.ask(f"RCPT TO:<{BOB}>")[:3], "250")
            other.ask("DATA")
            self.assertEqual(other.ask("From: x@mallory.test\r\nSubject: from others\r\n\r\nx\r\n.")[:3], "250")
        self.assertEqual(self.queued(), held)
        # Each that was accepted came once, and of what was refused nothing did.
        there = [[s for s in subjects(self.server, one) if s in ("x", "from others")] for one in (ANNA, BOB)]
        self.assertEqual(there, [["x", "x"], ["from others"]])
        self.server.restart()
        self.assertRegex(send(self.user(), "x4@beta.test"), r"^452 4\.3\.1 ")
        self.server.run("queue", "drop", held[0][0])
        self.assertEqual(send(self.user(), "x4@beta.test")[:3], "250")


class OfSuccessNotices(Attacked):
    """A stranger asks for notices of success, and his own server takes none of them."""
    ZONE = OfTheQueue.ZONE + "evil TXT \"v=spf1 ip4:127.0.0.66 -all\"\nevil MX 10 mx.beta\nout.evil A 127.0.0.66\n66.0.0.127.in-addr.arpa. PTR out.evil\n"
    setUpClass, config = OfTheQueue.__dict__["setUpClass"], OfTheQueue.config

    def test_a_full_queue_takes_no_more(self):
        def queued():
            return len(json.loads(self.server.run("queue", "list", "--json").stdout))
        stranger = self.peer("smtp")
        stranger.ask("EHLO out.evil.test")
        for i in range(12):
            for line in ("MAIL FROM:<x@evil.test> RET=FULL", f"RCPT TO:<{BOB}> NOTIFY=SUCCESS"):
                self.assertEqual(stranger.ask(line)[:3], "250")
            stranger.ask("DATA")
            self.assertEqual(stranger.ask(f"From: x@evil.test\r\nMessage-ID: <{i}@evil.test>\r\nSubject: x\r\n\r\nx\r\n.")[:3], "250")
        self.assertIn("MESSAGES 12", self.reader(mailbox=None).tagged("STATUS INBOX (MESSAGES)")[0])
        self.assertEqual(queued(), 3)
        self.assertIn("dsn: left out: the queue is full", self.server.run("trace", "<11@evil.test>").stdout)


class OfLogins(Attacked):
    config = {"login.parallel": 3, "login.max_waiting": 6, "login.max_waiting_per_network": 6, "login.max_failures": 100}

    def test_parallel(self):
        """Passwords are checked by so many threads, behind all others; more than max_waiting are told to come back, from wherever."""
        tasks = f"/proc/{self.server.process.pid}/task"
        nice = [int(open(f"{tasks}/{t}/stat").read().rsplit(") ", 1)[1].split()[16]) for t in os.listdir(tasks)]
        self.assertEqual(sum(n > os.nice(0) for n in nice), 3)
        answers = []

        def guess(i):
            with Peer(self.server, "imap", f"127.0.6.{i + 1}") as peer:
                peer.line()
                answers.append(peer.tagged(f'LOGIN {BOB} "guess {i}"')[-1])
        threads = [threading.Thread(target=guess, args=(i,), daemon=True) for i in range(60)]
        with Meanwhile(self.server):
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
        said = [re.match(r"a NO \[(\w+)\]", a).group(1) for a in answers]
        self.assertEqual(len(said), 60)
        self.assertEqual(set(said), {"AUTHENTICATIONFAILED", "UNAVAILABLE"})
        with Peer(self.server, "imap", "127.0.6.100") as peer:
            self.assertIn("a OK", peer.login(BOB))


class OfLoginsOfOneNetwork(Attacked):
    """Who guesses from one address fills its own places only."""
    config = {"login.parallel": 1, "login.max_waiting": 50, "login.max_waiting_per_network": 3, "login.max_failures": 100}

    def test_others_come_in(self):
        other = self.peer("imap", source="127.0.6.200")
        guessing = [self.peer("imap", source="127.0.6.1") for _ in range(30)]
        with Meanwhile(self.server):
            for i, peer in enumerate(guessing):
                peer.send(f'a LOGIN {BOB} "guess {i}"\r\n')
            self.assertIn("a OK", other.tagged(f'LOGIN {BOB} "{PASSWORD}"')[-1])  # his first: it takes a place, too
            said = [re.match(r"a NO \[(\w+)\]", peer.until("a ")[-1]).group(1) for peer in guessing]
        self.assertEqual(set(said), {"AUTHENTICATIONFAILED", "UNAVAILABLE"})
        busy = [line for line in list(self.server.log) if "event=login.busy" in line]
        self.assertEqual(len(busy), said.count("UNAVAILABLE"))
        self.assertFalse([line for line in busy if "ip=127.0.6.1 " not in line])


class OfLocalConnections(Attacked):
    config = {"limits.local_connections": 5}

    def test_of_one_user(self):
        """Of eight programs of a user five are served; others wait until one has gone."""
        waiting = [self.enterContext(socket.socket(socket.AF_UNIX)) for _ in range(8)]
        served = []

        def answered():
            for s in select.select(waiting, [], [], 0)[0]:
                self.assertNotIn(b'"error"', s.recv(100_000))
                waiting.remove(s)
                served.append(s)
            return len(served)

        with Meanwhile(self.server):
            for s in waiting:
                s.connect(str(self.server.dir / "control.sock"))
                s.sendall(b'{"verb":"who","args":{}}\n')
            eventually(lambda: answered() >= 5)
            time.sleep(0.3)
            self.assertEqual(answered(), 5)
            for count in (6, 7, 8):
                served[count - 6].close()
                eventually(lambda: answered() == count)
            for s in served:
                s.close()
            self.server.run("who")

    def test_a_burst(self):
        """Far more programs than are served at once, in the same moment: all are served, one after another."""
        ask = lambda _: self.server.run("who", "--json", check=False, timeout=60).returncode
        with Meanwhile(self.server), concurrent.futures.ThreadPoolExecutor(40) as pool:
            self.assertEqual(set(pool.map(ask, range(120))), {0})

    def test_a_crowd_of_recipients(self):
        """A program that names tens of thousands of recipients is refused at once, and keeps nobody waiting."""
        names = json.dumps([f"u{i:06}@b.test" for i in range(45_000)], separators=(",", ":"))
        with contextlib.ExitStack() as stack, Meanwhile(self.server):
            began = time.monotonic()
            programs = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(4)]
            for s in programs:
                s.settimeout(60)
                s.connect(str(self.server.dir / "submit.sock"))
                s.sendall(b'{"verb":"mail.submit","args":{"recipients":' + names.encode() + b'}}\n{"data":"U3ViamVjdDogeAoKeAo="}\n{"end":true}\n')
            for s in programs:
                self.assertIn(b"a message has at most", s.recv(1000))
            self.assertLess(time.monotonic() - began, 30 if SANITIZED else 4)
        many = self.server.run("sendmail", "-v", *[f"u{i}@alpha.test" for i in range(400)], input="Subject: x\n\nx\n", check=False)
        self.assertIn("and 380 more", " ".join(many.stderr.split()))

    def test_who_waits_too_long_is_told(self):
        with contextlib.ExitStack() as stack:
            for _ in range(5):
                s = stack.enter_context(socket.socket(socket.AF_UNIX))
                s.connect(str(self.server.dir / "control.sock"))
                s.sendall(b'{"verb":"who","args":{}}\n')
                self.assertTrue(s.recv(100))
            busy = self.server.run("who", check=False, timeout=60)
            self.assertEqual(busy.returncode, 75)
            self.assertIn("limits.local_connections", " ".join(busy.stderr.split()))

    def test_those_who_say_nothing_give_way(self):
        """However many connect and say nothing, who comes next is served: `hikyaku who` can be asked meanwhile; and they are ended in the end."""
        with contextlib.ExitStack() as stack, Meanwhile(self.server):
            silent = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(300)]
            for s in silent:
                s.connect(str(self.server.dir / "control.sock"))
            for verb in (("who",), ("who", "--json"), ("kick", "999999")):
                # Beside hundreds that come in the same moment it may be told to try again.
                eventually(lambda: self.server.run(*verb, check=False, timeout=20).returncode not in (69, 75), timeout=20)
            self.assertEqual(self.server.run("who", timeout=20).returncode, 0)
            def still_there():
                ended = select.select(silent, [], [], 0)[0]
                return [s for s in silent if s not in ended]

            left = eventually(lambda: (left := still_there()) and len(left) <= 50 and left)
            eventually(lambda: len(select.select(left, [], [], 0)[0]) == len(left), timeout=50)


if __name__ == "__main__":
    unittest.main()
