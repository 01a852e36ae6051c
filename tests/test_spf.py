"""`hikyaku spf`: the result first, the domain's explanation second, reasons after."""
import json
import pathlib
import socket
import struct
import tempfile
import threading
import unittest

from harness import hikyaku

ZONE = """$ORIGIN example.org.
@     TXT "v=spf1 ip4:192.0.2.0/24 include:_spf.example.net -all exp=why.example.org"
why   TXT "%{i} does not send for %{o}"
_spf.example.net. TXT "v=spf1 a:out.example.net ?all"
out.example.net. A 198.51.100.7
soft  TXT "v=spf1 ~all"
wrong TXT "v=spf1 includ:x.example.net -all"
mute  TXT "v=spf1 a:silent.example.org -all"
;!TIMEOUT silent.example.org.
"""


def serve_dns(text):
    """A DNS server on loopback that has this TXT record for every name and nothing else; gives its address and a way to end it."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))

    def answer():
        while True:
            query, peer = server.recvfrom(4096)
            if not query:
                return
            end = query.index(0, 12) + 5
            is_txt = query[end - 4:end - 2] == b"\0\x10"
            data = bytes([len(text)]) + text.encode()
            record = b"\xc0\x0c" + struct.pack(">HHIH", 16, 1, 60, len(data)) + data if is_txt else b""
            server.sendto(query[:2] + b"\x81\x80" + struct.pack(">HHHH", 1, is_txt, 0, 0) + query[12:end] + record, peer)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()

    def stop():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", server.getsockname())
        thread.join(5)
        server.close()

    return "127.0.0.1:%d" % server.getsockname()[1], stop


def wire_name(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def record(name, kind, data):
    return wire_name(name) + struct.pack(">HHIH", kind, 1, 60, len(data)) + data


def strings(*texts):
    return b"".join(bytes([len(text)]) + text for text in texts)


TXT, NS, CNAME = 16, 2, 5
# By name: the code, the answer section and, for some, the authority section.
HOSTILE = {
    "nul-inside.test": (0, [record("nul-inside.test", TXT, strings(b"v=spf1 \0 +all"))]),
    "nul-behind.test": (0, [record("nul-behind.test", TXT, strings(b"v=spf1 +all\0"))]),
    "nul-version.test": (0, [record("nul-version.test", TXT, strings(b"v=spf1\0+all"))]),
    "nul-split.test": (0, [record("nul-split.test", TXT, strings(b"v=spf1 +a", b"\0", b"ll"))]),
    "nul-name.test": (0, [record("nul-name.test", TXT, strings(b"v=spf1 include:good.test\0.evil.test +all"))]),
    "refused.test": (5, []),
    "servfail.test": (2, []),
    "notimp.test": (4, []),
    "referral.test": (0, [], [record("referral.test", NS, wire_name("ns.nowhere.test"))]),
    "self.test": (0, [record("self.test", CNAME, wire_name("self.test"))]),
    "ping.test": (0, [record("ping.test", CNAME, wire_name("pong.test")), record("pong.test", CNAME, wire_name("ping.test"))]),
    "pong.test": (0, [record("pong.test", CNAME, wire_name("ping.test")), record("ping.test", CNAME, wire_name("pong.test"))]),
    "long.test": (0, [record("long.test", CNAME, wire_name("a0.long.test"))]),
    **{f"a{i}.long.test": (0, [record(f"a{i}.long.test", CNAME, wire_name(f"a{i + 1}.long.test"))]) for i in range(60)},
    "good.test": (0, [record("good.test", TXT, strings(b"v=spf1 +a", b"ll"))]),
}


def serve_hostile_dns(test):
    """A DNS server on loopback that answers as HOSTILE says, whatever is asked for; gives its address."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))

    def answer():
        while True:
            query, peer = server.recvfrom(4096)
            if not query:
                return
            end, labels, at = query.index(0, 12) + 5, [], 12
            while query[at]:
                labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
                at += 1 + query[at]
            code, answers, *rest = HOSTILE.get(".".join(labels), (3, []))
            authority = rest[0] if rest else []
            head = query[:2] + bytes([0x81, 0x80 | code]) + struct.pack(">HHHH", 1, len(answers), len(authority), 0)
            server.sendto(head + query[12:end] + b"".join(answers + authority), peer)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()

    def stop():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", server.getsockname())
        thread.join(5)
        server.close()

    test.addCleanup(stop)
    return "127.0.0.1:%d" % server.getsockname()[1]


class HostileDns(unittest.TestCase):
    """Real DNS messages over the wire: what is odd in them never makes a pass, and what failed is not taken for "there is nothing"."""

    def test_each_ends_with_a_result(self):
        dns = serve_hostile_dns(self)
        for name, results in (("good", {"pass"}), ("nul-inside", {"permerror"}), ("nul-behind", {"permerror"}), ("nul-version", {"none"}),
                              ("nul-split", {"permerror"}), ("nul-name", {"permerror"}), ("refused", {"temperror"}), ("servfail", {"temperror"}),
                              ("notimp", {"temperror"}), ("referral", {"temperror"}), ("self", {"temperror"}),
                              ("ping", {"temperror"}), ("long", {"temperror"})):
            for language in ("en", "ja"):
                with self.subTest(name, language=language):
                    done = hikyaku("spf", "--ip", "192.0.2.1", "--mail-from", f"a@{name}.test", "--helo", "h.test", "--dns", dns, "--lang", language,
                                   check=False)
                    self.assertEqual([done.returncode, done.stderr], [0, ""])
                    self.assertIn(done.stdout.split()[0], results)
                    self.assertNotRegex(done.stdout, "[\0-\x09\x0b-\x1f]")
                    if language == "ja":
                        words = done.stdout.split("\n", 2)[2].split("DNS への問い合わせ")[0]
                        self.assertNotRegex(" ".join(words.split()), r"(?<![\w\".:+-])[a-z]{2,} [a-z]{2,}(?![\w\".:])", "not translated")


class Spf(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.zone = pathlib.Path(self.folder.name) / "zone"
        self.zone.write_text(ZONE)

    def ask(self, ip, sender, *more, **others):
        return hikyaku("spf", "--ip", ip, "--mail-from", sender, "--helo", "mail.example.org", "--zone", self.zone, *more, **others)

    def test_results_are_the_first_word(self):
        for ip, sender, result in [
                ("192.0.2.9", "a@example.org", "pass"),
                ("::ffff:192.0.2.9", "<a@example.org>", "pass"),
                ("198.51.100.7", "a@example.org", "pass"),
                ("2001:db8::1", "a@example.org", "fail"),
                ("192.0.2.9", "a@soft.example.org", "softfail"),
                ("192.0.2.9", "a@_spf.example.net", "neutral"),
                ("192.0.2.9", "a@nobody.example.org", "none"),
                ("192.0.2.9", "a@wrong.example.org", "permerror"),
                ("192.0.2.9", "a@mute.example.org", "temperror"),
                ("192.0.2.9", "", "none"),  # postmaster@mail.example.org, which has no record
        ]:
            with self.subTest(ip=ip, sender=sender):
                self.assertEqual(self.ask(ip, sender).stdout.split()[0], result)

    def test_the_explanation_is_the_second_line(self):
        lines = self.ask("203.0.113.1", "a@example.org").stdout.splitlines()
        self.assertEqual(lines[1], "203.0.113.1 does not send for example.org")
        self.assertIn('"-all" in', " ".join(lines[2:]))
        self.assertEqual(self.ask("192.0.2.9", "a@soft.example.org").stdout.splitlines()[1], "")

    def test_the_helo_name_alone(self):
        done = hikyaku("spf", "--ip", "192.0.2.9", "--helo", "soft.example.org", "--zone", self.zone, "--json")
        self.assertEqual([json.loads(done.stdout)[k] for k in ("identity", "result")], ["helo", "softfail"])

    def test_everything_that_led_there(self):
        words = self.ask("203.0.113.1", "a@example.org", "--explain").stdout
        for expected in ("include:_spf.example.net", "no match", "TXT  _spf.example.net: v=spf1", "A    out.example.net: 198.51.100.7 (TTL 300 s)"):
            self.assertIn(expected, words)
        self.assertIn("Records read (MAIL FROM):", words)
        helo = hikyaku("spf", "--ip", "192.0.2.9", "--helo", "soft.example.org", "--zone", self.zone, "--explain").stdout
        self.assertIn("Records read (HELO):", helo)
        verdict = json.loads(self.ask("203.0.113.1", "a@example.org", "--json").stdout)
        self.assertEqual(verdict["mechanism"], "-all")
        self.assertEqual([(s["depth"], s["term"], s["effect"]) for s in verdict["steps"]][:3],
                         [(0, "ip4:192.0.2.0/24", "no match"), (0, "include:_spf.example.net", "no match"),
                          (1, "a:out.example.net", "no match")])
        japanese = self.ask("203.0.113.1", "a@example.org", "--explain", env={"LANG": "ja_JP.UTF-8"}).stdout
        self.assertTrue(japanese.startswith("fail\n"))
        self.assertIn("不一致", japanese)

    def test_a_dns_server_may_be_named(self):
        address, stop = serve_dns("v=spf1 ip4:192.0.2.9 -all")
        self.addCleanup(stop)
        for ip, result in [("192.0.2.9", "pass"), ("192.0.2.8", "fail")]:
            done = hikyaku("spf", "--ip", ip, "--mail-from", "a@example.test", "--dns", address)
            self.assertEqual(done.stdout.split()[0], result, done.stdout)

    def test_mistakes_are_named(self):
        self.assertIn('is "include" meant?', " ".join(self.ask("192.0.2.9", "a@wrong.example.org").stdout.split()))
        self.zone.write_text("example.org. MX\n")
        self.assertEqual(self.ask("192.0.2.9", "a@example.org", check=False).returncode, 65)
        self.zone.unlink()
        self.assertEqual(self.ask("192.0.2.9", "a@example.org", check=False).returncode, 65)
        for arguments, code in [(["--ip", "192.0.2.9"], 64), (["--helo", "a.b"], 64), (["--ip", "192.0.2", "--helo", "a.b"], 65),
                                (["--ip", "192.0.2.9", "--helo", "a.b", "--dns", "nowhere"], 65)]:
            self.assertEqual(hikyaku("spf", *arguments, check=False).returncode, code)


if __name__ == "__main__":
    unittest.main()
