"""Delivery status notifications (RFC 3461, 3464): what senders ask for, from the envelope to the notice in their mailbox."""
import json
import smtplib
import socketserver
import tempfile
import threading
import unittest

from harness import HIKYAKU, PASSWORD, Instance, eventually, free_port_base
from mail import messages, run, stamp, tls

ANNA, BOB = "anna@alpha.test", "bob@alpha.test"
ZONE = """\
$ORIGIN test.
$TTL 60
alpha       MX 10 mx.alpha
mx.alpha    A 127.0.1.1
with        MX 10 mx.with
mx.with     A 127.0.2.2
without     MX 10 mx.without
mx.without  A 127.0.2.3
down        A 127.0.2.4
"""


class Recorder(socketserver.ThreadingTCPServer):
    """A mail server that writes down what is said to it, and refuses recipients called bad…"""
    allow_reuse_address = daemon_threads = True

    def __init__(self, host, port, offers):
        self.offers, self.said = offers, []
        super().__init__((host, port), RecorderSession)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def said_of(self, address):
        return next(line for line in self.said if f"<{address}>" in line)


class RecorderSession(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        self.say("220 recorder")
        for raw in self.rfile:
            line = raw.decode().rstrip("\r\n")
            self.server.said.append(line)
            verb = line[:4].upper()
            if verb == "EHLO":
                self.say("".join(f"250-{word}\r\n" for word in ["recorder", *self.server.offers]) + "250 HELP")
            elif verb == "RCPT" and "<bad" in line:
                self.say("550 5.1.1 nobody of that name")
            elif verb == "DATA":
                self.say("354 go on")
                while self.rfile.readline() not in (b".\r\n", b""):
                    pass
                self.say("250 2.6.0 taken")
            elif verb == "QUIT":
                return self.say("221 bye")
            else:
                self.say("250 2.0.0 fine")


class Notices(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        zone = cls.enterClassContext(tempfile.NamedTemporaryFile("w", suffix=".zone"))
        zone.write(ZONE)
        zone.flush()
        base = free_port_base("127.0.1.1")
        cls.dsn = Recorder("127.0.2.2", base + 25, ["PIPELINING", "DSN"])
        cls.plain = Recorder("127.0.2.3", base + 25, ["PIPELINING"])
        for recorder in (cls.dsn, cls.plain):
            cls.addClassCleanup(recorder.server_close)
            cls.addClassCleanup(recorder.shutdown)
        cls.server = cls.enterClassContext(Instance(ANNA, host="127.0.1.1", base=base, zone=zone.name, config={"queue.retry": '["1h"]'}))
        cls.server.add_account(BOB)
        cls.server.run("alias", "add", "one@alpha.test", "elsewhere@with.test")
        cls.server.run("alias", "add", "many@alpha.test", "bob@alpha.test", "other@with.test")

    def send(self, recipients, mail=(), service="submission", sender=ANNA):
        """recipients: {address: [parameters]}; gives the subject."""
        mark = stamp()
        if service == "submissions":
            smtp = smtplib.SMTP_SSL(self.server.host, self.server.port(service), context=tls(), timeout=20)
        else:
            smtp = smtplib.SMTP(self.server.host, self.server.port(service), timeout=20)
        with smtp:
            if service == "submission":
                smtp.starttls(context=tls())
            if service != "smtp":
                smtp.login(ANNA, PASSWORD)
            smtp.ehlo("pc1.alpha.test")
            self.assertTrue(smtp.has_extn("dsn"), service)
            for code, text in [smtp.mail(sender, list(mail)), *[smtp.rcpt(to, options) for to, options in recipients.items()]]:
                self.assertEqual(code, 250, text)
            code, text = smtp.data(f"From: {sender}\r\nSubject: {mark}\r\n\r\nthe body\r\n")
            self.assertEqual(code, 250, text)
        return mark

    def reports_about(self, mark):
        """(fields of the message, [fields of each recipient], the returned part, whole) of each notice in anna's mailbox."""
        found = []
        for m in messages(self.server, ANNA):
            if m.get_content_type() != "multipart/report" or mark not in m.as_string():
                continue
            status = [dict(fields.items()) for fields in m.get_payload()[1].get_payload()]
            found.append((status[0], status[1:], m.get_payload()[2], m))
        return found

    def report_about(self, mark):
        report, = eventually(lambda: self.reports_about(mark))
        return report

    def settled(self):
        eventually(lambda: json.loads(self.server.run("queue", "list", "--json").stdout) == [])

    def test_local_delivery_is_confirmed(self):
        for service in ("submission", "submissions"):
            with self.subTest(service):
                mark = self.send({BOB: ["NOTIFY=SUCCESS", "ORCPT=rfc822;Bob+2Bwork@alpha.test"]}, ["RET=FULL", "ENVID=order+2042"], service)
                message, (recipient,), returned, whole = self.report_about(mark)
                self.assertEqual(message["Original-Envelope-Id"], "order 42")
                self.assertEqual(recipient["Original-Recipient"], "rfc822; Bob+work@alpha.test")
                self.assertEqual(recipient["Final-Recipient"], "rfc822; bob@alpha.test")
                self.assertEqual(recipient["Action"], "delivered")
                self.assertEqual(recipient["Status"], "2.0.0")
                self.assertEqual(returned.get_content_type(), "text/rfc822-headers")  # RET is about failures
                self.assertEqual(whole["Return-Path"], "<>")
                self.assertNotIn("the body", whole.as_string())

    def test_the_confirmation_of_a_stranger_goes_to_its_server(self):
        self.send({BOB: ["NOTIFY=SUCCESS"]}, service="smtp", sender="stranger@with.test")
        eventually(lambda: any("<stranger@with.test>" in line for line in self.dsn.said))
        at = self.dsn.said.index("RCPT TO:<stranger@with.test>")
        self.assertRegex(self.dsn.said[at - 1], "^MAIL FROM:<>")

    def test_no_confirmation_unless_asked_for(self):
        marks = [self.send({BOB: options}) for options in ([], ["NOTIFY=NEVER"], ["NOTIFY=FAILURE,DELAY"])]
        last = self.send({BOB: ["NOTIFY=SUCCESS"]})
        self.report_about(last)
        self.assertEqual([self.reports_about(mark) for mark in marks], [[], [], []])

    def test_a_server_with_dsn_gets_all_of_it(self):
        mark = self.send({"a@with.test": ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;A+2Bb@x.test"], "b@with.test": [], "c@with.test": ["NOTIFY=NEVER"]},
                         ["RET=HDRS", "ENVID=e+2B1"])
        self.settled()
        at = self.dsn.said.index("RCPT TO:<a@with.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;A+2Bb@x.test")
        self.assertRegex(self.dsn.said[at - 1], r"^MAIL FROM:<anna@alpha.test>.* RET=HDRS ENVID=e\+2B1$")
        self.assertEqual(self.dsn.said[at + 1:at + 3], ["RCPT TO:<b@with.test>", "RCPT TO:<c@with.test> NOTIFY=NEVER"])
        self.assertEqual(self.reports_about(mark), [])

    def test_a_server_without_dsn_gets_nothing_and_is_reported_as_relayed(self):
        mark = self.send({"a@without.test": ["NOTIFY=SUCCESS", "ORCPT=rfc822;old@x.test"], "b@without.test": ["NOTIFY=FAILURE"]}, ["RET=FULL", "ENVID=e2"])
        message, (recipient,), _, _ = self.report_about(mark)
        self.assertEqual(message["Original-Envelope-Id"], "e2")
        self.assertEqual((recipient["Action"], recipient["Original-Recipient"]), ("relayed", "rfc822; old@x.test"))
        self.assertEqual(recipient["Remote-MTA"], "dns; mx.without.test")
        for line in self.plain.said:
            self.assertNotRegex(line, "NOTIFY|ORCPT|RET=|ENVID")
        self.settled()
        trace = self.server.run("trace", "a@without.test").stdout
        self.assertIn("RET=FULL ENVID=e2 <a@without.test> NOTIFY=SUCCESS ORCPT=rfc822;old@x.test", trace)
        self.assertIn("the sender was told of the success for a@without.test", trace)

    def test_bounces_say_what_was_asked_for(self):
        for ret, part in (("FULL", "message/rfc822"), ("HDRS", "text/rfc822-headers")):
            mark = self.send({f"bad{ret}@without.test": ["NOTIFY=FAILURE", "ORCPT=rfc822;x+3Dy@x.test"], "badnever@without.test": ["NOTIFY=NEVER"],
                              "badsuccess@without.test": ["NOTIFY=SUCCESS"]}, [f"RET={ret}", "ENVID=e3"])
            message, (recipient,), returned, whole = self.report_about(mark)
            self.assertEqual(message["Original-Envelope-Id"], "e3")
            self.assertEqual((recipient["Action"], recipient["Status"]), ("failed", "5.1.1"))
            self.assertEqual(recipient["Original-Recipient"], "rfc822; x=y@x.test")
            self.assertEqual(returned.get_content_type(), part)
            self.assertEqual("the body" in whole.as_string(), ret == "FULL")
        self.settled()
        self.assertIn("not sent: the sender wants none", self.server.run("trace", "badnever@without.test").stdout)

    def test_aliases(self):
        mark = self.send({"one@alpha.test": ["NOTIFY=SUCCESS", "ORCPT=rfc822;o@x.test"], "many@alpha.test": ["NOTIFY=SUCCESS,FAILURE"]}, ["ENVID=e4"])
        _, (recipient,), _, _ = self.report_about(mark)
        self.assertEqual((recipient["Action"], recipient["Final-Recipient"]), ("expanded", "rfc822; many@alpha.test"))
        self.settled()
        self.assertEqual(self.dsn.said_of("elsewhere@with.test"), "RCPT TO:<elsewhere@with.test> NOTIFY=SUCCESS ORCPT=rfc822;o@x.test")
        self.assertEqual(self.dsn.said_of("other@with.test"), "RCPT TO:<other@with.test> NOTIFY=FAILURE ORCPT=rfc822;many@alpha.test")

    def test_the_queue_shows_what_was_asked_for(self):
        mark = self.send({"x@down.test": ["NOTIFY=DELAY,FAILURE", "ORCPT=rfc822;h+2Bh@x.test"]}, ["RET=FULL", "ENVID=e5"])
        tried = lambda: [i for i in json.loads(self.server.run("queue", "list", "@down.test", "--json").stdout) if i["state"] == "waiting" and i["attempts"]]
        item, = eventually(tried)
        shown = self.server.run("queue", "show", item["id"].split(".")[0]).stdout
        self.assertIn("RET=FULL ENVID=e5", shown)
        self.assertIn("NOTIFY=FAILURE,DELAY ORCPT=rfc822;h+2Bh@x.test", shown)
        self.server.run("queue", "drop", "@down.test")
        self.assertEqual(self.reports_about(mark), [])

    def test_what_is_wrong_is_refused(self):
        with smtplib.SMTP(self.server.host, self.server.port("smtp"), timeout=20) as smtp:
            smtp.ehlo("mx.with.test")
            for wrong in ("RET=ALL", "ENVID=a=b", "ENVID=+2b", "ENVID=" + "x" * 101):
                self.assertEqual(smtp.mail("x@with.test", [wrong])[0], 501, wrong)
            self.assertEqual(smtp.mail("x@with.test", ["ENVID=" + "x" * 100])[0], 250)
            for wrong in ("NOTIFY=NEVER,SUCCESS", "NOTIFY=", "NOTIFY=SOMETIMES", "ORCPT=bob", "ORCPT=rfc822;a+0Ab", "ORCPT=rfc822;" + "x" * 500):
                self.assertEqual(smtp.rcpt(BOB, [wrong])[0], 501, wrong)
            self.assertEqual(smtp.rcpt(BOB, ["NOTIFY=SUCCESS,FAILURE,DELAY", "ORCPT=rfc822;" + "x" * 490])[0], 250)

    def test_sendmail_options(self):
        mark = stamp()
        run(HIKYAKU, "sendmail", "--dir", self.server.dir, "-f", ANNA, "-N", "success,failure", "-R", "hdrs", "-V", "my id", "s@with.test", BOB,
            input=f"Subject: {mark}\n\nx\n")
        message, (recipient,), _, _ = self.report_about(mark)
        self.assertEqual(message["Original-Envelope-Id"], "my id")
        self.assertEqual((recipient["Action"], recipient["Final-Recipient"]), ("delivered", "rfc822; bob@alpha.test"))
        self.settled()
        self.assertEqual(self.dsn.said_of("s@with.test"), "RCPT TO:<s@with.test> NOTIFY=SUCCESS,FAILURE")
        wrong = run(HIKYAKU, "sendmail", "--dir", self.server.dir, "-N", "sometimes", BOB, input="x\n", check=False)
        self.assertEqual(wrong.returncode, 65, wrong.stdout)


if __name__ == "__main__":
    unittest.main()
