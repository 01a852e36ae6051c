"""`hikyaku dmarc`: the whole of it as a receiver would, the result first, reasons after."""
import json
import pathlib
import tempfile
import socket
import threading
import unittest

from harness import hikyaku

ZONE = """$ORIGIN bank.test.
@            TXT "v=spf1 ip4:192.0.2.0/24 -all"
_dmarc       TXT "v=DMARC1; p=reject; np=quarantine"
mail         A 192.0.2.1
9.2.0.192.in-addr.arpa.    PTR mail.bank.test.
mail         A 192.0.2.9
9.113.0.203.in-addr.arpa.  PTR out.evil.test.
out.evil.test. A 203.0.113.9
11.113.0.203.in-addr.arpa. PTR out.evil.test.
;!SERVFAIL 12.113.0.203.in-addr.arpa.
evil.test.   TXT "v=spf1 ip4:203.0.113.0/24 -all"
_dmarc.evil.test. TXT "v=DMARC1; p=none"
_dmarc.talk.test. TXT "v=DMARC1; p=none"
_dmarc.partly.test. TXT "v=DMARC1; p=reject; pct=20"
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
        header = author if author.endswith("\n") else f"From: {author}\n"
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

    def test_the_name_of_the_address_is_a_witness(self):
        """Nobody but the policy and the name of the address speaks for refusing."""
        for ip, result, action, english, japanese in [
                ("203.0.113.9", "pass", "junk", "Reverse name: pass: the address has the name out.evil.test", "逆引き名: pass: アドレスの名前は out.evil.test"),
                ("203.0.113.10", "permerror", "refuse", "Reverse name: permerror: the address has no name", "逆引き名: permerror: アドレスに逆引き名がありません"),
                ("203.0.113.11", "fail", "refuse", "Reverse name: fail: its names do not lead back to it: out.evil.test",
                 "逆引き名: fail: 逆引き名が元のアドレスに戻りません: out.evil.test"),
                # What cannot be asked is no witness.
                ("203.0.113.12", "temperror", "junk", "Reverse name: temperror: the name of the address could not be asked for",
                 "逆引き名: temperror: アドレスの逆引き名を問い合わせできません")]:
            with self.subTest(ip=ip):
                told = json.loads(self.ask("a@bank.test", ip, "a@evil.test", "--json").stdout)
                self.assertEqual([told["result"], told["iprev"]["result"], told["decision"]["action"]], ["fail", result, action])
                self.assertEqual(told["iprev"]["name"], "out.evil.test" if result == "pass" else "")
                self.assertEqual("no-reverse-name" in told["decision"]["speaks_for"], action == "refuse")
                words = " ".join(self.ask("a@bank.test", ip, "a@evil.test").stdout.split())
                self.assertIn(english, words)
                self.assertIn(f"PTR {'.'.join(reversed(ip.split('.')))}.in-addr.arpa", words)
                self.assertEqual("refuse it (550)" in words and "no name of the client's address leads back to it" in words, action == "refuse")
                self.assertIn(japanese.replace(" ", ""), "".join(self.ask("a@bank.test", ip, "a@evil.test", "--lang", "ja").stdout.split()))

    def test_mail_that_names_nobody_is_delivered(self):
        """As typed by hand; unless it shows somebody by another field, or its MAIL FROM is disowned."""
        theirs = "203.0.113.9"
        for header, sender, action in [
                ("X-Nothing: 1\n", "a@evil.test", "deliver"),
                ("From a@bank.test Mon Nov 23 10:00:00 2026\nX-Nothing: 1\n", "a@evil.test", "deliver"),  # the line of an mbox is no field
                ("Sender: a@bank.test\n", "a@evil.test", "junk"),
                ("Resent-From: a@bank.test\n", "a@evil.test", "junk"),
                ("X-Nothing: 1\n", "a@bank.test", "junk")]:
            with self.subTest(header=header, sender=sender):
                told = json.loads(self.ask(header, theirs, sender, "--json").stdout)
                self.assertEqual([told["result"], told["decision"]["action"]], ["permerror", action])

    def test_a_large_message_in_an_mbox_is_read_as_one(self):
        """Its body goes to a worker in one piece."""
        self.letter.write_text("From a@bank.test Mon Nov 23 10:00:00 2026\nFrom: a@bank.test\nDKIM-Signature: v=1; a=rsa-sha256; d=bank.test; s=s; h=from; "
                               "bh=" + "A" * 43 + "=; b=AAAA\n\n" + "How are you?\n" * 20_000)
        told = json.loads(hikyaku("dmarc", self.letter, "--ip", "192.0.2.9", "--mail-from", "a@bank.test", "--helo", "h.test", "--zone", self.zone,
                                  "--json").stdout)
        self.assertEqual([told["result"], len(told["dkim"])], ["pass", 1])

    def test_what_an_mbox_puts_in_front_is_not_looked_at_however_long_it_is(self):
        for lines in (31, 32, 500):
            with self.subTest(lines=lines):
                self.assertEqual(self.ask("From x\n" * lines + "From: a@bank.test\n", "192.0.2.9", "a@bank.test").stdout.split()[0], "pass")

    def test_what_the_server_takes_from_nobody_is_refused_here_too(self):
        """Each of these passes DMARC; the server does not ask before it refuses them."""
        plain = b"From: a@bank.test\r\nTo: x@y.test\r\nSubject: hello\r\n\r\nhello\r\n"
        for message, reply, english, japanese in [
                (plain.replace(b"hello\r\n", b"hel\0lo\r\n"), "550 5.6.0", "it has a NUL", "NUL が含まれています"),
                (plain.replace(b"\r\n\r\nhello", b"\r\n\r\nhello\nthere"), "550 5.6.0", "it has a bare CR or LF", "単独の CR または LF"),
                (b"Received: x\r\n" * 101 + plain, "554 5.4.6", "it goes round in a loop", "ループ"),
                (b" X: y\r\n" + plain, "550 5.6.0", "its header begins with a blank", "ヘッダーが空白で始まっています"),
                (b"X: " + b"y" * 300_000 + b"\r\n" + plain, "552 5.3.4", "its header is too long", "ヘッダーが長すぎます")]:
            with self.subTest(reply=english):
                self.letter.write_bytes(message)
                words = ("dmarc", self.letter, "--ip", "192.0.2.9", "--mail-from", "a@bank.test", "--helo", "mail.bank.test", "--zone", self.zone)
                told = json.loads(hikyaku(*words, "--json").stdout)["decision"]
                self.assertEqual(told["action"], "refuse")
                self.assertTrue(told["refused_unasked"].startswith(reply), told)
                said = " ".join(hikyaku(*words).stdout.split())
                self.assertIn(f"would refuse it whoever sent it ({reply})", said)
                self.assertIn(english, said)
                self.assertNotIn("would deliver it", said)
                self.assertIn(japanese.replace(" ", ""), "".join(hikyaku(*words, "--lang", "ja").stdout.split()))
        self.letter.write_bytes(b"Received: x\r\n" * 100 + plain)
        told = json.loads(hikyaku(*words, "--json").stdout)["decision"]
        self.assertEqual([told["action"], told["refused_unasked"]], ["deliver", None])

    def test_what_is_not_looked_at_is_said(self):
        self.assertIn("settings of each server: they are not looked at", " ".join(hikyaku("dmarc", "--help").stdout.split()))

    def test_a_bounce_is_checked_by_its_helo_name(self):
        self.assertEqual(self.ask("a@bank.test", "192.0.2.9", "<>", helo="bank.test").stdout.split()[0], "pass")

    def test_what_the_older_rules_would_have_said(self):
        old = "By the older rules (RFC 7489, public suffix list) it would be fail, policy reject for 20 % of the mail"
        self.assertIn(old, " ".join(self.ask("a@partly.test", "203.0.113.9", "a@evil.test").stdout.split()))
        japanese = self.ask("a@partly.test", "203.0.113.9", "a@evil.test", env={"LANG": "ja_JP.UTF-8"}).stdout.replace("\n", "").replace(" ", "")
        self.assertIn("以前の規則(RFC7489、公開サフィックスリスト)ではfail、ポリシーreject(メールの20%に適用)になります", japanese)
        told = json.loads(self.ask("a@partly.test", "203.0.113.9", "a@evil.test", "--json").stdout)["rfc7489"]
        self.assertEqual([told["result"], told["policy"], told["percent"]], ["fail", "reject", 20])
        self.assertNotIn("7489", self.ask("a@bank.test", "203.0.113.9", "a@evil.test").stdout)

    def test_reasons_in_words(self):
        words = " ".join(self.ask("a@ghost.bank.test", "203.0.113.9", "a@evil.test").stdout.split())
        for expected in ("Nothing shows that it comes from ghost.bank.test", "np=quarantine at bank.test",
                         "ghost.bank.test does not exist", "SPF passed for evil.test: not aligned",
                         "TXT _dmarc.bank.test: v=DMARC1; p=reject; np=quarantine (TTL 300 s)",
                         "TXT evil.test: v=spf1 ip4:203.0.113.0/24 -all (TTL 300 s)"):
            self.assertIn(expected, words)
        self.assertEqual(words.count("Asked of the DNS"), 1)
        explained = self.ask("a@ghost.bank.test", "203.0.113.9", "a@evil.test", "--explain").stdout
        self.assertEqual(explained.count("Asked of the DNS"), 1)
        self.assertIn("as shown by SPF (bank.test).", self.ask("a@bank.test", "192.0.2.9", "a@bank.test").stdout.replace("\n", " "))
        self.assertIn("要望", self.ask("a@bank.test", "203.0.113.9", "a@evil.test", "--lang", "ja").stdout)

    def test_the_result_of_helo_is_told_when_it_decides(self):
        self.zone.write_text(ZONE + 'helofail.test. TXT "v=spf1 -all"\n')
        done = self.ask("a@bank.test", "203.0.113.9", "a@evil.test", helo="helofail.test").stdout
        self.assertIn("SPF (HELO): fail: ", done)
        self.assertIn("SPF: pass: ", done)

    def test_keys_of_signatures_are_among_the_questions(self):
        signed = "From: a@bank.test\nDKIM-Signature: v=1; a=rsa-sha256; d=bank.test; s=gone; h=from; bh=" + "A" * 43 + "=; b=AAAA\n"
        self.assertIn("gone._domainkey.bank.test: the name does not exist", self.ask(signed, "192.0.2.9", "a@bank.test").stdout)

    def test_no_dns_is_no_result(self):
        """No server: 75 and the remedy; one that answers with errors only: a result, temperror."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as broken:
            broken.bind(("127.0.0.1", 0))

            def serve():
                while True:
                    try:
                        question, who = broken.recvfrom(4096)
                    except OSError:
                        return
                    broken.sendto(question[:2] + b"\x81\x82" + question[4:], who)  # SERVFAIL
            threading.Thread(target=serve, daemon=True).start()
            there = f"127.0.0.1:{broken.getsockname()[1]}"
            spf = ("spf", "--ip", "192.0.2.1", "--mail-from", "a@bank.test", "--helo", "bank.test")
            done = hikyaku(*spf, "--dns", there)
            self.assertEqual(done.stdout.split()[0], "temperror")
            self.letter.write_text("From: a@bank.test\nDKIM-Signature: v=1; a=rsa-sha256; d=bank.test; s=s; h=from; bh=" + "A" * 43 + "=; b=AAAA\n\nx\n")
            for words in (spf, ("dkim", "verify", self.letter),
                          ("dmarc", self.letter, "--ip", "192.0.2.1", "--mail-from", "a@bank.test", "--helo", "bank.test")):
                for language, said in (("en", "does not answer"), ("ja", "応答しません")):
                    done = hikyaku(*words, "--dns", "127.0.0.1:9", "--lang", language, check=False)
                    self.assertEqual([done.returncode, done.stdout], [75, ""], words)
                    self.assertIn(said, done.stderr)

    def test_what_is_missing_or_wrong_is_named(self):
        for words, said in ((("dmarc", "m.eml", "--ip", "192.0.2.1"), 'missing: --mail-from F ("" for a bounce), --helo H.'),
                            (("dmarc", "--ip", "192.0.2.1", "--mail-from", "", "--helo", "b.test"), "missing: --message FILE."),
                            (("spf", "--mail-from", "a@b.test"), "missing: --ip A."),
                            (("dkim", "sign", "m.eml", "--domain", "b.test", "--key", "k"), "missing: --selector S."),
                            (("arc", "seal", "m.eml", "--domain", "b.test", "--selector", "s", "--key", "k"), "missing: --authserv-id H."),
                            (("arc", "seal", "m.eml", "--key", "k", "--key", "l"), "--key is given twice")):
            done = hikyaku(*words, check=False)
            self.assertEqual(done.returncode, 64, words)
            self.assertIn(said, " ".join(done.stderr.split()))
        self.assertNotIn("several times", hikyaku("arc", "seal", "--help").stdout)
        for dns, said in (("127.0.0.1:99999", "a port is a number from 1 to 65535"), ("localhost", "a name would have to be looked up first")):
            done = hikyaku("spf", "--ip", "192.0.2.1", "--helo", "b.test", "--dns", dns, check=False)
            self.assertEqual(done.returncode, 65)
            self.assertIn(said, " ".join(done.stderr.split()))
        done = hikyaku("spf", "--ip", "192.0.2.1", "--helo", "b.test", "--zone", self.folder.name, check=False)
        self.assertIn("Is a directory", done.stderr)

    def test_a_message_without_from_says_so(self):
        self.assertIn("From: no address", self.ask("From: nobody\n", "203.0.113.9", "a@evil.test").stdout)

    def test_what_cannot_be_done(self):
        missing = hikyaku("dmarc", "--message", "/nonexistent", "--ip", "192.0.2.1", "--mail-from", "a@b.test",
                          "--helo", "b.test", "--zone", self.zone, check=False)
        self.assertEqual(missing.returncode, 65)
        self.assertEqual(self.ask("a@b.test", "999.1.1.1", "a@b.test", check=False).returncode, 65)
        self.assertEqual(hikyaku("dmarc", check=False).returncode, 64)


if __name__ == "__main__":
    unittest.main()
