"""What the log says, and what it must never say: passwords of every kind of login, at the most talkative level, and lines of JSON that
programs can read."""
import base64
import imaplib
import json
import re
import shutil
import unittest

from harness import PASSWORD, TOP, Instance, eventually
from mail import Wire, message, pop, submit, subjects
from test_python_clients import Scram, b64

ANNA, BOB = "anna@alpha.test", "bob@alpha.test"


def forms(secret):
    """A secret as it may stand in a text: itself, and its base64 at each of the three offsets that it can have in something longer."""
    raw = secret.encode()
    yield raw
    for before in range(3):
        # Only whole groups of six bits that come from the secret alone.
        first, last = -(-before * 8 // 6), (before + len(raw)) * 8 // 6
        yield base64.b64encode(b"\0" * before + raw + b"\0\0")[first:last]
    yield raw.hex().encode()


def spoken(text, secrets):
    """Those of the secrets that a text holds, in any of their forms."""
    text = text.lower().encode(errors="surrogateescape")
    return [secret for secret in secrets if any(form.lower() in text for form in forms(secret))]


def fields(line):
    return dict(re.findall(r'(\w+)=("[^"]*"|\S+)', line))


class Connections(unittest.TestCase):
    """Whatever is logged on behalf of a connection bears its number: at level info one search finds all of it."""

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Instance(ANNA))

    def of_one_connection(self, *events):
        """The lines of these events since the last look: all of the connection whose end is the last of them."""
        eventually(lambda: any(f"event={events[-1]} " in line for line in self.server.log[self.seen:]))
        found = [fields(line) for line in self.server.log[self.seen:]]
        self.seen = len(self.server.log)
        number = next(line["cid"] for line in found if line.get("event") == events[-1])
        self.assertEqual([line["event"] for line in found if line.get("cid") == number], list(events))
        return [line for line in found if line.get("cid") == number]

    def test_a_session_from_its_login_to_its_end(self):
        self.seen = len(self.server.log)
        submit(self.server, message(ANNA, ANNA, "one"))
        lines = self.of_one_connection("login.ok", "message.accept", "smtp.end")
        self.assertEqual({line["ip"] for line in lines}, {"127.0.0.1"})
        self.assertIn("mid", lines[1])
        with Wire(self.server, "smtp") as wire:
            wire.reply()
            for line in ("EHLO x.test", "MAIL FROM:<x@beta.test>", "RCPT TO:<gone@alpha.test>", "QUIT"):
                wire.ask(line)
        self.of_one_connection("message.refuse", "smtp.end")
        with Wire(self.server, "imap") as wire:
            wire.line()
            wire.tagged(f'LOGIN {ANNA} "wrong"')
            wire.tagged(f'LOGIN {ANNA} "{PASSWORD}"', "b")
        lines = self.of_one_connection("login.fail", "login.ok", "imap.end")
        self.assertEqual(lines[0]["user"], ANNA)
        pop(self.server, ANNA).quit()
        self.of_one_connection("login.ok", "pop3.end")

    def test_a_program_of_this_machine(self):
        done = self.server.run("sendmail", ANNA, input="Subject: from cron\n\ntext\n")
        self.assertEqual(done.stderr, "")
        eventually(lambda: any("event=message.accept" in line and "from=" in line and " cid=" in line and " ip=" not in line for line in list(self.server.log)))


class Secrets(unittest.TestCase):
    """Every secret is said, right and wrong, by every way in; nothing that anybody can read later holds one in any form."""
    RIGHT, WRONG, NEXT = "Quiet-Otter-4417-lake", "Loud:Heron~9932 marsh", "Brief/Stoat+5520=moor"
    SECRETS = [RIGHT, WRONG, NEXT]

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Instance(ANNA, config={"log.level": '"trace"', "login.max_failures": 100}))
        cls.server.add_account(BOB, cls.RIGHT, "--legacy-auth")
        cls.said = []

    def hear(self, text):
        """What anybody was told: kept for looking into."""
        self.said.append(text or "")
        return text or ""

    def wire(self, service, greeting="line"):
        wire = self.enterContext(Wire(self.server, service, implicit_tls=service.endswith("s"), timeout=60))
        self.hear(wire.line())
        return wire

    def smtp(self, *lines):
        """Says the lines on a new connection; the last reply."""
        with Wire(self.server, "submissions", implicit_tls=True, timeout=60) as wire:
            wire.reply()
            for line in ("EHLO pc.test", *lines):
                reply = self.hear(wire.ask(line))
            wire.ask("QUIT")
        return reply

    def plain(self, password, user=BOB):
        return b64(f"\0{user}\0{password}")

    def scram(self, mechanism, digest, password):
        with Wire(self.server, "submissions", implicit_tls=True, timeout=60) as wire:
            wire.reply()
            self.hear(wire.ask("EHLO pc.test"))
            scram = Scram(digest, BOB, password)
            challenge = self.hear(wire.ask(f"AUTH {mechanism} {b64(scram.first())}"))
            final = scram.final(base64.b64decode(challenge[4:]).decode())
            self.SECRETS.append(b64(final))  # with it and what the server keeps one could log in as the user
            reply = self.hear(wire.ask(b64(final)))
            return self.hear(wire.ask("")) if reply.startswith("334") else reply

    def imap(self, *pieces):
        """Says the pieces, waiting for "+" between them; the last answer."""
        with Wire(self.server, "imaps", implicit_tls=True, timeout=60) as wire:
            wire.line()
            for i, piece in enumerate(pieces):
                wire.send(piece + "\r\n")
                answer = wire.until("a ", "+")
                self.hear("\n".join(answer))
            wire.send("b LOGOUT\r\n")
            wire.until("b ")
        return answer[-1]

    def pop(self, *lines):
        with Wire(self.server, "pop3s", implicit_tls=True, timeout=60) as wire:
            wire.line()
            for line in lines:
                wire.send(line + "\r\n")
                answer = self.hear(wire.line())
            wire.send("QUIT\r\n")
            wire.line()
        return answer

    def test_nothing_holds_a_secret(self):
        for name in dir(self):
            if name.startswith("try_"):
                with self.subTest(name):
                    getattr(self, name)()
        with self.subTest("what is told"):
            for verb in (["trace", BOB], ["trace", BOB, "--json"], ["trace", ANNA], ["metrics"], ["who"], ["account", "show", BOB], ["top", "--once"]):
                self.hear(self.server.run(*verb, check=False).stdout)
            self.assertEqual(spoken("\n".join(self.said), self.SECRETS), [])
        self.server.stop()  # all of the log is there then
        log = self.server.log
        for event in ("smtp.line", "imap.command", "login.ok", "login.fail", "pop3.end"):
            self.assertTrue(any(f"event={event} " in line for line in log), event)
        self.assertTrue([line for line in log if 'line="AUTH ' in line])  # the lines in question are there
        self.assertEqual([line for line in log if spoken(line, self.SECRETS)], [])
        self.server.start()

    def try_smtp(self):
        for password, code in ((self.RIGHT, "235"), (self.WRONG, "535")):
            self.assertEqual(self.smtp("AUTH PLAIN " + self.plain(password))[:3], code)
            self.assertEqual(self.smtp("auth plain", self.plain(password))[:3], code)
            self.assertEqual(self.smtp("AUTH LOGIN", b64(BOB), b64(password))[:3], code)
            self.assertEqual(self.smtp("AUTH LOGIN " + b64(BOB), b64(password))[:3], code)
            for mechanism, digest in (("SCRAM-SHA-256", "sha256"), ("SCRAM-SHA-1", "sha1")):
                self.assertEqual(self.scram(mechanism, digest, password)[:3], code)

    def try_smtp_in_disorder(self):
        """What is not quite AUTH, or comes after one that was refused, as a command of its own."""
        for lines in (["AUTH  PLAIN " + self.plain(self.WRONG)], ["AUTH\tPLAIN " + self.plain(self.WRONG)], [" AUTH PLAIN " + self.plain(self.WRONG)],
                      ["AUTH PLAIN " + self.plain(self.WRONG) + " more"], ["AUTH PLAIN " + self.plain(self.WRONG)[:-3] + "*"],
                      ["AUTH PLAIN " + b64(self.WRONG)], ["AUTH UNHEARD-OF " + b64(self.WRONG)]):
            self.assertRegex(self.smtp(*lines), "^[45]")
        with Wire(self.server, "submissions", implicit_tls=True, timeout=60) as wire:  # what was typed is shown to nobody else
            wire.reply()
            for line in ("EHLO pc.test", "AUTH UNHEARD-OF", b64(BOB), b64(self.WRONG), self.plain(self.WRONG), self.WRONG):
                reply = wire.ask(line)
            self.assertRegex(reply, "^5")

    def try_imap(self):
        for password, ending in ((self.RIGHT, "a OK"), (self.WRONG, "a NO")):
            self.assertTrue(self.imap(f'a LOGIN {BOB} "{password}"').startswith(ending))
            self.assertTrue(self.imap(f"a LOGIN {BOB} {{{len(password)}}}", password).startswith(ending))
            self.assertTrue(self.imap(f"a LOGIN {BOB} {{{len(password)}+}}\r\n{password}").startswith(ending))
            self.assertTrue(self.imap("a AUTHENTICATE PLAIN " + self.plain(password)).startswith(ending))
            self.assertTrue(self.imap("a AUTHENTICATE PLAIN", self.plain(password)).startswith(ending))
        for wrong in (f'a LOGIN {BOB} "{self.WRONG}" more', f'a LOGIN "{self.WRONG}"', f'a LOGON {BOB} "{self.WRONG}"',
                      "a AUTHENTICATE PLAIN " + b64(self.WRONG), "a AUTHENTICATE UNHEARD-OF " + self.plain(self.WRONG)):
            self.assertRegex(self.imap(wrong), "^a (NO|BAD)")

    def try_pop3(self):
        for password, ending in ((self.RIGHT, "+OK"), (self.WRONG, "-ERR")):
            self.assertTrue(self.pop(f"USER {BOB}", f"PASS {password}").startswith(ending))
            self.assertTrue(self.pop("AUTH PLAIN " + self.plain(password)).startswith(ending))
            self.assertTrue(self.pop("AUTH PLAIN", self.plain(password)).startswith(ending))
        for wrong in (["PASS " + self.WRONG], ["PASWORD " + self.WRONG], ["AUTH PLAIN " + b64(self.WRONG)]):
            self.assertTrue(self.pop(*wrong).startswith("-ERR"))

    def try_commands(self):
        """Passwords that are set, refused and used, by the command line."""
        def run(*arguments, **options):
            done = self.server.run(*arguments, **options)
            self.hear(done.stdout + done.stderr)
            return done
        self.assertNotEqual(run("account", "password", "nobody@alpha.test", "--password-stdin", input=self.NEXT + "\n", check=False).returncode, 0)
        run("account", "password", BOB, "--password-stdin", "--legacy-auth", input=self.NEXT + "\n")
        self.assertEqual(self.smtp("AUTH PLAIN " + self.plain(self.NEXT))[:3], "235")
        self.assertEqual(self.smtp("AUTH PLAIN " + self.plain(self.RIGHT))[:3], "535")
        run("account", "password", BOB, "--password-stdin", "--legacy-auth", input=self.RIGHT + "\n")
        run("account", "add", "carol@alpha.test", "--password-stdin", input=self.NEXT + "\n")
        made = json.loads(self.server.run("app-password", "add", BOB, "phone", "--json").stdout)["password"]
        self.SECRETS.append(made)
        self.SECRETS.append(made.replace("-", ""))
        for _ in range(2):  # the second time it is known
            self.assertEqual(self.smtp("AUTH PLAIN " + self.plain(made))[:3], "235")
        self.assertTrue(self.imap(f'a LOGIN {BOB} "{made}"').startswith("a OK"))
        run("app-password", "list", BOB)
        run("app-password", "remove", BOB, "phone")
        self.assertTrue(self.imap(f'a LOGIN {BOB} "{made}"').startswith("a NO"))

    def try_mail(self):
        """A story that has somebody's login in it."""
        submit(self.server, message(BOB, ANNA, "As usual"), BOB, self.RIGHT)


class TheSearch(unittest.TestCase):
    def test_it_finds_every_form(self):
        secret = Secrets.WRONG
        for text in (secret, secret.upper(), b64(secret), b64(f"\0{BOB}\0{secret}"), b64(f"\0a\0{secret}"), b64(f"\0ab\0{secret}"),
                     b64(secret + "and more"), secret.encode().hex()):
            self.assertEqual(spoken(f"line=\"{text}\" next", [secret]), [secret], text)
        self.assertEqual(spoken("AUTH PLAIN AGJvYgB4", [secret]), [])


class Json(unittest.TestCase):
    """log.format = "json": every line is one object whose keys docs/log-keys.txt has."""

    def test_why_the_server_does_not_start_is_an_object_too(self):
        server = Instance(ANNA, config={"log.format": '"json"'})
        self.addCleanup(shutil.rmtree, server.dir)
        server.quickstart()
        for path, words in (((server.dir / "tls"), "cannot read"), ((server.dir / "data"), "store")):
            with self.subTest(path):
                away = path.with_name("away")
                path.rename(away)
                done = server.run("serve", check=False)
                away.rename(path)
                self.assertNotEqual(done.returncode, 0)
                *before, entry = (json.loads(line) for line in done.stderr.splitlines())
                self.assertEqual({one["level"] for one in before} - {"info", "warn"}, set())
                self.assertEqual((entry["level"], entry["event"]), ("error", "server.fail"))
                self.assertIn(words, entry["err"])

    def test_every_line_is_an_object(self):
        listed = [line.split()[0] for line in (TOP / "docs/log-keys.txt").read_text().splitlines() if line and not line.startswith("#")]
        with Instance(ANNA, config={"log.format": '"json"', "log.level": '"trace"'}) as server:
            server.add_account(BOB)
            submit(server, message(ANNA, BOB, "Hello"))
            submit(server, message(ANNA, "x@nowhere.test", "Away"), rcpt=["x@nowhere.test"])
            self.assertEqual(subjects(server, BOB), ["Hello"])
            pop(server, BOB).quit()
            client = imaplib.IMAP4(server.host, server.port("imap"), timeout=60)
            self.assertRaises(imaplib.IMAP4.error, client.login, BOB, "wrong")
            client.logout()
            with Wire(server, "smtp", timeout=60) as wire:
                wire.reply()
                wire.ask('EHLO "quoted\\" \t\x01\x7f')
                wire.send(b"HELO \xff\xfe{\"key\": \x1b[31m\r\n")
                wire.reply()
                wire.ask("EHLO mx.beta.test")
                wire.ask('MAIL FROM:<"a\\"b"@beta.test>')
                wire.ask('RCPT TO:<"nobody\\\\"@alpha.test>')
                wire.ask("QUIT")
            server.stop()
            # What serve says to whom began it stands on standard output.
            lines = [line for line in server.log if line != "ready" and not line.startswith("listening on ")]
        seen = set()
        for line in lines:
            with self.subTest(line):
                entry = json.loads(line)
                self.assertRegex(entry.pop("time"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$")
                self.assertIn(entry.pop("level"), ("error", "warn", "info", "debug", "trace"))
                event = entry.pop("event")
                seen.add(event)
                self.assertEqual([word for word in (event, *entry) if word not in listed], [])
                self.assertIsNone(re.search(r"[\x00-\x1f\x7f]", line))
        for event in ("server.ready", "login.ok", "login.fail", "message.accept", "message.refuse", "smtp.line", "imap.command", "smtp.end", "imap.end",
                      "pop3.end", "server.end"):
            self.assertIn(event, seen)


if __name__ == "__main__":
    unittest.main()
