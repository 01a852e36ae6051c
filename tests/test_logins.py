"""Guessing passwords: many at once, from many places; mail goes on, and who is known comes in."""
import base64
import concurrent.futures
import contextlib
import json
import threading
import time
import unittest

from harness import PASSWORD, SANITIZED, eventually
from hostile import ANNA, BOB, Attacked, Meanwhile, Peer
from test_python_clients import Scram, b64


class Flood(Attacked):
    config = {"login.max_failures": 100, "login.max_waiting": 20, "login.max_waiting_per_network": 5}

    def guess(self, source, answers, over):
        """Guesses as fast as it is answered, until told to stop."""
        with contextlib.suppress(OSError):
            while not over.is_set():
                with Peer(self.server, "imap", source) as peer:
                    peer.line()
                    for n in range(10):
                        if over.is_set():
                            return
                        said = peer.tagged(f'LOGIN {BOB} "guess {source} {time.time_ns()}"')
                        answers.append(said[-1] if said else "")

    def come_in(self):
        """How long it takes."""
        began = time.monotonic()
        with Peer(self.server, "imap", "127.0.0.90") as reader:
            self.assertIn("a OK", reader.login(ANNA))
            return time.monotonic() - began

    def test_fifty_guess_and_mail_is_delivered(self):
        with Meanwhile(self.server, worst=10) as calm:
            eventually(lambda: len(calm.delays) >= 5)
        calm_login = max(self.come_in() for _ in range(3))
        answers, over = [], threading.Event()
        # Fifty connections from ten networks.
        threads = [threading.Thread(target=self.guess, args=(f"127.0.4.{i % 10}", answers, over), daemon=True) for i in range(50)]
        try:
            for thread in threads:
                thread.start()
            eventually(lambda: len(answers) >= 20)
            with Meanwhile(self.server) as flooded:
                eventually(lambda: len(flooded.delays) >= 10)
                # Somebody who was here a while ago comes in at once, somebody else in bounded time.
                logins = sorted(self.come_in() for _ in range(5))
        finally:
            over.set()
            for thread in threads:
                thread.join(30)
        self.assertLess(logins[2], 5 * calm_login + (2 if SANITIZED else 0.5), logins)
        typical = sorted(flooded.delays)[len(flooded.delays) // 2]
        self.assertLess(typical, 5 * sorted(calm.delays)[len(calm.delays) // 2] + 0.5)
        self.assertFalse([a for a in answers if a.startswith("a OK")])
        # Logins in flight are limited: what is too much is told to come back.
        self.assertTrue([a for a in answers if a.startswith("a NO [UNAVAILABLE]")], answers[:3])
        self.assertTrue([a for a in answers if a.startswith("a NO [AUTHENTICATIONFAILED]")], answers[:3])


class Throttle(Attacked):
    config = {"login.max_failures": 3}

    def test_many_at_once_are_no_way_around_it(self):
        """Guesses in flight count too: of thirty at once, few are looked at."""
        answers = []

        def guess(i):
            with Peer(self.server, "imap", "127.0.5.1") as peer:
                peer.line()
                answers.append(peer.tagged(f'LOGIN {BOB} "guess {i}"')[-1])
        threads = [threading.Thread(target=guess, args=(i,), daemon=True) for i in range(30)]
        with Meanwhile(self.server):
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
        self.assertEqual(len(answers), 30)
        self.assertLessEqual(sum(a.startswith("a NO [AUTHENTICATIONFAILED]") for a in answers), 3 + 2)
        with Peer(self.server, "imap", "127.0.5.2") as peer:  # from elsewhere, the owner comes in
            self.assertIn("a OK", peer.login(BOB))

    def imap_login(self, source, password, user=BOB):
        with Peer(self.server, "imap", source) as peer:
            peer.line()
            return peer.tagged(f'LOGIN {user} "{password}"')[-1]

    def throttled(self):
        return json.loads(self.server.run("throttle", "list", "--json").stdout)

    def test_who_is_kept_out_can_be_seen_and_let_in(self):
        here = "127.0.5.4"
        self.assertFalse([row for row in self.throttled() if row["network"] == here])
        for i in range(3):
            self.assertIn("AUTHENTICATIONFAILED", self.imap_login(here, f"guess {i}"))
        self.assertIn("UNAVAILABLE", self.imap_login(here, PASSWORD))
        row, = [row for row in self.throttled() if row["network"] == here]
        self.assertEqual((row["account"], row["failures"]), (BOB, 3))
        self.assertRegex(self.server.run("throttle", "list").stdout, rf"{here}\s+{BOB}\s+3\s")
        nobody = self.server.run("throttle", "lift", "127.0.5.99", check=False)
        self.assertEqual(nobody.returncode, 1)
        self.assertIn("hikyaku throttle list", nobody.stderr)
        self.assertIn("1 refusal is lifted", self.server.run("throttle", "lift", here.upper()).stdout)
        self.assertIn("a OK", self.imap_login(here, PASSWORD))

    def test_strangers_behind_the_same_address_keep_nobody_out_who_is_known_there(self):
        proxy = "127.0.5.5"
        self.assertIn("a OK", self.imap_login(proxy, PASSWORD))
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda i: self.imap_login(proxy, "guess", f"stranger{i}@alpha.test"), range(40)))
        self.assertIn("UNAVAILABLE", "".join(answers))  # the address is shut, to them
        self.assertIn("a OK", self.imap_login(proxy, PASSWORD))
        self.assertIn("a OK", self.imap_login(proxy, PASSWORD))

    def test_each_protocol_counts(self):
        with Peer(self.server, "pop3", "127.0.5.3") as peer:
            peer.line()
            peer.send(f"USER {BOB}\r\nPASS wrong one\r\n")
            peer.line()
            self.assertTrue(peer.line().startswith("-ERR [AUTH]"))
        with Peer(self.server, "submission", "127.0.5.3") as peer:
            peer.reply()
            peer.ask("EHLO pc.test")
            self.assertEqual(peer.ask("AUTH PLAIN " + base64.b64encode(f"\0{BOB}\0wrong two".encode()).decode())[:3], "535")
        with Peer(self.server, "imap", "127.0.5.3") as peer:
            peer.line()
            self.assertRegex(peer.tagged(f'LOGIN {BOB} "wrong three"')[-1], r"^a NO \[AUTHENTICATIONFAILED\]")
            self.assertRegex(peer.tagged(f'LOGIN {BOB} "{PASSWORD}"')[-1], r"^a NO \[UNAVAILABLE\]")


class SlowlyLoggedIn(Attacked):
    """Who begins to log in and then waits has no more than who logs in at once."""
    config = {"imap.mechanisms": ["PLAIN", "SCRAM-SHA-256"]}

    def test_a_login_that_was_begun_before_its_password_was_taken_back(self):
        user, password = "carl@alpha.test", "one password of Carl"
        for verb in ([], ["account", "password", user, "--password-stdin"], ["account", "change", user, "--disable"],
                     ["account", "remove", user, "--yes"]):
            with self.subTest(verb=verb), Peer(self.server, "imap", "127.0.7.1") as peer:
                if verb[1:2] != ["remove"]:
                    self.server.run("account", "remove", user, "--yes", check=False)
                    self.server.add_account(user, password)
                    with Peer(self.server, "imap", "127.0.7.1") as first:  # makes the keys
                        first.line()
                        self.assertIn("a OK", first.tagged(f'LOGIN {user} "{password}"')[-1])
                else:
                    self.server.run("account", "change", user, "--enable")
                scram = Scram("sha256", user, password)
                peer.line()
                peer.send("a AUTHENTICATE SCRAM-SHA-256\r\n")
                peer.line()
                peer.send(b64(scram.first()) + "\r\n")
                challenge = base64.b64decode(peer.line()[2:]).decode()
                if verb:
                    self.server.run(*verb, input="another password of Carl\n")
                peer.send(b64(scram.final(challenge)) + "\r\n")
                answer = peer.line()
                if answer.startswith("+"):
                    peer.send("\r\n")
                    answer = peer.line()
                self.assertRegex(answer, r"^a NO \[AUTHENTICATIONFAILED\]" if verb else "^a OK")


class Remembered(Attacked):
    """Clients that connect anew all day do not pay for the slow check each time."""

    def log_in(self, password=PASSWORD, user=BOB):
        with Peer(self.server, "imap", "127.0.6.1") as peer:
            peer.line()
            began = time.monotonic()
            answer = peer.tagged(f'LOGIN {user} "{password}"')[-1]
            return answer.split(" ")[1], time.monotonic() - began

    def processor(self):
        """Seconds of the processor that the server has used."""
        with open(f"/proc/{self.server.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def test_logins_cost_little_after_the_first(self):
        self.assertEqual(self.log_in()[0], "OK")
        before = self.processor()
        for _ in range(100):
            self.assertEqual(self.log_in()[0], "OK")
        spent = self.processor() - before
        if not SANITIZED:
            self.assertLess(spent, 1.0, "100 slow checks take 2 s and more")  # measured: 0.05 s

    def test_a_changed_password_counts_at_once(self):
        self.server.add_account("carl@alpha.test", "one password of Carl")
        self.assertEqual(self.log_in("one password of Carl", "carl@alpha.test")[0], "OK")
        self.server.run("account", "password", "carl@alpha.test", "--password-stdin", input="another password of Carl\n")
        self.assertEqual(self.log_in("one password of Carl", "carl@alpha.test")[0], "NO")
        self.assertEqual(self.log_in("another password of Carl", "carl@alpha.test")[0], "OK")
        self.server.run("account", "remove", "carl@alpha.test", "--yes")
        self.assertEqual(self.log_in("another password of Carl", "carl@alpha.test")[0], "NO")


if __name__ == "__main__":
    unittest.main()
