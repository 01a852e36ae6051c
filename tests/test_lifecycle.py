"""Starting, stopping, reloading, and being killed: nothing that was acknowledged is ever lost."""
import collections
import contextlib
import fcntl
import itertools
import json
import os
import pathlib
import re
import signal
import smtplib
import socket
import ssl
import tempfile
import threading
import time
import unittest

from harness import PASSWORD, PORTS, SANITIZED, Instance, eventually, free_port_base, need
from mail import Wire, message, messages, raw_messages, run, submit, tls
from test_road import pair

REMOTE = "dora@gamma.test"  # its server does not answer
ZONE = "$ORIGIN test.\n$TTL 60\nalpha MX 10 mx.alpha\nmx.alpha A 127.0.0.1\ngamma MX 10 mx.gamma\nmx.gamma A 127.0.3.9\n"


class Load:
    """Senders that keep a ledger of what was acknowledged, until the server is gone."""

    def __init__(self, server, senders=4):
        self.server, self.acknowledged, self.tried = server, [], 0
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(i,), daemon=True) for i in range(senders)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc):
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()

    def _send(self, number):
        # Two submit (to a mailbox here and to another server at once), two are other servers.
        try:
            if number % 2:
                smtp = smtplib.SMTP_SSL(self.server.host, self.server.port("submissions"), context=tls(), timeout=20)
                smtp.login("anna@alpha.test", PASSWORD)
                sender, recipients = "anna@alpha.test", ["bob@alpha.test", REMOTE]
            else:
                smtp = smtplib.SMTP(self.server.host, self.server.port("smtp"), timeout=20)
                sender, recipients = "x@beta.test", ["bob@alpha.test", "anna@alpha.test"]
            while not self._stop.is_set():
                with self._lock:
                    self.tried += 1
                    mark = f"m{time.monotonic_ns()}.{number}"
                body = "x" * (self.tried % 7 * 5000)
                smtp.sendmail(sender, recipients, f"From: {sender}\r\nSubject: {mark}\r\n\r\n{body}\r\n")
                with self._lock:
                    self.acknowledged.append((mark, recipients))
        except (OSError, smtplib.SMTPException):
            pass  # the server went: what it had not acknowledged does not count


class WhenItEnds(unittest.TestCase):
    def setUp(self):
        zone = self.enterContext(tempfile.NamedTemporaryFile("w", suffix=".zone"))
        zone.write(ZONE)
        zone.flush()
        self.server = self.enterContext(Instance("anna@alpha.test", zone=zone.name, config={"queue.retry": '["1h"]'}))
        self.server.add_account("bob@alpha.test")

    def check_ledger(self, acknowledged):
        expected = collections.defaultdict(set)
        for mark, recipients in acknowledged:
            for recipient in recipients:
                expected[recipient].add(mark)
        for user in ("anna@alpha.test", "bob@alpha.test"):
            got = collections.Counter(re.search(rb"(?m)^Subject: (.*)\r$", raw).group(1).decode() for raw in raw_messages(self.server, user))
            self.assertEqual(expected[user] - set(got), set(), f"lost from the mailbox of {user}")
            self.assertEqual([m for m, n in got.items() if n > 1], [], f"twice in the mailbox of {user}")
        queued = json.loads(self.server.run("queue", "list", "--json").stdout)
        queued = [q for q in queued if q["recipient"] == REMOTE]
        self.assertGreaterEqual(len(queued), len(expected[REMOTE]), "lost from the queue")
        return queued

    def test_sigterm_while_mail_flows(self):
        acknowledged = []
        for _ in range(3):
            with Load(self.server) as load:
                eventually(lambda: len(load.acknowledged) > 10)
                started = time.monotonic()
                self.assertEqual(self.server.stop(signal.SIGTERM), 0)
                self.assertLess(time.monotonic() - started, 10)
            acknowledged += load.acknowledged
            self.server.start()
        self.check_ledger(acknowledged)

    def test_kill_nine_ten_times_under_load(self):
        acknowledged = []
        for i in range(10):
            with Load(self.server) as load:
                eventually(lambda: len(load.acknowledged) > 5)
                time.sleep(0.2 + 0.07 * i)
                self.server.kill()
            acknowledged += load.acknowledged
            self.server.start()
        self.assertGreater(len(acknowledged), 100)
        self.check_ledger(acknowledged)

    def test_idle_clients_do_not_hold_up_the_end(self):
        with contextlib.ExitStack() as stack:
            imap = stack.enter_context(Wire(self.server, "imap"))
            imap.login("anna@alpha.test")
            imap.tagged("SELECT INBOX")
            imap.send("i IDLE\r\n")
            imap.line()
            smtp = stack.enter_context(Wire(self.server, "smtp"))
            smtp.reply()
            pop = stack.enter_context(Wire(self.server, "pop3"))
            pop.line()
            started = time.monotonic()
            self.assertEqual(self.server.stop(), 0)
            self.assertLess(time.monotonic() - started, 10)
            self.assertTrue(imap.until("* BYE")[-1].startswith("* BYE"))
            self.assertRegex(smtp.reply() or "", r"^421 4\.3\.2 ")


def black_hole(stack, host, port):
    """A host that answers no connection attempt: it listens, and its backlog is full."""
    listening = stack.enter_context(socket.socket())
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host, port))
    listening.listen(0)
    for _ in range(4):
        waiting = stack.enter_context(socket.socket())
        waiting.setblocking(False)
        waiting.connect_ex((host, port))
    time.sleep(0.1)
    with socket.socket() as probe:
        probe.settimeout(0.5)
        try:
            probe.connect((host, port))
        except TimeoutError:
            return
        raise unittest.SkipTest("a full backlog does not keep connections waiting here")


def end_in_calm():
    """How long a server takes to end that has nothing to do. One that waits for somebody takes as much longer as its grace: 10 s."""
    with Instance("anna@alpha.test") as server:
        started = time.monotonic()
        server.stop()
        return time.monotonic() - started


class WhileConnecting(unittest.TestCase):
    def test_a_server_that_does_not_answer_does_not_hold_up_the_end(self):
        stack = self.enterContext(contextlib.ExitStack())
        zone = stack.enter_context(tempfile.NamedTemporaryFile("w", suffix=".zone"))
        zone.write(ZONE)
        zone.flush()
        server = stack.enter_context(Instance("anna@alpha.test", zone=zone.name))
        black_hole(stack, "127.0.3.9", server.port("smtp"))
        submit(server, message("anna@alpha.test", REMOTE))
        state = lambda: [item["state"] for item in json.loads(server.run("queue", "list", "--json").stdout)]
        eventually(lambda: state() == ["sending"])
        time.sleep(0.5)
        started = time.monotonic()
        self.assertEqual(server.stop(), 0)
        self.assertLess(time.monotonic() - started, end_in_calm() + 5)
        server.start()
        item, = json.loads(server.run("queue", "list", "--json").stdout)
        self.assertLessEqual(item["attempts"], 1)  # the one that was cut off does not count


class ThreeCrashes(unittest.TestCase):
    def test_a_silent_dns_does_not_hold_up_the_end(self):
        """The record of the first DKIM key is looked for from the start on, and nobody answers."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            silent.settimeout(20)
            with Instance("anna@alpha.test", config={"dns.resolver": f'["127.0.0.1:{silent.getsockname()[1]}"]'}) as server:
                silent.recv(4096)
                began = time.monotonic()
                self.assertEqual(server.stop(), 0)
                self.assertLess(time.monotonic() - began, end_in_calm() + 5)

    def test_what_is_held_after_three_crashes_is_told_to_its_sender_once(self):
        stack = self.enterContext(contextlib.ExitStack())
        zone = stack.enter_context(tempfile.NamedTemporaryFile("w", suffix=".zone"))
        zone.write(ZONE)
        zone.flush()
        server = stack.enter_context(Instance("anna@alpha.test", zone=zone.name))
        silent = stack.enter_context(socket.socket())  # takes connections, and says nothing
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        silent.bind(("127.0.3.9", server.port("smtp")))
        silent.listen(100)
        submit(server, message("anna@alpha.test", REMOTE, "Crashes"))
        listed = lambda: json.loads(server.run("queue", "list", "--json").stdout)
        for attempt in (1, 2, 3):
            # The number tells an attempt of this run from what the last one left behind.
            eventually(lambda: (listed()[0]["state"], listed()[0]["attempts"]) == ("sending", attempt))
            server.kill()
            server.start()
        eventually(lambda: messages(server))
        for _ in range(2):
            notice, = messages(server)
            item, = listed()
            self.assertEqual(item["state"], "held")
            self.assertEqual((notice["Return-Path"], notice["Subject"]), ("<>", f"Held: your message to {REMOTE}"))
            text = notice.get_payload(decode=True).decode()
            self.assertIn(f"hikyaku queue release {item['id'].split('.')[0]}", text)
            self.assertIn("Subject: Crashes", text)
            server.restart()
        self.assertIn("told anna@alpha.test that it is held", server.run("trace", REMOTE).stdout)
        server.run("queue", "drop", "all")
        self.assertEqual(listed(), [])


class WithAQueue(unittest.TestCase):
    def test_a_full_queue_survives_a_restart_and_goes_out_once(self):
        alpha, beta = pair(self.enterContext(contextlib.ExitStack()), {"queue.retry": '["1h"]'})
        beta.stop()
        count = 150
        with smtplib.SMTP_SSL(alpha.host, alpha.port("submissions"), context=tls(), timeout=20) as smtp:
            smtp.login(alpha.address, PASSWORD)
            for i in range(count):
                smtp.sendmail(alpha.address, ["bob@beta.test"], f"From: anna@alpha.test\r\nSubject: {i}\r\n\r\nx\r\n")
        alpha.restart()
        self.assertEqual(len(json.loads(alpha.run("queue", "list", "--json").stdout)), count)
        alpha.kill()
        alpha.start()
        beta.start()
        alpha.run("queue", "retry", "all")
        eventually(lambda: json.loads(alpha.run("queue", "list", "--json").stdout) == [], timeout=60)
        got = sorted(int(re.search(rb"(?m)^Subject: (\d+)\r$", raw).group(1)) for raw in raw_messages(beta))
        self.assertEqual(got, list(range(count)))


class WhileItRuns(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Instance("anna@alpha.test"))

    def certificate(self):
        with socket.create_connection((self.server.host, self.server.port("imaps")), 10) as s, tls().wrap_socket(s) as secure:
            return secure.getpeercert(binary_form=True)

    def size(self):
        with smtplib.SMTP(self.server.host, self.server.port("smtp"), timeout=10) as smtp:
            smtp.ehlo("x.test")
            return int(smtp.esmtp_features["size"])

    def hang_up(self, event):
        count = len(self.server.log)
        self.server.process.send_signal(signal.SIGHUP)
        eventually(lambda: any(f"event={event}" in line for line in self.server.log[count:]))

    def test_sighup_reads_options_anew(self):
        self.assertNotEqual(self.size(), 1_234_567)
        self.server.configure({"smtp.max_message_size": 1_234_567})
        with Wire(self.server, "imap") as before:
            before.login("anna@alpha.test")
            self.hang_up("server.reload")
            self.assertEqual(self.size(), 1_234_567)
            self.assertTrue(before.tagged("NOOP")[-1].startswith("a OK"), "a session survives the reload")
        text = (self.server.dir / "hikyaku.toml").read_text()
        (self.server.dir / "hikyaku.toml").write_text(text.replace("1234567", '"much"'))
        self.hang_up("config.reload")
        self.assertEqual(self.size(), 1_234_567)  # a mistake changes nothing
        more = "".join(f"wrong_{i} = {i}\n" for i in range(9))
        (self.server.dir / "hikyaku.toml").write_text(text.replace("1234567", '"much"') + more)
        begun = len(self.server.log)
        self.hang_up("config.reload")
        told = lambda: [line for line in self.server.log[begun:] if "event=config.reload" in line]
        eventually(lambda: any("hikyaku config check --dir" in line for line in told()))
        for mistake in ("max_message_size", *(f"wrong_{i}" for i in range(9))):
            self.assertEqual(sum(mistake in line for line in told()), 1, told())
        self.assertFalse([line for line in told() if "\\n" in line or "…" in line])
        self.assertTrue(any("max_message_size" in line and "config.reload" in line for line in self.server.log))
        (self.server.dir / "hikyaku.toml").write_text(text)
        self.hang_up("server.reload")

    def test_sighup_reads_certificates_anew(self):
        need("openssl")
        before = self.certificate()
        chain = next(p for p in (self.server.dir / "tls").iterdir() if b"BEGIN CERTIFICATE" in p.read_bytes())
        key = next(p for p in (self.server.dir / "tls").iterdir() if b"PRIVATE KEY" in p.read_bytes())
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9",
            "-subj", "/CN=mail.alpha.test", "-addext", "subjectAltName=DNS:mail.alpha.test", "-keyout", key, "-out", chain)
        self.hang_up("server.reload")
        after = self.certificate()
        self.assertNotEqual(after, before)
        self.assertEqual(after, ssl.PEM_cert_to_DER_cert(chain.read_text()))
        good = chain.read_bytes()
        chain.write_bytes(b"not a certificate\n")
        self.hang_up("tls.reload")
        self.assertEqual(self.certificate(), after)  # the old one stays
        chain.write_bytes(good)

    def test_reload_says_what_counts_only_after_a_restart(self):
        need("openssl")

        def reload(*words):
            return self.server.run("reload", *words, check=False)
        kept = (self.server.dir / "hikyaku.toml").read_text()
        self.addCleanup(reload)
        self.addCleanup((self.server.dir / "hikyaku.toml").write_text, kept)
        self.assertIn("No option has changed", reload().stdout)
        self.server.configure({"imap.max_errors": 17, "listen.metrics": f"[{self.server.metrics_port}]"})
        done = reload()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"imap.max_errors = 17: counts from now on")
        self.assertRegex(done.stdout, r"listen.metrics = .*: needs a restart")
        self.assertIn(f"hikyaku serve --dir {self.server.dir}", " ".join(done.stdout.split()))
        self.assertTrue([line for line in self.server.log if re.search(r"warn.* event=config.change option=listen.metrics .*needs a restart", line)])
        self.server.configure({"smtp.max_recipients": '"many"'})
        self.assertIn("no option was changed (the certificates were read anew): hikyaku config check", " ".join(reload().stderr.split()))
        (self.server.dir / "hikyaku.toml").write_text(kept)
        reload()
        before = self.certificate()
        with tempfile.TemporaryDirectory() as elsewhere:
            chain, key = f"{elsewhere}/c.pem", f"{elsewhere}/k.pem"
            run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9",
                "-subj", "/CN=mail.alpha.test", "-addext", "subjectAltName=DNS:mail.alpha.test", "-keyout", key, "-out", chain)
            self.server.configure({"tls.certificates": f'[{{ cert = "{chain}", key = "{key}" }}]'})
            seen = len(self.server.log)
            if not SANITIZED:
                self.assertIn("サンドボックスのため", "".join(reload("--lang", "ja").stdout.split()))
            seen = len(self.server.log)
            done = reload("--json")
            if not SANITIZED:
                told, = json.loads(done.stdout)["options"]
                self.assertEqual((told["option"], told["outcome"]), ("tls.certificates", "needs a restart"))
                self.assertIn(f"sandbox of the running server does not let it read {elsewhere}", told["why"])
                self.assertEqual(self.certificate(), before)
                said = [line for line in self.server.log[seen:] if "event=config.change" in line]
                self.assertEqual(len(said), 1)
                self.assertNotIn("applied", said[0])
                self.assertFalse([line for line in self.server.log[seen:] if "tls.reload" in line])
                self.server.restart()
            self.assertNotEqual(self.certificate(), before)
            # Its directory is open now; what stands in it must still be a certificate.
            pathlib.Path(chain).write_text("not a certificate")
            done = reload()
            self.assertEqual(done.returncode, 1)
            self.assertIn("the certificates before stay", done.stderr)
            pathlib.Path(self.server.dir / "hikyaku.toml").write_text(kept)
            self.server.restart()

    def test_a_port_of_metrics_is_taken_as_written(self):
        with Instance("anna@alpha.test", metrics=True) as server:
            self.assertIn(f"listening on 127.0.0.1:{server.metrics_port} (metrics)", server.log)
            socket.create_connection(("127.0.0.1", server.metrics_port), 5).close()


class WhenItStarts(unittest.TestCase):
    def test_ready_is_said_once_everything_listens(self):
        with Instance("anna@alpha.test") as server:
            for service in PORTS:
                socket.create_connection((server.host, server.port(service)), 1).close()
            self.assertEqual([line.strip() for line in server.log].count("ready"), 1)
            self.assertEqual(len([line for line in server.log if line.startswith("listening on ")]), len(PORTS))

    def test_closed_standard_files_are_no_others(self):
        """What it opens does not get their numbers, and with them its log."""
        server = Instance("anna@alpha.test")
        self.addCleanup(server.__exit__)
        server.quickstart()
        for closed in ("<&- >&- 2>&-", "2>&-"):
            with self.subTest(closed):
                server.wrapper = ["sh", "-c", f'exec "$0" "$@" {closed}']
                server.spawn()
                eventually(lambda: server.run("who", check=False).returncode == 0)
                mark = f"with {closed}"
                submit(server, message("anna@alpha.test", "anna@alpha.test", mark))
                eventually(lambda: mark in [m["Subject"] for m in messages(server)])
                self.assertEqual(os.readlink(f"/proc/{server.process.pid}/fd/2"), "/dev/null")
                self.assertEqual(server.stop(), 0)

    def test_systemd_is_told(self):
        with tempfile.TemporaryDirectory() as directory:
            for address in (str(pathlib.Path(directory, "notify")), f"@hikyaku-test-{time.monotonic_ns()}"):
                with self.subTest(address), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
                    notify.bind(address.replace("@", "\0"))
                    notify.settimeout(10)
                    server = Instance("anna@alpha.test")
                    server.env = {"NOTIFY_SOCKET": address}
                    with server:
                        self.assertIn(b"READY=1", notify.recv(4096))
                        server.process.send_signal(signal.SIGHUP)
                        self.assertIn(b"RELOADING=1", notify.recv(4096))
                        self.assertIn(b"READY=1", notify.recv(4096))
                        self.assertEqual(server.stop(), 0)
                        self.assertIn(b"STOPPING=1", notify.recv(4096))

    def test_systemd_hears_that_the_server_is_not_stuck_if_it_wants_to(self):
        def signs(seconds, **env):
            """When the signs came that were given within some seconds."""
            with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
                address = str(pathlib.Path(directory, "notify"))
                notify.bind(address)
                server = Instance("anna@alpha.test")
                server.env = {"NOTIFY_SOCKET": address, **env}
                came = []
                with server:
                    until = time.monotonic() + seconds
                    while (left := until - time.monotonic()) > 0:
                        notify.settimeout(left)
                        try:
                            if notify.recv(4096) == b"WATCHDOG=1":
                                came.append(time.monotonic())
                        except TimeoutError:
                            break
                    self.assertEqual(server.stop(), 0)
                return came

        came = signs(7, WATCHDOG_USEC="2000000")
        self.assertGreaterEqual(len(came), 5)
        self.assertLess(max(b - a for a, b in itertools.pairwise(came)), 2)  # systemd would have waited so long
        self.assertGreater(min(b - a for a, b in itertools.pairwise(came)), 0.5)
        self.assertEqual(signs(2, WATCHDOG_USEC="500000", WATCHDOG_PID="1"), [])  # it means another process
        self.assertEqual(signs(2), [])

    def test_a_systemd_that_does_not_listen_holds_nothing_up(self):
        with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            address = str(pathlib.Path(directory, "notify"))
            notify.bind(address)
            server = Instance("anna@alpha.test")
            server.env = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "100000"}
            with server:
                with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other, self.assertRaises(BlockingIOError):
                    while True:
                        other.sendto(b"STATUS=full", socket.MSG_DONTWAIT, address)
                time.sleep(0.5)  # some signs that nobody takes
                server.process.send_signal(signal.SIGHUP)
                eventually(lambda: any("event=server.reload" in line for line in list(server.log)))
                submit(server, message("anna@alpha.test", "anna@alpha.test"))
                self.assertEqual(server.stop(), 0)

    def test_a_second_server_on_the_same_store_is_refused(self):
        with Instance("anna@alpha.test") as server:
            server.configure({"listen.port_base": free_port_base()})
            done = server.run("serve", check=False, timeout=20)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(str(server.dir), done.stdout + done.stderr)
            submit(server, message("anna@alpha.test", "anna@alpha.test"))  # the first goes on

    def test_a_verb_that_has_the_store_is_waited_for(self):
        with Instance("anna@alpha.test") as server:
            busy = server.run("verify", check=False)
            self.assertIn(f"process {server.process.pid} (hikyaku serve)", " ".join(busy.stderr.split()))
            submit(server, message("anna@alpha.test", "anna@alpha.test", "before"))
            server.stop()
            with open(server.dir / "data" / "LOCK", "r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                lock.truncate()
                lock.write("4711 (hikyaku undelete)\n")
                lock.flush()
                release = threading.Timer(3, fcntl.flock, (lock, fcntl.LOCK_UN))
                release.start()
                server.start()
                release.join()
            said = [line for line in server.log if "event=store.locked " in line]
            self.assertEqual(len(said), 1, server.log)
            self.assertIn("process 4711 (hikyaku undelete)", said[0])
            self.assertEqual([m["Subject"] for m in messages(server, "anna@alpha.test")], ["before"])

    def refused(self, server, holder):
        """What opens the store says who has it, and leaves it as it is."""
        def index():
            return {file.name: file.stat().st_ino for file in (server.dir / "data/index").iterdir()}

        before = index()
        for verb in (["verify", "--repair"], ["account", "add", "new@alpha.test", "--password-stdin"], ["undelete", "--purge"]):
            done = server.run(*verb, check=False, input=PASSWORD + "\n")
            said = " ".join((done.stdout + done.stderr).split())
            self.assertEqual(done.returncode, 75, said)
            if verb[0] == "verify":
                self.assertIn(f"held by process {holder}", said)
        self.assertEqual(index(), before)

    def test_a_lock_that_somebody_removes_lets_nobody_in(self):
        with Instance("anna@alpha.test") as server:
            submit(server, message("anna@alpha.test", "anna@alpha.test", "before"))
            eventually(lambda: messages(server, "anna@alpha.test"))
            (server.dir / "data/LOCK").unlink()
            for place in server.dir.glob("**/*.sock"):
                place.unlink()
            self.refused(server, f"{server.process.pid} (hikyaku serve)")
            submit(server, message("anna@alpha.test", "anna@alpha.test", "after"))
            self.assertEqual(server.stop(), 0)
            server.start()
            self.assertEqual([m["Subject"] for m in messages(server, "anna@alpha.test")], ["before", "after"])

    def test_an_index_that_another_process_has_is_not_taken_for_damaged(self):
        with Instance("anna@alpha.test") as server:
            submit(server, message("anna@alpha.test", "anna@alpha.test", "before"))
            eventually(lambda: messages(server, "anna@alpha.test"))
            server.stop()
            with open(server.dir / "data/index/LOCK", "r+") as lock:
                fcntl.lockf(lock, fcntl.LOCK_EX)
                self.refused(server, f"{os.getpid()} (")
            server.start()
            self.assertEqual([m["Subject"] for m in messages(server, "anna@alpha.test")], ["before"])


if __name__ == "__main__":
    unittest.main()
