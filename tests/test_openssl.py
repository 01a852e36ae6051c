"""openssl s_client: STARTTLS of each protocol, implicit TLS, versions, names, and what must not be possible."""
import os
import re
import tempfile
import unittest

from harness import Instance, need
from mail import run

STARTTLS = {"smtp": "smtp", "submission": "smtp", "imap": "imap", "pop3": "pop3"}
IMPLICIT = ("submissions", "imaps", "pop3s")
GREETING = {"submissions": "220 ", "imaps": "* OK", "pop3s": "+OK"}


class OpenSsl(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        need("openssl")
        cls.server = cls.enterClassContext(Instance("anna@alpha.test"))

    def connect(self, service, *arguments, check=True, goodbye="QUIT\r\n"):
        starttls = ["-starttls", STARTTLS[service]] if service in STARTTLS else []
        if service in ("imap", "imaps"):
            goodbye = "a LOGOUT\r\n"
        # -ign_eof: read until the server closes.
        return run("openssl", "s_client", "-connect", f"{self.server.host}:{self.server.port(service)}", *starttls, "-ign_eof", "-crlf",
                   *arguments, input=goodbye.replace("\r", ""), check=check, timeout=20).stdout

    def test_every_port_speaks_both_versions(self):
        for service in (*STARTTLS, *IMPLICIT):
            for version in ("-tls1_2", "-tls1_3"):
                with self.subTest(service=service, version=version):
                    said = self.connect(service, version)
                    self.assertRegex(said, r"Protocol *: TLSv1\.[23]|New, TLSv1\.[23]")
                    self.assertIn("TLSv1." + version[-1], said)
                    self.assertRegex(said, r"(?m)^(221 |\* BYE|\+OK)")
                    if service in GREETING:
                        self.assertIn("\n" + GREETING[service], said)

    def test_older_versions_are_refused(self):
        for service in ("imaps", "submission"):
            for version in ("-tls1", "-tls1_1"):
                with self.subTest(service=service, version=version):
                    said = self.connect(service, version, "-cipher", "ALL:@SECLEVEL=0", check=False)
                    self.assertRegex(said, r"Cipher is \(NONE\)|unknown option|no protocols")

    def test_only_forward_secret_ciphers(self):
        for cipher in ("AES128-SHA", "AES256-GCM-SHA384", "DES-CBC3-SHA", "NULL"):
            with self.subTest(cipher):
                self.assertRegex(self.connect("imaps", "-tls1_2", "-cipher", cipher + ":@SECLEVEL=0", check=False), r"Cipher is \(NONE\)|no cipher match")

    def test_a_session_is_resumed(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "session")
            self.connect("imaps", "-sess_out", path)
            self.assertIn("Reused, TLSv1.3", self.connect("imaps", "-sess_in", path))


class Names(unittest.TestCase):
    """Certificates are chosen by the name that the client asks for."""

    @classmethod
    def setUpClass(cls):
        need("openssl")
        cls.server = Instance("anna@alpha.test")
        cls.server.quickstart()
        cls.addClassCleanup(cls.server.__exit__)
        pairs = []
        for name in ("mail.alpha.test", "imap.beta.test", "*.gamma.test"):
            stem = cls.server.dir / "tls" / name.replace("*", "any")
            run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9", "-subj", f"/CN={name}",
                "-addext", f"subjectAltName=DNS:{name}", "-keyout", f"{stem}.key", "-out", f"{stem}.crt")
            pairs.append(stem)
        cls.pairs = pairs

    def shown(self, service, asked):
        """The subject of the certificate that a client gets who asks for this name."""
        starttls = ["-starttls", "smtp"] if service == "submission" else []
        name = ["-servername", asked] if asked else ["-noservername"]
        said = run("openssl", "s_client", "-connect", f"{self.server.host}:{self.server.port(service)}", *starttls, *name,
                   input="QUIT\na LOGOUT\n", timeout=20).stdout
        return re.search("subject=CN = (.*)", said)[1]

    def test_sni(self):
        listed = ", ".join(f'{{ cert = "{stem}.crt", key = "{stem}.key" }}' for stem in self.pairs)
        self.server.configure({"tls.certificates": f"[{listed}]"})
        self.server.start()
        self.addCleanup(self.server.stop)
        for asked, given in (("mail.alpha.test", "mail.alpha.test"), ("imap.beta.test", "imap.beta.test"), ("IMAP.beta.test", "imap.beta.test"),
                             ("x.gamma.test", "*.gamma.test"), ("unknown.test", "mail.alpha.test"), (None, "mail.alpha.test")):
            for service in ("imaps", "submission"):
                with self.subTest(asked=asked, service=service):
                    self.assertEqual(self.shown(service, asked), given)

    def test_names_of_the_configuration(self):
        """names = […] of a certificate stand for its own, from the start and after a reload."""
        entry = '{{ cert = "{0}.crt", key = "{0}.key"{1} }}'.format
        listed = lambda names: f"[{entry(self.pairs[0], '')}, {entry(self.pairs[1], names)}]"
        self.server.configure({"tls.certificates": listed(', names = ["alias.alpha.test", "*.bücher.test"]')})
        self.server.start()
        self.addCleanup(self.server.stop)
        for asked, given in (("alias.alpha.test", "imap.beta.test"), ("x.xn--bcher-kva.test", "imap.beta.test"),
                             ("imap.beta.test", "mail.alpha.test"), (None, "mail.alpha.test")):
            with self.subTest(asked=asked):
                self.assertEqual(self.shown("imaps", asked), given)
        self.server.configure({"tls.certificates": listed(', names = ["later.alpha.test"]')})
        self.assertIn("tls.certificates", self.server.run("reload").stdout)
        for asked, given in (("later.alpha.test", "imap.beta.test"), ("alias.alpha.test", "mail.alpha.test")):
            with self.subTest(asked=asked, after="reload"):
                self.assertEqual(self.shown("imaps", asked), given)
        for wrong in ("a b", "*.*.test", ""):
            with self.subTest(wrong=wrong):
                self.server.configure({"tls.certificates": listed(f', names = ["{wrong}"]')})
                self.assertIn("is not a host name", self.server.run("config", "check", check=False).stderr)
        self.server.configure({"tls.certificates": listed("")})

if __name__ == "__main__":
    unittest.main()
