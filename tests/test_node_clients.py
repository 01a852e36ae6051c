"""nodemailer and imapflow, the libraries of most mail programs that are written for Node."""
import json
import os
import pathlib
import shutil
import unittest

from harness import PASSWORD, PORTS, Instance, need
from mail import messages, run

HERE = pathlib.Path(__file__).resolve().parent
ANNA, BOB, HANAKO = "anna@alpha.test", "bob@alpha.test", "花子@alpha.test"


class Node(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        need("node")
        if not (HERE / "node_modules").is_dir():
            need("npm")
            done = run("npm", "ci", "--no-audit", "--no-fund", cwd=HERE, check=False, timeout=300)
            if done.returncode != 0:
                shutil.rmtree(HERE / "node_modules", ignore_errors=True)
                raise unittest.SkipTest("npm ci failed: " + done.stdout[-300:])
        cls.server = cls.enterClassContext(Instance(ANNA, config={"login.max_failures": 50}))
        cls.server.add_account(BOB)
        cls.server.add_account(HANAKO)

    def node(self, script, **arguments):
        arguments |= {"host": self.server.host, "ports": {name: self.server.port(name) for name in PORTS}, "password": PASSWORD}
        return run("node", HERE / "node" / script, json.dumps(arguments), timeout=120,
                   env={**os.environ, "NODE_NO_WARNINGS": "1"}).stdout

    def test_nodemailer(self):
        sent = [json.loads(line) for line in self.node("nodemailer.mjs", user=ANNA, to=BOB, other=HANAKO).splitlines()]
        self.assertEqual(len(sent), 39)
        got = {m["Message-ID"]: m for m in messages(self.server, BOB)}
        for one in sent:
            if BOB in one["accepted"]:
                self.assertIn(one["messageId"], got, one)
        plain = got[sent[0]["messageId"]]
        self.assertEqual(plain.get_payload(decode=True), b"Greetings from Node.\r\n.\r\n..\r\n")
        rich = next(m for m in got.values() if m.get_content_type() == "multipart/mixed")
        parts = {p.get_filename(): p.get_payload(decode=True) for p in rich.walk() if p.get_filename()}
        self.assertEqual(parts["報告書.txt"], "あいうえお\n".encode())
        self.assertEqual(parts["binary.bin"], b"\7" * 300_000)
        with_utf8 = next(one for one in sent if one["subject"] == "utf8")
        self.assertEqual(with_utf8["accepted"], [HANAKO])

    def test_imapflow(self):
        self.server.add_account("flow@alpha.test")
        self.assertEqual(self.node("imapflow.mjs", user="flow@alpha.test").strip(), "done")


if __name__ == "__main__":
    unittest.main()
