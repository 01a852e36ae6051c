"""Reports about mail: others' about our domains are read and shown, ours about others are sent, bombs do no harm."""
import email.message
import email.policy
import gzip
import io
import json
import pathlib
import re
import smtplib
import tempfile
import time
import unittest
import xml.etree.ElementTree as xml_tree
import zipfile

from harness import HIKYAKU, VECTORS, Instance, eventually, free_port_base
from mail import message, raw_messages, stamp

ANNA, BOB = "anna@alpha.test", "bob@beta.test"

# Whoever is called *.test may send from this machine: only mail whose sender is proved is counted.
PROVED = '*.test. TXT "v=spf1 ip4:127.0.0.1 -all"\n'

XML = """<?xml version="1.0"?><feedback><report_metadata><org_name>{org}</org_name><email>d@{org}</email>
<report_id>{id}</report_id><date_range><begin>{begin}</begin><end>{end}</end></date_range></report_metadata>
<policy_published><domain>{domain}</domain><p>none</p></policy_published>{rows}</feedback>"""
ROW = """<record><row><source_ip>{ip}</source_ip><count>{count}</count><policy_evaluated><disposition>none</disposition>
<dkim>{dkim}</dkim><spf>{spf}</spf></policy_evaluated></row><identifiers><header_from>{domain}</header_from></identifiers>
<auth_results/></record>"""


def xml(id, rows, domain="alpha.test", org="big.test", days_ago=1):
    begin = int(time.time()) // 86400 * 86400 - days_ago * 86400
    text = "".join(ROW.format(ip=ip, count=count, dkim=dkim, spf=spf, domain=domain) for ip, count, dkim, spf in rows)
    return XML.format(org=org, id=id, begin=begin, end=begin + 86399, domain=domain, rows=text).encode()


def mail_with(content, kind="gzip", name="big.test!alpha.test!1!2.xml.gz", sender="d@big.test"):
    m = email.message.EmailMessage()
    m["From"], m["To"], m["Subject"] = sender, "dmarc-reports@alpha.test", "Report Domain: alpha.test Submitter: big.test"
    m.set_content("a report\n")
    m.add_attachment(content, maintype="application", subtype=kind, filename=name)
    return m.as_bytes(policy=email.policy.SMTP)


def packed(name, content):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return out.getvalue()


def bring(server, content, to="dmarc-reports@alpha.test", sender="d@big.test"):
    with smtplib.SMTP(server.host, server.port("smtp"), timeout=60) as smtp:
        smtp.ehlo("mx.big.test")
        smtp.sendmail(sender, [to], content)


def shown(server, *options):
    return json.loads(server.run("reports", "dmarc", "--json", *options).stdout)


def of_kind(items, kind, domain="alpha.test"):
    return [i for i in items if i["kind"] == kind and i["domain"] == domain]


class In(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        zone = pathlib.Path(cls.folder) / "zone"
        zone.write_text("10.2.0.192.in-addr.arpa. PTR mail.alpha.test.\n_dmarc.junk.sly. TXT \"v=DMARC1; p=quarantine\"\n" + PROVED)
        cls.server = cls.enterClassContext(Instance(ANNA, zone=zone))

    def events(self, name):
        return [line for line in self.server.log if f"event={name}" in line]

    def test_reports_become_a_chart_with_advice(self):
        rows = [("192.0.2.10", 90, "pass", "pass"), ("192.0.2.11", 9, "pass", "fail"), ("203.0.113.7", 40, "fail", "pass"),
                ("198.51.100.9", 7, "fail", "fail")]
        one = mail_with(gzip.compress(xml("one", rows)))
        bring(self.server, one)
        bring(self.server, one)                                                               # the same again
        bring(self.server, mail_with(packed("r.xml", xml("two", rows[:1], org="zip.test")), "zip", "r.zip", "d@zip.test"), sender="d@zip.test")
        bring(self.server, mail_with(xml("three", rows[:1], domain="stranger.test"), "xml", "r.xml"))
        items = eventually(lambda: (found := shown(self.server)) and of_kind(found, "domain")
                           and of_kind(found, "domain")[0]["reports"] == 2 and found)
        eventually(lambda: len(self.events("report.ignore")) == 2)                            # twice, and not ours
        self.assertEqual({i["domain"] for i in items if i["kind"] not in ("unread", "bounce")}, {"alpha.test"})
        domain = of_kind(items, "domain")[0]
        self.assertEqual([domain["messages"], domain["passed"], domain["policy"], domain["reporters"]],
                         [236, 229, "none", ["big.test", "zip.test"]])
        sources = {s["network"]: s for s in of_kind(items, "source")}
        self.assertEqual(list(sources), ["192.0.2.0/24", "203.0.113.0/24", "198.51.100.0/24"])
        self.assertEqual([sources["192.0.2.0/24"][k] for k in ("messages", "passed", "dkim", "spf", "name")],
                         [189, 189, 189, 180, "mail.alpha.test"])
        advice = {a["advice"]: a for a in of_kind(items, "advice")}
        self.assertEqual(advice["unsigned"]["sources"], ["203.0.113.0/24"])
        self.assertEqual([advice["strangers"]["sources"], advice["strangers"]["messages"]], [["198.51.100.0/24"], 7])

        for language, words in (("C.UTF-8", "are yours and unsigned: 203.0.113.0/24"), ("ja_JP.UTF-8", "DKIM 署名がない送信元: 203.0.113.0/24")):
            for columns in ("40", "80", "100"):
                chart = self.server.run("reports", "dmarc", env={"LANG": language, "LC_ALL": language, "COLUMNS": columns}).stdout
                self.assertIn(words.replace(" ", ""), chart.replace("\n", "").replace(" ", ""))
                self.assertRegex(chart, r"█+ +189 +100 %")
                self.assertRegex(chart, r"░+ +7 +0 %")
                self.assertNotIn("\x1b", chart)
                bars = [line for line in chart.splitlines() if " %" in line and ("█" in line or "░" in line) and "/24" in line]
                self.assertLessEqual(max(map(len, bars)), max(int(columns), 50))
        # What was read is no longer kept as mail, and a server that does not run tells the same.
        self.assertEqual([s["network"] for s in of_kind(shown(self.server, "--domain", "alpha.test"), "source")], list(sources))
        other = self.server.run("reports", "dmarc", "--domain", "other.test", check=False)
        self.assertEqual([other.returncode, "other.test is not a domain of this server" in other.stderr], [67, True])
        self.assertEqual(self.server.run("reports", "failure", "--domain", "other.test", check=False).returncode, 67)
        self.assertEqual(shown(self.server, "--domain", "sub.alpha.test"), [])
        self.assertEqual(shown(self.server, "--since", "2100-01-01"), [])
        self.server.stop()
        self.assertEqual(of_kind(shown(self.server), "domain")[0]["messages"], 236)
        none = self.server.run("reports", "dmarc", "--send-now", check=False)
        self.assertEqual(none.returncode, 75)
        self.assertIn(f"Start it: hikyaku serve --dir {self.server.dir}", " ".join(none.stderr.split()))
        self.server.start()

    def advice(self, domain, *reports):
        """What is said of a new domain with these reports: {kind: its networks}, and the text."""
        self.server.run("domain", "add", domain)
        for n, (rows, days_ago) in enumerate(reports):
            content = xml(f"r{n}", rows, domain=domain, days_ago=days_ago).replace(b"<p>none</p>", self.policy)
            bring(self.server, mail_with(content, "xml", "r.xml"))
        items = eventually(lambda: (found := shown(self.server, "--domain", domain)) and
                           of_kind(found, "domain", domain)[0]["reports"] == len(reports) and found)
        text = self.server.run("reports", "dmarc", "--domain", domain, env={"COLUMNS": "100"}).stdout
        return {i["advice"]: i["sources"] for i in of_kind(items, "advice", domain)}, " ".join(text.split())

    def test_the_advice_blames_nobody_else(self):
        """Forwarders are not ours to sign for, and where nothing passes nothing is safe."""
        ours, lists = [("192.0.2.10", 90, "pass", "pass")], [("203.0.113.5", 20, "pass", "fail"), ("203.0.113.5", 10, "fail", "fail")]
        self.policy = b"<p>none</p>"
        kinds, text = self.advice("lists.test", (ours + lists + [("198.51.100.1", 1, "fail", "pass")], 1))
        self.assertEqual(kinds, {"unsigned": ["198.51.100.0/24"], "forwarders": ["203.0.113.0/24"]})
        self.assertIn("nothing to do about them", text)
        self.assertNotIn("p=reject is safe", self.advice("lists2.test", (ours + lists, 1), (ours, 20))[1])
        replayed = [("203.0.113.5", 1, "pass", "fail"), ("203.0.113.5", 3, "fail", "fail")]   # one letter of ours, three forgeries
        kinds, text = self.advice("replayed.test", (ours + replayed, 1))
        self.assertEqual(kinds, {"doubtful": ["203.0.113.0/24"], "more-reports": []})
        self.assertIn("3 messages of 1 network prove nothing: 203.0.113.0/24", text)
        self.assertNotIn("nothing to do about them", text)
        forged = [("203.0.113.9", 1, "fail", "fail")]
        for policy, domain in ((b"<p>none</p>", "none.test"), (b"<p>reject</p>", "reject.test")):
            self.policy = policy
            kinds, text = self.advice(domain, (forged, 1), (forged, 25))
            self.assertEqual(kinds, {"nothing-passes": ["203.0.113.0/24"]})
            self.assertIn("No message passed", text)
            self.assertIn("2 messages of 1 network: 203.0.113.0/24", text)
            self.assertIn("(2 reports by big.test)", text)
            for wrong in ("is safe", "nothing to do", "What is yours passes"):
                self.assertNotIn(wrong, text)
        self.policy = b"<p>none</p>"
        text = self.advice("rounded.test", ([("192.0.2.10", 5, "pass", "pass"), ("192.0.2.10", 4, "fail", "fail"),
                                             ("203.0.113.9", 9991, "pass", "pass"), ("203.0.113.9", 9, "fail", "fail")], 1))[1]
        self.assertRegex(text, r" 9 56 %")
        self.assertRegex(text, r"10,000 > 99 %")

    def test_the_advice_goes_step_by_step(self):
        """Four weeks of p=none, then of p=quarantine; and p=reject is not for people who write to lists."""
        ours = [("192.0.2.10", 90, "pass", "pass")]
        for policy, days, kind, words in (
                ("none", 27, "more-reports", "Wait until the reports cover four weeks before you publish p=quarantine"),
                ("none", 28, "safe-to-quarantine", "p=quarantine is safe now"),
                ("quarantine", 27, "more-reports", "four weeks of p=quarantine before you publish p=reject"),
                ("quarantine", 28, "safe-to-reject", "write to mailing lists, stay with p=quarantine")):
            self.policy = f"<p>{policy}</p>".encode()
            kinds, text = self.advice(f"{policy}{days}.test", (ours, 1), (ours, days))
            self.assertEqual(kinds, {kind: []})
            self.assertIn(words, text)
            self.assertEqual("p=reject is safe now" in text, kind == "safe-to-reject")
        japanese = self.server.run("reports", "dmarc", "--domain", "quarantine28.test", "--lang", "ja").stdout
        self.assertIn("メーリングリストに投稿", "".join(japanese.split()))

    def test_a_report_of_ours_that_comes_back_names_the_domain(self):
        parts = (("text/plain", "It could not be delivered."),
                 ("message/delivery-status", "Reporting-MTA: dns; mx.other.test\n\nFinal-Recipient: rfc822; r@other.test\nAction: failed\n"
                  "Status: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 nobody here\n"),
                 ("text/rfc822-headers", "Subject: Report Domain: other.test Submitter: alpha.test Report-ID: <1>\n"))
        raw = ("From: mailer-daemon@mx.other.test\nTo: dmarc-reports@alpha.test\nSubject: Undeliverable\nMIME-Version: 1.0\n"
               "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n" +
               "".join(f"--b\nContent-Type: {kind}\n\n{content}\n" for kind, content in parts) + "--b--\n").replace("\n", "\r\n").encode()
        bring(self.server, raw, sender="")
        bounce = eventually(lambda: [i for i in shown(self.server) if i["kind"] == "bounce"])[0]
        self.assertEqual([bounce["to"], bounce["domain"], bounce["problem"]], ["r@other.test", "other.test", "550 5.1.1 nobody here"])
        text = " ".join(self.server.run("reports", "dmarc").stdout.split())
        self.assertIn("1 report of ours did not arrive", text)
        self.assertIn("the DMARC record of other.test (rua or ruf)", text)
        self.assertIn("a report of ours did not reach r@other.test", self.server.run("trace", "dmarc-reports@alpha.test").stdout)

    def test_the_story_of_a_report_has_its_end(self):
        bring(self.server, mail_with(xml("s", [("192.0.2.10", 1, "pass", "pass")], domain="stranger.test"), "xml", "r.xml"))
        bring(self.server, mail_with(b"<nonsense/>", "xml", "r.xml"))
        told = lambda: self.server.run("trace", "dmarc-reports@alpha.test", "--most", "1000", check=False).stdout
        eventually(lambda: "ignored: a report about stranger.test (not our domain)" in told())
        eventually(lambda: "could not be read: " in told())

    def test_what_is_only_sent_on_is_put_into_no_junk(self):
        """Its sender is not proved, and the domain asks for Junk: there is no mailbox here whose Junk it could be put into."""
        mark = stamp()
        self.server.run("alias", "add", "onwards@alpha.test", "x@foreign.test")
        try:
            bring(self.server, message("d@junk.sly", "onwards@alpha.test", mark).as_bytes(policy=email.policy.SMTP),
                  to="onwards@alpha.test", sender="d@junk.sly")
            told = self.server.run("trace", "onwards@alpha.test").stdout
            self.assertIn("decision: sent-on: sent on with what was found", told)
            self.assertNotIn("put into Junk", told)
            self.assertIn("検査結果を付けて転送", self.server.run("trace", "onwards@alpha.test", "--lang", "ja").stdout)
        finally:
            self.server.run("alias", "remove", "onwards@alpha.test")

    def test_an_account_of_that_name_gets_the_mail_too(self):
        mark = stamp()
        self.server.run("alias", "add", "dmarc-reports@alpha.test", ANNA)
        try:
            bring(self.server, message("d@big.test", "x@alpha.test", mark).as_bytes(policy=email.policy.SMTP))
            eventually(lambda: any(mark.encode() in m for m in raw_messages(self.server)))
            eventually(lambda: self.events("report.unread"))  # and it is no report
        finally:
            self.server.run("alias", "remove", "dmarc-reports@alpha.test")

    def test_reports_from_the_wild(self):
        folder = VECTORS / "dmarc-reports"
        if not folder.exists():
            raise unittest.SkipTest(f"no vectors in {folder}")
        for domain in ("example.com", "example.de", "stalw.art", "borschow.com", "twlnet.com"):
            self.server.run("domain", "add", domain)
        for path in sorted(folder.glob("*/*.eml")) + sorted(folder.glob("parsedmarc/*/*.eml")):
            content = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            bring(self.server, re.sub(rb"(?im)^from:.*\r\n(?:[ \t].*\r\n)*", b"From: d@big.test\r\n", content, count=1))
        for path in sorted(folder.glob("*/*.xml")) + sorted(folder.glob("parsedmarc/aggregate/*.xml")):
            bring(self.server, mail_with(path.read_bytes(), "xml", path.name))
        bring(self.server, mail_with((folder / "parsedmarc/extract_report/nice-input.xml.zip").read_bytes(), "zip", "x.zip"))

        def domains():
            return {i["domain"]: i["reports"] for i in shown(self.server, "--since", "2010-01-01") if i["kind"] == "domain"}
        eventually(lambda: domains().get("example.com", 0) >= 7 and
                   {"example.com", "example.de", "stalw.art", "borschow.com", "twlnet.com"} <= set(domains()), timeout=30)
        failures = eventually(lambda: json.loads(self.server.run("reports", "failure", "--json").stdout))
        self.assertIn("example.com", {f["domain"] for f in failures})
        self.assertIn("10.10.10.10", {f["source"] for f in failures})

    def test_bombs_are_refused_while_others_are_served(self):
        zeros = gzip.compress(bytes(500_000_000), 9)
        lol = b"<!DOCTYPE l [<!ENTITY a \"lol\">" + b"".join(
            b"<!ENTITY %c \"%s\">" % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(9)) + b"]><feedback>&j;</feedback>"
        good = gzip.compress(xml("inner", [("192.0.2.1", 1, "pass", "pass")], org="nested.test"))
        before = len(self.events("report.unread"))
        bombs = [mail_with(zeros), mail_with(packed("r.xml", bytes(300_000_000)), "zip", "r.zip"),
                 mail_with(lol, "xml", "r.xml"), mail_with(gzip.compress(good)), mail_with(packed("r.xml.gz", good), "zip", "r.zip"),
                 mail_with(b"\x1f\x8b" + b"\xff" * 1000), mail_with(b"<feedback>" * 100_000, "xml", "r.xml")]
        slowest = 0
        with smtplib.SMTP(self.server.host, self.server.port("smtp"), timeout=20) as other:
            other.ehlo("mx.gamma.test")
            for bomb in bombs:
                bring(self.server, bomb)
                for _ in range(5):
                    began = time.monotonic()
                    self.assertEqual(other.noop()[0], 250)
                    slowest = max(slowest, time.monotonic() - began)
            eventually(lambda: len(self.events("report.unread")) >= before + len(bombs), timeout=60)
        self.assertLess(slowest, 5)
        status = pathlib.Path(f"/proc/{self.server.process.pid}/status").read_text()
        peak = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
        self.assertLess(peak, 700_000)  # kB
        items = shown(self.server)
        self.assertNotIn("nested.test", json.dumps(items))
        unread = [i for i in items if i["kind"] == "unread"]
        self.assertGreaterEqual(len(unread), len(bombs))
        self.assertTrue(all(i["problem"] and i["time"] and i["mail_from"] for i in unread), unread)
        self.assertIn("could not be read", self.server.run("reports", "dmarc", env={"LANG": "C.UTF-8"}).stdout)

    def test_the_address_is_of_our_domains_only(self):
        with smtplib.SMTP(self.server.host, self.server.port("smtp"), timeout=20) as smtp:
            smtp.ehlo("mx.big.test")
            smtp.mail("d@big.test")
            self.assertEqual(smtp.rcpt("DMARC-Reports@Alpha.test")[0], 250)
            self.assertEqual(smtp.rcpt("dmarc-reports@beta.test")[0], 550)
            self.assertEqual(smtp.rcpt("dmarc-report@alpha.test")[0], 550)


class Forged(unittest.TestCase):
    """Who is not shown to have sent a report is not believed, and keeps out nobody who is."""

    def setUp(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (folder / "zone").write_text("""
big.test. TXT "v=spf1 ip4:127.0.6.1 -all"
_dmarc.big.test. TXT "v=DMARC1; p=quarantine"
plain.test. TXT "v=spf1 ip4:127.0.6.1 -all"
evil.test. TXT "v=spf1 ip4:127.0.5.1 -all"
""")
        self.server = self.enterContext(Instance(ANNA, zone=folder / "zone"))

    def bring(self, content, sender, source):
        """Gives its story."""
        with smtplib.SMTP(self.server.host, self.server.port("smtp"), timeout=60, source_address=(source, 0)) as smtp:
            smtp.ehlo("mx.some.test")
            smtp.mail(sender)
            smtp.rcpt("dmarc-reports@alpha.test")
            code, reply = smtp.data(content)
            self.assertEqual(code, 250, reply)
        id = reply.decode().split()[-1]
        eventually(lambda: any(f"mid={id}" in line and "event=report." in line for line in self.server.log))
        return self.server.run("trace", id).stdout

    def report(self, id, count, sender="d@big.test"):
        return mail_with(xml(id, [("192.0.2.9", count, "pass", "pass")]), "xml", "r.xml", sender)

    def test_a_forged_report_is_kept_apart(self):
        evil, big = "127.0.5.1", "127.0.6.1"
        told = self.bring(self.report("one", 777), "x@evil.test", evil)
        self.assertIn("not counted: a report about alpha.test (messages: 777, passed: 777): nothing shows that it comes from big.test", told)
        self.assertNotIn("put into Junk", told)
        self.assertIn("decision: report: taken for the reports: ", told)
        text = " ".join(self.server.run("reports", "dmarc", env={"LANG": "C.UTF-8"}).stdout.split())
        self.assertIn("No reports of that time", text)
        self.assertIn("1 report is not counted: nothing proves who sent it.", text)
        self.assertIn('calls its sender "big.test": nothing shows that it comes from big.test (`hikyaku trace', text)
        self.bring(self.report("two", 888, "d@plain.test"), "x@evil.test", evil)              # no policy to fail
        japanese = "".join(self.server.run("reports", "dmarc", "--lang", "ja").stdout.split())
        self.assertIn("報告2件を数えていません", japanese)
        self.assertIn("plain.testにはDMARCポリシーがなく", japanese)
        # The true ones count; what evil.test says as itself counts as its own, whatever name it gives.
        self.assertIn("read: a report about alpha.test (messages: 3", self.bring(self.report("one", 3), "d@big.test", big))
        self.assertIn("read: ", self.bring(self.report("two", 4, "d@plain.test"), "d@plain.test", big))
        self.assertIn("read: ", self.bring(self.report("three", 5, "x@evil.test"), "x@evil.test", evil))
        self.assertIn("read: ", self.bring(self.report("three", 6), "d@big.test", big))
        self.assertIn("ignored: the same report came before", self.bring(self.report("three", 6), "d@big.test", big))
        items = shown(self.server)
        domain = of_kind(items, "domain")[0]
        self.assertEqual([domain["messages"], domain["reports"], domain["reporters"]], [18, 4, ["big.test", "evil.test", "plain.test"]])
        self.assertEqual([(i["why"], i["from"], i["messages"], i["report_id"]) for i in of_kind(items, "unproved")],
                         [("no-policy", "plain.test", 888, "two"), ("failed", "big.test", 777, "one")])

    def test_a_forged_failure_report_is_marked(self):
        failure = ("From: d@big.test\nTo: dmarc-reports@alpha.test\nSubject: FW\nMIME-Version: 1.0\n"
                   "Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n--b\n\nfailed\n--b\n"
                   "Content-Type: message/feedback-report\n\nFeedback-Type: auth-failure\nUser-Agent: x/1\nVersion: 1\n"
                   "Auth-Failure: dmarc\nReported-Domain: alpha.test\nSource-IP: 192.0.2.7\n\n--b\n"
                   "Content-Type: text/rfc822-headers\n\nFrom: a@alpha.test\nSubject: x\n\n--b--\n").replace("\n", "\r\n").encode()
        self.assertIn("read, unproved: a failure report about alpha.test: nothing shows that it comes from big.test",
                      self.bring(failure, "x@evil.test", "127.0.5.1"))
        self.assertIn("read: a failure report about alpha.test", self.bring(failure, "d@big.test", "127.0.6.1"))
        failures = json.loads(self.server.run("reports", "failure", "--json").stdout)
        self.assertEqual([(f["proof"], f["reporter_domain"]) for f in failures], [("proved", "big.test"), ("failed", "big.test")])
        self.assertIn("x@evil.test (unproved)", self.server.run("reports", "failure", env={"LANG": "C.UTF-8", "COLUMNS": "200"}).stdout)


class Out(unittest.TestCase):
    """beta.test gets mail that claims to be from alpha.test and tells alpha.test."""

    def test_a_report_goes_round(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        zone = folder / "zone"
        zone.write_text("""
alpha.test. MX 10 mx.alpha.test.
alpha.test. TXT "v=spf1 ip4:127.0.2.1 -all"
mx.alpha.test. A 127.0.2.1
_dmarc.alpha.test. TXT "v=DMARC1; p=none; rua=mailto:dmarc-reports@alpha.test,mailto:x@elsewhere.test"
beta.test. MX 10 mx.beta.test.
beta.test. TXT "v=spf1 ip4:127.0.3.1 -all"
mx.beta.test. A 127.0.3.1
_dmarc.beta.test. TXT "v=DMARC1; p=none"
elsewhere.test. MX 10 mx.elsewhere.test.
""")
        base = free_port_base("127.0.2.1")
        alpha = self.enterContext(Instance(ANNA, host="127.0.2.1", base=base, zone=zone))
        beta = self.enterContext(Instance(BOB, host="127.0.3.1", base=base, zone=zone))
        for sender, source in ((ANNA, "127.0.2.1"), (ANNA, "127.0.2.1"), (ANNA, "127.0.9.9")):
            with smtplib.SMTP(beta.host, beta.port("smtp"), timeout=20, source_address=(source, 0)) as smtp:
                smtp.ehlo("mx.alpha.test")
                smtp.send_message(message(sender, BOB, stamp()), from_addr=sender)
        sent = json.loads(beta.run("reports", "dmarc", "--send-now", "--json").stdout)
        self.assertEqual([(s["domain"], s["state"], s["messages"], s["to"]) for s in sent],
                         [("alpha.test", "sent", 3, "dmarc-reports@alpha.test")])
        self.assertEqual(json.loads(beta.run("reports", "dmarc", "--send-now", "--json").stdout), [])  # once
        items = eventually(lambda: shown(alpha))
        domain = of_kind(items, "domain")[0]
        self.assertEqual([domain["messages"], domain["passed"], domain["reporters"]], [3, 2, ["beta.test"]])
        self.assertEqual({s["network"]: s["passed"] for s in of_kind(items, "source")}, {"127.0.2.0/24": 2, "127.0.9.0/24": 0})

    def test_everybody_who_agreed_is_told_what_was_done_and_why(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        zone = folder / "zone"
        zone.write_text("""
alpha.test. MX 10 mx.alpha.test.
alpha.test. TXT "v=spf1 ip4:127.0.2.1 -all"
mx.alpha.test. A 127.0.2.1
_dmarc.alpha.test. TXT "v=DMARC1; p=reject; rua=mailto:anna@alpha.test,mailto:carl@elsewhere.test"
elsewhere.test. MX 10 mx.alpha.test.
alpha.test._report._dmarc.elsewhere.test. TXT "v=DMARC1"
9.9.0.127.in-addr.arpa. PTR out.other.test.
out.other.test. A 127.0.9.9
mx.beta.test. A 127.0.3.1
""")
        base = free_port_base("127.0.2.1")
        alpha = self.enterContext(Instance(ANNA, host="127.0.2.1", base=base, zone=zone))
        alpha.run("domain", "add", "elsewhere.test")
        alpha.add_account("carl@elsewhere.test")
        beta = self.enterContext(Instance(BOB, host="127.0.3.1", base=base, zone=zone))
        for sender, source, name, expected in (
                (ANNA, "127.0.9.8", "anywhere.test", 550),        # a second witness: SPF
                (ANNA, "127.0.2.1", "mx.alpha.test", 250),
                ("x@other.test", "127.0.9.9", "out.other.test", 250)):  # nothing but the policy speaks for refusing
            with smtplib.SMTP(beta.host, beta.port("smtp"), timeout=20, source_address=(source, 0)) as smtp:
                smtp.ehlo(name)
                smtp.mail(sender)
                smtp.rcpt(BOB)
                self.assertEqual(smtp.data(message(ANNA, BOB, stamp()).as_bytes(policy=email.policy.SMTP))[0], expected, source)
        eventually(lambda: "550 5.7.1" in beta.run("trace", BOB, check=False).stdout)   # what is refused is written a little later
        sent = json.loads(beta.run("reports", "dmarc", "--send-now", "--json").stdout)
        self.assertEqual([(s["domain"], s["messages"], s["to"]) for s in sent], [("alpha.test", 3, "anna@alpha.test, carl@elsewhere.test")])
        reports = []
        for person in (ANNA, "carl@elsewhere.test"):
            mail = email.message_from_bytes(eventually(lambda: raw_messages(alpha, person))[0])
            reports += [gzip.decompress(part.get_payload(decode=True)) for part in mail.walk() if part.get_content_type() == "application/gzip"]
        self.assertEqual([len(reports), reports[0]], [2, reports[1]])
        rows = {}
        for record in xml_tree.fromstring(reports[0]).findall("{*}record"):
            evaluated = record.find("{*}row/{*}policy_evaluated")
            rows[record.findtext("{*}row/{*}source_ip")] = [record.findtext("{*}row/{*}count"), evaluated.findtext("{*}disposition"),
                                                            [reason.findtext("{*}type") for reason in evaluated.findall("{*}reason")]]
        self.assertEqual(rows, {"127.0.2.1": ["1", "pass", []], "127.0.9.8": ["1", "reject", []], "127.0.9.9": ["1", "quarantine", ["local_policy"]]})


CLOCK = pathlib.Path(HIKYAKU).parent / "clock_shim.so"
DAY = 86400


@unittest.skipUnless(CLOCK.exists(), f"{CLOCK} is not built")
class Later(unittest.TestCase):
    """The server's clock is put forward between its starts (tests/native/clock_shim.cc): when do reports leave, and do they?"""

    def setUp(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (folder / "zone").write_text('alpha.test. MX 10 mx.alpha.test.\nmx.alpha.test. A 127.0.2.1\n'
                                     '_dmarc.alpha.test. TXT "v=DMARC1; p=none; rua=mailto:dmarc-reports@alpha.test"\n')
        self.tomorrow = (int(time.time()) // DAY + 1) * DAY
        self.beta = Instance(BOB, zone=folder / "zone")
        self.beta.quickstart()
        self.addCleanup(self.beta.__exit__)

    def start(self, days, hours, minutes=0):
        """Tomorrow, or so many days after it, at that hour (UTC)."""
        self.beta.stop()
        self.beta.env = {"LD_PRELOAD": str(CLOCK), "HIKYAKU_CLOCK_AHEAD": str(self.tomorrow + days * DAY + hours * 3600 + minutes * 60 - int(time.time()))}
        self.beta.start()

    def bring(self):
        with smtplib.SMTP(self.beta.host, self.beta.port("smtp"), timeout=20) as smtp:
            smtp.send_message(message(ANNA, BOB, stamp()), from_addr=ANNA)

    def events(self, name):
        return [line for line in self.beta.log if f"event={name}" in line]

    def test_a_report_leaves_within_four_hours_of_the_night_and_not_before(self):
        self.start(0, 12)
        self.bring()
        for days, hours, minutes in ((0, 23, 50), (1, 0, 13)):
            self.start(days, hours, minutes)
            time.sleep(2)
            self.assertEqual(self.events("report."), [])
        self.start(1, 4, 15)
        eventually(lambda: self.events("report.send"))
        self.assertRegex(self.events("report.send")[0], r"domain=alpha\.test .*to=dmarc-reports@alpha\.test .*count=1")
        self.assertEqual(json.loads(self.beta.run("reports", "dmarc", "--send-now", "--json").stdout), [])      # once

    def test_who_switches_them_off_tells_nobody_and_keeps_nothing(self):
        self.beta.configure({"dmarc.send_reports": "false"})
        self.start(0, 12)
        self.bring()
        self.start(1, 4, 15)
        time.sleep(2)
        self.assertEqual(self.events("report."), [])
        self.assertEqual(json.loads(self.beta.run("queue", "list", "--json").stdout or "[]"), [])
        # Nothing is left of that day, not even for who would send it by hand, or changes his mind.
        self.assertEqual(json.loads(self.beta.run("reports", "dmarc", "--send-now", "--json").stdout), [])
        self.beta.configure({"dmarc.send_reports": "true"})
        self.start(1, 6)
        time.sleep(1)
        self.assertEqual(self.events("report."), [])


if __name__ == "__main__":
    unittest.main()
