"""Who really sent this: SPF, DKIM, DMARC, ARC on mail from other servers, over the wire, with a zone file for the DNS."""
import base64
import email.header
import email.utils
import pathlib
import smtplib
import socketserver
import subprocess
import tempfile
import threading
import unittest

from harness import PASSWORD, Instance, eventually, free_port_base, hikyaku
from mail import imap, message, messages, raw_messages, submit, tls

OURS, STRANGER, NAMELESS, ELSEWHERE = "127.0.5.1", "127.0.6.1", "127.0.7.1", "127.0.4.9"

ZONE = """\
$ORIGIN test.
$TTL 60
1.5.0.127.in-addr.arpa.  PTR out.honest
out.honest               A {OURS}
1.6.0.127.in-addr.arpa.  PTR out.stranger
out.stranger             A {STRANGER}
1.8.0.127.in-addr.arpa.  PTR out.honest
;!SERVFAIL 1.9.0.127.in-addr.arpa.

honest                   TXT "v=spf1 ip4:{OURS} -all"
_dmarc.honest            TXT "v=DMARC1; p=reject"
sel._domainkey.honest    TXT "v=DKIM1; k=ed25519; p={KEY}"
try._domainkey.honest    TXT "v=DKIM1; k=ed25519; t=y; p={KEY}"
uni                      TXT "v=spf1 ip4:{OURS} -all"
_dmarc.dept.uni          TXT "v=DMARC1; p=none; psd=n"
meant                    TXT "v=spf1 ip4:{OURS} ?all"
decoy                    TXT "v=spf1 +all"
_dmarc.decoy             TXT "v=DMARC1; p=none"
strict                   TXT "v=spf1 ip4:{OURS} -all"
_dmarc.strict            TXT "v=DMARC1; p=reject"
quarantine               TXT "v=spf1 ip4:{OURS} ~all"
_dmarc.quarantine        TXT "v=DMARC1; p=quarantine"
_dmarc.testing           TXT "v=DMARC1; p=none; sp=reject; t=y"
lenient                  TXT "v=spf1 ip4:{OURS} ?all"
_dmarc.lenient           TXT "v=DMARC1; p=none"
stranger                 TXT "v=spf1 ip4:{STRANGER} ip4:{NAMELESS} -all"
failing                  TXT "v=spf1 -all"
loop                     TXT "v=spf1 include:loop.test -all"
list                     TXT "v=spf1 ip4:{STRANGER} -all"
sel._domainkey.list      TXT "v=DKIM1; k=ed25519; p={KEY}"
sel._domainkey.stranger  TXT "v=DKIM1; k=ed25519; p={KEY}"
elsewhere                MX 10 mx.elsewhere
mx.elsewhere             A {ELSEWHERE}
honest                   MX 10 mx.elsewhere
failing                  MX 10 mx.elsewhere
strict                   MX 10 mx.elsewhere
quarantine               MX 10 mx.elsewhere
_dmarc.broken            TXT "v=DMARC1; p=reject"
;!SERVFAIL _dmarc.dead.test. TXT
;!SERVFAIL half.test. TXT
_dmarc.half              TXT "v=DMARC1; p=reject"
;!TIMEOUT lame._domainkey.honest.test. TXT
1.6.0.127.dnsbl.stranger A 127.0.0.2
1.5.0.127.dnsbl.stranger A 192.0.2.1
"""


class Sender(unittest.TestCase):
    number = 0
    MORE_ZONE = ""

    @classmethod
    def setUpClass(cls):
        folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.folder, cls.key = folder, folder / "key.pem"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", cls.key], check=True, capture_output=True)
        public = subprocess.run(["openssl", "pkey", "-in", cls.key, "-pubout", "-outform", "DER"], check=True,
                                capture_output=True).stdout[-32:]

        zone = folder / "zone"
        zone.write_text((ZONE + cls.MORE_ZONE).format(OURS=OURS, STRANGER=STRANGER, NAMELESS=NAMELESS, ELSEWHERE=ELSEWHERE,
                                    KEY=base64.b64encode(public).decode()))
        cls.zone = zone
        cls.server = cls.enterClassContext(Instance("anna@alpha.test", base=free_port_base("127.0.0.1"), zone=zone, config=cls.options()))
        cls.server.add_account("bob@alpha.test")

    @classmethod
    def options(cls):
        return {}

    def letter(self, author, subject=None, more="", body="How are you?\r\n"):
        Sender.number += 1
        subject = subject or f"Letter {Sender.number}"
        header = author if "From" in author.split(":")[0] else f"From: {author}"
        return (f"{more}{header}\r\nTo: anna@alpha.test\r\nSubject: {subject}\r\nMessage-ID: <{Sender.number}@x.test>\r\n"
                f"Date: Mon, 05 Oct 2026 10:00:00 +0900\r\n\r\n{body}"), subject

    def sign(self, letter, domain="honest.test", selector="sel"):
        path = self.folder / "letter.eml"
        path.write_bytes(letter.encode())
        return hikyaku("dkim", "sign", path, "--domain", domain, "--selector", selector, "--key", self.key).stdout \
            .replace("\r\n", "\n").replace("\n", "\r\n")

    def send(self, letter, sender, source=OURS, helo="out.honest.test", rcpt="anna@alpha.test", notify=None):
        """The reply to the data."""
        with smtplib.SMTP(self.server.host, self.server.port("smtp"), local_hostname=helo, timeout=60,
                          source_address=(source, 0)) as smtp:
            smtp.ehlo()
            code, reply = smtp.mail(sender)
            self.assertEqual(code, 250, reply)
            for to in [rcpt] if isinstance(rcpt, str) else rcpt:
                code, reply = smtp.rcpt(to, [f"NOTIFY={notify}"] if notify else [])
                self.assertEqual(code, 250, reply)
            code, reply = smtp.data(letter.encode())
            return code, reply.decode()

    def find(self, subject, mailbox="INBOX", user=None):
        found = [m for m in messages(self.server, user, mailbox) if m["Subject"] == subject]
        return found[0] if found else None

    def deliver(self, letter, subject, sender, mailbox="INBOX", **how):
        """Sends it, expects it in this mailbox and no other; gives it with its results on one line."""
        code, reply = self.send(letter, sender, **how)
        self.assertEqual(code, 250, reply)
        got = self.find(subject, mailbox)
        self.assertIsNotNone(got, f"not in {mailbox}")
        self.assertIsNone(self.find(subject, "Junk" if mailbox == "INBOX" else "INBOX"))
        return got, " ".join(got["Authentication-Results"].split())

    def story(self, subject, *more):
        """What is told of the message, also of one that was refused: that is written a little later."""
        number = f"<{subject.split()[1]}@x.test>"
        done = eventually(lambda: (lambda d: d.returncode == 0 and d)(self.server.run("trace", number, *more, check=False)))
        return " ".join(done.stdout.split())


class Outcomes(Sender):
    def test_what_the_older_rules_would_have_said_is_told_when_it_differs(self):
        """A department that is an organisation of its own (psd=n): the public suffix list does not know it."""
        letter, subject = self.letter("x@dept.uni.test")
        _, results = self.deliver(letter, subject, "x@uni.test")
        self.assertIn("dmarc=fail", results)
        self.assertIn("by the older rules (RFC 7489) it would be pass, policy none", self.story(subject))
        self.assertIn("以前の規則 (RFC 7489) では pass、ポリシー none", self.story(subject, "--lang", "ja"))
        letter, subject = self.letter("x@honest.test")
        self.deliver(letter, subject, "x@honest.test")
        self.assertNotIn("7489", self.story(subject))

    def test_odd_senders_are_the_domain_that_is_meant_or_are_refused(self):
        """decoy.test lets everybody send. Whatever stands around x@meant.test, SPF is not asked about decoy.test."""
        taken = refused = 0
        for path in ("<x@meant.test>", "<@decoy.test:x@meant.test>", "<@decoy.test,@decoy.test:x@meant.test>", '<"x@decoy.test"@meant.test>',
                     '<"x y"@meant.test>', '<"x\\"@decoy.test\\""@meant.test>', '<"@decoy.test:x"@meant.test>', '<"<x@decoy.test>"@meant.test>',
                     "<x%decoy.test@meant.test>", "<decoy.test!x@meant.test>", "<x@meant.test> <x@decoy.test>", "<x@meant.test><x@decoy.test>",
                     "<x@meant.test>x@decoy.test", "<x@meant.test>, <x@decoy.test>", "<x(@decoy.test)@meant.test>", "<x@meant.test(@decoy.test)>",
                     "<x@(decoy.test)meant.test>", "(x@decoy.test) <x@meant.test>", "decoy.test <x@meant.test>", '"x@decoy.test" <x@meant.test>',
                     "<x@decoy.test@meant.test>", "<x@meant.test@decoy.test>", "<x@meant.test,x@decoy.test>", "<x@meant.test\\@decoy.test>",
                     "<x@meant.test >", "< x@meant.test>", "<x@meant.test\t@decoy.test>", "<x@MEANT.test>", "<x@meant.test.>", "x@meant.test",
                     "<x@meant.test> AUTH=x@decoy.test", "<x@meant.test> X=<x@decoy.test>"):
            with self.subTest(path), smtplib.SMTP(self.server.host, self.server.port("smtp"), local_hostname="out.stranger.test", timeout=60,
                                                  source_address=(STRANGER, 0)) as smtp:
                smtp.ehlo()
                code, reply = smtp.docmd(f"MAIL FROM:{path}")
                if code != 250:
                    self.assertRegex(f"{code} {reply.decode()}", r"^5\d\d 5\.")
                    refused += 1
                    continue
                taken += 1
                letter, subject = self.letter("x@decoy.test")
                self.assertEqual([smtp.rcpt("anna@alpha.test")[0], smtp.data(letter.encode())[0]], [250, 250])
                results = " ".join(self.find(subject)["Authentication-Results"].split())
                # The From field says decoy.test: only its own SPF would let it pass.
                self.assertRegex(results, r"spf=neutral [^;]*smtp\.mailfrom=[^;]*@?meant\.test")
                self.assertIn("dmarc=fail", results)
                self.assertIn("spf: neutral: meant.test says", self.story(subject))
        self.assertGreater(taken, 5)
        self.assertGreater(refused, 10)

    def test_an_honest_message_passes_everything(self):
        letter, subject = self.letter("carol@honest.test")
        got, results = self.deliver(self.sign(letter), subject, "carol@honest.test")
        for word in ("dmarc=pass", "spf=pass", "dkim=pass", "header.d=honest.test", "iprev=pass", "policy.iprev=127.0.5.1",
                     "smtp.mailfrom=carol@honest.test", "header.from=honest.test policy.dmarc=reject"):
            self.assertIn(word, results)
        names = [name for name, _ in got.items()]
        self.assertEqual(names[:4], ["Return-Path", "Delivered-To", "Authentication-Results", "Received"])
        self.assertIn("out.honest.test", got["Received"])
        told = self.story(subject)
        for word in ("its address has the name out.honest.test (confirmed)", "honest.test says that this client may send its mail",
                     "signed by honest.test", "it comes from honest.test, as SPF (honest.test), DKIM (honest.test) shows",
                     "delivered: it is verified", "_dmarc.honest.test"):
            self.assertIn(word, told)
        self.assertIn("検証に合格した", self.story(subject, "--lang", "ja"))

    def test_without_records_it_is_delivered(self):
        letter, subject = self.letter("carol@nothing.test")
        _, results = self.deliver(letter, subject, "carol@nothing.test", source=NAMELESS)
        for word in ("dmarc=none", "spf=none", "dkim=none", "iprev=permerror"):
            self.assertIn(word, results)

    def test_softfail_and_quarantine_go_into_junk(self):
        letter, subject = self.letter("carol@quarantine.test")
        _, results = self.deliver(letter, subject, "carol@quarantine.test", "Junk", source=STRANGER, helo="out.stranger.test")
        self.assertIn("dmarc=fail", results)
        self.assertIn("spf=softfail", results)
        told = self.story(subject)
        self.assertIn("put into Junk: it failed, and the domain asks for Junk", told)
        self.assertIn("mailbox Junk of anna@alpha.test", told)

    def test_the_policy_that_applies_is_in_the_field(self):
        """p=none; sp=reject; t=y: one step weaker than what the domain above says of its subdomains."""
        letter, subject = self.letter("carol@shop.testing.test")
        _, results = self.deliver(letter, subject, "x@stranger.test", "Junk", source=STRANGER, helo="out.stranger.test")
        self.assertRegex(results, r"dmarc=fail [^;]*header\.from=shop\.testing\.test policy\.dmarc=quarantine;")

    def test_policy_none_is_delivered(self):
        letter, subject = self.letter("carol@lenient.test")
        _, results = self.deliver(letter, subject, "x@stranger.test", source=STRANGER, helo="out.stranger.test")
        self.assertIn("dmarc=fail", results)

    def test_reject_alone_refuses_nothing(self):
        letter, subject = self.letter("carol@strict.test")
        self.deliver(letter, subject, "x@stranger.test", "Junk", source=STRANGER, helo="out.stranger.test")
        self.assertIn("nothing else speaks for that", self.story(subject))

    def test_reject_with_a_second_witness_is_refused(self):
        letter, subject = self.letter("carol@strict.test")
        for how, witness in [
                (dict(sender="carol@strict.test", source=STRANGER, helo="out.stranger.test"), "SPF says fail for MAIL FROM"),
                (dict(sender="x@stranger.test", source=STRANGER, helo="strict.test"), "SPF says fail for HELO"),
                (dict(sender="x@stranger.test", source=NAMELESS, helo="out.stranger.test"), "no name of the client"),
                # A name that does not lead back is none.
                (dict(sender="x@nothing.test", source="127.0.8.1", helo="out.stranger.test"), "no name of the client"),
        ]:
            with self.subTest(witness=witness):
                code, reply = self.send(letter, **how)
                self.assertEqual(code, 550, reply)
                self.assertTrue(reply.startswith("5.7.1 "), reply)
                for word in ("DMARC", "strict.test", witness):
                    self.assertIn(word, reply.replace("\n5.7.1 ", " "))
        self.assertIsNone(self.find(subject))
        told = self.story(subject)
        self.assertIn("refused: it failed, the domain asks for refusal, and more speaks for it", told)
        self.assertIn("strict.test says that this client may not send its mail", told)

    def test_a_name_that_cannot_be_asked_for_is_no_witness(self):
        """It may be there, and lead back: nothing is refused for good because of it."""
        letter, subject = self.letter("carol@strict.test")
        _, results = self.deliver(letter, subject, "x@nothing.test", "Junk", source="127.0.9.1", helo="out.stranger.test")
        self.assertIn("iprev=temperror", results)
        told = self.story(subject)
        self.assertIn("nothing else speaks for that", told)
        self.assertIn("the name of the address could not be asked for", told)
        self.assertIn("アドレスの逆引き名を問い合わせできません", self.story(subject, "--lang", "ja"))

    def test_a_signature_carries_what_a_forwarder_brings(self):
        letter, subject = self.letter("carol@honest.test")
        _, results = self.deliver(self.sign(letter), subject, "carol@honest.test", source=STRANGER, helo="out.stranger.test")
        self.assertIn("spf=fail", results)
        self.assertIn("dmarc=pass", results)

    def test_a_changed_body_breaks_it(self):
        letter, subject = self.letter("carol@honest.test")
        signed = self.sign(letter).replace("How are you?", "Send money.")
        code, reply = self.send(signed, "carol@honest.test", source=STRANGER, helo="out.stranger.test")
        self.assertEqual(code, 550, reply)

    def test_spf_fail_alone_is_marked_not_refused(self):
        letter, subject = self.letter("carol@failing.test")
        _, results = self.deliver(letter, subject, "carol@failing.test")
        self.assertIn("spf=fail", results)
        self.assertIn("SPF says fail, which is marked and weighs", self.story(subject))

    def test_a_bounce_is_checked_by_its_helo(self):
        letter, subject = self.letter("mailer-daemon@honest.test")
        _, results = self.deliver(letter, subject, "", helo="honest.test")
        self.assertIn("dmarc=pass", results)
        self.assertIn("smtp.mailfrom=postmaster@honest.test", results)

    def test_what_cannot_be_asked_is_asked_for_again(self):
        for author, sender in [("carol@half.test", "carol@half.test"), ("carol@dead.test", "x@stranger.test")]:
            letter, subject = self.letter(author)
            code, reply = self.send(letter, sender, source=STRANGER, helo="out.stranger.test")
            self.assertEqual(code, 451, reply)
            self.assertTrue(reply.startswith("4.7."), reply)
            self.assertIn("later", reply)
            told = self.story(subject)
            self.assertIn("to be sent again later: ", told)
        self.assertIn("to be sent again later: DNS could not be asked", told)
        letter, subject = self.letter("carol@honest.test")  # its key cannot be asked for, and nothing else passes
        code, reply = self.send(self.sign(letter, selector="lame"), "x@stranger.test", source=STRANGER, helo="out.stranger.test")
        self.assertEqual(code, 451, reply)

    def test_junk_is_made_when_it_is_missing(self):
        self.server.add_account("dora@alpha.test")
        client = imap(self.server, "dora@alpha.test")
        self.assertEqual(client.delete("Junk")[0], "OK")
        client.logout()
        letter, subject = self.letter("carol@quarantine.test")
        code, reply = self.send(letter, "x@stranger.test", source=STRANGER, rcpt="dora@alpha.test")
        self.assertEqual(code, 250, reply)
        self.assertIsNotNone(self.find(subject, "Junk", "dora@alpha.test"))

    def test_submitted_mail_says_who_logged_in(self):
        submit(self.server, message("anna@alpha.test", "bob@alpha.test", "Submitted"))
        results = " ".join(self.find("Submitted", user="bob@alpha.test")["Authentication-Results"].split())
        self.assertIn("auth=pass", results)
        self.assertIn("smtp.auth=anna@alpha.test", results)


class BadInput(Sender):
    def test_forged_results_are_removed_and_others_stay(self):
        name = self.host_name()
        letter, subject = self.letter("carol@lenient.test", more=(
            f"Authentication-Results: {name}; dmarc=pass header.from=bank.test\r\n"
            f"authentication-results :\r\n (x) {name.upper()} 1; spf=pass\r\n"
            + "Authentication-Results:" + 1361 * "\r\n " + f"{name}; dmarc=pass header.from=bank.test\r\n"
            f"Authentication-Results: \x0b{name}.; dmarc=pass header.from=bank.test\r\n"
            f"Authentication-Results: ; {name}; dmarc=pass header.from=bank.test\r\n"
            # Shown as our name by programs that decode, or compare by how it looks.
            f"Authentication-Results: =?utf-8?b?{base64.b64encode(name.encode()).decode()}?=; dmarc=pass header.from=bank.test\r\n"
            f"Authentication-Results: i=1; {name}; dmarc=pass header.from=bank.test\r\n"
            f"Authentication-Results: {chr(ord(name[0]) - 0x21 + 0xff01)}{name[1:]}; dmarc=pass header.from=bank.test\r\n"
            f"Authentication-Results: {name[0]}\u00ad{name[1:]}; dmarc=pass header.from=bank.test\r\n"
            "Authentication-Results: mx.elsewhere.test; spf=pass smtp.mailfrom=a@b.test\r\n"))
        # Its name and its colon on two lines: no field for us, one for others.
        letter = letter.replace("\r\nTo:", f"\r\nAuthentication-Results\r\n : {name}; dmarc=pass header.from=folded.test\r\n"
                                 f"Authentication-Results\r\n ; {name}; dmarc=pass header.from=folded.test\r\nTo:", 1)
        got, _ = self.deliver(letter, subject, "x@stranger.test", source=STRANGER)
        self.assertNotIn("folded.test", got.as_string())
        fields = [" ".join(f.split()) for f in got.get_all("Authentication-Results")]
        self.assertEqual(len(fields), 2, fields)
        self.assertTrue(fields[0].startswith(name) and "dmarc=fail" in fields[0])
        self.assertTrue(fields[1].startswith("mx.elsewhere.test"))
        self.assertIn("11 fields that claim to be from " + name, self.story(subject))

    def test_a_forged_return_path_is_removed(self):
        """There is one, ours (RFC 5321 4.4): programs that take the last one would show the other. Signatures are
        checked on what came."""
        letter, subject = self.letter("carol@honest.test", more="Return-Path: <ceo@bank.test>\r\nreturn-path :\r\n <ceo@bank.test>\r\n")
        path = self.folder / "letter.eml"
        path.write_bytes(letter.encode())
        letter = hikyaku("dkim", "sign", path, "--domain", "honest.test", "--selector", "sel", "--key", self.key,
                         "--headers", "from:subject:return-path").stdout.replace("\r\n", "\n").replace("\n", "\r\n")
        got, results = self.deliver(letter, subject, "x@stranger.test", source=STRANGER)
        self.assertEqual(got.get_all("Return-Path"), ["<x@stranger.test>"])
        self.assertIn("dkim=pass", results)
        raw = next(m for m in raw_messages(self.server) if f"Subject: {subject}\r\n".encode() in m)
        self.assertNotIn(b"bank.test", raw)
        self.assertTrue(raw.startswith(b"Return-Path: <x@stranger.test>\r\n"))
        self.assertIn("a Return-Path field that came with it was removed", self.story(subject))
        self.assertIn("Return-Path を取り除きました".replace(" ", ""), self.story(subject, "--lang", "ja").replace(" ", ""))
        # Its name and its colon on two lines: no field for us, one for others.
        letter, subject = self.letter("carol@lenient.test")
        letter = letter.replace("\r\nTo:", "\r\nReturn-Path\r\n : <ceo@bank.test>\r\nTo:", 1)
        self.deliver(letter, subject, "x@stranger.test", source=STRANGER)
        raw = next(m for m in raw_messages(self.server) if f"Subject: {subject}\r\n".encode() in m)
        self.assertNotIn(b"bank.test", raw)

    def host_name(self):
        letter, subject = self.letter("carol@nothing.test")
        got, results = self.deliver(letter, subject, "x@nothing.test")
        return results.split(";")[0]

    def test_what_an_mbox_puts_in_front_is_not_delivered(self):
        """Behind our own fields it would be a line at which some programs end the header, and say another sender."""
        letter, subject = self.letter("carol@honest.test")
        # What is folded behind it would continue the last field of ours.
        line = "From ceo@bank.test Mon Jan  1 00:00:00 2026\r\n spf=pass smtp.mailfrom=bank.test\r\n"
        _, results = self.deliver(line + self.sign(letter), subject, "x@stranger.test", source=STRANGER)
        self.assertIn("dkim=pass", results)
        raw = next(m for m in raw_messages(self.server) if f"Subject: {subject}\r\n".encode() in m)
        self.assertNotIn(b"bank.test", raw)

    def test_a_signature_is_checked_on_what_was_signed(self):
        """A forged field that was there when the message was signed does not break the signature by its removal."""
        name = self.host_name()
        letter, subject = self.letter("carol@honest.test", more=f"Authentication-Results: {name}; spf=pass\r\n")
        got, results = self.deliver(self.sign(letter), subject, "x@stranger.test", source=STRANGER)
        self.assertIn("dkim=pass", results)
        self.assertEqual(len(got.get_all("Authentication-Results")), 1)

    def test_nothing_shown_otherwise_than_verified_passes(self):
        for author in ["From: carol@honest.test\r\nFrom: boss@strict.test",
                       "From: boss@strict.test\r\nFrom: carol@honest.test",
                       "From : boss@strict.test\r\nFrom: carol@honest.test",
                       "\"boss@strict.test\" <carol@honest.test> boss@strict.test",
                       "boss@strict.test <carol@honest.test>",
                       "<@strict.test:carol@honest.test>",
                       "=?utf-8?q?boss=40strict=2Etest?= <carol@honest.test>, x@strict.test",
                       "carol@honest.test (boss@strict.test) , boss@strict.test",
                       "undisclosed:;"]:
            with self.subTest(author=author):
                letter, subject = self.letter(author)
                code, reply = self.send(letter, "carol@honest.test")
                if code == 250:
                    got = self.find(subject, "Junk")
                    self.assertIsNotNone(got, "not in Junk")
                    self.assertNotIn("dmarc=pass", got["Authentication-Results"])
                else:
                    self.assertEqual(code, 550, reply)

    @staticmethod
    def decoded_first(author):
        text = str(email.header.make_header(email.header.decode_header(author)))
        try:
            return [address for _, address in email.utils.getaddresses([text], strict=False)]
        except TypeError:  # before Python could be strict
            return [address for _, address in email.utils.getaddresses([text])]

    def assert_in_junk(self, letter, subject, *arguments, **more):
        """It fails, and by that alone nobody is refused."""
        code, reply = self.send(letter, *arguments, **more)
        self.assertEqual(code, 250, reply)
        got = self.find(subject, "Junk")
        self.assertIsNotNone(got, "not in Junk")
        self.assertIn("dmarc=fail", got["Authentication-Results"])

    def test_whoever_decodes_first_sees_nobody_else(self):
        """Programs that decode encoded words before they parse (Python's usual way is one) are not shown somebody who was not verified."""
        hidden = "boss@strict.test"
        for author in ["=?utf-8?q?boss=40strict=2Etest=2C?= <carol@honest.test>",
                       "=?utf-8?b?Ym9zc0BzdHJpY3QudGVzdCw=?= <carol@honest.test>",
                       "=?utf-8?q?boss=40?=strict.test <carol@honest.test>",
                       "=?utf-8?q?boss=40?=\r\n =?utf-8?q?strict=2Etest=2C?= <carol@honest.test>",
                       "(=?utf-8?q?=29_boss=40strict=2Etest=2C_=28?=) carol@honest.test",
                       "\"=?utf-8?q?=22boss=40strict=2Etest=22?=\" <carol@honest.test>",
                       "=?utf-8?q?boss=40strict.test, ?= <carol@honest.test>"]:
            with self.subTest(author=author):
                self.assertTrue(any(hidden in address for address in self.decoded_first(author)))
                letter, subject = self.letter(author)
                self.assert_in_junk(letter, subject, "carol@honest.test")
                self.assertIn("an encoded word in From is, or hides, an address", self.story(subject))
                self.assertIn("エンコードされた語", self.story(subject, "--lang", "ja"))

    def submit_as_bob(self, letter):
        with smtplib.SMTP(self.server.host, self.server.port("submission"), timeout=20) as smtp:
            smtp.starttls(context=tls())
            smtp.login("bob@alpha.test", PASSWORD)
            smtp.mail("bob@alpha.test")
            smtp.rcpt("anna@alpha.test")
            return smtp.data(letter.encode())

    def test_a_line_that_ends_inside_of_quotes_hides_nobody(self):
        """Python's usual way ends the quotes there, and takes what follows for an address."""
        for author in ["\"boss\r\n @strict.test\" <carol@honest.test>", "\"a\r\n ,boss@strict.test,b\" <carol@honest.test>",
                       "\"a\r\n b\" <carol@honest.test>, \"boss@strict.test\" <carol@honest.test>", "\"boss\r\n b\"@honest.test",
                       "\"=?utf-8?q?a=0D=0A?=\" \"boss@strict.test\" <carol@honest.test>"]:
            with self.subTest(author=author):
                letter, subject = self.letter(author)
                self.assert_in_junk(letter, subject, "carol@honest.test")
                self.assertIn("quotes or backslashes in From", self.story(subject))
                mine = author.replace("strict.test", "alpha.test").replace("carol@honest.test", "bob@alpha.test").replace("honest.test", "alpha.test")
                self.assertEqual(self.submit_as_bob(self.letter(mine)[0])[0], 550)
        author = "\"Office of the Vice Chancellor for Research and\r\n International Affairs (Carol Doe, Dr.)\" <carol@honest.test>"
        letter, subject = self.letter(author)
        self.assertIn("dmarc=pass", self.deliver(letter, subject, "carol@honest.test")[1])
        self.assertEqual(self.submit_as_bob(self.letter(author.replace("carol@honest", "bob@alpha"))[0])[0], 250)

    def test_the_direction_of_the_text_is_not_turned(self):
        encoded = base64.b64encode("\u202e".encode()).decode()
        for author in ["<\u202elorac@honest.test>", "\u202e <lorac@honest.test>", f"=?utf-8?b?{encoded}?= <lorac@honest.test>"]:
            with self.subTest(author=author):
                letter, subject = self.letter(author)
                self.assert_in_junk(letter, subject, "carol@honest.test")
                self.assertIn("turn the direction of the text", self.story(subject))
                self.assertIn("並ぶ向き", self.story(subject, "--lang", "ja"))
        for author in ["\u05d3\u05e0\u05d4 <carol@honest.test>", "\"\u202b\u05d3\u05e0\u05d4\u202c\" <carol@honest.test>",
                       "\u2068\u0623\u062d\u0645\u062f\u2069 <carol@honest.test>"]:
            with self.subTest(author=author):
                letter, subject = self.letter(author)
                self.assertIn("dmarc=pass", self.deliver(letter, subject, "carol@honest.test")[1])

    def test_names_that_are_encoded_pass(self):
        for author in ["=?utf-8?q?Doe,_Carol?= <carol@honest.test>", "=?utf-8?q?Doe=2C_Carol_=28Sales=29?= <carol@honest.test>",
                       "=?iso-2022-jp?B?GyRCOzNFRBsoQg==?= <carol@honest.test>", "=?utf-8?q?Carol_=40_Work?= <carol@honest.test>",
                       "=?utf-8?q?carol=40honest.test?= <carol@honest.test>", "carol@honest.test (=?utf-8?q?C=C3=A4rol?=)"]:
            with self.subTest(author=author):
                letter, subject = self.letter(author)
                self.assertIn("dmarc=pass", self.deliver(letter, subject, "carol@honest.test")[1])

    def test_a_key_in_testing_vouches_for_nobody(self):
        letter, subject = self.letter("carol@honest.test")
        self.assert_in_junk(self.sign(letter, selector="try"), subject, "x@stranger.test", source=STRANGER, helo="out.stranger.test")
        self.assertIn("the key is in testing (t=y): the message counts as unsigned", self.story(subject))
        letter, subject = self.letter("carol@honest.test")
        got, results = self.deliver(self.sign(letter, selector="try"), subject, "carol@honest.test")  # SPF is enough
        self.assertIn("dkim=policy", results)
        self.assertIn("dmarc=pass", results)

    def test_nobody_shown_is_nobody_forged(self):
        letter, subject = self.letter("From")
        self.deliver(letter.replace("From\r\n", "", 1), subject, "x@nothing.test")
        for field in ("Sender: boss@strict.test", "Resent-From: boss@strict.test"):
            letter, subject = self.letter("From")
            self.deliver(letter.replace("From\r\n", field + "\r\n", 1), subject, "x@nothing.test", "Junk")

    def test_a_thousand_signatures_cost_eight_questions(self):
        letter, subject = self.letter("carol@honest.test")
        signed = self.sign(letter)
        signature = signed[:signed.index("From:")]
        self.assertIn("DKIM-Signature", signature)
        got, results = self.deliver(signature * 150 + signed, subject, "carol@honest.test")
        self.assertEqual(results.count("dkim="), 8)
        self.assertIn("dmarc=pass", results)
        self.assertIn("143 more signatures were not looked at", self.story(subject))

    def test_foreign_signatures_do_not_hide_the_author_s(self):
        letter, _ = self.letter("carol@honest.test")
        signed = self.sign(letter)
        signature = signed[:signed.index("From:")]
        fake = "".join(signature.replace("d=honest.test", "d=other.test").replace("s=sel", f"s=gone{i}") for i in range(8))
        letter, subject = self.letter("carol@honest.test")
        signed = self.sign(letter)
        _, results = self.deliver(fake + signed, subject, "x@failing.test", "INBOX", source=STRANGER)
        self.assertIn("dmarc=pass", results)
        self.assertIn("one more signature was not looked at", self.story(subject))
        # Nor do those of anybody, or many of the author's own, keep a forgery from being refused.
        for on_top in (fake * 2, signature.replace("s=sel", "s=gone") * 9):
            letter, subject = self.letter("carol@honest.test")
            code, reply = self.send(on_top + letter, "x@failing.test", source=STRANGER)
            self.assertEqual(code, 550, reply)

    def test_records_that_lead_in_circles_end(self):
        letter, subject = self.letter("carol@loop.test")
        _, results = self.deliver(letter, subject, "carol@loop.test")
        self.assertIn("spf=permerror", results)

    def test_a_header_without_end_is_refused(self):
        """A second From may stand behind what is looked at."""
        letter, subject = self.letter("carol@honest.test")
        stuffing = "".join(f"X-Stuffing-{i}: {'x' * 900}\r\n" for i in range(300))
        head, body = letter.split("\r\n\r\n", 1)
        code, reply = self.send(f"{head}\r\n{stuffing}From: boss@strict.test\r\n\r\n{body}", "carol@honest.test")
        self.assertEqual(code, 552, reply)
        self.assertIn("header is longer than", reply)


class Rules(Sender):
    @classmethod
    def options(cls):
        return {"spf.refuse_fail": "true", "dmarc.known_lists": '["list.test"]', "dmarc.known_forwarders": '["127.0.9.0/24"]',
                "dmarc.exceptions": '["strict.test"]', "auth.blocklists": '["dnsbl.stranger.test=0.5", "dead.stranger.test"]',
                "dmarc.trust_reject": '["broken.test"]', "dmarc.unreadable_author": '"refuse"'}

    def test_spf_fail_refuses_when_told_to(self):
        letter, subject = self.letter("carol@failing.test")
        code, reply = self.send(letter, "carol@failing.test")
        self.assertEqual(code, 550, reply)
        self.assertIn("SPF fail", reply)

    def test_an_exception_lifts_the_policy(self):
        letter, subject = self.letter("carol@strict.test")
        self.deliver(letter, subject, "carol@failing.test", source=STRANGER)
        self.assertIn("the policy is lifted: a local exception (strict.test)", self.story(subject))
        self.assertIn("ローカルの例外設定がある (strict.test)", self.story(subject, "--lang", "ja"))

    def test_a_known_list_speaks_against_refusing(self):
        letter, subject = self.letter("carol@honest.test", more="List-Id: <chat.list.test>\r\n")
        self.deliver(letter, subject, "bounces@list.test", "Junk", source=STRANGER, helo="honest.test")
        self.assertIn("it came through a known mailing list (list.test)", self.story(subject))
        self.assertIn("既知のメーリングリストを経由している (list.test)", self.story(subject, "--lang", "ja"))
        letter, subject = self.letter("carol@honest.test", more="List-Id: <chat.list.test>\r\n")
        code, reply = self.send(letter, "bounces@list.test", source=NAMELESS, helo="honest.test")
        self.assertEqual(code, 550, "anybody can write a List-Id")

    def test_a_known_forwarder_speaks_against_refusing(self):
        letter, subject = self.letter("carol@honest.test")
        self.deliver(letter, subject, "carol@honest.test", "Junk", source="127.0.9.7")
        self.assertIn("it came through a known forwarder (127.0.9.0/24)", self.story(subject))
        self.assertIn("既知の転送元を経由している (127.0.9.0/24)", self.story(subject, "--lang", "ja"))

    def test_a_trusted_reject_is_enough(self):
        letter, subject = self.letter("carol@broken.test")
        code, reply = self.send(letter, "x@stranger.test", source=STRANGER, helo="out.stranger.test")
        self.assertEqual(code, 550, reply)

    def test_blocklists_weigh_and_are_told(self):
        letter, subject = self.letter("carol@nothing.test")
        self.deliver(letter, subject, "x@nothing.test", source=STRANGER)
        told = self.story(subject)
        self.assertIn("the client stands on: dnsbl.stranger.test 127.0.0.2; together they weigh 0.5", told)

    def test_an_unreadable_author_is_refused_when_told_to(self):
        letter, subject = self.letter("From: a@honest.test\r\nFrom: b@strict.test")
        code, reply = self.send(letter, "a@honest.test")
        self.assertEqual(code, 550, reply)
        self.assertIn("more than one From field", reply)


class Elsewhere(socketserver.ThreadingTCPServer):
    """The mail server of everybody else: keeps what it is told and given; recipients called bad… are refused."""
    allow_reuse_address = daemon_threads = True

    def __init__(self, address):
        self.said, self.mails = [], []
        super().__init__(address, ElsewhereSession)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class ElsewhereSession(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"220 mx.elsewhere.test ESMTP\r\n")
        for line in self.rfile:
            verb, reply = line[:4].upper(), b"250 2.0.0 fine"
            self.server.said.append(line.decode().strip())
            if verb == b"EHLO":
                reply = b"250-mx.elsewhere.test\r\n250 DSN"
            elif verb == b"RCPT" and b"<bad" in line:
                reply = b"550 5.1.1 nobody of that name"
            elif verb == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                self.server.mails.append(b"".join(iter(self.rfile.readline, b".\r\n")).decode())
            self.wfile.write((b"221 bye" if verb == b"QUIT" else reply) + b"\r\n")
            if verb == b"QUIT":
                return


class Onwards(Sender):
    """Aliases whose targets are elsewhere."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.elsewhere = Elsewhere((ELSEWHERE, cls.server.base + 25))
        cls.addClassCleanup(cls.elsewhere.server_close)
        cls.addClassCleanup(cls.elsewhere.shutdown)
        cls.server.run("alias", "add", "away@alpha.test", "anna@elsewhere.test")
        cls.server.run("alias", "add", "gone@alpha.test", "bad@elsewhere.test")

    @classmethod
    def options(cls):
        return {"queue.retry": '["1h"]'}

    def arrived(self, *words):
        return eventually(lambda: next((m for m in self.elsewhere.mails if all(word in m for word in words)), None))

    def test_what_is_sent_on_says_what_was_found(self):
        letter, subject = self.letter("carol@honest.test")
        results = " ".join(self.deliver(letter, subject, "carol@honest.test")[0]["Authentication-Results"].split())
        name = results.split(";")[0]
        letter, subject = self.letter("carol@honest.test", more=f"Authentication-Results: {name}; dmarc=pass header.from=bank.test\r\n"
                                      "Authentication-Results: mx.other.test; spf=pass\r\n")
        self.assertEqual(self.send(letter, "carol@honest.test", rcpt="away@alpha.test")[0], 250)
        mail = self.arrived(f"Subject: {subject}")
        self.assertNotIn("bank.test", mail)
        fields = [field for field in mail.split("\r\n\r\n")[0].replace("\r\n\t", " ").replace("\r\n ", " ").split("\r\n")]
        found = [field for field in fields if field.startswith("Authentication-Results")]
        self.assertEqual(len(found), 2, found)
        self.assertRegex(found[0], rf"^Authentication-Results: {name}; dmarc=pass .*spf=pass")
        self.assertLess(fields.index(found[0]), next(i for i, field in enumerate(fields) if field.startswith("Received")))

    def test_what_our_users_send_says_nothing_of_their_login(self):
        submit(self.server, message("anna@alpha.test", "someone@elsewhere.test", "Quietly"))
        self.assertNotIn("Authentication-Results", self.arrived("Subject: Quietly"))

    def test_a_forged_sender_gets_no_notice(self):
        """Neither of success nor of failure, whoever would make it: the true owner of the address never wrote."""
        everybody = ["anna@alpha.test", "away@alpha.test", "gone@alpha.test"]
        letters = {}
        for author, sender, how in [("carol@nothing.test", "spf@failing.test", {}),
                                    ("carol@quarantine.test", "dmarc@quarantine.test", dict(source=STRANGER, helo="out.stranger.test")),
                                    ("carol@honest.test", "true@honest.test", {})]:
            letter, subject = self.letter(author)
            code, reply = self.send(letter, sender, rcpt=everybody, notify="SUCCESS,FAILURE", **how)
            self.assertEqual(code, 250, reply)
            self.arrived(f"Subject: {subject}\r\n", "How are you?")
            letters[sender] = subject
        # The honest one hears of all three; then the others would have heard, too.
        for word in ("Action: delivered", "Action: failed"):
            self.arrived("true@honest.test", word)
        eventually(lambda: self.server.run("queue", "list", "--json").stdout.strip() == "[]")
        for sender, check in [("spf@failing.test", "SPF"), ("dmarc@quarantine.test", "DMARC")]:
            self.assertFalse([line for line in self.elsewhere.said if f"RCPT TO:<{sender}>" in line])
            self.assertIn(f"nothing is sent back to {sender}: {check} says that it is probably forged", self.story(letters[sender]))
        asked = [line for line in self.elsewhere.said if "RCPT TO:<anna@elsewhere.test>" in line]
        self.assertEqual(sum("NOTIFY=NEVER" in line for line in asked), 2, asked)
        self.assertNotIn("nothing is sent back", self.story(letters["true@honest.test"]))


class Sealers(Sender):
    """A message that its list has changed: nothing but the list's seal says that it was honest."""
    saves_to = "Junk"

    @classmethod
    def options(cls):
        return {"arc.trusted_sealers": '["list.test"]'}

    def sealed(self, results="dmarc=pass header.from=honest.test", domain="list.test", author="carol@honest.test"):
        letter, subject = self.letter(author, more=f"Authentication-Results: mx.{domain}; {results}\r\n", body="How are you?\r\n-- \r\nthe list\r\n")
        path = self.folder / "letter.eml"
        path.write_bytes(letter.encode())
        done = hikyaku("arc", "seal", path, "--domain", domain, "--selector", "sel", "--key", self.key, "--authserv-id", f"mx.{domain}",
                       "--zone", self.zone)
        return done.stdout.replace("\r\n", "\n").replace("\n", "\r\n"), subject

    def send_on(self, letter):
        return self.send(letter, "x@stranger.test", source=NAMELESS, helo="out.stranger.test")

    def test_a_trusted_seal_saves_it(self):
        letter, subject = self.sealed()
        _, results = self.deliver(letter, subject, "x@stranger.test", self.saves_to, source=NAMELESS, helo="out.stranger.test")
        self.assertIn("arc=pass", results)
        self.assertIn("dmarc=fail", results)
        self.assertIn("list.test is trusted here and says that it passed", self.story(subject))

    def test_what_a_seal_does_not_say_saves_nothing(self):
        for case, how in [("nobody trusts the sealer", dict(domain="stranger.test")),
                          ("it says that it failed", dict(results="dmarc=fail header.from=honest.test")),
                          ("it speaks of another author", dict(results="dmarc=pass header.from=lenient.test")),
                          ("it speaks of SPF alone", dict(results="spf=pass smtp.mailfrom=honest.test"))]:
            with self.subTest(case):
                letter, subject = self.sealed(**how)
                code, reply = self.send_on(letter)
                self.assertEqual(code, 550, reply)
                told = self.story(subject)
                self.assertIn("the chain is whole", told)
                self.assertNotIn("trusted here", told)

    def test_a_change_behind_the_seal_breaks_it(self):
        letter, subject = self.sealed()
        for changed in (letter.replace("How are you?", "Send money."), letter.replace(f"Subject: {subject}", f"Subject: Prize {subject}")):
            code, reply = self.send_on(changed)
            self.assertEqual(code, 550, reply)
        self.assertIn("the chain does not hold", self.story(subject))

    def test_a_header_that_is_read_in_two_ways_is_not_trusted(self):
        letter, subject = self.sealed(author="From: carol@honest.test\r\nFrom: boss@strict.test")
        self.send_on(letter)
        self.assertNotIn("trusted here", self.story(subject))
        # Sealed as it should be; another field is written in front of it.
        letter, subject = self.sealed()
        self.send_on("From : boss@strict.test\r\n" + letter)
        self.assertNotIn("trusted here", self.story(subject))


class SealersThatLift(Sealers):
    """The same where the house lets a trusted chain lift the policy."""
    saves_to = "INBOX"

    @classmethod
    def options(cls):
        return {**super().options(), "dmarc.exempts": '["trusted-arc"]'}


if __name__ == "__main__":
    unittest.main()
