"""What tests of backups share."""
import json
import pathlib
import shutil
import tempfile
import unittest


def number(client, name):
    return int(client.untagged_responses[name][-1])


class BackedUp(unittest.TestCase):
    """Has a place for backups."""

    def setUp(self):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="hikyaku-backup-"))
        self.addCleanup(shutil.rmtree, self.place, True)
        self.to = self.place / "backups"

    def backup(self, server, *options):
        return json.loads(server.run("backup", self.to, "--json", *options).stdout)

    def verify(self, server):
        self.assertIn("Everything is as it was written", server.run("verify").stdout)
