"""Watching a server from outside: metrics, health, who, kick, top, and sessions that end when their account does."""
import imaplib
import json
import poplib
import re
import shutil
import smtplib
import socket
import threading
import unittest

from harness import HIKYAKU, PASSWORD, TOP, Instance, eventually, hikyaku
from mail import http_get

NAME = r"[a-zA-Z_][a-zA-Z0-9_]*"
LABEL = re.compile(rf'({NAME})="((?:[^"\\\n]|\\[\\"n])*)"')
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)")


def parse_exposition(text):
    """Reads Prometheus' text format 0.0.4 and refuses what promtool would complain of.

    Gives {name: {"type": …, "help": …, "samples": {(sample name, labels): value}}}."""
    assert text.endswith("\n"), "the last line has no end"
    families, current, closed = {}, None, set()
    for line in text.split("\n")[:-1]:
        if line.startswith("# HELP "):
            name, _, help_text = line[7:].partition(" ")
            assert re.fullmatch(NAME, name) and help_text, line
            assert name not in families, f"{name} comes twice"
            if current:
                closed.add(current)
            current = name
            families[name] = {"help": help_text, "type": None, "samples": {}}
        elif line.startswith("# TYPE "):
            name, _, kind = line[7:].partition(" ")
            assert name == current and families[name]["type"] is None and not families[name]["samples"], line
            assert kind in ("counter", "gauge", "histogram"), line
            assert name.endswith("_total") == (kind == "counter"), f"{name} is a {kind}"
            families[name]["type"] = kind
        else:
            assert not line.startswith("#"), line
            match = SAMPLE.fullmatch(line)
            assert match, f"no sample: {line!r}"
            name, labels, value = match.groups()
            family = families[current]
            if family["type"] == "histogram":
                assert name in (current + "_bucket", current + "_sum", current + "_count"), line
            else:
                assert name == current, line
            pairs = []
            rest = labels or ""
            while rest:
                label = LABEL.match(rest)
                assert label, line
                pairs.append(label.groups())
                rest = rest[label.end():]
                assert not rest or rest.startswith(",") and len(rest) > 1, line
                rest = rest[1:]
            assert len({n for n, _ in pairs}) == len(pairs), f"a label twice: {line}"
            key = (name, tuple(pairs))
            assert key not in family["samples"], f"a sample twice: {line}"
            number = float(value)
            assert number == number and (family["type"] == "gauge" or number >= 0), line
            family["samples"][key] = number
    for name, family in families.items():
        assert family["type"] and family["samples"], f"{name} is empty"
        if family["type"] == "histogram":
            check_histogram(name, family["samples"])
    return families


def check_histogram(name, samples):
    series = {}
    for (sample, labels), value in samples.items():
        if sample.endswith("_bucket"):
            others = tuple(p for p in labels if p[0] != "le")
            bound = float(dict(labels)["le"].replace("+Inf", "inf"))
            series.setdefault(others, []).append((bound, value))
    for labels, buckets in series.items():
        assert buckets == sorted(buckets), f"{name}: buckets out of order"
        counts = [count for _, count in buckets]
        assert counts == sorted(counts), f"{name}: buckets do not grow"
        assert buckets[-1][0] == float("inf"), f"{name}: no +Inf"
        assert samples[(name + "_count", labels)] == counts[-1], f"{name}: _count is not the last bucket"
        assert (name + "_sum", labels) in samples


class Observability(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Instance("anna@alpha.test", metrics=True)
        cls.server.quickstart()
        cls.server.start()
        cls.server.add_account("bert@alpha.test")

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    def get(self, path, method="GET"):
        return http_get(self.server, path, method)

    def scrape(self):
        status, headers, text = self.get("/metrics")
        self.assertEqual(status, 200)
        self.assertEqual(headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
        return parse_exposition(text)

    def value(self, families, name, sample=None, **labels):
        return sum(value for (found, pairs), value in families[name]["samples"].items()
                   if found == (sample or name) and labels.items() <= dict(pairs).items())

    def imap(self, user="anna@alpha.test", password=PASSWORD):
        client = imaplib.IMAP4("127.0.0.1", self.server.port("imap"), timeout=20)
        client.login(user, password)
        return client

    def sessions(self):
        return json.loads(self.server.run("who", "--json").stdout)

    def session_of(self, client):
        """The row of this client's connection, by its own port."""
        port = client.sock.getsockname()[1]
        return next((row for row in self.sessions() if row["port"] == port), None)

    # --- metrics ---

    def test_the_numbers_move_by_what_is_done(self):
        before = self.scrape()
        with smtplib.SMTP("127.0.0.1", self.server.port("smtp"), timeout=20) as smtp:
            for i in range(3):
                smtp.sendmail("x@beta.test", ["anna@alpha.test"], f"Subject: {i}\r\n\r\nhello\r\n")
            smtp.mail("x@beta.test")
            self.assertEqual(smtp.rcpt("nobody@alpha.test")[0], 550)
            self.assertEqual(smtp.docmd("XYZZY")[0], 500)
        client = self.imap()
        client.select()
        client.fetch("1:*", "(FLAGS)")
        client.logout()
        with self.assertRaises(imaplib.IMAP4.error):
            self.imap(password="wrong")
        pop = poplib.POP3("127.0.0.1", self.server.port("pop3"), timeout=20)
        pop.user("bert@alpha.test")
        pop.pass_(PASSWORD)
        pop.stat()
        pop.quit()
        # A connection is counted when it has ended on the server's side.
        eventually(lambda: self.value(self.scrape(), "hikyaku_connections_open", protocol="imap") == 0)
        after = self.scrape()

        def grown(name, sample=None, **labels):
            return self.value(after, name, sample, **labels) - self.value(before, name, sample, **labels)

        self.assertEqual(grown("hikyaku_connections_total", protocol="smtp"), 1)
        self.assertEqual(grown("hikyaku_connections_total", protocol="imap"), 2)
        self.assertEqual(grown("hikyaku_connections_total", protocol="pop3"), 1)
        self.assertGreater(grown("hikyaku_connection_bytes_total", protocol="smtp", direction="in"), 200)
        self.assertEqual(grown("hikyaku_messages_total", protocol="smtp", reply="2yz"), 3)
        self.assertEqual(grown("hikyaku_message_bytes_total", protocol="smtp"),
                         sum(len(f"Subject: {i}\r\n\r\nhello\r\n") for i in range(3)))
        self.assertEqual(grown("hikyaku_recipients_total", protocol="smtp", reply="2yz"), 3)
        self.assertEqual(grown("hikyaku_recipients_total", protocol="smtp", reply="5yz"), 1)

        def commands(protocol, verb):
            return grown("hikyaku_command_seconds", "hikyaku_command_seconds_count", protocol=protocol, verb=verb)

        self.assertEqual(commands("smtp", "DATA"), 3)
        self.assertEqual(commands("smtp", "UNKNOWN"), 1)
        self.assertEqual(commands("imap", "SELECT"), 1)
        self.assertEqual(commands("imap", "FETCH"), 1)
        self.assertEqual(commands("pop3", "STAT"), 1)
        accepted = "hikyaku_message_accept_seconds"
        self.assertEqual(grown(accepted, accepted + "_count", protocol="smtp"), 3)
        self.assertGreater(grown(accepted, accepted + "_sum", protocol="smtp"), 0)
        self.assertEqual(grown("hikyaku_logins_total", mechanism="PLAIN", outcome="ok"), 2)
        self.assertEqual(grown("hikyaku_logins_total", mechanism="PLAIN", outcome="failed"), 1)
        self.assertGreaterEqual(grown("hikyaku_store_transactions_total"), 3)
        sync = "hikyaku_store_sync_seconds"
        self.assertEqual(grown(sync, sync + "_count"), grown("hikyaku_store_batches_total"))
        self.assertGreater(grown("hikyaku_log_lines_total", level="info"), 3)
        self.assertGreater(self.value(after, "hikyaku_memory_resident_bytes"), 10e6)
        self.assertGreater(self.value(after, "hikyaku_store_journal_bytes"), 0)
        self.assertGreater(self.value(after, "hikyaku_certificate_end_timestamp_seconds"), 1.7e9)

    def test_tls_handshakes_are_counted_also_those_that_fail(self):
        def handshakes(outcome):
            return self.value(self.scrape(), "hikyaku_tls_handshakes_total", outcome=outcome)

        ok, failed = handshakes("ok"), handshakes("failed")
        import ssl
        context = ssl._create_unverified_context()
        imaplib.IMAP4_SSL("127.0.0.1", self.server.port("imaps"), ssl_context=context, timeout=20).logout()
        with socket.create_connection(("127.0.0.1", self.server.port("imaps")), timeout=20) as raw:
            raw.sendall(b"this is no TLS\r\n\r\n")
            raw.recv(1000)
        eventually(lambda: handshakes("failed") == failed + 1)
        self.assertEqual(handshakes("ok"), ok + 1)

    def test_the_command_line_tells_the_same(self):
        told = parse_exposition(self.server.run("metrics").stdout)
        self.assertEqual(set(told), set(self.scrape()))

    def test_every_metric_is_documented(self):
        self.assertEqual(hikyaku("metrics", "--docs").stdout, (TOP / "docs/metrics.md").read_text(),
                         "docs/metrics.md is out of date: build/hikyaku metrics --docs > docs/metrics.md")
        documented = (TOP / "docs/metrics.md").read_text()
        for name in self.scrape():
            self.assertIn(f"`{name}`", documented)

    # --- HTTP ---

    def test_health(self):
        def healthy():
            status, headers, text = self.get("/health")
            self.assertEqual(headers["Content-Type"], "application/json")
            self.assertEqual(status, 200, text)
            return {check["name"]: check["status"] for check in json.loads(text)["checks"]}

        checks = eventually(healthy)
        self.assertEqual(set(checks), {"store", "disk", "queue", "certificate", "resolver", "confined"})
        self.assertEqual(checks["store"], "ok")
        self.assertEqual(checks["certificate"], "ok")

    def test_bad_requests_are_refused_and_the_others_are_served_meanwhile(self):
        self.assertEqual(self.get("/nothing")[0], 404)
        self.assertEqual(self.get("/metrics", "POST")[0], 405)
        for bad, status in ((b"GET /metrics HTTP/1.1\r\n\r\n", b"400"),
                            (b"GET /metrics HTTP/1.1\nHost: a\n\n", b"400"),
                            (b"GET /" + b"a" * 100_000, b"414"),
                            (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10_000, b"431"),
                            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n", b"400")):
            with socket.create_connection(("127.0.0.1", self.server.metrics_port), timeout=20) as raw:
                try:
                    raw.sendall(bad)
                except ConnectionError:
                    pass
                self.assertIn(b"HTTP/1.1 " + status, raw.recv(1000))
        self.scrape()

    def test_nothing_listens_that_nobody_asked_for(self):
        with Instance("anna@alpha.test") as server:
            self.assertFalse([line for line in server.log if "(http)" in line])

    # --- who, kick ---

    def test_who_shows_a_client_and_kick_ends_it(self):
        client = self.imap()
        client.select("INBOX")
        row = self.session_of(client)
        self.assertEqual((row["protocol"], row["user"], row["ip"], row["tls"], row["command"], row["state"],
                          row["mailbox"]),
                         ("imap", "anna@alpha.test", "127.0.0.1", "", "SELECT", "selected", "INBOX"))
        table = self.server.run("who").stdout
        self.assertIn("anna@alpha.test", table)
        self.assertIn("selected: INBOX", table)
        client.send(b"i IDLE\r\n")
        self.assertIn(b"+", client.readline())
        self.assertEqual(self.session_of(client)["state"], "idle")

        kicked = self.server.run("kick", str(row["id"]))
        self.assertIn("1", kicked.stdout)
        self.assertIn(b"* BYE [UNAVAILABLE] An administrator", client.readline())
        self.assertEqual(client.readline(), b"")
        eventually(lambda: not any(r["id"] == row["id"] for r in self.sessions()))
        again = self.server.run("kick", str(row["id"]), check=False)
        self.assertEqual(again.returncode, 1)

    def test_kick_by_account_and_by_address_in_every_protocol(self):
        self.server.add_account("carl@alpha.test")
        client = self.imap("carl@alpha.test")
        pop = poplib.POP3("127.0.0.1", self.server.port("pop3"), timeout=20)
        pop.user("carl@alpha.test")
        pop.pass_(PASSWORD)
        other = self.imap("bert@alpha.test")
        self.assertEqual(json.loads(self.server.run("kick", "carl@alpha.test", "--json").stdout)["count"], 2)
        self.assertIn(b"BYE", client.readline())
        self.assertIn(b"-ERR [SYS/TEMP] An administrator", pop.sock.recv(1000))
        self.assertEqual(other.noop()[0], "OK")

        smtp = smtplib.SMTP("127.0.0.1", self.server.port("smtp"), timeout=20)
        smtp.ehlo("x")
        self.assertGreaterEqual(json.loads(self.server.run("kick", "127.0.0.1", "--json").stdout)["count"], 2)
        self.assertIn(b"421 4.3.2", smtp.sock.recv(1000))
        self.assertIn(b"BYE", other.readline())

    def test_kick_explains_itself(self):
        wrong = self.server.run("kick", "not-an-address", check=False)
        self.assertEqual(wrong.returncode, 65)
        self.assertIn("neither", wrong.stderr)
        nobody = self.server.run("kick", "192.0.2.1", check=False)
        self.assertEqual(nobody.returncode, 1)
        self.assertIn("192.0.2.1", nobody.stderr)

    # --- an account that changes ---

    def test_a_changed_password_ends_its_sessions_and_no_others(self):
        self.server.add_account("dora@alpha.test")
        client, other = self.imap("dora@alpha.test"), self.imap("bert@alpha.test")
        self.server.run("account", "password", "dora@alpha.test", "--password-stdin", input="another one entirely\n")
        self.assertIn(b"* BYE [EXPIRED]", client.readline())
        self.imap("dora@alpha.test", "another one entirely").logout()
        self.assertEqual(other.noop()[0], "OK")
        other.logout()

    def test_a_disabled_or_removed_account_ends_its_sessions(self):
        for name, command in (("emil", ("account", "change", "emil@alpha.test", "--disable")),
                              ("fred", ("account", "remove", "fred@alpha.test", "--yes"))):
            self.server.add_account(f"{name}@alpha.test")
            client = self.imap(f"{name}@alpha.test")
            self.server.run(*command)
            self.assertIn(b"BYE", client.readline(), name)

    def test_an_app_password_that_is_removed_ends_what_it_opened(self):
        self.server.add_account("gina@alpha.test")
        shown = json.loads(self.server.run("app-password", "add", "gina@alpha.test", "phone", "--json").stdout)
        phone, desk = self.imap("gina@alpha.test", shown["password"]), self.imap("gina@alpha.test")
        self.server.run("app-password", "remove", "gina@alpha.test", "phone")
        self.assertIn(b"BYE", phone.readline())
        self.assertEqual(desk.noop()[0], "OK")
        desk.logout()

    # --- top ---

    def test_top_prints_a_frame(self):
        client = self.imap()
        frame = self.server.run("top", "--once").stdout
        for word in ("connections", "commands", "messages", "queue", "store", "memory", "anna@alpha.test",
                     "127.0.0.1"):
            self.assertIn(word, frame)
        japanese = self.server.run("top", "--once", env={"LANG": "ja_JP.UTF-8"}).stdout
        self.assertIn("接続", japanese)
        numbers = json.loads(self.server.run("top", "--json").stdout)
        self.assertEqual(numbers["open"]["imap"], 1)
        self.assertGreater(numbers["memory"]["resident"], 0)
        self.assertIn("sync_p99", numbers["store"])
        client.logout()

    def test_top_shows_who_connects_anew_for_every_command(self):
        stop = threading.Event()

        def flood():
            while not stop.is_set():
                with smtplib.SMTP("127.0.0.1", self.server.port("smtp"), source_address=("127.0.0.77", 0)) as client:
                    client.ehlo("x.test")
                    client.mail("x@beta.test")
                    client.rcpt("nobody@alpha.test")

        def log_in_and_out():
            while not stop.is_set():
                self.imap().logout()

        workers = [threading.Thread(target=work) for work in (flood, log_in_and_out)]
        for worker in workers:
            worker.start()
        try:
            numbers = json.loads(self.server.run("top", "--json", "--interval", "2").stdout)
            frame = self.server.run("top", "--once").stdout
        finally:
            stop.set()
            for worker in workers:
                worker.join()
        address = next(row for row in numbers["addresses"] if row["name"] == "127.0.0.77")
        self.assertGreater(address["commands"], 5)
        # All of its commands, not only those of the session that is there.
        self.assertGreater(address["commands"], numbers["commands_per_second"]["smtp"] * 0.7)
        account = next(row for row in numbers["accounts"] if row["name"] == "anna@alpha.test")
        self.assertGreater(account["commands"], 1)
        self.assertGreater(numbers["recipients_per_second"]["5yz"], 1)
        self.assertNotIn(" 0/s refused", re.search("recipients .*", frame)[0])

    def test_without_a_server_it_is_said(self):
        """As other commands that need one say it: with the instance that was named, and 75; 66 where there is no instance."""
        there = Instance("anna@alpha.test")
        self.addCleanup(shutil.rmtree, there.dir)
        there.quickstart()
        for verb in (("top", "--once"), ("who",), ("kick", "1"), ("metrics",)):
            done = there.run(*verb, check=False)
            self.assertEqual(done.returncode, 75, done)
            self.assertIn(f"hikyaku serve --dir {there.dir}", " ".join(done.stderr.split()))
            done = hikyaku(*verb, directory="/nonexistent", check=False)
            self.assertEqual(done.returncode, 66, done)
            self.assertIn("hikyaku quickstart ADDRESS --dir /nonexistent", " ".join(done.stderr.split()))
        said = json.loads(there.run("who", "--json", check=False).stdout)
        self.assertEqual(said["error"]["code"], "unavailable")


if __name__ == "__main__":
    unittest.main()
