"""Reports about single messages that fail DMARC go to the domain they claim to be from: only when switched on, asked for and agreed to."""
import email
import email.policy
import email.utils
import json
import pathlib
import re
import smtplib
import socketserver
import tempfile
import threading
import time
import unittest

from harness import Instance, eventually, free_port_base, hikyaku
from mail import message, messages, raw_messages, stamp, submit

BOB, HONEST, FORGER, COLLECTOR, ALPHA = "bob@beta.test", "127.0.2.1", "127.0.9.9", "127.0.4.1", "127.0.5.1"

ZONE = f"""\
$ORIGIN test.
$TTL 2
beta                          MX 10 mx.beta
beta                          TXT "v=spf1 ip4:127.0.3.1 -all"
_dmarc.beta                   TXT "v=DMARC1; p=reject; adkim=s"
mx.beta                       A 127.0.3.1
""" + "".join(f"""\
{name:29} MX 10 mx.collector
{name:29} TXT "v=spf1 ip4:{HONEST} -all"
{"_dmarc." + name:29} TXT "v=DMARC1; {record}"
""" for name, record in {
    "zero": "p=none; ruf=mailto:ruf@zero.test",
    "one": "p=none; fo=1; ruf=mailto:ruf@one.test",
    "sign": "p=none; fo=d; ruf=mailto:ruf@sign.test",
    "path": "p=none; fo=s; ruf=mailto:ruf@path.test",
    "strict": "p=reject; ruf=mailto:ruf@strict.test,mailto:second@strict.test",
    "away": "p=none; ruf=mailto:x@helper.test",
    "agreed": "p=none; ruf=mailto:x@helper.test",
    "moved": "p=none; ruf=mailto:x@helper.test",
    "unasked": "p=none; ruf=mailto:x@helper.test",
    "silent": "p=none",
    "many": "p=none; ruf=mailto:ruf@many.test",
    "four": "p=none; ruf=mailto:a@four.test,mailto:b@four.test,mailto:c@four.test,mailto:d@four.test",
    "evil": "p=none; ruf=mailto:x@helper.test",
    "vile": "p=none; ruf=mailto:x@helper.test",
}.items()) + f"""\
_dmarc.below.zero             TXT "v=DMARC1; p=quarantine"
helper                        MX 10 mx.collector
agreed.test._report._dmarc.helper  TXT "v=DMARC1"
moved.test._report._dmarc.helper   TXT "v=DMARC1; ruf=mailto:moved@helper.test"
;!SERVFAIL unasked.test._report._dmarc.helper.test. TXT
mx.collector                  A {COLLECTOR}
alpha                         MX 10 mx.alpha
alpha                         TXT "v=spf1 -all"
mx.alpha                      A {ALPHA}
_dmarc.alpha                  TXT "v=DMARC1; p=quarantine; ruf=mailto:dmarc-reports@alpha.test"
"""


class Collector(socketserver.ThreadingTCPServer):
    """The mail server of everybody who is told: keeps (MAIL FROM, [RCPT TO], bytes)."""
    allow_reuse_address = daemon_threads = True

    def __init__(self, address):
        self.mails = []
        super().__init__(address, CollectorSession)

    def to(self, recipient):
        return [mail for _, recipients, mail in list(self.mails) if recipient in recipients]


class CollectorSession(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"220 mx.collector.test ESMTP\r\n")
        sender, recipients = None, []
        for line in self.rfile:
            verb = line[:4].upper()
            if verb == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = iter(self.rfile.readline, b".\r\n")
                mail = b"".join(l[1:] if l.startswith(b"..") else l for l in lines)
                self.server.mails.append((sender, recipients, mail))
            elif verb == b"MAIL":
                sender, recipients = line[line.index(b"<") + 1:line.index(b">")].decode(), []
            elif verb == b"RCPT":
                recipients.append(line[line.index(b"<") + 1:line.index(b">")].decode())
            self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
            if verb == b"QUIT":
                return


def bring(server, content, sender, source=FORGER, to=BOB):
    """As another server; gives the reply's code."""
    if not isinstance(content, bytes):
        content = content.as_bytes(policy=email.policy.SMTP)
    with smtplib.SMTP(server.host, server.port("smtp"), timeout=30, source_address=(source, 0)) as smtp:
        smtp.ehlo("mx.honest.test")
        smtp.mail(sender)
        smtp.rcpt(to)
        return smtp.data(content)[0]


def read(mail):
    """(the report's fields as a Message, the header that came back, the whole)."""
    whole = email.message_from_bytes(mail, policy=email.policy.default)
    text, fields, header = whole.iter_parts()
    return email.message_from_string(fields.get_payload(decode=True).decode() if not fields.is_multipart()
                                     else fields.get_payload(0).as_string(), policy=email.policy.default), \
        email.message_from_string(header.get_content() if header.get_content_type() != "text/rfc822-headers"
                                  else header.get_payload(), policy=email.policy.default), whole


class FailureReports(unittest.TestCase):
    OPTIONS = {"dmarc.failure_reports": '"redacted"', "dmarc.failure_reports_per_domain": "6"}

    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.zone = pathlib.Path(folder) / "test.zone"
        self.zone.write_text(ZONE)
        base = free_port_base("127.0.3.1")
        self.collector = Collector((COLLECTOR, base + 25))
        threading.Thread(target=self.collector.serve_forever, daemon=True).start()
        self.addCleanup(self.collector.server_close)
        self.addCleanup(self.collector.shutdown)
        self.base = base

    def serve(self, options=None):
        self.beta = Instance(BOB, host="127.0.3.1", base=self.base, zone=self.zone,
                             config=self.OPTIONS if options is None else options)
        self.beta.quickstart()
        self.addCleanup(self.beta.__exit__)
        records = self.beta.run("domain", "records", "beta.test").stdout.splitlines()
        self.zone.write_text(ZONE + "\n".join(line for line in records if "_domainkey" in line) + "\n")
        self.beta.start()
        return self.beta

    def forge(self, domain, source=FORGER, **fields):
        mark = stamp()
        m = message(f'"Anna Secret" <anna.secret@{domain}>', "bob.secret@beta.test", f"{mark} see http://evil.test/x", "secret body\n")
        m["Message-ID"] = f"<{mark}@{domain}>"
        for name, value in fields.items():
            m[name.replace("_", "-")] = value
        code = bring(self.beta, m, f"anna.secret@{domain}", source)
        return code, mark

    def story(self, mark, **options):
        return self.beta.run("trace", f"<{mark}@{options.pop('domain')}>", **options).stdout

    def quiet(self):
        """Whatever was accepted has left: a last report that is wanted comes after all others."""
        self.forge("zero.test")
        eventually(lambda: self.collector.to("ruf@zero.test"))
        return [recipients for _, recipients, _ in self.collector.mails if recipients != ["ruf@zero.test"]]

    def test_a_report_tells_what_failed_and_names_nobody(self):
        self.serve()
        code, mark = self.forge("zero.test", X_Private="yes", List_Id="<list.zero.test>")
        self.assertEqual(code, 250)
        mail = eventually(lambda: self.collector.to("ruf@zero.test"))[0]
        sender, recipients, _ = self.collector.mails[0]
        self.assertEqual((sender, recipients), ("", ["ruf@zero.test"]))  # nobody answers a report
        report, header, whole = read(mail)
        self.assertEqual((whole.get_content_type(), whole.get_param("report-type")), ("multipart/report", "feedback-report"))
        self.assertEqual([p.get_content_type() for p in whole.iter_parts()],
                         ["text/plain", "message/feedback-report", "text/rfc822-headers"])
        self.assertEqual(whole["Auto-Submitted"], "auto-generated")
        results = report.get_all("Authentication-Results")
        self.assertEqual(len(results), 1)
        self.assertEqual({name: report[name] for name in (
            "Feedback-Type", "Version", "Auth-Failure", "Identity-Alignment", "Delivery-Result", "Source-IP", "Reported-Domain",
            "Reporting-MTA", "Incidents")},
            {"Feedback-Type": "auth-failure", "Version": "1", "Auth-Failure": "dmarc", "Identity-Alignment": "dkim, spf",
             "Delivery-Result": "delivered", "Source-IP": FORGER, "Reported-Domain": "zero.test",
             "Reporting-MTA": f"dns; {results[0].split(';')[0]}", "Incidents": None})
        self.assertRegex(report["User-Agent"], r"^hikyaku/\d")
        self.assertIsNotNone(email.utils.parsedate_to_datetime(report["Arrival-Date"]))
        self.assertRegex(report["Original-Mail-From"], r"^<[A-Za-z0-9_-]{16}@zero\.test>$")
        self.assertIn(f'"v=spf1 ip4:{HONEST} -all"', report["SPF-DNS"])
        self.assertRegex(results[0], r"dmarc=fail.*header\.from=zero\.test")
        self.assertRegex(results[0], r"spf=fail smtp\.mailfrom=[A-Za-z0-9_-]{16}@zero\.test")
        self.assertEqual(header["Message-ID"], f"<{mark}@zero.test>")
        self.assertEqual(header["List-Id"], "<list.zero.test>")
        self.assertIsNone(header["Subject"])  # is content
        for secret in (b"secret", b"Secret", b"evil.test", b"X-Private", b"bob@"):
            self.assertNotIn(secret, mail.replace(b"report", b""), secret)
        # It passes DMARC itself, by its signature: its MAIL FROM is empty.
        path = self.zone.with_name("report.eml")
        path.write_bytes(mail)
        checked = json.loads(hikyaku("dmarc", "--message", path, "--ip", "127.0.3.1", "--helo", "mx.beta.test", "--mail-from", "",
                                     "--zone", self.zone, "--json", check=False).stdout)
        self.assertEqual(checked["result"], "pass", checked)
        self.assertIn("ruf@zero.test", self.story(mark, domain="zero.test"))
        self.assertIn("失敗レポート", self.story(mark, domain="zero.test", env={"LANG": "ja_JP.UTF-8", "LC_ALL": "ja_JP.UTF-8"}))
        self.assertIn('hikyaku_failure_reports_total{outcome="sent"} 1', self.beta.run("metrics").stdout)
        self.assertTrue(any("event=report.send" in line and "what=failure" in line for line in self.beta.log))

    def test_no_recipient_and_no_content_whatever_field_they_stand_in(self):
        self.serve()
        letter = (
            'From: "for bob.secret" <anna@zero.test>\r\nTo: "Robert Hidden" <other.one@else.test>\r\nSubject: private for bob@beta.test\r\n'
            "Message-ID: <{id}@zero.test>\r\nReferences: <bob=40beta.test@x.test>\r\nIn-Reply-To: <other.one=else.test@x.test>\r\n"
            "List-Unsubscribe: <https://x.test/?u=bob%40beta.test>\r\nReturn-Path: <b+bob=beta.test@zero.test>\r\n"
            "List-Id: private list of robert.hidden <bob.list.zero.test>\r\nX-Mailer: Sender 1.0 for =?utf-8?Q?bob=40beta=2Etest?= bob\r\n"
            "User-Agent: Agent/2 (other.one@else.test)\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000 (private)\r\n"
            'Content-Type: text/plain; charset=utf-8; name="private bob.pdf"; filename=private.pdf\r\n'
            "DKIM-Signature: v=1; a=rsa-sha256; d=zero.test; s=sel; i=bob@zero.test; h=from;\r\n"
            " z=To:bob=40beta.test|Subject:private=20words; bh=AAAA; b=BBBB\r\n\r\nprivate words\r\n")
        numbers = ("number-1", "bob.beta.test.2", "3-bob%40beta.test", "=?utf-8?B?b3RoZXIub25lQGVsc2UudGVzdA==?=", "v+other.one=else.test")
        for number in numbers:
            self.assertEqual(bring(self.beta, letter.replace("{id}", number).encode(), "bounce+bob=beta.test@zero.test"), 250)
        mails = eventually(lambda: (lambda found: len(found) == len(numbers) and found)(self.collector.to("ruf@zero.test")))
        for mail in mails:
            report, header, whole = read(mail)
            told = "".join(part.as_string() for part in whole.iter_parts()).lower()
            for secret in ("bob", "robert", "other.one", "hidden", "private", "pdf", "b3rozxi"):
                self.assertNotIn(secret, told)
            self.assertEqual(sorted(header.keys()), ["Content-Type", "DKIM-Signature", "Date", "From", "Message-ID", "User-Agent", "X-Mailer"])
            self.assertEqual(header["User-Agent"], "Agent/2 redacted")
            self.assertIn("d=zero.test; s=sel", header["DKIM-Signature"])
            self.assertEqual(report["DKIM-Selector"], "sel")
        self.assertEqual(len([m for m in mails if b"Message-ID: <number-1@zero.test>" in m]), 1)
        self.assertEqual(len({read(m)[1]["Message-ID"] for m in mails}), len(numbers))

    def test_minimal_shows_even_less(self):
        self.serve({"dmarc.failure_reports": '"minimal"'})
        self.forge("zero.test", List_Id="<list.zero.test>")
        _, header, _ = read(eventually(lambda: self.collector.to("ruf@zero.test"))[0])
        self.assertEqual(sorted(header.keys()), ["From", "Message-ID"])

    def test_off_unless_switched_on(self):
        self.serve({})
        _, mark = self.forge("zero.test")
        self.assertNotIn("failure-report", self.story(mark, domain="zero.test"))
        # A report is in the queue with the reply to its message, until the collector has it.
        self.assertEqual(json.loads(self.beta.run("queue", "list", "--json").stdout), [])
        self.assertEqual(self.collector.mails, [])

    def test_what_the_record_asks_for(self):
        self.serve()
        signature = "v=1; a=rsa-sha256; d=sign.test; s=none; h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA"
        self.assertEqual([self.forge(*mail)[0] for mail in (
            ("one.test", HONEST),      # SPF passes, no signature: enough for fo=1
            ("sign.test", FORGER),     # fo=d: no signature has failed
            ("path.test", HONEST),     # fo=s: SPF passes
            ("path.test", FORGER),
            ("silent.test", FORGER),   # names no address
            ("zero.test", HONEST))], [250] * 6)  # passes
        self.assertEqual(self.forge("sign.test", HONEST, DKIM_Signature=signature)[0], 250)
        others = self.quiet()
        eventually(lambda: len(self.collector.to("ruf@sign.test")) == 1)
        self.assertEqual(sorted({tuple(r) for r in others}), [("ruf@one.test",), ("ruf@path.test",), ("ruf@sign.test",)])
        self.assertEqual(len(self.collector.mails), 4)
        self.assertEqual(len(self.collector.to("ruf@zero.test")), 1)
        one, _, _ = read(self.collector.to("ruf@one.test")[0])
        self.assertEqual((one["Identity-Alignment"], one["SPF-DNS"], one["DKIM-Domain"]), ("dkim", None, None))
        self.assertEqual(read(self.collector.to("ruf@path.test")[0])[0]["Source-IP"], FORGER)
        signed, header, _ = read(self.collector.to("ruf@sign.test")[0])
        self.assertEqual([signed[k] for k in ("DKIM-Domain", "DKIM-Selector", "DKIM-Identity", "Identity-Alignment")],
                         ["sign.test", "none", "@sign.test", "dkim"])
        self.assertIn("d=sign.test", header["DKIM-Signature"])

    def test_refused_mail_is_reported_to_every_address(self):
        self.serve()
        code, mark = self.forge("strict.test")
        self.assertEqual(code, 550)
        mail = eventually(lambda: self.collector.to("ruf@strict.test"))[0]
        self.assertEqual(self.collector.to("second@strict.test"), [mail])
        self.assertEqual(read(mail)[0]["Delivery-Result"], "reject")
        self.assertIn("ruf@strict.test", self.story(mark, domain="strict.test"))

    def test_destinations_elsewhere_must_agree(self):
        self.serve()
        marks = {domain: self.forge(domain)[1] for domain in ("away.test", "agreed.test", "moved.test", "unasked.test")}
        self.quiet()
        eventually(lambda: len(self.collector.mails) == 3)
        self.assertEqual(read(self.collector.to("x@helper.test")[0])[0]["Reported-Domain"], "agreed.test")
        self.assertEqual(len(self.collector.to("x@helper.test")), 1)
        self.assertEqual(read(self.collector.to("moved@helper.test")[0])[0]["Reported-Domain"], "moved.test")
        self.assertIn("not agreed", self.story(marks["away.test"], domain="away.test"))
        self.assertIn("could not be asked", self.story(marks["unasked.test"], domain="unasked.test"))
        metrics = self.beta.run("metrics").stdout
        self.assertIn('hikyaku_failure_reports_total{outcome="refused"} 1', metrics)
        self.assertIn('hikyaku_failure_reports_total{outcome="unasked"} 1', metrics)

    def test_no_report_about_reports_bounces_and_replies(self):
        self.serve()
        null = message("mailer-daemon@zero.test", BOB, stamp())
        self.assertEqual(bring(self.beta, null, ""), 250)
        self.forge("many.test", Auto_Submitted="auto-replied")
        self.forge("many.test", Auto_Submitted="auto-generated")  # a machine's mail may be forged
        report = message("r@many.test", BOB, stamp()).as_bytes(policy=email.policy.SMTP).replace(
            b"text/plain; charset=\"utf-8\"", b"multipart/report; report-type=feedback-report; boundary=x")
        self.assertIn(b"multipart/report", report)
        self.assertEqual(bring(self.beta, report, "r@many.test"), 250)
        self.assertEqual(bring(self.beta, message("r@many.test", "dmarc-reports@beta.test", stamp()), "r@many.test",
                               to="dmarc-reports@beta.test"), 250)
        self.quiet()
        eventually(lambda: len(self.collector.mails) == 2)
        self.assertEqual([len(self.collector.to(r)) for r in ("ruf@zero.test", "ruf@many.test")], [1, 1])

    def test_a_flood_is_limited(self):
        self.serve({**self.OPTIONS, "dmarc.failure_reports_per_domain": "2", "dmarc.failure_reports_total": "3"})
        marks = [self.forge("many.test")[1] for _ in range(5)]
        self.quiet()  # the third of the hour
        eventually(lambda: len(self.collector.mails) == 3)
        self.assertEqual(len(self.collector.to("ruf@many.test")), 2)
        stories = [self.story(mark, domain="many.test") for mark in marks]
        self.assertEqual(["too many" in s for s in stories], [False, False, True, True, True])
        _, mark = self.forge("path.test")
        self.assertIn("too many", self.story(mark, domain="path.test"))
        self.assertIn('hikyaku_failure_reports_total{outcome="limited"} 4', self.beta.run("metrics").stdout)

    def test_every_mail_that_leaves_counts(self):
        self.serve({**self.OPTIONS, "dmarc.failure_reports_per_domain": "100", "dmarc.failure_reports_total": "8"})
        for _ in range(9):
            self.forge("four.test")
        self.assertIn('hikyaku_failure_reports_total{outcome="sent"} 8', self.beta.run("metrics").stdout)
        eventually(lambda: json.loads(self.beta.run("queue", "list", "--json").stdout) == [])
        self.assertEqual(sum(len(recipients) for _, recipients, _ in self.collector.mails), 8)

    def test_strangers_do_not_use_up_what_others_get(self):
        self.serve({**self.OPTIONS, "dmarc.failure_reports_per_domain": "2"})
        for domain in ("evil.test", "vile.test") * 3:
            self.assertIn("not agreed", self.story(self.forge(domain)[1], domain=domain))
        marks = [self.forge("agreed.test")[1] for _ in range(3)]
        self.assertEqual(["too many" in self.story(mark, domain="agreed.test") for mark in marks], [False, False, True])
        eventually(lambda: len(self.collector.to("x@helper.test")) == 2)

    def test_another_hikyaku_reads_it(self):
        self.serve()
        alpha = self.enterContext(Instance("anna@alpha.test", host=ALPHA, base=self.base, zone=self.zone))
        _, mark = self.forge("alpha.test")
        found = eventually(lambda: json.loads(alpha.run("reports", "failure", "--json").stdout))
        self.assertEqual([(f["domain"], f["source"], f["reporter"]) for f in found], [("alpha.test", FORGER, "mail.beta.test")])
        self.assertIn(mark, found[0]["subject"])  # its number, which has it too
        self.assertTrue(any(mark.encode() in m for m in raw_messages(self.beta, mailbox="Junk")))
        # Our own domain is told of what comes here in its name like any other.
        self.zone.write_text(self.zone.read_text().replace("p=reject; adkim=s", "p=none; ruf=mailto:dmarc-reports@beta.test"))
        self.beta.restart()
        self.forge("beta.test")
        found = eventually(lambda: json.loads(self.beta.run("reports", "failure", "--json").stdout))
        self.assertEqual([f["domain"] for f in found], ["beta.test"])


class TwoThatReport(unittest.TestCase):
    """Each refuses or distrusts all that the other sends, reports included, and each tells the other of it."""
    ZONE = """\
$ORIGIN test.
$TTL 2
{name}        MX 10 mx.{name}
{name}        TXT "v=spf1 -all"
mx.{name}     A {host}
_dmarc.{name} TXT "v=DMARC1; p={policy}; fo=1:d:s; rua=mailto:dmarc-reports@{name}.test; ruf=mailto:dmarc-reports@{name}.test"
"""
    HOSTS = {"alpha": "127.0.3.1", "beta": "127.0.5.1"}

    def round(self, policy):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        zone = pathlib.Path(folder) / "test.zone"
        zone.write_text("".join(self.ZONE.format(name=name, host=host, policy=policy) for name, host in self.HOSTS.items()))
        base = free_port_base("127.0.3.1")
        alpha, beta = self.servers = [self.enterContext(Instance(f"{user}@{name}.test", host=self.HOSTS[name], base=base, zone=zone, config={
            "dmarc.failure_reports": '"redacted"', "dmarc.failure_reports_per_domain": "1000", "dmarc.failure_reports_total": "1000"}))
            for user, name in (("anna", "alpha"), ("bob", "beta"))]
        for here, there in ((alpha, beta), (beta, alpha)):
            bring(here, message(f"forged@{there.domain}", here.address, "Forged"), f"forged@{there.domain}", to=here.address)
            submit(here, message(here.address, there.address, "Honest"))
        self.rest(2)
        return alpha, beta

    def reports(self, server):
        return [line for line in server.log if "event=report.send" in line and "what=failure" in line]

    def rest(self, each):
        """Nothing is on its way any more, and each has sent as many failure reports."""
        empty = lambda: all(json.loads(s.run("queue", "list", "--json").stdout) == [] for s in self.servers)
        calm = lambda: empty() and (time.sleep(1), empty())[1]
        eventually(lambda: all(len(self.reports(s)) == each for s in self.servers) and calm(), timeout=30)
        self.assertEqual([len(self.reports(s)) for s in self.servers], [each, each])

    def check_aggregates(self):
        """The daily reports tell of the mail, cause no failure reports, and end when there is no more of it."""
        for _ in range(2):
            for server in self.servers:
                server.run("reports", "dmarc", "--send-now")
            self.rest(2)
        self.assertEqual([json.loads(s.run("reports", "dmarc", "--send-now", "--json").stdout) for s in self.servers], [[], []])

    def test_when_all_is_refused(self):
        for server in self.round("reject"):
            # What a user sent comes back to him; no bounce and no report does.
            self.assertEqual([m.get_param("report-type") for m in messages(server)], ["delivery-status"])
            self.assertEqual(json.loads(server.run("reports", "failure", "--json").stdout), [])
        self.check_aggregates()

    def test_when_all_comes_in(self):
        for server in self.round("none"):
            self.assertEqual({m["Subject"] for box in ("INBOX", "Junk") for m in messages(server, mailbox=box)}, {"Forged", "Honest"})
            eventually(lambda: len(json.loads(server.run("reports", "failure", "--json").stdout)) == 2)
        self.check_aggregates()


if __name__ == "__main__":
    unittest.main()
