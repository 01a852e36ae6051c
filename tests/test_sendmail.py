"""`hikyaku sendmail`, as cron, programs and people call it."""
import json
import os
import pathlib
import pty
import socket
import subprocess
import tempfile
import time
import tty
import unittest

from harness import HIKYAKU, eventually, Instance, need
from mail import deliver_with_sendmail, raw_messages


class Sendmail(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Instance("anna@alpha.test"))

    def arrived(self, subject, user="anna@alpha.test"):
        wanted = f"Subject: {subject}".encode()
        return eventually(lambda: [m for m in raw_messages(self.server, user) if wanted in m])[-1].decode()

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
            self.assertTrue(any(b"at midnight" in raw for raw in raw_messages(server, "anna@alpha.test")))
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
        self.assertFalse([m for m in raw_messages(self.server, "anna@alpha.test") if b"Subject: half" in m])

    def test_smtp(self):
        dialogue = ("EHLO localhost\r\nMAIL FROM:<anna@alpha.test>\r\nRCPT TO:<anna@alpha.test>\r\nDATA\r\n"
                    "Subject: by hand\r\n\r\nhello\r\n.\r\nQUIT\r\n")
        done = deliver_with_sendmail(self.server, dialogue, "-bs")
        self.assertRegex(done.stdout, r"^220 ")
        self.assertRegex(done.stdout, r"(?m)^221 ")
        self.arrived("by hand")

    def test_smtp_from_what_cannot_be_read(self):
        directory = os.open("/", os.O_RDONLY)
        try:
            done = subprocess.run([str(HIKYAKU), "sendmail", "--dir", str(self.server.dir), "-bs"], stdin=directory, capture_output=True,
                                  text=True, timeout=30)
        finally:
            os.close(directory)
        self.assertEqual(done.returncode, 74, done.stdout + done.stderr)
        self.assertIn("cannot read", done.stderr)

    def test_a_message_that_cannot_be_read_to_its_end_is_not_sent(self):
        def refused(standard_input):
            done = subprocess.run([str(HIKYAKU), "sendmail", "--dir", self.server.dir, "-v", "-i", "anna@alpha.test"],
                                  stdin=standard_input, capture_output=True, text=True, timeout=30, env={"LANG": "C"})
            os.close(standard_input)
            self.assertEqual((done.returncode, done.stdout), (74, ""), done.stderr)
            told = " ".join(done.stderr.split())
            self.assertIn("nothing was sent", told)
            return told

        before = len(raw_messages(self.server, "anna@alpha.test"))
        self.assertIn("Is a directory", refused(os.open("/tmp", os.O_RDONLY)))
        ours, theirs = pty.openpty()
        tty.setraw(theirs)
        os.write(theirs, b"Subject: the first half\n\nSell ")
        os.close(theirs)  # what stands there is read, then comes EIO
        self.assertIn("Input/output error", refused(ours))
        deliver_with_sendmail(self.server, "Subject: after the halves\n\n", "anna@alpha.test")
        self.arrived("after the halves")
        self.assertEqual(len(raw_messages(self.server, "anna@alpha.test")), before + 1)

    def test_a_header_as_long_as_the_server_takes_it(self):
        filler = "".join(f"X-Filler-{i}: {'x' * 900}\n" for i in range(340))  # 310 KB
        text = f"From: anna@alpha.test\n{filler}Bcc: anna+behind@alpha.test\nSubject: a long header\n\nhello\n"
        with Instance("anna@alpha.test", config={"smtp.max_header": '"1MB"'}) as server:
            done = json.loads(server.run("trace", deliver_with_sendmail(server, text, "-t", "-v").stdout.strip(), "--json").stdout)
            self.assertIn("anna+behind@alpha.test", json.dumps(done))
            got = eventually(lambda: raw_messages(server, "anna@alpha.test"))[0].decode()
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
            got = eventually(lambda: raw_messages(server, "anna@alpha.test")[1:])[0].decode()
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
            self.assertEqual(raw_messages(server, "anna@alpha.test"), [])

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

    def test_a_server_that_takes_no_more_connections_is_there(self):
        """It hangs, and as many have come as the kernel lets wait for it."""
        with tempfile.TemporaryDirectory() as top, socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
            pathlib.Path(top, "hikyaku.toml").touch()
            listener.bind(f"{top}/submit.sock")
            listener.listen(0)
            first.connect(f"{top}/submit.sock")
            clients = [subprocess.Popen([str(HIKYAKU), "sendmail", "--dir", top, *words], text=True, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for words in (["-bs"], ["anna@alpha.test"])]
            for client in clients:
                _, said = client.communicate(timeout=50)
                self.assertEqual(client.returncode, 75)
                self.assertIn("takes no more connections: it hangs, or was stopped", " ".join(said.split()))

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
