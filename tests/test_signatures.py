"""`hikyaku dkim verify|sign` and `hikyaku arc verify|seal`: the result first, reasons after; what is signed verifies, what is changed does not."""
import json
import pathlib
import subprocess
import tempfile
import unittest

from harness import HIKYAKU, hikyaku

MESSAGE = "From: Anna <anna@example.org>\nTo: bob@example.net\nSubject: dinner\n\nIs it ready?\n"


class Signatures(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        zone = ";!TIMEOUT slow._domainkey.example.org\n"
        for selector, options in (("rsa", ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]), ("ed", ["-algorithm", "ed25519"])):
            pem = cls.folder / f"{selector}.pem"
            subprocess.run(["openssl", "genpkey", *options, "-out", pem], check=True, capture_output=True)
            der = subprocess.run(["openssl", "pkey", "-in", pem, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
            kind, key = ("rsa", der) if selector == "rsa" else ("ed25519", der[-32:])
            text = f"v=DKIM1; k={kind}; p=" + subprocess.run(["base64", "-w0"], input=key, check=True, capture_output=True).stdout.decode()
            zone += f"{selector}._domainkey.example.org. TXT \"{text[:200]}\" \"{text[200:]}\"\n"
        (cls.folder / "zone").write_text(zone)

    def file(self, text, name="message"):
        path = self.folder / name
        path.write_text(text, newline="")
        return path

    def sign(self, text, *more, selector="rsa", pem=None):
        return hikyaku("dkim", "sign", self.file(text), "--domain", "example.org", "--selector", selector, "--key", self.folder / f"{pem or selector}.pem",
                       *more).stdout

    def verify(self, text, *more, verb="dkim", **others):
        return hikyaku(verb, "verify", self.file(text), "--zone", self.folder / "zone", *more, **others).stdout

    def test_what_is_signed_passes_and_what_is_changed_does_not(self):
        for selector in ("rsa", "ed"):
            signed = self.sign(MESSAGE, selector=selector)
            self.assertTrue(signed.endswith(MESSAGE))
            self.assertEqual(self.verify(signed).splitlines()[0], "pass")
            self.assertEqual(self.verify(signed.replace("\n", "\r\n")).splitlines()[0], "pass")
            self.assertEqual(self.verify("Received: from somewhere\n" + signed).split()[0], "pass")
            for what, into in (("ready", "late"), ("dinner", "supper"), ("Subject:", "Subject: spam\nSubject:"),
                               ("From: Anna", "From: Eve <eve@example.com>\nFrom: Anna"), ("From: Anna", "From : Anna")):
                self.assertNotEqual(self.verify(signed.replace(what, into, 1)).split()[0], "pass", (what, into))

    def test_line_ends_stay_what_they_are(self):
        for text in (MESSAGE, MESSAGE.replace("\n", "\r\n")):
            command = [HIKYAKU, "dkim", "sign", self.file(text), "--domain", "example.org", "--selector", "rsa", "--key", self.folder / "rsa.pem"]
            signed = subprocess.run(command, check=True, capture_output=True).stdout
            self.assertTrue(signed.endswith(text.encode()))
            self.assertEqual(signed.count(b"\r\n"), signed.count(b"\n") if "\r" in text else 0)

    def test_results_are_the_first_word(self):
        signed = self.sign(MESSAGE)
        self.assertEqual(self.verify(MESSAGE).split()[0], "none")
        self.assertEqual(self.verify(signed.replace("ready", "late")).split()[0], "fail")
        self.assertEqual(self.verify(signed.replace("s=rsa", "s=gone")).split()[0], "permerror")
        self.assertEqual(self.verify(self.sign(MESSAGE, selector="slow", pem="rsa")).split()[0], "temperror")
        self.assertEqual(self.verify(signed.replace("v=1", "v=2")).split()[0], "neutral")
        # Two signatures, one of them broken.
        lines = self.verify(self.sign(self.sign(MESSAGE)).replace("t=", "t=1", 1)).split("\n\n")[0].splitlines()
        self.assertEqual([line.split()[0] for line in lines], ["pass", "fail", "pass"])
        answer = json.loads(self.verify(signed, "--json"))
        self.assertEqual(answer["result"], "pass")
        self.assertEqual(answer["signatures"][0]["key_bits"], 2048)

    def test_what_an_mbox_put_in_front_stays_there(self):
        separator = "From anna@example.org Mon Jan  1 00:00:00 2026\n"
        signed = self.sign(separator + MESSAGE)
        self.assertTrue(signed.startswith(separator + "DKIM-Signature:"), signed)
        self.assertEqual(self.verify(signed).split()[0], "pass")
        sealed = hikyaku("arc", "seal", self.file(separator + MESSAGE), "--domain", "example.org", "--selector", "rsa", "--key", self.folder / "rsa.pem",
                         "--authserv-id", "mx.example.org", "--zone", self.folder / "zone").stdout
        self.assertTrue(sealed.startswith(separator + "ARC-Seal:"), sealed)
        self.assertEqual(self.verify(sealed, verb="arc").split()[0], "pass")

    def test_two_keys_at_once_and_the_time(self):
        signed = hikyaku("dkim", "sign", self.file(MESSAGE), "--domain", "example.org", "--selector", "ed", "--key", self.folder / "ed.pem",
                         "--selector", "rsa", "--key", self.folder / "rsa.pem", "--time", "1700000000", "--headers", "From:Subject").stdout
        answer = json.loads(self.verify(signed, "--json"))
        self.assertEqual([s["algorithm"] for s in answer["signatures"]], ["rsa-sha256", "ed25519-sha256"])
        self.assertEqual([s["result"] for s in answer["signatures"]], ["pass", "pass"])
        self.assertEqual(answer["signatures"][0]["signed_at"], 1700000000)
        self.assertEqual(answer["signatures"][0]["fields"], ["from", "subject"])

    def test_what_cannot_be_done_is_65(self):
        for words in (["dkim", "verify", self.folder / "missing", "--zone", self.folder / "zone"], ["dkim", "verify", self.file(MESSAGE), "--zone", self.folder / "missing"],
                      ["dkim", "verify", self.file(MESSAGE), "--zone", self.folder / "zone", "--time", "soon"],
                      ["dkim", "sign", self.file("Subject: x\n\n", "anonymous"), "--domain", "example.org", "--selector", "rsa", "--key", self.folder / "rsa.pem"],
                      ["dkim", "sign", self.file(MESSAGE), "--domain", "example.org", "--selector", "rsa", "--key", self.folder / "zone"],
                      ["dkim", "sign", self.file(MESSAGE), "--domain", "example.org", "--selector", "rsa", "--key", self.folder / "rsa.pem", "--headers", "To"]):
            with self.subTest(words):
                done = hikyaku(*words, check=False)
                self.assertEqual((done.returncode, done.stdout), (65, ""))

    def test_the_questions_to_the_dns_are_listed(self):
        signed = self.sign(MESSAGE)
        told = self.verify(signed)
        self.assertNotIn("…", told)  # a key is there to be copied
        self.assertRegex(told, r"\n\nAsked of the DNS:\n  TXT  rsa\._domainkey\.example\.org: v=DKIM1; k=rsa; p=\S+")
        self.assertIn("DNS への問い合わせ:", self.verify(signed, env={"LANG": "ja_JP.UTF-8"}))
        self.assertIn("gone._domainkey.example.org: the name does not exist", self.verify(signed.replace("s=rsa", "s=gone")))
        self.assertNotIn("Asked", self.verify(MESSAGE))
        self.assertEqual(self.verify(MESSAGE).split()[0], "none")
        sealed = hikyaku("arc", "seal", self.file(MESSAGE), "--domain", "example.org", "--selector", "ed", "--key", self.folder / "rsa.pem",
                         "--authserv-id", "mx.example.org", "--zone", self.folder / "zone").stdout
        self.assertRegex(self.verify(sealed, verb="arc"), r"\n\nAsked of the DNS:\n  TXT  ed\._domainkey\.example\.org: v=DKIM1")

    def test_a_chain_of_seals(self):
        def seal(text):
            return hikyaku("arc", "seal", self.file(text), "--domain", "example.org", "--selector", "rsa", "--key", self.folder / "rsa.pem",
                           "--authserv-id", "mx.example.org", "--zone", self.folder / "zone").stdout
        self.assertEqual(self.verify(MESSAGE, verb="arc").split()[0], "none")
        once = seal("Authentication-Results: mx.example.org; spf=pass smtp.mailfrom=anna@example.org\n" + MESSAGE)
        self.assertIn("spf=pass", once.split("Authentication-Results: mx")[0])
        twice = seal(once)
        answer = json.loads(self.verify(twice, "--json", verb="arc"))
        self.assertEqual((answer["result"], [hop["instance"] for hop in answer["hops"]]), ("pass", [2, 1]))
        self.assertEqual(self.verify(twice.replace("ready", "late"), verb="arc").split()[0], "fail")
        ended = seal(twice.replace("ready", "late"))
        self.assertIn("cv=fail", ended)
        self.assertEqual(seal(ended), ended)


if __name__ == "__main__":
    unittest.main()
