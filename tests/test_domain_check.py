"""`hikyaku domain records` and `hikyaku domain check`: what to publish, and what is wrong with what is published."""
import json
import os
import pathlib
import re
import tempfile
import unittest

from harness import Instance, hikyaku

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
        lines = [f"{r['name']} 300 IN {r['type']} {r['value']}" for r in self.records]
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
        in_japanese, told = self.check(change, "ja")
        self.assertEqual(in_japanese, code)
        kinds = [[(f["level"], f["name"], f["type"], bool(f["remedy"])) for f in one["findings"]] for one in (found, told)]
        self.assertEqual(*kinds)
        return " ".join(f"{f['name']} {f['type']}: {f['what']}" for f in bad)

    def test_the_records_that_are_printed_are_right(self):
        code, found = self.check()
        self.assertEqual(code, 0, found)
        self.assertTrue(found["ok"])
        self.assertEqual({f["ttl"] for f in found["findings"] if f["type"] not in ("DKIM", "PTR")}, {300})
        reverse = next(f for f in found["findings"] if f["type"] == "PTR")
        self.assertEqual([reverse["level"], "loopback" in reverse["what"]], ["unchecked", True])
        text = self.server.run("domain", "records", "alpha.test").stdout
        self.assertIn("v=DKIM1; k=rsa;", text)
        self.assertIn("rua=mailto:dmarc-reports@alpha.test", text)
        for line in text.splitlines():
            for string in re.findall(r'"([^"]*)"', line):
                self.assertLessEqual(len(string), 255)
        for language in ("en", "ja"):  # as it is printed, it is a zone
            self.file.write_text(self.server.run("domain", "records", "alpha.test", "--lang", language).stdout)
            done = self.server.run("domain", "check", "alpha.test", "--zone", self.file, check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("All is well with alpha.test", done.stdout)
        self.assertIn("v=DKIM1; k=rsa;", self.server.quickstart_output)

    def test_the_records_of_a_machine_on_the_internet_are_a_zone_too(self):
        with tempfile.TemporaryDirectory() as top:
            os.chmod(top, 0o755)  # root becomes the server's user
            hikyaku("quickstart", "anna@alpha.test", "--port-base", "20000", directory=f"{top}/mail")
            for language in ("en", "ja"):
                text = hikyaku("domain", "records", "alpha.test", "--lang", language, directory=f"{top}/mail").stdout
                self.assertIn("PTR", text)
                self.file.write_text(text)
                self.assertFalse([line for line in text.splitlines() if "<" in line and not line.startswith(";")])
                done = hikyaku("domain", "check", "alpha.test", "--zone", self.file, "--json", directory=f"{top}/mail", check=False)
                # The zone was read: what is wrong is the addresses of this machine at most, and so what SPF lets its name send from.
                found = json.loads(done.stdout)["findings"]
                host = next(line.split()[0].rstrip(".") for line in text.splitlines() if re.match(r"\S+\s.*\bA\s", line))
                problems = {f"{f['name']} {f['type']}" for f in found if f["level"] == "problem" and f["type"] not in ("A", "AAAA", "PTR")}
                self.assertEqual(problems - {f"{host} TXT"}, set())
                good = {f"{f['name']} {f['type']}" for f in found if f["level"] == "good"}
                for one in ("alpha.test MX", "alpha.test TXT", "_dmarc.alpha.test TXT"):
                    self.assertIn(one, good)

    def remedies(self, *changes):
        """The remedies, by the record that they are about, when lines that hold one text are replaced by another."""
        def change(lines):
            for old, new in changes:
                self.assertTrue(any(old in line for line in lines), old)
                lines = [line for line in (new if old in line else line for line in lines) if line]
            return lines
        code, found = self.check(change)
        return {f"{f['name']} {f['type']}": f["remedy"] for f in found["findings"] if f["level"] != "good"}

    def test_a_remedy_keeps_what_the_owner_has_decided(self):
        spf, dmarc = "alpha.test. IN TXT ", "_dmarc.alpha.test. IN TXT "
        for old, published, remedy in (
                ("spf1 mx", '"v=spf4 mx include:_spf.partner.test ip4:198.51.100.0/24 -all"',
                 'replace it with: alpha.test. IN TXT "v=spf1 mx include:_spf.partner.test ip4:198.51.100.0/24 -all"'),
                ("spf1 mx", '"v=spf1 mx inclde:_spf.partner.test -all"',
                 'replace it with: alpha.test. IN TXT "v=spf1 mx include:_spf.partner.test -all"'),
                ("spf1 mx", '"\\"v=spf1 mx ip4:198.51.100.7 -all\\""', 'replace it with: alpha.test. IN TXT "v=spf1 mx ip4:198.51.100.7 -all"'),
                ("spf1 mx", '"v=spf1 mx ip4:127.0.0.300 -all"', "correct that term or take it out, and leave the rest"),
                ("spf1 mx", '"v=spf1 mx include:nobody.test -all"', "correct that term or take it out, and leave the rest"),
                ("spf1 mx", '"v=spf1 mx"', 'replace it with: alpha.test. IN TXT "v=spf1 mx -all"'),
                ("spf1 mx", '"v=spf1 -all mx ip4:198.51.100.7"', 'replace it with: alpha.test. IN TXT "v=spf1 mx ip4:198.51.100.7 -all"'),
                ("spf1 mx", '"v=spf1 ptr mx -all"', "in place of ptr"),
                ("spf1 mx", '"v=spf1 mx ip4:198.51.100.7 +all"', 'replace it with: alpha.test. IN TXT "v=spf1 mx ip4:198.51.100.7 -all"'),
                ("spf1 mx", '"“v=spf1 mx -all”"', 'replace it with: alpha.test. IN TXT "v=spf1 mx -all"'),
                ("spf1 mx", '"v=spf1 mx -all redirect=_spf.partner.test"', "take out redirect=_spf.partner.test, or the all"),
                ("spf1 mx", '"v=spf1 ip4:198.51.100.7 -all"', 'replace it with: alpha.test. IN TXT "v=spf1 ip4:198.51.100.7 a:mail.alpha.test -all"'),
                ("DMARC1", '"v=DMARC1; p=reject; adkim=s, aspf=s; rua=mailto:x@alpha.test"',
                 'replace it with: _dmarc.alpha.test. IN TXT "v=DMARC1; p=reject; adkim=s; aspf=s; rua=mailto:x@alpha.test"'),
                ("DMARC1", '"v=DMARC1; p=quaratine; rua=mailto:x@alpha.test"',
                 'replace it with: _dmarc.alpha.test. IN TXT "v=DMARC1; p=quarantine; rua=mailto:x@alpha.test"'),
                ("DMARC1", '"p=reject; rua=mailto:x@alpha.test"',
                 'replace it with: _dmarc.alpha.test. IN TXT "v=DMARC1; p=reject; rua=mailto:x@alpha.test"'),
                ("DMARC1", '"v=DMARC1; p=maybe; rua=mailto:x@alpha.test"', "correct that, and leave the rest of the record as it is"),
        ):
            with self.subTest(published=published):
                name = spf if old == "spf1 mx" else dmarc
                self.assertIn(remedy, self.remedies((old, name + published))[name.split(". IN")[0] + " TXT"])

    def test_a_host_without_an_address_is_given_one(self):
        """The remedy is the record itself: published as it is told, all is well."""
        remedy = self.remedies((" A 127.0.1.1", None))["mail.alpha.test A"]
        self.assertEqual(remedy, "publish: mail.alpha.test. IN A 127.0.1.1")
        self.assertEqual(self.problems(" A 127.0.1.1", remedy.removeprefix("publish: ")), "")
        told = self.problems(" A 127.0.1.1", None)
        self.assertIn("mail.alpha.test A: the server's name has no address", told)
        # Another exchange beside it is somebody else's: its address is not known here.
        second = "alpha.test. IN MX 20 mx.partner.test."
        found = self.check(lambda lines: [*lines, second])[1]["findings"]
        (bad,) = [f for f in found if f["level"] == "problem"]
        self.assertEqual((bad["type"], bad["what"], bad["remedy"]),
                         ("MX", "the exchange mx.partner.test has no address",
                          "give it an A or AAAA record, or take it out of the MX records"))
        for address in ("A 192.0.2.7", "AAAA 2001:db8::7"):
            code, found = self.check(lambda lines: [*lines, second, f"mx.partner.test. IN {address}"])
            self.assertEqual(code, 0, found)

    def test_what_follows_from_another_record_says_so(self):
        spf, host = "alpha.test TXT", "mail.alpha.test TXT"
        for mx in (None, "alpha.test. IN MX 10 mx.elsewhere.test.", "alpha.test. IN MX 0 ."):
            remedy = self.remedies(("IN MX", mx))[spf]
            self.assertIn("mends itself with the MX record above", remedy)
            self.assertIn('"v=spf1 mx a:mail.alpha.test -all"', remedy)
        moved = self.remedies((" A 127.0.1.1", "mail.alpha.test. IN A 192.0.2.1"))
        for name in (spf, host):
            self.assertIn("mends itself with the address above", moved[name])
            self.assertIn("ip4:127.0.1.1 -all", moved[name])

    def test_the_records_for_mail_clients(self):
        """What `domain records` prints is looked at: missing is advice, elsewhere is a problem."""
        imaps = "_imaps._tcp.alpha.test. IN SRV "
        good = next(f"{r['name']} IN SRV {r['value']}" for r in self.records if r["name"].startswith("_imaps"))
        port = int(good.split()[5])
        for new, level, what in (
                (good, "good", "mail programs find IMAP over TLS at mail.alpha.test"),
                (None, "note", "there is no SRV record for IMAP over TLS"),
                (imaps + "0 0 0 .", "note", "says that the domain has no IMAP over TLS"),
                (imaps + f"0 1 {port} imap.elsewhere.test.", "problem", "sent to imap.elsewhere.test for IMAP over TLS, which is not this server"),
                (imaps + f"0 1 {port + 1} mail.alpha.test.", "problem", f"sent to port {port + 1} for IMAP over TLS, which this server has on port {port}"),
                (imaps + f"0 1 {port} imap.alpha.test.\nimap.alpha.test. IN A 127.0.1.1", "good", "at imap.alpha.test"),
                (imaps + f"0 1 {port} mail.alpha.test.\n{imaps}9 1 {port} imap.elsewhere.test.", "note", "imap.elsewhere.test")):
            with self.subTest(new=new):
                change = lambda lines: [line for line in (new if line.startswith("_imaps.") else line for line in lines) if line]
                code, found = self.check(change)
                about = [f for f in found["findings"] if f["name"] == "_imaps._tcp.alpha.test"]
                self.assertIn(level, [f["level"] for f in about])
                self.assertEqual(code, 1 if level == "problem" else 0)
                self.assertIn(what, " ".join(f["what"] for f in about))
                if level != "good":
                    self.assertIn(good, next(f["remedy"] for f in about if f["level"] == level))
                _, told = self.check(change, "ja")
                self.assertEqual([f["level"] for f in told["findings"]], [f["level"] for f in found["findings"]])
        code, found = self.check(lambda lines: [*lines, f"_pop3s._tcp.alpha.test. IN SRV 0 1 995 pop.elsewhere.test."])
        self.assertEqual([f["type"] for f in found["findings"] if f["level"] == "problem"], ["SRV"])
        self.file.write_text("\n".join(line for line in self.zone().read_text().splitlines() if "SRV" not in line) + "\n")
        done = self.server.run("domain", "check", "alpha.test", "--zone", self.file)
        self.assertIn("look at the notes above (2)", done.stdout)

    def test_notes_are_not_all_is_well(self):
        self.zone(lambda lines: [line.replace("v=spf1 mx", "v=spf1 ptr mx") for line in lines])
        done = self.server.run("domain", "check", "alpha.test", "--zone", self.file)
        self.assertIn("No problems with alpha.test; look at the notes above (1).", done.stdout)

    def test_no_dns_is_one_line_with_a_remedy(self):
        for options in (("--dns", "127.0.0.1:9"), ()):
            if not options:  # the configured server
                self.server.configure({"dns.resolver": '["127.0.0.1:9"]'})
            done = self.server.run("domain", "check", "alpha.test", *options, check=False)
            self.assertEqual([done.returncode, done.stdout], [75, ""])
            self.assertIn("no DNS server answers", done.stderr)
            self.assertIn("dns.resolver in hikyaku.toml", " ".join(done.stderr.split()))
        self.server.configure({"dns.resolver": "[]"})

    def test_of_two_records_neither_is_called_good(self):
        for old, second in (("spf1 mx", 'alpha.test. IN TXT "v=spf1 a -all"'), ("DMARC1", '_dmarc.alpha.test. IN TXT "v=DMARC1; p=reject"')):
            _, found = self.check(lambda lines: [*lines, second])
            name = second.split(". IN")[0]
            about = [f for f in found["findings"] if (f["name"], f["type"]) == (name, "TXT")]
            self.assertEqual([f["level"] for f in about], ["problem"], about)
            self.assertIn(second.split("TXT ")[1], about[0]["what"])
            self.assertIn(old, about[0]["what"])

    def test_missing_records(self):
        self.file.write_text("example.test. A 192.0.2.1\n")
        done = self.server.run("domain", "check", "alpha.test", "--zone", self.file, check=False)
        self.assertEqual(done.returncode, 1)
        for word in ("MX", "SPF", "DMARC", "address", "no record", "publish:"):
            self.assertIn(word, done.stdout)
        self.assertNotIn("TTL", done.stdout)  # what is not there is not remembered either

    def test_a_policy_above_the_domain_counts(self):
        """What a domain above says is not to be replaced by p=none (RFC 9989 §4.10)."""
        self.server.run("domain", "add", "sub.alpha.test")
        self.addCleanup(self.server.run, "domain", "remove", "sub.alpha.test")
        for above, level, words in (("v=DMARC1; p=none; sp=reject", "good", "p=reject"), (None, "problem", "there is no DMARC record")):
            self.file.write_text(f'_dmarc.alpha.test. TXT "{above}"\n' if above else "alpha.test. A 192.0.2.1\n")
            done = self.server.run("domain", "check", "sub.alpha.test", "--zone", self.file, "--json", check=False)
            found = [f for f in json.loads(done.stdout)["findings"] if f["name"] == "_dmarc.sub.alpha.test"]
            self.assertEqual([f["level"] for f in found], [level], found)
            self.assertIn(words, found[0]["what"])

    def test_reject_is_remarked_on_where_people_write_to_lists(self):
        for language, words in (("en", "mailing lists"), ("ja", "メーリングリスト")):
            for policy in ("none", "quarantine", "reject"):
                code, found = self.check(lambda lines: [line.replace("p=none", "p=" + policy) for line in lines], language)
                notes = [f for f in found["findings"] if f["level"] == "note"]
                self.assertEqual([code, len(notes)], [0, policy == "reject"], notes)
            self.assertEqual([notes[0]["name"], notes[0]["type"]], ["_dmarc.alpha.test", "TXT"])
            self.assertIn(words, notes[0]["what"])
            self.assertIn("p=quarantine", notes[0]["remedy"])

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
                ("DMARC1", 'alpha.test. IN TXT "v=DMARC1; p=reject"', 'stands at alpha.test itself, where nobody looks for it: "v=DMARC1; p=reject"'),
                ("DMARC1", 'alpha.test. IN TXT "“v=DMARC1; p=reject”"', "stands at alpha.test itself, where nobody looks for it"),
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
        for words in (("check", "beta.test"), ("records", "beta.test"), ("dkim", "beta.test"), ("dkim", "beta.test", "rotate")):
            self.assertEqual(self.server.run("domain", *words, check=False).returncode, 67, words)
        self.assertIn("このサーバーのドメインではありません",
                      self.server.run("domain", "records", "beta.test", "--lang", "ja", check=False).stderr)

    def test_a_domain_of_one_label_is_warned_of(self):
        done = self.server.run("domain", "add", "intranet")
        self.assertIn("a name of one label", done.stdout)
        self.assertNotIn("one label", self.server.run("domain", "add", "gamma.test").stdout)


if __name__ == "__main__":
    unittest.main()
