"""The command line as its user meets it: while the server runs and while it does not."""
import imaplib
import json
import mailbox
import os
import pathlib
import pty
import re
import shutil
import smtplib
import socket
import subprocess
import tempfile
import time
import tty
import unittest

from harness import HIKYAKU, PASSWORD, Instance, eventually, hikyaku, need
from mail import http_get


def deliver_with_sendmail(server, text, *arguments, check=True, name="sendmail", cwd=None):
    """Runs `hikyaku sendmail`; gives the CompletedProcess."""
    done = subprocess.run([str(HIKYAKU), "sendmail", "--dir", str(server.dir), *arguments], input=text,
                          capture_output=True, text=True, timeout=30)
    if check and done.returncode != 0:
        raise AssertionError(f"sendmail exited {done.returncode}: {done.stdout}{done.stderr}")
    return done


def imap(server, user, password=PASSWORD):
    client = imaplib.IMAP4(server.host, server.port("imap"))
    client.login(user, password)
    return client


def messages(server, user, folder="INBOX", password=PASSWORD):
    client = imap(server, user, password)
    try:
        client.select(f'"{folder}"', readonly=True)
        numbers = client.search(None, "ALL")[1][0].split()
        return [client.fetch(n, "(BODY.PEEK[])")[1][0][1] for n in numbers]
    finally:
        client.logout()


class Quickstart(unittest.TestCase):
    def test_it_is_quick_and_complete(self):
        with tempfile.TemporaryDirectory() as top:
            begun = time.monotonic()
            done = hikyaku("quickstart", "anna@alpha.test", "--local", "--port-base", "12000", directory=f"{top}/mail")
            self.assertLess(time.monotonic() - begun, 5)  # 2 s on a quiet machine
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
            remedy = re.search(r"`hikyaku (alias remove [^`]*)`", told).group(1)
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


class Sendmail(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Instance("anna@alpha.test"))

    def arrived(self, subject, user="anna@alpha.test"):
        wanted = f"Subject: {subject}".encode()
        return eventually(lambda: [m for m in messages(self.server, user) if wanted in m])[-1].decode()

    def test_recipients_on_the_command_line(self):
        deliver_with_sendmail(self.server, "Subject: one\n\nhello\n.\nnot this\n", "anna@alpha.test")
        got = self.arrived("one")
        self.assertIn("\r\n\r\nhello\r\n", got)
        self.assertNotIn("not this", got)  # a lone dot ends it
        self.assertRegex(got, r"(?m)^Date: ")
        self.assertRegex(got, r"(?m)^Message-ID: <.+@.+>")
        self.assertRegex(got, r"(?m)^From: .*@alpha.test>?\r?$")

    def test_dots_stay_with_i(self):
        deliver_with_sendmail(self.server, "Subject: two\n\n.\n..\nend", "-oi", "anna@alpha.test")
        self.assertTrue(self.arrived("two").endswith("\r\n\r\n.\r\n..\r\nend\r\n"))

    def test_recipients_from_the_header(self):
        text = ("From: Anna <anna@alpha.test>\nTo: anna@alpha.test\nBcc: anna+secret@alpha.test\n"
                "Subject: three\n\nhello\n")
        deliver_with_sendmail(self.server, text, "-t", "-i")
        self.assertNotIn("secret", self.arrived("three").split("\r\n\r\n")[0].split("Subject")[1])
        self.assertNotRegex(self.arrived("three"), r"(?m)^Bcc:")

    def test_cron(self):
        text = ("From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@host> true\n"
                "Content-Type: text/plain; charset=UTF-8\nAuto-Submitted: auto-generated\n\nnothing to do ü\n")
        deliver_with_sendmail(self.server, text, "-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root")
        got = self.arrived("Cron <root@host> true")  # nobody is called root: postmaster gets it
        self.assertIn("From: Cron Daemon <root@alpha.test>", got)
        self.assertIn("To: root@alpha.test", got)

    def test_exit_codes(self):
        text = "Subject: no\n\n"
        unknown = deliver_with_sendmail(self.server, text, "nobody@alpha.test", check=False)
        self.assertEqual(unknown.returncode, 67)
        self.assertIn("nobody@alpha.test", unknown.stderr)
        self.assertEqual(deliver_with_sendmail(self.server, text, check=False).returncode, 64)
        self.assertEqual(deliver_with_sendmail(self.server, text, "-t", check=False).returncode, 65)
        self.assertEqual(deliver_with_sendmail(self.server, text, "a@@b", check=False).returncode, 65)
        self.assertEqual(deliver_with_sendmail(self.server, text, "-Z", "a@b.test", check=False).returncode, 64)
        with Instance("anna@alpha.test") as other:
            other.stop()
            stopped = deliver_with_sendmail(other, text, "--wait", "0", "anna@alpha.test", check=False)
            self.assertEqual(stopped.returncode, 75)

    def test_a_server_that_is_started_again_is_waited_for(self):
        with Instance("anna@alpha.test") as server:
            server.stop()
            cron = subprocess.Popen([str(HIKYAKU), "sendmail", "--dir", str(server.dir), "anna@alpha.test"],
                                    stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            cron.stdin.write("Subject: at midnight\n\nall is well\n")
            cron.stdin.close()
            with self.assertRaises(subprocess.TimeoutExpired):
                cron.wait(1)
            server.start()
            self.assertEqual(cron.wait(30), 0)
            self.assertEqual(cron.stderr.read(), "")  # where no terminal looks on, cron would send that as mail
            cron.stderr.close()
            self.assertTrue(any(b"at midnight" in raw for raw in messages(server, "anna@alpha.test")))
            server.stop()
            began = time.monotonic()
            late = deliver_with_sendmail(server, "Subject: x\n\n", "--wait", "1", "anna@alpha.test", check=False)
            self.assertEqual(late.returncode, 75)
            self.assertTrue(0.7 < time.monotonic() - began < 10)
            self.assertIn("the message was not taken", late.stderr)

    def test_half_a_list_is_not_sent(self):
        done = deliver_with_sendmail(self.server, "Subject: half\n\n", "anna@alpha.test", "nobody@alpha.test",
                                     check=False)
        self.assertEqual(done.returncode, 67)
        self.assertFalse([m for m in messages(self.server, "anna@alpha.test") if b"Subject: half" in m])

    def test_smtp(self):
        dialogue = ("EHLO localhost\r\nMAIL FROM:<anna@alpha.test>\r\nRCPT TO:<anna@alpha.test>\r\nDATA\r\n"
                    "Subject: by hand\r\n\r\nhello\r\n.\r\nQUIT\r\n")
        done = deliver_with_sendmail(self.server, dialogue, "-bs")
        self.assertRegex(done.stdout, r"^220 ")
        self.assertRegex(done.stdout, r"(?m)^221 ")
        self.arrived("by hand")

    def test_a_message_that_cannot_be_read_to_its_end_is_not_sent(self):
        def refused(standard_input):
            done = subprocess.run([str(HIKYAKU), "sendmail", "--dir", self.server.dir, "-v", "-i", "anna@alpha.test"],
                                  stdin=standard_input, capture_output=True, text=True, timeout=30, env={"LANG": "C"})
            os.close(standard_input)
            self.assertEqual((done.returncode, done.stdout), (74, ""), done.stderr)
            told = " ".join(done.stderr.split())
            self.assertIn("nothing was sent", told)
            return told

        before = len(messages(self.server, "anna@alpha.test"))
        self.assertIn("Is a directory", refused(os.open("/tmp", os.O_RDONLY)))
        ours, theirs = pty.openpty()
        tty.setraw(theirs)
        os.write(theirs, b"Subject: the first half\n\nSell ")
        os.close(theirs)  # what stands there is read, then comes EIO
        self.assertIn("Input/output error", refused(ours))
        deliver_with_sendmail(self.server, "Subject: after the halves\n\n", "anna@alpha.test")
        self.arrived("after the halves")
        self.assertEqual(len(messages(self.server, "anna@alpha.test")), before + 1)

    def test_a_header_as_long_as_the_server_takes_it(self):
        filler = "".join(f"X-Filler-{i}: {'x' * 900}\n" for i in range(340))  # 310 KB
        text = f"From: anna@alpha.test\n{filler}Bcc: anna+behind@alpha.test\nSubject: a long header\n\nhello\n"
        with Instance("anna@alpha.test", config={"smtp.max_header": '"1MB"'}) as server:
            done = json.loads(server.run("trace", deliver_with_sendmail(server, text, "-t", "-v").stdout.strip(), "--json").stdout)
            self.assertIn("anna+behind@alpha.test", json.dumps(done))
            got = eventually(lambda: messages(server, "anna@alpha.test"))[0].decode()
            header, body = got.split("\r\n\r\n", 1)
            self.assertIn("Subject: a long header", header)
            self.assertIn("X-Filler-339: ", header)
            self.assertNotIn("\nBcc:", got)
            self.assertEqual(body, "hello\r\n")
            for fields in ("".join(f"X-Filler-{i}: {'x' * 900}\n" for i in range(1200)), f"X-Filler: {'x' * 1_100_000}\n"):
                for end in ("", "\nhello\n"):
                    refused = deliver_with_sendmail(server, f"To: anna@alpha.test\n{fields}Bcc: anna+late@alpha.test\n{end}", "-t", check=False)
                    self.assertEqual(refused.returncode, 65, refused.stderr)
                    self.assertIn("header is longer than 1048576 bytes", refused.stderr)
            # A text that has no header is no long header.
            deliver_with_sendmail(server, "hello, you\n" * 150_000, "anna@alpha.test")
            got = eventually(lambda: messages(server, "anna@alpha.test")[1:])[0].decode()
            self.assertEqual(got.split("\r\n\r\n", 1)[1], "hello, you\r\n" * 150_000)

    def test_all_recipients_of_a_long_field_or_none(self):
        def to(count):
            return "To: " + ",\n ".join(["anna@alpha.test"] * count + ["nobody@alpha.test"]) + "\nSubject: many\n\n"

        with Instance("anna@alpha.test", config={"smtp.max_recipients": "20000", "smtp.max_header": '"1MB"'}) as server:
            last = deliver_with_sendmail(server, to(10_000), "-t", check=False)
            self.assertEqual(last.returncode, 67, last.stderr)
            self.assertIn("nobody@alpha.test", last.stderr)
            more = deliver_with_sendmail(server, to(20_000), "-t", check=False)
            self.assertEqual(more.returncode, 65, more.stderr)
            self.assertIn("a field of the header names more than 20000 recipients", more.stderr)
            self.assertEqual(messages(server, "anna@alpha.test"), [])

    def test_smtp_with_a_server_that_takes_no_more(self):
        with tempfile.TemporaryDirectory() as top, socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"{top}/submit.sock")
            listener.listen()
            for answer, code, words in (
                    (b'{"error":{"code":"unavailable","text":"too many programs"}}\n', 75, "too many programs"),
                    (b'{"error":{"code":"not-found","text":"no such command"}}\n', 75, "no such command"),
                    (b"220 what\n", 75, "not a control line"), (b"", 75, "ended the connection")):
                with self.subTest(answer=answer):
                    client = subprocess.Popen([str(HIKYAKU), "sendmail", "--dir", top, "-bs"], text=True, stdin=subprocess.PIPE,
                                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={"LANG": "C"})
                    while not (server := listener.accept()[0]).recv(1000):
                        server.close()  # it only looked whether somebody listens
                    server.sendall(answer)
                    server.close()
                    out, err = client.communicate("EHLO x\r\n", timeout=30)
                    self.assertEqual((client.returncode, out), (code, ""), err)
                    self.assertIn(words, err)

    def test_names(self):
        with tempfile.TemporaryDirectory() as top:
            link = pathlib.Path(top)
            for name in ("sendmail", "mailq", "newaliases"):
                (link / name).symlink_to(HIKYAKU.resolve())
            subprocess.run([link / "sendmail", "--dir", self.server.dir, "-i", "anna@alpha.test"],
                           input="Subject: linked\n\n", text=True, check=True, timeout=30)
            self.arrived("linked")
            subprocess.run([link / "newaliases"], check=True, timeout=30)
            queue = subprocess.run([link / "mailq", "--dir", self.server.dir], capture_output=True, text=True,
                                   check=True, timeout=30)
            self.assertIn("The queue is empty", queue.stdout)

    def test_any_user_may_but_is_named(self):
        if os.geteuid() != 0:
            self.skipTest("needs root to become another user")
        os.chmod(self.server.dir, 0o755)
        done = subprocess.run([str(HIKYAKU), "sendmail", "--dir", self.server.dir, "-v", "anna@alpha.test"],
                              input="Subject: from nobody\n\n", capture_output=True, text=True, timeout=30,
                              user=65534)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.arrived("from nobody")
        story = self.server.run("trace", done.stdout.strip()).stdout
        self.assertIn("uid 65534", story)

    def test_git_send_email(self):
        need("git")
        if subprocess.run(["git", "send-email", "-h"], capture_output=True).returncode not in (0, 129):
            self.skipTest("git send-email is missing")
        with tempfile.TemporaryDirectory() as top:
            script = pathlib.Path(top) / "sendmail"
            script.write_text(f'#!/bin/sh\nexec {HIKYAKU.resolve()} sendmail --dir {self.server.dir} "$@"\n')
            script.chmod(0o755)
            patch = pathlib.Path(top) / "0001-x.patch"
            patch.write_text("From 0 Mon Sep 17 00:00:00 2001\nFrom: Anna <anna@alpha.test>\n"
                             "Date: Sun, 22 Nov 2026 00:00:00 +0000\nSubject: [PATCH] a change\n\n---\n x | 1 +\n")
            subprocess.run(["git", "send-email", "--quiet", "--confirm=never", "--from=anna@alpha.test",
                            "--to=anna@alpha.test", f"--smtp-server={script}", str(patch)], check=True,
                           capture_output=True, timeout=60, cwd=top, env={**os.environ, "HOME": top})
        self.assertIn("a change", self.arrived("[PATCH] a change"))


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
            self.assertIn("bob@beta.test", server.run("queue", "show", identity).stdout)
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


class Transfer(unittest.TestCase):
    """Mail out into files and back, and files that others wrote."""

    def fill(self, server):
        client = imap(server, "anna@alpha.test")
        client.create('"Work/Pro.jects"')
        client.create('"&ZeVnLIqe-"')  # 日本語
        bodies = {}
        for folder in ("INBOX", "Work/Pro.jects", "&ZeVnLIqe-"):
            for i in range(3):
                text = (f"From: a@b.test\r\nSubject: {folder} {i}\r\nMessage-ID: <{folder}{i}@x>\r\n\r\n"
                        f"From here\r\n>From there\r\n{'x' * 3000 * i}\r\n\r\n").encode()
                flags = ["\\Seen", "\\Flagged $Label1", ""][i]
                when = imaplib.Time2Internaldate(1_600_000_000 + i * 100_000)
                client.append(f'"{folder}"', f"({flags})", when, text)
                bodies.setdefault(folder, []).append(text)
        client.logout()
        return bodies

    def state(self, server, user):
        client = imap(server, user)
        state = {}
        for line in client.list()[1]:
            name = re.search(rb'"/" "?(.*?)"?$', line)[1].decode()
            client.select(f'"{name}"', readonly=True)
            rows = []
            for number in client.search(None, "ALL")[1][0].split():
                got = client.fetch(number, "(FLAGS INTERNALDATE BODY.PEEK[])")[1]
                head = got[0][0] + (got[1] if isinstance(got[1], bytes) else b"")
                flags = sorted(set(re.search(rb"FLAGS \((.*?)\)", head)[1].split()) - {b"\\Recent"})
                rows.append((re.search(rb'INTERNALDATE "(.*?)"', head)[1], flags, got[0][1]))
            state[name] = sorted(rows)
        client.logout()
        return state

    def test_there_and_back(self):
        for form in ("maildir", "mbox"):
            for running in (True, False):
                with self.subTest(form=form, running=running), Instance("anna@alpha.test") as server:
                    server.add_account("ben@alpha.test")
                    self.fill(server)
                    if not running:
                        server.stop()
                    out = server.dir / "out"
                    done = json.loads(server.run("export", "--account", "anna@alpha.test", "--format", form, out,
                                                 "--json").stdout)
                    self.assertEqual(done["count"], 9)
                    made = json.loads(server.run("import", "--account", "ben@alpha.test", out, "--json").stdout)
                    self.assertEqual((made["imported"], made["known"], made["refused"]), (9, 0, 0))
                    again = json.loads(server.run("import", "--account", "ben@alpha.test", out, "--json").stdout)
                    self.assertEqual((again["imported"], again["known"]), (0, 9))
                    if not running:
                        server.start()
                    self.assertEqual(self.state(server, "anna@alpha.test"), self.state(server, "ben@alpha.test"))
                    full = server.run("export", "--account", "anna@alpha.test", out, check=False)
                    self.assertEqual(full.returncode, 73)

    def test_names_too_long_for_a_file(self):
        kana = "かな" * 42
        mailboxes = (f"Work/{kana}", f"Work/{kana}a", f"{kana}/下/{kana}", "zzz")
        with Instance("anna@alpha.test") as server:
            server.add_account("ben@alpha.test")
            for i, mailbox_ in enumerate(mailboxes):
                one = server.dir / f"{i}.mbox"
                one.write_text(f"From - Fri Jul 14 02:40:00 2017\nStatus: RO\nSubject: mail {i}\n\n")
                server.run("import", "--account", "anna@alpha.test", "--mailbox", mailbox_, one)
            # UTF-7 has room for one such level, and counts all levels together.
            for form, too_long in (("mbox", mailboxes[:3]), ("maildir", mailboxes[2:3])):
                with self.subTest(form=form):
                    out = server.dir / form
                    told = server.run("export", "--account", "anna@alpha.test", "--format", form, out).stdout
                    said = "".join(told.split())
                    self.assertRegex(said, "LONG-NAMESsayswhat(theyare|itis)called")
                    self.assertEqual([f":{name}" in said for name in mailboxes], [name in too_long for name in mailboxes])
                    server.run("import", "--account", "ben@alpha.test", "--mailbox", form, out)
                    state = self.state(server, "ben@alpha.test")
                    below = {name: rows for name, rows in state.items() if name.startswith(form) and rows}
                    mine = {name: rows for name, rows in self.state(server, "anna@alpha.test").items() if rows}
                    self.assertEqual(sorted(below.values()), sorted(mine.values()))
                    self.assertEqual(len(below), 4)
            again = json.loads(server.run("export", "--account", "ben@alpha.test", "--mailbox", "mbox", "--format", "mbox", "--json", server.dir / "again").stdout)
            self.assertLessEqual({f"mbox/{name}" for name in mailboxes[:3]}, {one["mailbox"] for one in again["long_names"]})

    def test_what_is_there_is_counted_once(self):
        """Of two that are the same one is there already, the other is not."""
        with Instance("anna@alpha.test") as server:
            text = "From: a@b.test\nSubject: twin\nMessage-ID: <twin@x>\n\nthe same\n"
            box = mailbox.Maildir(server.dir / "twins")
            box.add(text)
            server.run("import", "--account", "anna@alpha.test", "--mailbox", "Twins", server.dir / "twins")
            box.add(text)
            for running in (True, False):
                with self.subTest(running=running):
                    if not running:
                        box.add(text)
                        server.stop()
                    made = json.loads(server.run("import", "--account", "anna@alpha.test", "--mailbox", "Twins", server.dir / "twins",
                                                 "--json").stdout)
                    self.assertEqual((made["imported"], made["known"]), (1, 1 if running else 2))

    def test_files_of_others(self):
        with Instance("anna@alpha.test") as server:
            top = server.dir / "files"
            box = mailbox.Maildir(top)
            work = box.add_folder("Work")
            message = mailbox.MaildirMessage("Subject: by Python\n\nhello\n")
            message.set_flags("RS")
            message.set_date(1_500_000_000)
            message.set_subdir("cur")
            work.add(message)
            server.run("import", "--account", "anna@alpha.test", "--mailbox", "Old", top)
            state = self.state(server, "anna@alpha.test")
            self.assertEqual(state["Old/Work"],
                             [(b"14-Jul-2017 02:40:00 +0000", [b"\\Answered", b"\\Seen"],
                               b"Subject: by Python\r\n\r\nhello\r\n")])
            single = server.dir / "single"
            single.write_text("From - Fri Jul 14 02:40:00 2017\nStatus: RO\nSubject: one\n\n>From x\nFrom y\n\n"
                              "From a b@c Fri Jul 14 02:40:01 2017\nSubject: two\n\nlast")
            server.run("import", "--account", "anna@alpha.test", "--mailbox", "Single", single)
            self.assertEqual([row[1:] for row in self.state(server, "anna@alpha.test")["Single"]],
                             [([b"\\Seen"], b"Subject: one\r\n\r\nFrom x\r\nFrom y\r\n"),
                              ([], b"Subject: two\r\n\r\nlast\r\n")])
            (top / ".Sub" / "cur").mkdir(parents=True)
            (top / ".Sub" / "new").symlink_to("new")  # not even root can read it
            (top / ".Sub" / "cur" / "1:2,S").write_text("Subject: beside it\n\n")
            done = server.run("import", "--account", "anna@alpha.test", "--mailbox", "Old", top, check=False)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertRegex(done.stdout, r"1 message imported into anna@alpha.test, 1 was there already")
            self.assertRegex(" ".join(done.stdout.split()), r"1 folder or file could not be read, and was passed over: cannot read \S+/\.Sub/new: Too many levels")
            told = json.loads(server.run("import", "--account", "anna@alpha.test", "--mailbox", "Old", top, "--json", check=False).stdout)
            self.assertEqual((told["imported"], told["known"], told["unreadable"], len(told["passed_over"])), (0, 2, 1, 1))
            shutil.rmtree(top / ".Sub")
            for wrong in (server.dir / "nothing", server.dir / "tls", server.dir / "hikyaku.toml"):
                done = server.run("import", "--account", "anna@alpha.test", wrong, check=False)
                self.assertIn(done.returncode, (65, 66), done.stderr)
            exported = server.dir / "exported"
            server.run("export", "--account", "anna@alpha.test", "--format", "mbox", exported)
            self.assertEqual(len(mailbox.mbox(exported / "Single.mbox")), 2)
            server.run("export", "--account", "anna@alpha.test", "--mailbox", "Old", server.dir / "m")
            self.assertEqual(len(mailbox.Maildir(server.dir / "m").get_folder("Old.Work")), 1)


if __name__ == "__main__":
    unittest.main()
