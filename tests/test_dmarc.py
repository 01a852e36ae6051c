"""`hikyaku dmarc`: the whole of it as a receiver would, the result first, reasons after."""
import json
import pathlib
import tempfile
import unittest

from harness import hikyaku

ZONE = """$ORIGIN bank.test.
@            TXT "v=spf1 ip4:192.0.2.0/24 -all"
_dmarc       TXT "v=DMARC1; p=reject; np=quarantine"
mail         A 192.0.2.1
evil.test.   TXT "v=spf1 ip4:203.0.113.0/24 -all"
_dmarc.evil.test. TXT "v=DMARC1; p=none"
_dmarc.talk.test. TXT "v=DMARC1; p=none"
_dmarc.typo.test. TXT "v=DMARC1; p=quaratine; rua=mailto:a@typo.test"
;!SERVFAIL _dmarc.broken.test. TXT
"""


class Dmarc(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.zone = pathlib.Path(self.folder.name) / "zone"
        self.zone.write_text(ZONE)
        self.letter = pathlib.Path(self.folder.name) / "letter.eml"

    def ask(self, author, ip, sender, *more, helo="mail.bank.test", **others):
        header = author if author.startswith("From") else f"From: {author}\n"
        self.letter.write_text(f"{header}To: x@y.test\nSubject: hello\n\nhello\n")
        return hikyaku("dmarc", "--message", self.letter, "--ip", ip, "--mail-from", sender, "--helo", helo,
                       "--zone", self.zone, *more, **others)

    def test_results_are_the_first_word(self):
        ours, theirs = "192.0.2.9", "203.0.113.9"
        for author, ip, sender, result, decision in [
                ("a@bank.test", ours, "a@bank.test", "pass", "deliver"),
                ("a@mail.bank.test", ours, "a@bank.test", "pass", "deliver"),
                ("a@bank.test", theirs, "a@bank.test", "fail", "refuse"),    # SPF says fail: it speaks for refusing
                ("a@bank.test", theirs, "a@evil.test", "fail", "junk"),      # nothing but the policy does
                ("a@ghost.bank.test", theirs, "a@evil.test", "fail", "junk"),
                ("a@talk.test", theirs, "a@evil.test", "fail", "deliver"),
                ("a@typo.test", theirs, "a@evil.test", "fail", "deliver"),
                ("a@nobody.test", theirs, "a@nobody.test", "none", "deliver"),
                ("a@broken.test", theirs, "a@evil.test", "temperror", "defer"),
                ("nobody", theirs, "a@evil.test", "permerror", "junk"),
                ("undisclosed:;", theirs, "a@evil.test", "permerror", "junk"),
                # What is shown is not what is verified.
                ("a@bank.test <a@evil.test>", theirs, "a@evil.test", "fail", "junk"),
                ("From: a@evil.test\nFrom: a@bank.test\n", theirs, "a@evil.test", "fail", "junk"),
                ("From : a@bank.test\nFrom: a@evil.test\n", theirs, "a@evil.test", "fail", "junk"),
                ("a@evil.test, b@bank.test", theirs, "a@evil.test", "fail", "junk"),
        ]:
            with self.subTest(author=author, ip=ip, sender=sender):
                done = self.ask(author, ip, sender)
                self.assertEqual(done.stdout.split()[0], result)
                told = json.loads(self.ask(author, ip, sender, "--json").stdout)
                self.assertEqual([told["result"], told["decision"]["action"]], [result, decision])

    def test_a_bounce_is_checked_by_its_helo_name(self):
        self.assertEqual(self.ask("a@bank.test", "192.0.2.9", "<>", helo="bank.test").stdout.split()[0], "pass")

    def test_reasons_in_words(self):
        words = " ".join(self.ask("a@ghost.bank.test", "203.0.113.9", "a@evil.test").stdout.split())
        for expected in ("Nothing shows that it comes from ghost.bank.test", "np=quarantine at bank.test",
                         "ghost.bank.test does not exist", "SPF passed for evil.test: not aligned",
                         "_dmarc.bank.test: a record: v=DMARC1; p=reject; np=quarantine (TTL 300 s)"):
            self.assertIn(expected, words)
        self.assertIn("要望", self.ask("a@bank.test", "203.0.113.9", "a@evil.test", "--lang", "ja").stdout)

    def test_what_cannot_be_done(self):
        missing = hikyaku("dmarc", "--message", "/nonexistent", "--ip", "192.0.2.1", "--mail-from", "a@b.test",
                          "--helo", "b.test", "--zone", self.zone, check=False)
        self.assertEqual(missing.returncode, 65)
        self.assertEqual(self.ask("a@b.test", "999.1.1.1", "a@b.test", check=False).returncode, 65)
        self.assertEqual(hikyaku("dmarc", check=False).returncode, 64)


if __name__ == "__main__":
    unittest.main()
