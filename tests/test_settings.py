"""Options that are set otherwise than they are by default, seen from outside: what else would use them below the wiring does not tell
whether the option reaches it."""
import contextlib
import json
import pathlib
import re
import smtplib
import socket
import socketserver
import tempfile
import threading
import time
import unittest

from harness import PASSWORD, Instance, eventually, free_port_base
from hostile import Meanwhile
from mail import message, messages, submit, tls
import test_sender_authentication as authentication
from test_sender_authentication import ELSEWHERE, NAMELESS, STRANGER, Elsewhere

ANNA = "anna@alpha.test"


class WhatSpeaks(authentication.Sender):
    """dmarc.speaks_for, dmarc.speaks_against, auth.blocklist_weight, dkim.max_signatures."""
    LISTED_TWICE = "127.0.6.2"
    MORE_ZONE = """\
2.6.0.127.dnsbl.stranger A 127.0.0.2
2.6.0.127.more.stranger  A 127.0.0.2
2.6.0.127.in-addr.arpa.  PTR out.stranger2
out.stranger2            A 127.0.6.2
"""

    @classmethod
    def options(cls):
        return {"dmarc.speaks_for": '["blocklisted"]', "dmarc.speaks_against": "[]", "dmarc.known_forwarders": '["127.0.6.2"]',
                "auth.blocklists": '["dnsbl.stranger.test=2", "more.stranger.test"]', "auth.blocklist_weight": 3, "dkim.max_signatures": 2}

    def test_only_what_is_named_speaks_for_refusing(self):
        """SPF says fail, and the client stands on a list of weight 2 of 3: Junk."""
        letter, subject = self.letter("carol@strict.test")
        self.deliver(letter, subject, "carol@strict.test", "Junk", source=STRANGER, helo="out.stranger.test")
        self.assertIn("nothing else speaks for that", self.story(subject))

    def test_the_weight_is_reached_and_nothing_speaks_against(self):
        """On both lists; that it is a known forwarder counts for nothing here."""
        letter, subject = self.letter("carol@strict.test")
        code, reply = self.send(letter, "carol@strict.test", source=self.LISTED_TWICE, helo="out.stranger2.test")
        self.assertEqual(code, 550, reply)
        self.assertIn("blocklist", reply)

    def test_no_more_signatures_are_looked_at(self):
        """dkim.max_signatures is 2; those of the author's domain come first."""
        self.enterContext(Meanwhile(self.server))
        for domain, others, mailbox, result in (("honest.test", 1, "INBOX", "pass"), ("honest.test", 2, "Junk", "fail"), ("list.test", 2, "INBOX", "pass")):
            with self.subTest(domain=domain, others=others):
                letter, subject = self.letter("carol@honest.test")
                signed = self.sign(letter)
                for number in range(others):
                    fields = f"v=1; a=ed25519-sha256; d={domain}; s=none{number}; h=from; bh={'A' * 43}=; b={'A' * 86}=="
                    signed = f"DKIM-Signature: {fields}\r\n" + signed
                code, reply = self.send(signed, "x@stranger.test", source=STRANGER, helo="out.stranger.test")
                self.assertEqual(code, 250, reply)
                got = self.find(subject, mailbox)
                self.assertIn(f"dmarc={result}", got["Authentication-Results"])


class Unchecked(authentication.Sender):
    """auth.check"""

    @classmethod
    def options(cls):
        return {"auth.check": "false"}

    def test_whatever_comes_is_delivered_and_nothing_is_said_of_it(self):
        """A client without a name, SPF fail, p=reject."""
        letter, subject = self.letter("carol@strict.test")
        code, reply = self.send(letter, "carol@strict.test", source=NAMELESS, helo="strict.test")
        self.assertEqual(code, 250, reply)
        self.assertIsNone(self.find(subject)["Authentication-Results"])
        told = self.story(subject)
        for check in ("spf", "dkim", "dmarc", "iprev", "decision"):
            self.assertNotIn(f"{check}:", told)


class Reports(authentication.Sender):
    """dmarc.report_from and dmarc.report_address, here one whole address for all domains."""
    MORE_ZONE = """\
told                     MX 10 mx.elsewhere
_dmarc.told              TXT "v=DMARC1; p=none; rua=mailto:reports@told.test"
"""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.elsewhere = Elsewhere((ELSEWHERE, cls.server.base + 25))
        cls.addClassCleanup(cls.elsewhere.server_close)
        cls.addClassCleanup(cls.elsewhere.shutdown)
        cls.server.run("domain", "add", "gamma.test")

    @classmethod
    def options(cls):
        return {"dmarc.report_from": '"authentication@gamma.test"', "dmarc.report_address": '"about-us@alpha.test"'}

    def test_our_reports_come_from_the_address_that_is_set(self):
        letter, subject = self.letter("carol@told.test")
        self.deliver(letter, subject, "carol@told.test")
        sent = json.loads(self.server.run("reports", "dmarc", "--send-now", "--json").stdout)
        self.assertEqual([(one["domain"], one["to"]) for one in sent], [("told.test", "reports@told.test")])
        mail = eventually(lambda: next((m for m in self.elsewhere.mails if "Report Domain: told.test" in m), None))
        self.assertRegex(mail, r"(?m)^From: [^\r]*authentication@gamma\.test")
        self.assertNotIn("about-us@", mail.split("\r\n\r\n")[0])
        self.assertTrue(any(said.startswith("MAIL FROM:<authentication@gamma.test>") for said in self.elsewhere.said), self.elsewhere.said)

    def test_others_are_asked_to_report_to_the_address_that_is_set(self):
        """The records of every domain name it, and it takes mail without an account; what is the default does not."""
        for domain in ("alpha.test", "gamma.test"):
            records = self.server.run("domain", "records", domain).stdout
            self.assertRegex(records, rf'_dmarc\.{domain}\. +IN TXT +"[^"]*rua=mailto:about-us@alpha\.test"')
        with smtplib.SMTP(self.server.host, self.server.port("smtp"), timeout=60) as smtp:
            smtp.ehlo("out.stranger.test")
            smtp.mail("x@stranger.test")
            codes = [smtp.rcpt(f"{name}@{domain}")[0] for name in ("about-us", "dmarc-reports") for domain in ("alpha.test", "gamma.test")]
        self.assertEqual(codes, [250, 550, 550, 550])


class Signatures(unittest.TestCase):
    """dkim.oversign, dkim.expiry, dkim.sign: what leaves, with keys that are active."""

    def signatures(self, options):
        """The tags of each signature of a message that leaves a server with these options."""
        zone = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())) / "zone"
        zone.write_text(f"$ORIGIN test.\n$TTL 2\nelsewhere MX 10 mx.elsewhere\nmx.elsewhere A {ELSEWHERE}\n")
        server = Instance(ANNA, base=free_port_base(ELSEWHERE), zone=zone, config=options)
        elsewhere = Elsewhere((ELSEWHERE, server.base + 25))
        self.addCleanup(elsewhere.server_close)
        self.addCleanup(elsewhere.shutdown)
        server.quickstart()
        self.addCleanup(server.__exit__)
        with zone.open("a") as more:
            more.writelines(line + "\n" for line in server.run("domain", "records", "alpha.test").stdout.splitlines() if "_domainkey" in line)
        server.start()
        keys = eventually(lambda: (lambda all: all if all and {key["state"] for key in all} == {"active"} else None)(
            json.loads(server.run("domain", "dkim", "alpha.test", "--json").stdout)))
        self.assertEqual(len(keys), 2)
        submit(server, message(ANNA, "bob@elsewhere.test", "Hello"))
        mail = eventually(lambda: next((m for m in elsewhere.mails if "Subject: Hello" in m), None))
        header = re.sub(r"\r\n[ \t]+", " ", mail.split("\r\n\r\n")[0])
        fields = [line.split(":", 1)[1] for line in header.split("\r\n") if line.lower().startswith("dkim-signature:")]
        return [dict(tag.strip().split("=", 1) for tag in field.split(";") if "=" in tag) for field in fields]

    def test_what_is_signed_once_more_and_for_how_long(self):
        found = self.signatures({"dkim.oversign": '["Subject"]', "dkim.expiry": '"30d"'})
        self.assertEqual(sorted(tags["a"] for tags in found), ["ed25519-sha256", "rsa-sha256"])
        for tags in found:
            names = "".join(tags["h"].split()).lower().split(":")
            self.assertEqual([names.count("subject"), names.count("from"), names.count("to")], [2, 1, 1])
            self.assertEqual(int(tags["x"]) - int(tags["t"]), 30 * 86400)

    def test_nothing_is_signed_when_another_server_does(self):
        self.assertEqual(self.signatures({"dkim.sign": "false"}), [])


class Deadline(unittest.TestCase):
    def test_a_resolver_that_never_answers_costs_a_second(self):
        """auth.deadline; 20 s without it."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            options = {"auth.deadline": '"1s"', "dns.resolver": f'["127.0.0.1:{silent.getsockname()[1]}"]'}
            with Instance(ANNA, config=options) as server, smtplib.SMTP(
                    server.host, server.port("smtp"), local_hostname="mx.slow.test", timeout=60) as smtp:
                smtp.ehlo()
                self.assertEqual(smtp.mail("carol@slow.test")[0], 250)
                self.assertEqual(smtp.rcpt(ANNA)[0], 250)
                began = time.monotonic()
                code, reply = smtp.data(f"From: carol@slow.test\r\nTo: {ANNA}\r\nSubject: Slow\r\n\r\nx\r\n".encode())
                took = time.monotonic() - began
                self.assertEqual(code, 451, reply)  # nothing is decided for good
                self.assertGreater(took, 0.5)
                self.assertLess(took, 15)


class Others(socketserver.ThreadingTCPServer):
    """Another mail server: holds every message until it is let go; knows how many connections it had at most."""
    allow_reuse_address = daemon_threads = True

    def __init__(self, address, go_on):
        self.go_on, self.open, self.most, self.taken, self.lock = go_on, 0, 0, 0, threading.Lock()
        super().__init__(address, Other)

    def count(self, change):
        with self.lock:
            self.open += change
            self.most = max(self.most, self.open)


class Other(socketserver.StreamRequestHandler):
    def handle(self):
        self.server.count(1)
        with contextlib.suppress(OSError):
            self.talk()
        self.server.count(-1)

    def talk(self):
        self.wfile.write(b"220 mx.elsewhere.test ESMTP\r\n")
        for line in self.rfile:
            verb = line[:4].upper()
            if verb == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                while self.rfile.readline() not in (b".\r\n", b""):
                    pass
                self.server.go_on.wait(60)
                self.server.taken += 1
            self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
            if verb == b"QUIT":
                return


class Connections(unittest.TestCase):
    def test_no_more_than_allowed(self):
        """transmit.connections_per_destination and transmit.connections: both are used up, neither is exceeded."""
        hosts = ["127.0.4.31", "127.0.4.32"]
        zone = self.enterContext(tempfile.NamedTemporaryFile("w", suffix=".zone"))
        zone.write("$ORIGIN test.\n$TTL 60\n" + "".join(f"d{i} MX 10 mx.d{i}\nmx.d{i} A {host}\n" for i, host in enumerate(hosts)))
        zone.flush()
        base, go_on = free_port_base(hosts[0]), threading.Event()
        others = []
        for host in hosts:
            others.append(Others((host, base + 25), go_on))
            threading.Thread(target=others[-1].serve_forever, daemon=True).start()
            self.addCleanup(others[-1].server_close)
            self.addCleanup(others[-1].shutdown)
        self.addCleanup(go_on.set)
        options = {"transmit.connections_per_destination": 2, "transmit.connections": 3}
        server = self.enterContext(Instance(ANNA, base=base, zone=zone.name, config=options))
        self.enterContext(Meanwhile(server))
        for n in range(5):
            for i in range(2):
                submit(server, message(ANNA, f"x{n}@d{i}.test", "Hello"), rcpt=[f"x{n}@d{i}.test"])
        eventually(lambda: sum(other.open for other in others) == 3, timeout=60)
        time.sleep(1)
        self.assertEqual(sorted(other.open for other in others), [1, 2])
        go_on.set()
        eventually(lambda: [other.taken for other in others] == [5, 5], timeout=60)
        self.assertLessEqual(max(other.most for other in others), 2)


class ConnectTimeout(unittest.TestCase):
    def test_a_host_that_does_not_answer_is_left_for_the_next(self):
        """transmit.connect_timeout, 30 s without it: the better MX lets nobody in (its backlog is full)."""
        silent, next_best = "127.0.4.41", "127.0.4.42"
        zone = self.enterContext(tempfile.NamedTemporaryFile("w", suffix=".zone"))
        zone.write(f"$ORIGIN test.\n$TTL 60\nelse MX 10 mx1.else\nelse MX 20 mx2.else\nmx1.else A {silent}\nmx2.else A {next_best}\n")
        zone.flush()
        base, go_on = free_port_base(silent), threading.Event()
        go_on.set()
        listening = self.enterContext(socket.socket())
        listening.bind((silent, base + 25))
        listening.listen(0)
        for _ in range(3):  # nobody accepts them
            waiting = self.enterContext(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((silent, base + 25))
        other = Others((next_best, base + 25), go_on)
        threading.Thread(target=other.serve_forever, daemon=True).start()
        self.addCleanup(other.server_close)
        self.addCleanup(other.shutdown)
        server = self.enterContext(Instance(ANNA, base=base, zone=zone.name, config={"transmit.connect_timeout": '"1s"'}))
        began = time.monotonic()
        submit(server, message(ANNA, "x@else.test", "Hello"), rcpt=["x@else.test"])
        eventually(lambda: other.taken, timeout=20)
        self.assertGreater(time.monotonic() - began, 0.9)  # it was tried


class ClientAddress(unittest.TestCase):
    def test_where_a_user_is_stands_in_received_only_if_it_may(self):
        """submission.hide_client_address; of other servers it is told in any case."""
        server = self.enterContext(Instance(ANNA))
        for hidden in (None, "true", "false"):
            with self.subTest(hide_client_address=hidden):
                if hidden:
                    server.configure({"submission.hide_client_address": hidden})
                    server.restart()
                for source, service, sender in (("127.0.0.91", "submission", ANNA), ("127.0.0.92", "smtp", "x@beta.test")):
                    with smtplib.SMTP(server.host, server.port(service), source_address=(source, 0), timeout=20, local_hostname="laptop.home.test") as smtp:
                        if service == "submission":
                            smtp.starttls(context=tls())
                            smtp.login(ANNA, PASSWORD)
                        smtp.send_message(message(sender, ANNA, source), from_addr=sender, to_addrs=[ANNA])
                    got = messages(server)[-1]
                    self.assertEqual(got["Subject"], source)
                    told = " ".join(got.get_all("Received"))
                    self.assertEqual(source in got.as_string().replace(f"Subject: {source}", ""), service == "smtp" or hidden == "false", told)


class QueueBytes(unittest.TestCase):
    def test_mail_for_others_waits_outside(self):
        """queue.max_bytes; mail for mailboxes here goes on."""
        zone = self.enterContext(tempfile.NamedTemporaryFile("w", suffix=".zone"))
        zone.write("$ORIGIN test.\n$TTL 60\nbeta MX 10 mx.beta\nmx.beta A 127.0.0.250\n")
        zone.flush()
        server = self.enterContext(Instance(ANNA, zone=zone.name, config={"queue.max_bytes": '"1MB"', "queue.retry": '["1h"]'}))
        self.enterContext(Meanwhile(server))

        def send(to):
            """The code of the first reply that is no, or 250."""
            try:
                submit(server, message(ANNA, to, "Large", ("0123456789" * 7 + "\n") * 10_000), rcpt=[to])
            except smtplib.SMTPRecipientsRefused as refused:
                return next(iter(refused.recipients.values()))
            except smtplib.SMTPResponseException as refused:
                return refused.smtp_code, refused.smtp_error
            return 250, b""
        said = [send(f"x{i}@beta.test") for i in range(3)]  # 700 KB each; nobody listens there
        self.assertEqual(said[0][0], 250)
        self.assertEqual(said[2][0], 452, said)
        self.assertTrue(said[2][1].startswith(b"4.3.1 "), said)
        self.assertEqual(send(ANNA)[0], 250)


if __name__ == "__main__":
    unittest.main()
