"""The command line as its user meets it: while the server runs and while it does not."""
import imaplib
import json
import os
import pathlib
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
import time
import unittest

from harness import HANGS, HIKYAKU, PASSWORD, eventually, hikyaku, Instance
from mail import deliver_with_sendmail, http_get, imap


class Quickstart(unittest.TestCase):
    def test_it_is_quick_and_complete(self):
        with tempfile.TemporaryDirectory() as top:
            begun = time.monotonic()
            done = hikyaku("quickstart", "anna@alpha.test", "--local", "--port-base", "12000", directory=f"{top}/mail")
            self.assertLess(time.monotonic() - begun, HANGS)  # 1 s on a quiet machine
            self.assertLessEqual(done.stdout.count("\n"), 40)
            password = re.search(r"Password +(\S+)", done.stdout)[1]
            self.assertRegex(password, r"^[a-z2-9]{4}(-[a-z2-9]{4}){3}$")
            again = hikyaku("quickstart", "anna@alpha.test", "--local", directory=f"{top}/mail", check=False)
            self.assertEqual(again.returncode, 73)
            japanese = hikyaku("quickstart", "anna@alpha.test", "--local", directory=f"{top}/ja",
                               env={"LANG": "ja_JP.UTF-8"})
            self.assertIn("パスワード", japanese.stdout)

    def test_another_user_is_told_whose_it_is(self):
        if os.geteuid() != 0:
            self.skipTest("needs root to become another user")
        with tempfile.TemporaryDirectory() as top:
            os.chmod(top, 0o755)
            hikyaku("quickstart", "anna@alpha.test", "--local", directory=f"{top}/mail")
            done = subprocess.run([str(HIKYAKU), "account", "list", "--dir", f"{top}/mail"], capture_output=True,
                                  text=True, user=65534, env={"LANG": "C"})
            self.assertEqual(done.returncode, 77, done.stderr)
            self.assertIn("run this as that user or as root", done.stderr.replace("\n", " "))


class Directory(unittest.TestCase):
    """The same commands with and without a server give the same answers."""

    def walk(self, server):
        server.run("domain", "add", "beta.test")
        server.add_account("bob@beta.test")
        server.run("alias", "add", "sales@beta.test", "bob@beta.test", "anna@alpha.test")
        server.run("account", "change", "bob@beta.test", "--name", "Bob", "--quota", "1GB")
        app = json.loads(server.run("app-password", "add", "bob@beta.test", "phone", "--json").stdout)["password"]
        accounts = json.loads(server.run("account", "list", "--json").stdout)
        for account in accounts:
            del account["created"]
        aliases = json.loads(server.run("alias", "list", "--json").stdout)
        self.assertEqual(server.run("account", "add", "bob@beta.test", check=False).returncode, 73)
        self.assertEqual(server.run("account", "show", "eve@beta.test", check=False).returncode, 67)
        self.assertEqual(server.run("domain", "remove", "beta.test", check=False).returncode, 75)
        return accounts, aliases, app

    def test_online_and_offline(self):
        with Instance("anna@alpha.test") as running:
            online = self.walk(running)
            imap(running, "bob@beta.test").logout()
            imap(running, "bob@beta.test", online[2]).logout()
            running.run("account", "password", "bob@beta.test", "--password-stdin", input="another one\n")
            with self.assertRaises(imaplib.IMAP4.error):
                imap(running, "bob@beta.test")
            imap(running, "bob@beta.test", "another one").logout()
            running.run("account", "change", "bob@beta.test", "--disable")
            with self.assertRaises(imaplib.IMAP4.error):
                imap(running, "bob@beta.test", "another one")
            stopped = Instance("anna@alpha.test")
            try:
                stopped.quickstart()
                offline = self.walk(stopped)
                self.assertEqual(online[:2], offline[:2])
                stopped.start()
                imap(stopped, "bob@beta.test", offline[2]).logout()
                stopped.stop()
            finally:
                shutil.rmtree(stopped.dir)

    def test_check_names_what_is_wrong(self):
        with Instance("anna@alpha.test") as server:
            zone = server.dir / "zone"
            zone.write_text("alpha.test. IN MX 10 mail.alpha.test.\nmail.alpha.test. IN A 127.0.0.1\n"
                            'alpha.test. IN TXT "v=spf1 mx -all"\n')
            server.configure({"dns.zone_file": f'"{zone}"'})
            done = server.run("check")
            self.assertIn("mail for alpha.test comes here", done.stdout)
            self.assertIn("_dmarc.alpha.test has no DMARC record", done.stdout)
            zone.write_text("alpha.test. IN MX 10 elsewhere.test.\n")
            server.configure({"server.host_name": '"other.test"'})
            done = server.run("check", "--json", check=False)
            self.assertEqual(done.returncode, 1)
            problems = [f["area"] for f in json.loads(done.stdout) if f["level"] == "problem"]
            self.assertEqual(problems, ["certificate", "dns"])
            (server.dir / "tls" / "cert.pem").write_text("nonsense")
            done = server.run("check", check=False)
            self.assertIn("cert.pem", done.stdout)

    def test_an_alias_that_closes_a_circle_says_so(self):
        with Instance("anna@alpha.test") as server:
            self.assertIn("nobody has l2@alpha.test: there is no such account or alias", server.run("alias", "add", "l1@alpha.test", "l2@alpha.test").stdout)
            dead = server.run("alias", "add", "l3@alpha.test", "l1@alpha.test").stdout
            self.assertIn("l1@alpha.test is an alias that leads to nobody", dead)
            told = " ".join(server.run("alias", "add", "l2@alpha.test", "l1@alpha.test").stdout.split())
            self.assertNotIn("no such account or alias", told)
            self.assertIn("in a circle, and nobody gets the mail: l2@alpha.test -> l1@alpha.test -> l2@alpha.test.", told)
            japanese = server.run("alias", "add", "l2@alpha.test", "anna@alpha.test", "--lang", "ja").stdout
            self.assertIn("循環します(ほかの宛先には届きます):l2@alpha.test->l1@alpha.test->l2@alpha.test", "".join(japanese.split()))
            remedy = re.search(r"`hikyaku (alias remove) --dir \S+ ([^`]*)`", told).expand(r"\1 \2")
            server.run(*remedy.split())
            self.assertNotIn("circle", server.run("check", "--no-dns", check=False).stdout)

    def test_check_names_aliases_that_lead_nowhere(self):
        with Instance("anna@alpha.test") as server:
            self.assertIn("every alias leads to somebody", server.run("check", "--no-dns").stdout)
            for address, *targets in (("info", "anna", "gone"), ("x", "y"), ("y", "x"), ("p", "q", "anna"), ("q", "p")):
                server.run("alias", "add", f"{address}@alpha.test", *(f"{target}@alpha.test" for target in targets))
            done = server.run("check", "--no-dns", "--json", check=False)
            self.assertEqual(done.returncode, 1)
            found = [(f["level"], f["text"]) for f in json.loads(done.stdout) if f["area"] == "aliases"]
            self.assertEqual([level for level, _ in found], ["problem", "note", "problem"])
            remedies = [text.split(": hikyaku ")[-1] for _, text in found]
            self.assertEqual(remedies[0], "account add gone@alpha.test, or hikyaku alias remove info@alpha.test gone@alpha.test")
            self.assertIn("x@alpha.test -> y@alpha.test -> x@alpha.test", found[2][1])
            for remedy in (remedies[0].partition("or hikyaku ")[2], *remedies[1:]):
                server.run(*remedy.split())
            server.run("alias", "remove", "x@alpha.test", check=False)
            done = server.run("check", "--no-dns", "--json", check=False)
            left = [f["text"] for f in json.loads(done.stdout) if f["area"] == "aliases"]
            # Without its only target an alias is gone, and who named it names nobody.
            self.assertEqual([text.split(",")[0] for text in left], ["the alias p@alpha.test names q@alpha.test"])

    def test_a_quiet_check_speaks_of_problems_alone(self):
        with Instance("anna@alpha.test") as server:
            self.assertIn("the DNS was not asked", server.run("check", "--no-dns").stdout)  # a note
            quiet = server.run("check", "--no-dns", "--quiet")
            self.assertEqual((quiet.stdout, quiet.stderr), ("", ""))
            server.run("alias", "add", "info@alpha.test", "gone@alpha.test")
            quiet = server.run("check", "--no-dns", "--quiet", "--lang", "ja", check=False)
            self.assertEqual(quiet.returncode, 1)
            self.assertRegex(quiet.stdout, r"\A問題 .*gone@alpha\.test")
            self.assertNotRegex(quiet.stdout, "注意|良好")
            self.assertEqual(server.run("check", "--quiet", "--json", check=False).returncode, 64)

    def test_check_says_that_the_dns_is_silent(self):
        with Instance("anna@alpha.test") as server:
            server.configure({"dns.resolver": '["127.0.0.1:1"]'})
            found = [f["text"] for f in json.loads(server.run("check", "--json", check=False).stdout) if f["area"] == "dns"]
            self.assertEqual(len(found), 1, found)
            self.assertIn("the DNS does not answer", found[0])

    def test_check_and_health_judge_the_dns_alike(self):
        """A try-out has no names in the DNS: nobody asks, and both say so. With a resolver that is silent, it is a problem to both."""
        with Instance("anna@alpha.test", metrics=True) as server:
            def dns():
                return [(f["level"], f["text"]) for f in json.loads(server.run("check", "--json", check=False).stdout) if f["area"] == "dns"]

            def health():
                return next(check for check in json.loads(http_get(server, "/health")[2])["checks"] if check["name"] == "resolver")
            (level, text), = dns()
            self.assertEqual(level, "note")
            self.assertIn("the DNS was not asked", text)
            self.assertEqual(health(), {"name": "resolver", "status": "ok", "text": text})
            self.assertIn("the DNS was not asked (--no-dns)", server.run("check", "--no-dns").stdout)
            server.configure({"dns.resolver": '["127.0.0.1:1"]'})
            server.restart()
            self.assertEqual([level for level, _ in dns()], ["problem"])
            eventually(lambda: health()["status"] == "failing", timeout=60)

    def test_a_configuration_beside_us_is_checked_by_its_name_alone(self):
        server = Instance("anna@alpha.test")
        try:
            server.quickstart()
            for name, code in (("hikyaku.toml", 0), ("./hikyaku.toml", 0), ("none.toml", 78)):
                done = subprocess.run([HIKYAKU, "config", "check", name], cwd=server.dir, capture_output=True, text=True, timeout=60)
                self.assertEqual((done.returncode, "filesystem error" in done.stderr), (code, False), (name, done.stderr))
        finally:
            shutil.rmtree(server.dir)

    def test_numbers_and_modes_of_what_is_made(self):
        with Instance("anna@alpha.test") as server:
            told = server.run("top", "--once", "--json").stdout
            json.loads(told)
            self.assertNotRegex(told, r"[:,\[]-?\d+E[0-9]")
            # Directories are closed to others; what is open in the instance's own holds no secret.
            for path in (server.dir / "data").rglob("*"):
                if path.is_dir():
                    self.assertEqual(path.stat().st_mode & 0o777, 0o700, path)
            for name in ("data", "tls", "dkim"):
                self.assertEqual((server.dir / name).stat().st_mode & 0o777, 0o700, name)
            open_to_others = {p.name for p in server.dir.iterdir() if p.is_file() and p.stat().st_mode & 0o077}
            self.assertEqual(open_to_others, {"hikyaku.toml"})

    def test_a_reader_who_has_seen_enough(self):
        """A closed pipe is its wish: no words, and an end as by SIGPIPE, also where the program ignores that signal."""
        with Instance("anna@alpha.test") as server:
            for name in [f"a{number}@alpha.test" for number in range(40)]:
                server.run("alias", "add", name, "anna@alpha.test")
            for words in (["metrics"], ["config", "explain"], ["alias", "list", "--json"]):
                with self.subTest(words):
                    reading, writing = os.pipe()
                    os.close(reading)
                    done = subprocess.run([HIKYAKU, *words, *(["--dir", server.dir] if words[0] != "config" else [])], stdout=writing,
                                          stderr=subprocess.PIPE, restore_signals=False, text=True)
                    os.close(writing)
                    self.assertEqual((done.returncode, done.stderr), (-signal.SIGPIPE, ""))
        with open("/dev/full", "w") as full:
            done = subprocess.run([HIKYAKU, "config", "explain"], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 74)
        self.assertIn("could not be written", done.stderr)

    def test_mistakes_are_told_in_japanese(self):
        """What people meet by their own mistakes: nothing of it stays English."""
        with Instance("anna@alpha.test") as server, tempfile.TemporaryDirectory() as top:
            (pathlib.Path(top) / "something").write_text("x\n")
            for words in (["throttle", "lift", "x"], ["domain", "add", "foo bar"], ["domain", "add", "a..b"], ["domain", "acount"],
                          ["app-password", "remove", "anna@alpha.test", "nope"], ["app-password", "add", "anna@alpha.test", ""],
                          ["account", "add", "bad"], ["account", "add", "a b@alpha.test"], ["alias", "add", "x", "anna@alpha.test"],
                          ["account", "password", "anna@alpha.test", "--password-stdin"],
                          ["account", "add", "anna@alpha.test", "--password-stdin"],
                          ["export", "--account", "anna@alpha.test", top], ["import", "--account", "anna@alpha.test", f"{top}/42"],
                          ["import", "--account", "anna@alpha.test", f"{top}/something"], ["import", "--account", "anna@alpha.test", top],
                          ["migrate", "anna@alpha.test", "--from", "imap://a:b@127.0.0.1:1"],
                          ["migrate", "anna@alpha.test", "--from", "imap://a@127.0.0.1:1", "--password-stdin"],
                          ["serve"]):
                with self.subTest(words):
                    done = server.run(*words, input="secret word\n" if words[0] in ("migrate",) or words[1:2] == ["add"] else "\n",
                                      check=False, env={"LANG": "ja_JP.UTF-8"})
                    self.assertNotEqual(done.returncode, 0)
                    told = "\n".join(line for line in done.stderr.splitlines() if "event=" not in line)
                    self.assertRegex(told, "[ぁ-ん]", told)
                    self.assertNotRegex(told, r"\b(is|no|there|the|cannot)\b(?!-)", told)

    def test_short_passwords_are_refused(self):
        with Instance("anna@alpha.test") as server:
            for words in (("account", "add", "bob@alpha.test"), ("account", "password", "anna@alpha.test")):
                for short in ("sevench", "パスワード七字"):
                    done = server.run(*words, "--password-stdin", input=short + "\n", check=False)
                    self.assertNotEqual(done.returncode, 0)
                    self.assertIn("fewer than 8 characters", done.stderr.replace("\n", " "))
            self.assertEqual([a["address"] for a in json.loads(server.run("account", "list", "--json").stdout)], ["anna@alpha.test"])
            imap(server, "anna@alpha.test").logout()
            server.run("account", "password", "anna@alpha.test", "--password-stdin", input="パスワード八文字\n")
        with tempfile.TemporaryDirectory() as top:
            done = hikyaku("quickstart", "anna@alpha.test", "--local", "--password-stdin", directory=f"{top}/mail", input="short\n",
                           check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertFalse(pathlib.Path(f"{top}/mail").exists())

    def test_verify(self):
        with Instance("anna@alpha.test") as server:
            deliver_with_sendmail(server, "Subject: kept\n\nhello\n", "anna@alpha.test")
            busy = server.run("verify", check=False)
            self.assertEqual(busy.returncode, 75)
            self.assertIn("Stop the server first", " ".join(busy.stderr.split()))
            server.stop()
            good = json.loads(server.run("verify", "--json").stdout)
            self.assertTrue(good["good"])
            self.assertEqual(good["bodies"], 1)
            segment = max((server.dir / "data" / "journal").iterdir(), key=lambda p: p.stat().st_size)
            bytes_ = bytearray(segment.read_bytes())
            at = bytes_.find(b"hello") if b"hello" in bytes_ else len(bytes_.rstrip(b"\0")) // 2
            bytes_[at] ^= 0xFF
            segment.write_bytes(bytes_)
            bad = server.run("verify", check=False)
            self.assertEqual(bad.returncode, 1, bad.stdout + bad.stderr)


class Queue(unittest.TestCase):
    def test_the_life_of_a_queued_message(self):
        zone = tempfile.NamedTemporaryFile("w", suffix=".zone")
        zone.write("beta.test. IN MX 10 mx.beta.test.\nmx.beta.test. IN A 127.0.0.77\n")
        zone.flush()
        with zone, Instance("anna@alpha.test", zone=zone.name) as server:
            identity = deliver_with_sendmail(server, "Subject: away\n\n", "-v", "-f", "anna@alpha.test",
                                             "bob@beta.test").stdout.strip()
            entry = eventually(lambda: [e for e in json.loads(server.run("queue", "list", "--json").stdout)
                                        if e["attempts"] == 1 and e["state"] == "waiting"])[0]
            self.assertEqual(entry["id"], f"{identity}.0")
            self.assertEqual(entry["sender"], "anna@alpha.test")
            self.assertIn("bob@beta.test", server.run("mailq").stdout)
            shown = server.run("queue", "show", identity).stdout
            self.assertIn("bob@beta.test", shown)
            # What was tried last, without an empty name before it.
            self.assertNotRegex(shown, r"(?m)^ *:")
            server.run("queue", "hold", "@beta.test")
            self.assertEqual(json.loads(server.run("queue", "list", "--json").stdout)[0]["state"], "held")
            server.stop()
            # All of it works on the store, too.
            self.assertIn("held", server.run("queue", "list").stdout)
            server.run("queue", "release", identity)
            self.assertIn("released", server.run("trace", identity).stdout)
            self.assertIn("anna@alpha.test", server.run("trace", "bob@beta.test").stdout)
            server.run("queue", "drop", f"{identity}.0")
            self.assertIn("The queue is empty", server.run("queue", "list").stdout)
            self.assertEqual(server.run("queue", "show", identity, check=False).returncode, 67)

    def test_what_was_refused_is_told_too(self):
        with Instance("anna@alpha.test") as server:
            client = smtplib.SMTP(server.host, server.port("smtp"), timeout=20)
            client.ehlo("mx.beta.test")
            client.mail("bob@beta.test")
            self.assertEqual(client.rcpt("nobody@alpha.test")[0], 550)
            self.assertEqual(client.rcpt("x@elsewhere.test")[0], 550)
            client.rset()
            story = eventually(lambda: server.run("trace", "nobody@alpha.test", check=False).stdout)
            for words in ("mx.beta.test", "its envelope names bob@beta.test as sender", "for nobody@alpha.test: refused: 550 5.1.1",
                          "for x@elsewhere.test: refused: 550 5.7.1"):
                self.assertIn(words, story)
            # The connection's end is an end, too; and who is among the recipients does not hide who is not.
            client.mail("carl@beta.test")
            client.rcpt("anna@alpha.test")
            client.rcpt("nobody2@alpha.test")
            self.assertEqual(client.data("Subject: x\r\n\r\ny\r\n")[0], 250)
            eventually(lambda: "carl@beta.test" in server.run("trace", "nobody2@alpha.test", check=False).stdout)
            client.mail("dora@beta.test")
            client.rcpt("nobody3@alpha.test")
            client.close()
            eventually(lambda: "dora@beta.test" in server.run("trace", "nobody3@alpha.test", check=False).stdout)
            client = smtplib.SMTP(server.host, server.port("submission"), timeout=20)
            client.login("anna@alpha.test", PASSWORD)
            with self.assertRaises(smtplib.SMTPDataError):
                client.sendmail("anna@alpha.test", ["anna@alpha.test"],
                                "From: boss@alpha.test\r\nSubject: pay at once\r\n\r\nx\r\n")
            story = eventually(lambda: server.run("trace", "boss@alpha.test", check=False).stdout)
            self.assertIn("pay at once", story)
            self.assertIn("may not send as boss@alpha.test", story)
            client.quit()
            log = "\n".join(server.log)
            self.assertIn("rcpt=nobody3@alpha.test", log)

    def test_what_is_being_sent_is_neither_dropped_nor_sent_twice(self):
        zone = tempfile.NamedTemporaryFile("w", suffix=".zone")
        zone.write("beta.test. IN MX 10 mx.beta.test.\nmx.beta.test. IN A 127.0.0.78\n")
        zone.flush()
        with zone, Instance("anna@alpha.test", zone=zone.name) as server, socket.socket() as silent:
            silent.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            silent.bind(("127.0.0.78", server.port("smtp")))
            silent.listen()
            silent.settimeout(20)
            deliver_with_sendmail(server, "Subject: away\n\n", "-f", "anna@alpha.test", "bob@beta.test")
            connection, _ = silent.accept()  # and no greeting
            state = lambda: json.loads(server.run("queue", "list", "--json").stdout)[0]["state"]
            self.assertEqual(state(), "sending")
            dropped = server.run("queue", "drop", "all", check=False)
            self.assertEqual(dropped.returncode, 75)
            self.assertIn("being sent", dropped.stderr)
            self.assertIn("0 recipients are released", server.run("queue", "release", "all").stdout)
            server.run("queue", "hold", "all")
            server.run("queue", "release", "all")
            server.run("queue", "retry", "all")
            server.run("queue", "hold", "all")
            self.assertEqual(state(), "sending")
            silent.settimeout(1)
            with self.assertRaises(TimeoutError):
                silent.accept()
            connection.close()
            eventually(lambda: state() == "held")
            server.run("queue", "drop", "all")
            self.assertIn("The queue is empty", server.run("queue", "list").stdout)
