"""What an alias sends on to another server is sealed (ARC): the next server can check it, and believe it if it likes."""
import base64
import json
import pathlib
import smtplib
import subprocess
import tempfile
import unittest

from harness import Instance, eventually, free_port_base, hikyaku
from mail import message, raw_messages, submit

ALPHA, BETA, GAMMA, STRANGER = "127.0.5.1", "127.0.2.1", "127.0.4.1", "127.0.6.1"

ZONE = f"""\
$ORIGIN test.
$TTL 60
1.5.0.127.in-addr.arpa.  PTR out.alpha
out.alpha                A {ALPHA}
1.2.0.127.in-addr.arpa.  PTR mx.beta
mx.beta                  A {BETA}
1.6.0.127.in-addr.arpa.  PTR out.stranger
out.stranger             A {STRANGER}
alpha                    TXT "v=spf1 ip4:{ALPHA} -all"
_dmarc.alpha             TXT "v=DMARC1; p=quarantine"
gamma                    MX 10 mx.gamma
mx.gamma                 A {GAMMA}
"""


class Sealing(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.key, cls.zone = cls.folder / "key.pem", cls.folder / "zone"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", cls.key], check=True, capture_output=True)
        public = subprocess.run(["openssl", "pkey", "-in", cls.key, "-pubout", "-outform", "DER"], check=True,
                                capture_output=True).stdout[-32:]
        zone = ZONE + f'sel._domainkey.alpha TXT "v=DKIM1; k=ed25519; p={base64.b64encode(public).decode()}"\n'
        cls.zone.write_text(zone)
        base = free_port_base(BETA)
        cls.beta = Instance("bob@beta.test", host=BETA, base=base, zone=cls.zone)
        cls.gamma = Instance("gina@gamma.test", host=GAMMA, base=base, zone=cls.zone,
                             config={"arc.trusted_sealers": '["beta.test"]', "dmarc.exempts": '["trusted-arc"]'})
        for server in (cls.beta, cls.gamma):
            server.quickstart()
            cls.addClassCleanup(server.__exit__)
        cls.beta.run("domain", "add", "delta.test")
        for domain in ("beta.test", "delta.test"):
            records = cls.beta.run("domain", "records", domain).stdout
            zone += "".join(line + "\n" for line in records.splitlines() if "_domainkey" in line)
        cls.zone.write_text(zone)
        for server in (cls.beta, cls.gamma):
            server.start()
        for alias in ("away@beta.test", "away@delta.test"):
            cls.beta.run("alias", "add", alias, "gina@gamma.test")

    number = 0

    def letter(self, more="", body="How are you?\r\n", author="anna@alpha.test"):
        Sealing.number += 1
        return (f"{more}From: {author}\r\nTo: away@beta.test\r\nSubject: Letter {Sealing.number}.\r\n"
                f"Message-ID: <{Sealing.number}@alpha.test>\r\nDate: Mon, 05 Oct 2026 10:00:00 +0900\r\n\r\n{body}")

    def tool(self, letter, *words):
        path = self.folder / "letter.eml"
        path.write_bytes(letter.encode())
        done = hikyaku(*words[:2], path, "--domain", "alpha.test", "--selector", "sel", "--key", self.key, *words[2:])
        return done.stdout.replace("\r\n", "\n").replace("\n", "\r\n")

    def seal(self, letter):
        return self.tool(letter, "arc", "seal", "--authserv-id", "mx.alpha.test", "--zone", self.zone)

    def send(self, letter, rcpt="away@beta.test", source=ALPHA):
        with smtplib.SMTP(self.beta.host, self.beta.port("smtp"), local_hostname="out.alpha.test", timeout=60,
                          source_address=(source, 0)) as smtp:
            smtp.sendmail("anna@alpha.test", [rcpt], letter.encode())

    def arrived(self, what=None, mailbox="INBOX"):
        """The message with these words as gamma has it."""
        what = what or f"Subject: Letter {Sealing.number}."
        return eventually(lambda: next((m for m in raw_messages(self.gamma, mailbox=mailbox) if what.encode() in m), None))

    def forward(self, letter, *how, mailbox="INBOX", **more):
        self.send(letter, *how, **more)
        return self.arrived(mailbox=mailbox)

    def verify(self, mail):
        path = self.folder / "arrived.eml"
        path.write_bytes(mail)
        answer = json.loads(hikyaku("arc", "verify", path, "--zone", self.zone, "--json").stdout)
        return answer["result"], [(hop["instance"], hop["domain"]) for hop in answer["hops"]]

    def field(self, mail, name):
        """The first field of this name, on one line."""
        header = mail.split(b"\r\n\r\n")[0].decode().replace("\r\n ", " ").replace("\r\n\t", " ")
        return next((" ".join(line.split()) for line in header.split("\r\n") if line.startswith(name + ":")), "")

    def test_the_next_server_can_check_it(self):
        mail = self.forward(self.tool(self.letter(), "dkim", "sign"))
        self.assertEqual(self.verify(mail), ("pass", [(1, "beta.test")]))
        seal, found = self.field(mail, "ARC-Seal"), self.field(mail, "ARC-Authentication-Results")
        for word in ("a=rsa-sha256", "cv=none", "i=1"):
            self.assertIn(word, seal)
        for word in ("i=1;", "dmarc=pass", "dkim=pass", "spf=pass", "arc=none"):
            self.assertIn(word, found)
        self.assertIn("arc=pass", self.field(mail, "Authentication-Results"))
        told = " ".join(self.beta.run("trace", f"<{Sealing.number}@alpha.test>").stdout.split())
        self.assertIn("arc-seal: sealed: sealed as beta.test", told)
        for what in (b"How are", b"Subject: Letter"):
            self.assertEqual(self.verify(mail.replace(what, what[:-1] + b"X"))[0], "fail")

    def test_a_mistyped_server_name_seals_nothing_and_says_so(self):
        path = self.folder / "results.eml"
        path.write_bytes(self.letter("Authentication-Results: mx.alpha.test; spf=pass smtp.mailfrom=alpha.test\r\n").encode())
        seal = lambda server: hikyaku("arc", "seal", path, "--domain", "alpha.test", "--selector", "sel", "--key", self.key,
                                      "--authserv-id", server, "--zone", self.zone)
        self.assertEqual(seal("mx.alpha.test").stderr, "")
        mistyped = seal("mx.aplha.test")
        self.assertIn("no Authentication-Results field of the message is of mx.aplha.test", " ".join(mistyped.stderr.split()))
        self.assertIn("ARC-Seal:", mistyped.stdout)

    def test_it_is_believed_where_the_sealer_is_trusted(self):
        """Not signed: at gamma nothing but the seal says that alpha.test sent it."""
        mail = self.forward(self.letter())
        results = self.field(mail, "Authentication-Results")
        self.assertIn("dmarc=fail", results)
        self.assertIn("arc=pass", results)

    def test_what_failed_here_is_sealed_as_failed(self):
        mail = self.forward(self.letter(), source=STRANGER, mailbox="Junk")
        self.assertEqual(self.verify(mail)[0], "pass")
        self.assertIn("dmarc=fail", self.field(mail, "ARC-Authentication-Results"))

    def test_the_alias_domain_seals(self):
        mail = self.forward(self.letter(), "away@delta.test", mailbox="Junk")  # whom gamma does not trust
        self.assertEqual(self.verify(mail), ("pass", [(1, "delta.test")]))

    def test_a_chain_grows_and_a_broken_one_ends(self):
        sealed = self.seal(self.letter())
        mail = self.forward(sealed)
        self.assertEqual(self.verify(mail), ("pass", [(2, "beta.test"), (1, "alpha.test")]))
        self.assertIn("cv=pass", self.field(mail, "ARC-Seal"))
        # The changed body breaks the first set: ours says so, and is the last one.
        broken = self.seal(self.letter()).replace("How are you?", "Send money.")
        mail = self.forward(broken, mailbox="Junk")
        self.assertIn("cv=fail", self.field(mail, "ARC-Seal"))
        ended = mail[mail.index(b"ARC-Seal"):].decode().replace(f"Letter {Sealing.number}.", "Again 1.")
        self.send(ended)
        again = self.arrived("Subject: Again 1.", "Junk")
        self.assertEqual(again.count(b"\r\nARC-Seal:"), 2)
        told = " ".join(self.beta.run("trace", f"<{Sealing.number}@alpha.test>").stdout.split())
        self.assertIn("sends it on without a seal: its chain was ended before", told)

    def test_whatever_its_shape(self):
        for letter in (self.letter(body=""), self.letter(body="line \t\r\n" * 60_000), self.letter(body="\r\n.\r\n..\r\n\r\n \r\n\r\n"),
                       self.letter(body="Grüße\r\n")):
            self.send(letter)
            subject = letter[letter.index("Subject:"):].split("\r\n")[0]
            mail = self.arrived(subject)
            self.assertEqual(self.verify(mail)[0], "pass", subject)
        for words, front in (("just words", ""), ("From Monday on we meet", "")):
            self.send(f"{front}{words} without a header\r\n")
            mail = eventually(lambda: next((m for box in ("INBOX", "Junk") for m in raw_messages(self.gamma, mailbox=box) if words.encode() in m), None))
            self.assertEqual(self.verify(mail)[0], "pass")
            self.assertIn(f"\r\n\r\n{words}".encode(), mail)

    def test_mail_of_our_own_users_is_signed_not_sealed(self):
        submit(self.beta, message("bob@beta.test", "gina@gamma.test", "Our own"))
        mail = self.arrived("Subject: Our own")
        self.assertNotIn(b"ARC-", mail)
        self.assertIn("dkim=pass", self.field(mail, "Authentication-Results"))

    def test_off_by_one_option(self):
        self.beta.configure({"arc.seal": "false"})
        self.beta.restart()
        try:
            self.assertNotIn(b"ARC-", self.forward(self.letter(), mailbox="Junk"))
        finally:
            self.beta.configure({"arc.seal": "true"})
            self.beta.restart()


if __name__ == "__main__":
    unittest.main()
