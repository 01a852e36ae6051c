"""No reply that promises something leaves before the sync that covers it: every sync of the server takes 300 ms longer and is written
down (tests/native/sync_shim.cc), and each reply is held against the journal's writes and syncs.

The last test takes the syncs away from the program and sees that the same check then finds every promise broken.
"""
import pathlib
import smtplib
import time
import unittest

from harness import HIKYAKU, PASSWORD, Instance
from mail import imap, pop, tls

SHIM = pathlib.Path(HIKYAKU).parent / "sync_shim.so"


class Journal:
    """What the shim has written down."""

    def __init__(self, path):
        self.writes, self.syncs = [], []
        for line in path.read_text().splitlines() if path.exists() else []:
            kind, name, *numbers = line.split(" ")
            (self.writes if kind == "write" else self.syncs).append((name, *map(int, numbers)))

    def problem(self, asked, answered):
        """Why the reply at `answered` to what was asked at `asked` promised too much; None if it did not."""
        writes = [w for w in self.writes if asked <= w[3] <= answered]
        if not any(w[0].endswith(".log") for w in writes):
            return "nothing was written to the journal before the reply"
        # The next group is written as soon as one is synced (an attempt to send what was just queued), while
        # the reply is on its way: what was written after the end of a sync of this time is not its matter.
        ended = [s[2] for s in self.syncs if s[2] <= answered and any(w[0] == s[0] and w[3] <= s[1] for w in writes)]
        if ended:
            writes = [w for w in writes if w[3] <= max(ended)]
        for name, offset, end, written in writes:
            if not any(s[0] == name and written <= s[1] and s[2] <= answered for s in self.syncs):
                return f"{pathlib.Path(name).name} [{offset}, {end}) was not synced before the reply"
        return None


@unittest.skipUnless(SHIM.exists(), f"{SHIM} is not built")
class Promises(unittest.TestCase):
    def play(self, **env):
        """Every kind of promise once, one after another; gives (what, problem) for each."""
        server = Instance("anna@alpha.test")
        server.quickstart()
        self.addCleanup(server.__exit__)
        log = server.dir / "shim.log"
        server.env = {"LD_PRELOAD": str(SHIM), "HIKYAKU_SHIM_LOG": str(log), **env}
        server.start(60)
        asked_and_answered = []

        def promise(what, function, *arguments, **more):
            asked = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            answer = function(*arguments, **more)
            asked_and_answered.append((what, asked, time.clock_gettime_ns(time.CLOCK_MONOTONIC)))
            if isinstance(answer, tuple) and isinstance(answer[0], str):
                self.assertEqual(answer[0], "OK", (what, answer))
            # What is lazy (the story of a login) is not to stand in the next window.
            time.sleep(0.05)

        text = "From: anna@alpha.test\r\nSubject: hello\r\n\r\n{}\r\n"
        with smtplib.SMTP(server.host, server.port("smtp"), timeout=20) as smtp:
            promise("SMTP, delivered", smtp.sendmail, "x@beta.test", ["anna@alpha.test"], text.format("small"))
            promise("SMTP, a large message", smtp.sendmail, "x@beta.test", ["anna@alpha.test"], text.format(("x" * 70 + "\r\n") * 9000))
        with smtplib.SMTP_SSL(server.host, server.port("submissions"), context=tls(), timeout=20) as smtp:
            smtp.login("anna@alpha.test", PASSWORD)
            promise("submission, queued", smtp.sendmail, "anna@alpha.test", ["dora@gamma.invalid"], text.format("out"))
        client = imap(server)
        promise("CREATE", client.create, "work")
        promise("SUBSCRIBE", client.subscribe, "work")
        promise("APPEND", client.append, "INBOX", None, None, text.format("appended").encode())
        client.select("INBOX")
        promise("STORE", client.uid, "STORE", "1", "+FLAGS", "(\\Flagged)")
        promise("COPY", client.uid, "COPY", "1", "work")
        promise("MOVE", client.uid, "MOVE", "2", "work")
        client.uid("STORE", "1", "+FLAGS", "(\\Deleted)")
        promise("EXPUNGE", client.expunge)
        promise("RENAME", client.rename, "work", "works")
        promise("DELETE", client.delete, "works")
        client.logout()
        reader = pop(server)
        reader.dele(1)
        promise("QUIT of POP3", reader.quit)
        journal = Journal(log)
        return [(what, journal.problem(asked, answered)) for what, asked, answered in asked_and_answered]

    def test_nothing_is_promised_before_it_is_synced(self):
        found = self.play()
        self.assertEqual([f"{what}: {problem}" for what, problem in found if problem], [])
        self.assertGreater(len(found), 10)

    def test_without_syncs_every_promise_is_found_broken(self):
        found = self.play(HIKYAKU_SHIM_SKIP="1")
        self.assertEqual([what for what, problem in found if not problem], [])


if __name__ == "__main__":
    unittest.main()
