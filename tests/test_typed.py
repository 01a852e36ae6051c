"""The dialogue typed by hand, at human pace, as an introduction to mail shows it: telnet, and nc that ends lines with LF alone."""
import time
import unittest

from harness import PASSWORD, Instance
from mail import Wire, messages, stamp


class Typed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Instance("anna@alpha.test"))
        cls.server.add_account("bob@alpha.test")

    def wire(self, service="smtp"):
        return self.enterContext(Wire(self.server, service))

    def type(self, wire, line, key=0.01):
        """One key after the other, as a terminal in character mode sends them."""
        for letter in line + "\r\n":
            wire.send(letter)
            time.sleep(key)

    def test_a_message_without_date_and_message_id(self):
        mark = stamp()
        wire = self.wire()
        self.assertTrue(wire.reply().startswith("220 "))
        for line, code in (("HELO pc1", "250"), ("MAIL FROM:<carl@beta.test>", "250"), ("RCPT TO:<bob@alpha.test>", "250"), ("DATA", "354")):
            self.type(wire, line)
            self.assertEqual(wire.reply()[:3], code, line)
        for line in (f"Subject: {mark}", "", "Dear Bob,", "..", "Carl", "."):
            self.type(wire, line)
        self.assertTrue(wire.reply().startswith("250 2.0.0 "))
        self.type(wire, "QUIT")
        self.assertTrue(wire.reply().startswith("221 "))
        self.assertIsNone(wire.line())
        got, = [m for m in messages(self.server, "bob@alpha.test") if m["Subject"] == mark]
        self.assertEqual(got.get_payload(), "Dear Bob,\r\n.\r\nCarl\r\n")
        self.assertIn("from pc1", got["Received"])

    def test_greetings_in_every_form(self):
        for line, code in (("HELO pc1", "250"), ("helo PC1", "250"), ("EHLO [10.1.1.10]", "250"), ("EHLO [IPv6:2001:db8::1]", "250"),
                           ("EHLO pc_1", "250"), ("HELO <a.com>", "501"), ("EHLO <a.com>", "501"), ("HELO", "501"), ("EHLO ", "501")):
            with self.subTest(line):
                wire = self.wire()
                wire.reply()
                reply = wire.ask(line)
                self.assertEqual(reply[:3], code, reply)
                if code == "501":
                    self.assertRegex(reply, r"(HELO|EHLO) host\.name")  # the right form in words
                else:
                    self.assertEqual(wire.ask("MAIL FROM:<carl@beta.test>")[:3], "250")

    def test_what_hands_get_wrong_is_explained(self):
        wire = self.wire()
        wire.reply()
        wire.ask("HELO pc1")
        for line, expected in (("MAIL FROM <carl@beta.test>", r"501 5\.5\.4 .*MAIL FROM:<address>"), ("MAIL carl@beta.test", r"501 5\.5\.4 .*MAIL FROM:<address>"),
                               ("RCPT TO:<bob@alpha.test>", r"503 5\.5\.1 .*MAIL"), ("DATA", r"503 5\.5\.1 "), ("HELP", r"214"),
                               ("SEND bob", r"502 5\.5\.1 "), ("DELIVER bob", r"500 5\.5\.2 .*HELP")):
            with self.subTest(line):
                self.assertRegex(wire.ask(line), expected)
        self.assertRegex(wire.ask("MAIL FROM: <carl@beta.test>"), r"250|501 5\.5\.4")  # a blank after the colon: seen from old clients
        wire.ask("RSET")
        wire.ask("MAIL FROM:<carl@beta.test>")
        self.assertRegex(wire.ask("RCPT TO <bob@alpha.test>"), r"501 5\.5\.4 .*RCPT TO:<address>")
        self.assertRegex(wire.ask("RCPT TO:bob@alpha.test"), r"^(250|501)")
        self.assertEqual(wire.ask("RCPT TO:<bob@alpha.test>")[:3], "250")

    def test_lines_that_end_in_lf_alone(self):
        """nc sends LF alone. RFC 5321 section 2.3.8 lets nothing but CRLF end a line: the remedy is in the reply."""
        wire = self.wire()
        wire.reply()
        for line in ("HELO pc1", "EHLO pc1", "NOOP"):
            wire.send(line + "\n")
            reply = wire.reply()
            self.assertRegex(reply, r"^500 5\.5\.2 .*CR LF")
        # What follows a bare LF is no command, up to the next CRLF; then the connection goes on.
        self.assertEqual(wire.ask("HELO pc1")[:3], "500")
        self.assertEqual(wire.ask("HELO pc1")[:3], "250")

    def test_imap_by_hand(self):
        wire = self.wire("imap")
        self.assertTrue(wire.line().startswith("* OK "))
        for line, expected in (("1 capability", "1 OK"), (f'2 login anna@alpha.test "{PASSWORD}"', "2 OK"), ("3 select inbox", "3 OK"),
                               ('4 list "" *', "4 OK"), ("5 fetch 1 envelope", "5 "), ("hello", "hello BAD"), ("", "* BAD"), ("6 logout", "6 OK")):
            with self.subTest(line):
                self.type(wire, line, 0.003)
                self.assertTrue(wire.until(line[:1] + " " if line[:1].isdigit() else expected)[-1].startswith(expected))
        self.assertIsNone(wire.line())

    def test_pop3_by_hand(self):
        wire = self.wire("pop3")
        self.assertTrue(wire.line().startswith("+OK"))
        for line, expected in (("user anna@alpha.test", "+OK"), (f"pass {PASSWORD}", "+OK"), ("stat", "+OK 0 0"), ("retr 1", "-ERR"),
                               ("hello", "-ERR"), ("", "-ERR"), ("quit", "+OK")):
            with self.subTest(line):
                self.type(wire, line, 0.003)
                self.assertTrue(wire.line().startswith(expected))
        self.assertIsNone(wire.line())


if __name__ == "__main__":
    unittest.main()
