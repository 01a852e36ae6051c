"""`hikyaku domain records` and `hikyaku domain check`: what to publish, and what is wrong with what is published."""
import json
import pathlib
import re
import tempfile
import unittest

from harness import Instance

OTHER_KEY = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="


class DomainCheck(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.file = pathlib.Path(folder.name) / "alpha.zone"
        cls.server = Instance("anna@alpha.test", host="127.0.1.1")
        cls.server.quickstart()
        cls.addClassCleanup(cls.server.__exit__)
        cls.records = json.loads(cls.server.run("domain", "records", "alpha.test", "--json").stdout)

    def zone(self, change=lambda lines: lines):
        """The right records, with the placeholder of the address filled in, then changed."""
        lines = [f"{r['name']} 300 IN {r['type']} {r['value']}".replace("<IPv4-ADDRESS>", "127.0.1.1") for r in self.records]
        self.file.write_text("\n".join(change(lines)) + "\n")
        return self.file

    def check(self, change=lambda lines: lines, language="en"):
        done = self.server.run("domain", "check", "alpha.test", "--zone", self.zone(change), "--json", "--lang", language, check=False)
        return done.returncode, json.loads(done.stdout)

    def problems(self, old, new):
        """The problems when lines that hold `old` are replaced."""
        def change(lines):
            self.assertTrue(any(old in line for line in lines), old)
            return [line for line in ([new] if old in line else [line] for line in lines) for line in line if line]
        code, found = self.check(change)
        bad = [f for f in found["findings"] if f["level"] == "problem"]
        self.assertEqual(code, 1 if bad else 0)
        for one in bad:
            self.assertTrue(one["remedy"], one)
        return " ".join(f"{f['name']} {f['type']}: {f['what']}" for f in bad)

    def test_the_records_that_are_printed_are_right(self):
        code, found = self.check()
        self.assertEqual(code, 0, found)
        self.assertTrue(found["ok"])
        self.assertEqual({f["ttl"] for f in found["findings"] if f["type"] != "DKIM"}, {300})
        text = self.server.run("domain", "records", "alpha.test").stdout
        self.assertIn("v=DKIM1; k=rsa;", text)
        self.assertIn("rua=mailto:dmarc-reports@alpha.test", text)
        for line in text.splitlines():
            for string in re.findall(r'"([^"]*)"', line):
                self.assertLessEqual(len(string), 255)
        printed = text[:text.index("\n\n")].replace("<IPv4-ADDRESS>", "127.0.1.1")
        self.file.write_text(printed.replace(" IN ", " 300 IN ") + "\n")
        self.assertEqual(self.server.run("domain", "check", "alpha.test", "--zone", self.file, check=False).returncode, 0)
        self.assertIn("v=DKIM1; k=rsa;", self.server.quickstart_output)

    def test_missing_records(self):
        self.file.write_text("example.test. A 192.0.2.1\n")
        done = self.server.run("domain", "check", "alpha.test", "--zone", self.file, check=False)
        self.assertEqual(done.returncode, 1)
        for word in ("MX", "SPF", "DMARC", "address", "no record", "publish:"):
            self.assertIn(word, done.stdout)

    def test_mistyped_and_wrong_records(self):
        rsa = next(r for r in self.records if "k=rsa" in r["value"])["name"]
        mx = "alpha.test. IN MX 10 "
        spf = "alpha.test. IN TXT "
        dmarc = "_dmarc.alpha.test. IN TXT "
        many = " ".join(["a:mail.alpha.test"] * 11)
        for old, new, expected in (
                ("IN MX", mx + "mx.elsewhere.test.", "none of them is this server"),
                ("IN MX", mx + "mail.alpha.test.\nalpha.test. IN MX 20 backup.alpha.test.", "backup.alpha.test has no address"),
                ("IN MX", "alpha.test. IN MX 0 .", "null MX"),
                ("127.0.1.1", "mail.alpha.test. IN A 192.0.2.7", "192.0.2.7 is not an address of this machine"),
                ("spf1 mx", spf + '"v=spf4 mx -all"', "is meant as an SPF record"),
                ("spf1 mx", spf + '"v=spf1 mx -all"\nalpha.test. IN TXT "v=spf1 -all"', "2 SPF records"),
                ("spf1 mx", spf + '"v=spf1 ip4:192.0.2.300 -all"', "ip4:192.0.2.300"),
                ("spf1 mx", spf + '"v=spf1 -all"', "says fail for this server"),
                ("spf1 mx", spf + '"v=spf1 +all"', "lets everybody send"),
                ("spf1 mx", spf + f'"v=spf1 mx {many} -all"', "more than 10 terms"),
                ("DMARC1", dmarc + '"v=DMRC1; p=none"', "v=DMARC1"),
                ("DMARC1", dmarc + '"v=DMARC1; p=quaratine"', "quarantine"),
                ("DMARC1", dmarc + '"v=DMARC1, p=none"', "_dmarc.alpha.test TXT"),
                ("DMARC1", dmarc + '"v=DMARC1; p=none; rua=mailto:x@example.net"', "reports may not go to x@example.net"),
                ("DMARC1", dmarc + '"v=DMARC1; p=none"\n_dmarc.alpha.test. IN TXT "v=DMARC1; p=reject"', "2 DMARC records"),
                ("DMARC1", None, "no DMARC record"),
                (rsa, None, "no record"),
                (rsa, f'{rsa} IN TXT "{OTHER_KEY}"', "another key"),
                (rsa, f'{rsa} IN TXT "v=DKIM1; k=rsa; p="', "revoked"),
                (rsa, f'{rsa} IN TXT "v=DKIM2; p=x"', "cannot be used"),
        ):
            with self.subTest(new=new):
                self.assertIn(expected, self.problems(old, new))

    def test_in_japanese(self):
        code, found = self.check(lambda lines: [line for line in lines if "spf1 mx" not in line], language="ja")
        self.assertEqual(code, 1)
        self.assertIn("SPF レコードがありません", " ".join(f["what"] for f in found["findings"]))

    def test_words_for_the_wrong_domain(self):
        self.assertEqual(self.server.run("domain", "check", "beta.test", check=False).returncode, 67)


if __name__ == "__main__":
    unittest.main()
