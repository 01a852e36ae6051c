"""hikyaku lab: every scene ends as it should, and is seen to fail when one setting is spoilt."""
import concurrent.futures
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

from harness import HIKYAKU, PORTS, hikyaku, eventually, free_port_base

HOSTS = ("127.0.1.1", "127.0.2.1", "127.0.3.1", "127.0.3.2", "127.0.3.3", "127.0.4.1", "127.0.4.2")


def scenes():
    return [scene["name"] for scene in json.loads(hikyaku("lab", "--list", "--json").stdout)]


def children_of(pid):
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if fields[1] == str(pid) and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def alive(pid):
    try:
        os.kill(pid, 0)
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Lab(unittest.TestCase):
    def setUp(self):
        self.tmp = pathlib.Path(tempfile.mkdtemp(prefix="hikyaku-test-lab-"))
        self.addCleanup(shutil.rmtree, self.tmp, ignore_errors=True)
        self.base = self.free_base()

    def test_a_taken_port_is_named_with_the_way_out(self):
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind((HOSTS[0], self.base + PORTS["smtp"]))
            taken.listen()
            for language, words in (("en", "the ports of the lab are in use: "), ("ja", "ラボのポートが使われています: ")):
                done = hikyaku("lab", "--once", "--scene", "road", "--port-base", self.base, "--lang", language, check=False)
                said = " ".join(done.stderr.split())
                self.assertEqual(done.returncode, 75, said)
                self.assertIn(words, said)
                self.assertIn(f"port {self.base + 25} on 127.0.1.1 is taken (by python3", said)
                self.assertIn("hikyaku lab --port-base ", said)
                self.assertNotIn('"event"', said)

    def free_base(self):
        """Free on every address of the lab; no base is given out twice."""
        for _ in range(50):
            base = free_port_base(HOSTS[0])
            try:
                for host in HOSTS[1:]:
                    for offset in PORTS.values():
                        with socket.socket() as s:
                            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                            s.bind((host, base + offset))
                return base
            except OSError:
                continue
        self.fail("no free ports")

    def lab(self, *arguments, check=False, timeout=120, env=None):
        return hikyaku("lab", "--port-base", self.base, *arguments, check=check, timeout=timeout,
                       env={"TMPDIR": str(self.tmp), **(env or {})})

    def left_behind(self):
        return sorted(path.name for path in self.tmp.iterdir())

    def test_once_plays_every_scene(self):
        begun = time.monotonic()
        done = self.lab("--once")
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr)
        self.assertLess(time.monotonic() - begun, 60)
        for name in scenes():
            self.assertIn(f"{name}: ended as it should", done.stdout)
        self.assertNotIn("\x1b", done.stdout)  # no terminal, no colour
        self.assertEqual(self.left_behind(), [])

    def test_once_in_japanese(self):
        done = self.lab("--once", "--lang", "ja", "--scene", "road", "--scene", "by-hand")
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr)
        self.assertIn("期待どおりに終わりました", done.stdout)
        self.assertIn("S: 220 mx.alpha.test", done.stdout)  # protocols speak English
        self.assertNotIn("ended as it should", done.stdout)

    def each(self, *arguments):
        """The lab for every scene by itself, some at a time: they mostly wait. (name, done, directory left in)"""
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            jobs = []
            for name in scenes():
                tmp = self.tmp / name
                tmp.mkdir()
                command = ["lab", "--once", "--port-base", self.free_base(), *arguments, name]
                jobs.append((name, tmp, pool.submit(hikyaku, *command, check=False, timeout=120,
                                                    env={"TMPDIR": str(tmp)})))
            for name, tmp, job in jobs:
                yield name, job.result(), tmp

    def test_each_scene_alone(self):
        for name, done, tmp in self.each("--scene"):
            with self.subTest(scene=name):
                self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr)
                self.assertIn(f"{name}: ended as it should", done.stdout)
                self.assertEqual(list(tmp.iterdir()), [])

    def test_each_scene_notices_its_spoilt_setting(self):
        for name, done, tmp in self.each("--spoil"):
            with self.subTest(scene=name):
                self.assertEqual(done.returncode, 1, done.stdout[-3000:] + done.stderr)
                self.assertIn(name, done.stderr)
                self.assertRegex(done.stdout, rf"{name}: DID NOT END AS IT SHOULD: \w")
                # What happened is kept for whoever looks into it, and the path is told.
                kept = [path.name for path in tmp.iterdir()]
                self.assertEqual(len(kept), 1)
                self.assertIn(kept[0], re.sub(r"\s", "", done.stderr))

    def test_json_is_one_object_a_line(self):
        done = self.lab("--once", "--json", "--scene", "road", "--scene", "no-relay")
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr)
        events = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(events[-1], {"event": "result", "ok": True, "played": ["road", "no-relay"], "failed": []})
        said = [e["text"] for e in events if e["event"] == "line" and e["by"] == "C"]
        self.assertIn("STARTTLS", said)
        self.assertTrue(all(e["ok"] for e in events if e["event"] == "check"))
        self.assertEqual({e["scene"] for e in events if e["event"] == "end"}, {"road", "no-relay"})

    def test_sender_authentication_shows_what_was_asked_and_why(self):
        done = self.lab("--once", "--json", "--scene", "authentic", "--scene", "list-arc", "--scene", "stale-signature")
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr)
        events = [json.loads(line) for line in done.stdout.splitlines()]
        answers = {(e["scene"], e["question"]): e["answer"] for e in events if e["event"] == "dns"}
        self.assertEqual(answers["authentic", "alpha.test TXT"], "TXT v=spf1 mx -all")
        self.assertEqual(answers["authentic", "mx.alpha.test A"], "A 127.0.1.1")
        self.assertIn("p=none", answers["authentic", "_dmarc.alpha.test TXT"])
        for kind in ("rsa", "ed25519"):
            self.assertTrue(any(q.startswith(kind) and "_domainkey.alpha.test" in q for _, q in answers), kind)
        self.assertTrue(any(s == "list-arc" and "_domainkey.gamma.test" in q for s, q in answers))
        stories = {scene: "".join(e["text"] for e in events if e["event"] == "story" and e["scene"] == scene)
                   for scene in ("authentic", "list-arc", "stale-signature")}
        self.assertIn("dmarc: pass: it comes from alpha.test, as SPF (alpha.test), DKIM (alpha.test) shows", stories["authentic"])
        self.assertIn("gamma.test is trusted here", stories["list-arc"])
        self.assertRegex(stories["list-arc"], r"ARC-Seal: .*cv=(none|pass); d=gamma.test")
        self.assertIn("it expired at", stories["stale-signature"])
        # The key of a signature whose time is over is nobody's question.
        stale = [line for line in stories["stale-signature"].splitlines() if "it expired at" in line]
        self.assertNotIn("_domainkey", "".join(stale))
        # Bob's server says so on the wire.
        self.assertTrue(any(e["event"] == "line" and e["by"] == "S" and "arc=pass" in e["text"] for e in events))

    def test_sender_authentication_in_japanese(self):
        done = self.lab("--once", "--lang", "ja", "--scene", "forged-from", "--scene", "reports")
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr)
        self.assertIn("迷惑メールへ: ", done.stdout)
        self.assertIn("DMARC に合格", done.stdout)

    def test_json_tells_what_failed(self):
        done = self.lab("--once", "--json", "--spoil", "null-mx")
        result = json.loads(done.stdout.splitlines()[-1])
        self.assertEqual((done.returncode, result["ok"], result["failed"]), (1, False, ["null-mx"]))

    def test_a_taken_port_is_named(self):
        with socket.socket() as holder:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind(("127.0.2.1", self.base + 143))
            holder.listen()
            done = self.lab("--once")
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(f"port {self.base + 143} on 127.0.2.1 is taken", done.stderr)
            self.assertEqual(self.left_behind(), [])

    def test_a_directory_of_ones_own_is_kept(self):
        directory = self.tmp / "mine"
        done = self.lab("--once", "--scene", "envelope", "--dir", directory)
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr)
        self.assertTrue((directory / "beta.test" / "hikyaku" / "hikyaku.toml").exists())
        again = self.lab("--once", "--dir", directory)
        self.assertNotEqual(again.returncode, 0)
        self.assertIn("not empty", again.stderr)

    def test_unknown_scene(self):
        done = self.lab("--scene", "nonsense", "--once")
        self.assertEqual(done.returncode, 64)
        self.assertIn("nonsense", done.stderr)

    def stay_up(self, *arguments):
        process = subprocess.Popen(
            [str(HIKYAKU), "lab", "--port-base", str(self.base), *arguments], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace",
            env={**os.environ, "LANG": "C.UTF-8", "TMPDIR": str(self.tmp)})
        self.addCleanup(process.stdout.close)
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Ctrl-C"):
                break
        return process, "".join(lines)

    def test_it_stays_up_for_ones_own_client(self):
        process, text = self.stay_up("--scene", "envelope")
        try:
            servers = children_of(process.pid)
            self.assertEqual(len(servers), 4)
            for port in PORTS.values():
                self.assertIn(str(self.base + port), text)
            user, password = re.search(r"127\.0\.1\.1\s+(anna@alpha\.test)\s+(\S+)", text).groups()
            with smtplib.SMTP("127.0.1.1", self.base + 587, timeout=20) as smtp:
                smtp.login(user, password)
            if "IPv6" not in text:  # it says so when there is none
                with smtplib.SMTP("::1", self.base + 25, timeout=20) as smtp:
                    self.assertIn(b"mx.beta.test", smtp.ehlo()[1])
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(30), 0)
        finally:
            process.kill()
            process.wait()
        self.assertFalse(any(alive(pid) for pid in servers))
        self.assertEqual(self.left_behind(), [])

    def test_killed_it_takes_its_servers_along(self):
        process, _ = self.stay_up("--scene", "envelope")
        servers = children_of(process.pid)
        process.kill()
        process.wait()
        self.assertEqual(len(servers), 4)
        eventually(lambda: not any(alive(pid) for pid in servers))


if __name__ == "__main__":
    unittest.main()
