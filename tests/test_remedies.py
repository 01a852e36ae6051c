"""What goes wrong with a store, its disk and its ports is told with what to do about it, in the reader's language."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.request

from harness import eventually, hikyaku, Instance
from mail import fill, message, submit
from saved_store import flip

ANNA, BOB = "anna@alpha.test", "bob@alpha.test"
JAPANESE = {"LANG": "ja_JP.UTF-8"}


def words(text):
    return " ".join(text.split())


class Remedies(unittest.TestCase):
    def told(self, text, *expected):
        """Lines break anywhere in Japanese."""
        for one in expected:
            self.assertIn("".join(one.split()), "".join(text.split()), text)

    def make_read_only(self, server):
        """Damages a record in the midst of the journal, to which the index has not come."""
        fill(server, ANNA, 2)
        server.add_account(BOB)
        submit(server, message(ANNA, BOB, "for bob"))
        server.kill()
        log = next(path for path in sorted((server.dir / "data" / "journal").glob("*.log")) if BOB.encode() in path.read_bytes())
        flip(log, log.read_bytes().find(BOB.encode()))

    def test_a_store_that_is_read_only(self):
        with Instance(ANNA, metrics=True) as server:
            self.make_read_only(server)
            repair = f"hikyaku verify --dir {server.dir} --repair"
            for running in (True, False):
                if running:
                    server.start()
                    with self.assertRaises(urllib.error.HTTPError) as failing:
                        urllib.request.urlopen(f"http://127.0.0.1:{server.metrics_port}/health", timeout=20)
                    health = {check["name"]: check for check in json.loads(failing.exception.read())["checks"]}
                    self.told(health["store"]["text"], "read-only", "`hikyaku verify --repair`")
                # It goes on with all else.
                done = server.run("check", "--no-dns", check=False)
                self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
                self.assertNotIn("hikyaku:", done.stderr)
                self.told(done.stdout, "the store is read-only", repair, "every alias leads to somebody", "Problems: 1,")
                quiet = server.run("check", "--no-dns", "--quiet", check=False)
                self.assertRegex(quiet.stdout, r"(?m)^problem +the store is read-only")
                found = json.loads(server.run("check", "--no-dns", "--json", check=False).stdout)
                self.assertEqual([one["level"] for one in found if "read-only" in one["text"]], ["problem"])
                japanese = server.run("check", "--no-dns", check=False, env=JAPANESE)
                self.told(japanese.stdout, "読み取り専用", "ジャーナルのセグメント", repair)
                self.assertNotRegex(japanese.stdout, "journal segment|checksum")
                for command in (["backup", server.dir / "backups"], ["domain", "add", "gamma.test"],
                                ["undelete", "--purge"]):
                    with self.subTest(command=command, running=running):
                        done = server.run(*command, check=False)
                        self.assertEqual(done.returncode, 75, done.stderr)
                        self.told(done.stderr, "the store is read-only", f"hikyaku verify --dir {server.dir} tells", repair)
                        done = server.run(*command, check=False, env=JAPANESE)
                        self.told(done.stderr, "保管庫は読み取り専用です", repair)
                        said = "".join(line for line in done.stderr.splitlines() if " event=" not in line)
                        self.assertNotRegex(said, "journal segment|checksum")
                server.stop()

    def test_a_damaged_store_file_and_a_repair_in_japanese(self):
        with Instance(ANNA) as server:
            fill(server, ANNA, 2)
            server.stop()
            flip(server.dir / "data" / "STORE", 20)
            repair = f"hikyaku verify --dir {server.dir} --repair"
            for env, said in ({}, "is not a store's file"), (JAPANESE, "保管庫のファイルではありません"):
                done = server.run("serve", check=False, env=env)
                self.assertEqual(done.returncode, 65)
                self.told(done.stderr, said, repair)
            done = server.run("verify", "--repair", check=False, env=JAPANESE)
            self.told(done.stdout, "STORE は保管庫のファイルではありません", "STORE ファイルを書き直しました")
            self.assertNotIn("written again", done.stdout)
            server.start()

    def test_a_repair_that_loses_a_message_in_japanese(self):
        with Instance(ANNA) as server:
            fill(server, ANNA, 3)
            server.stop()
            log = next(path for path in sorted((server.dir / "data" / "journal").glob("*.log")) if b"Message 2" in path.read_bytes())
            flip(log, log.read_bytes().find(b"Message 2"))
            done = server.run("verify", "--repair", check=False, env=JAPANESE)
            self.told(done.stdout, "失われたメッセージをメールボックスから外しました: 1 通", "本文の", "書き込んだものと異なります")
            self.assertNotRegex(words(done.stdout), "out of its mailboxes|not what was written| bytes")

    def test_a_port_that_is_taken(self):
        with Instance(ANNA) as server:
            done = hikyaku("serve", directory=server.dir, check=False)
            self.assertNotEqual(done.returncode, 0)
            # Both at once: the store is another process's, or the ports are.
            with tempfile.TemporaryDirectory() as place:
                base = server.port("smtp") - 25
                hikyaku("quickstart", ANNA, "--local", "--port-base", base, "--password-stdin", input="long enough words\n", directory=f"{place}/mail")
                for env, said in (({}, (" is taken (by ", "Stop the program", "listen.port_base", "--port-base")),
                                  (JAPANESE, ("は使用中です", "、プロセス ", "listen.port_base", "止めるか"))):
                    done = hikyaku("serve", directory=f"{place}/mail", check=False, env=env)
                    self.assertNotEqual(done.returncode, 0)
                    self.told(done.stderr, *said)
                    self.assertEqual(words(done.stderr).count("listen.port_base"), 1)

    def test_too_small_a_disk(self):
        if os.geteuid() != 0:
            raise unittest.SkipTest("a small disk can be mounted by root only")
        mount = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, mount, True)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", mount], capture_output=True).returncode != 0:
            raise unittest.SkipTest("no file system can be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", mount], check=True)
        for env, said in ({}, "too little room"), (JAPANESE, "空きがありません"):
            done = hikyaku("quickstart", ANNA, "--local", "--password-stdin", input="long enough words\n", directory=mount / "mail", check=False, env=env)
            self.assertEqual(done.returncode, 75, done.stderr)
            self.told(done.stderr, said, f"{mount}/mail/data", "store.reserve", "--dir")

    def test_a_server_that_does_not_answer_need_not_be_systemds(self):
        with Instance(ANNA) as server:
            os.kill(server.process.pid, signal.SIGSTOP)
            try:
                done = server.run("account", "list", check=False, timeout=120)
            finally:
                os.kill(server.process.pid, signal.SIGCONT)
            self.assertEqual(done.returncode, 75)
            self.told(done.stderr, f"kill -CONT {server.process.pid}", "systemctl restart hikyaku",
                      f"kill -KILL {server.process.pid} and hikyaku serve --dir {server.dir}")
