"""Restores on another machine: with another secret.key, and by root for the user of the server."""
import contextlib
import json
import os
import pathlib
import shutil
import smtplib
import subprocess
import tempfile
import time
import unittest

from harness import HIKYAKU, PASSWORD, Instance, eventually, hikyaku, place_of_root
from mail import message, subjects, submit

ANNA, BOB = "anna@alpha.test", "bob@alpha.test"


class AnotherSecretKey(unittest.TestCase):
    """The copy of secret.key is lost: what is lost with it has a name, and so has the way on."""

    def setUp(self):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="hikyaku-key-"))
        self.addCleanup(shutil.rmtree, self.place, True)
        self.to = self.place / "backups"
        self.config = {"submission.mechanisms": '["PLAIN", "SCRAM-SHA-256", "CRAM-MD5"]'}
        with Instance(ANNA, config=self.config) as server:
            self.base = server.base
            server.run("app-password", "add", ANNA, "phone")
            submit(server, message(ANNA, ANNA, "Kept"))
            server.run("backup", self.to, "--with-config")
        self.dir = self.place / "deep" / "mail"

    def restore(self, *options, check=True):
        return hikyaku("restore", self.to, *options, directory=self.dir, check=check)

    @contextlib.contextmanager
    def serving(self):
        server = Instance(ANNA, base=self.base)
        shutil.rmtree(server.dir)
        server.dir = self.dir
        server.start()
        try:
            yield server
        finally:
            server.stop()

    def test_the_way_on_without_it(self):
        refused = self.restore(check=False)
        self.assertEqual(refused.returncode, 66)
        for word in ("secret.key", "--force", "mail is not"):
            self.assertIn(word, refused.stderr)
        self.assertFalse(self.dir.parent.exists(), "a refused restore leaves nothing behind")

        done = " ".join(self.restore("--force").stdout.split())
        self.assertIn("hikyaku check --dir", done)
        self.assertEqual((self.dir / "secret.key").stat().st_mode & 0o777, 0o600)
        checked = hikyaku("check", "--no-dns", "--json", directory=self.dir, check=False)
        told = [one["text"] for one in json.loads(checked.stdout) if one["area"] == "accounts"]
        self.assertTrue(any(ANNA in one and f"hikyaku account password {ANNA}" in one for one in told), told)
        self.assertTrue(any("phone" in one and "hikyaku app-password add" in one for one in told), told)
        self.assertFalse(any("every password works" in one for one in told), told)
        shown = json.loads(hikyaku("account", "show", ANNA, "--json", directory=self.dir).stdout)
        self.assertEqual([(one["scram"], one["legacy"], one["other_key"]) for one in shown["credentials"]],
                         [(False, False, True)] * 2)
        self.assertIn("another secret.key", hikyaku("account", "show", ANNA, directory=self.dir).stdout)

        with self.serving() as server:
            def cram():
                with smtplib.SMTP(server.host, server.port("submission"), timeout=20) as smtp:
                    smtp.ehlo()
                    smtp.user, smtp.password = ANNA, PASSWORD
                    return smtp.auth("CRAM-MD5", smtp.auth_cram_md5)[0]

            with self.assertRaises(smtplib.SMTPAuthenticationError):
                cram()
            eventually(lambda: "cannot be opened with this secret.key" in "".join(server.log))
            # With PLAIN once, and all is as it was; the mail has never been away.
            self.assertEqual(subjects(server, ANNA), ["Kept"])
            submit(server, message(ANNA, ANNA, "Again"))
            self.assertEqual(cram(), 235)
            checked = json.loads(server.run("check", "--no-dns", "--json", check=False).stdout)
            told = [one["text"] for one in checked if one["area"] == "accounts"]
            self.assertFalse(any(f"account password {ANNA}" in one for one in told), told)
            self.assertTrue(any("phone" in one for one in told), told)

    def test_a_failure_leaves_nothing(self):
        for file in self.to.glob("*/store/journal/*"):
            file.write_bytes(b"")
        refused = self.restore("--force", check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertFalse(self.dir.parent.exists(), list(self.dir.glob("*")))


class AsRoot(unittest.TestCase):
    """An instance as quickstart makes it for root: its directory is root's, its store the server's user's."""

    def setUp(self):
        self.place = place_of_root(self)
        self.dir = self.place / "mail"
        hikyaku("quickstart", ANNA, "--host-name", "mail.alpha.test", directory=self.dir)
        self.backups = self.place / "backups"
        self.backups.mkdir()
        shutil.chown(self.backups, "hikyaku")
        hikyaku("backup", self.backups, "--with-config", directory=self.dir)

    def check_store(self):
        for path in [self.dir / "data", *(self.dir / "data").rglob("*")]:
            self.assertEqual(path.owner(), "hikyaku", path)
        self.assertEqual(list(self.dir.glob("*.restoring")), [])

    def test_root_backs_up_where_only_root_may_write(self):
        """No server runs: the store is opened as its user, the backup is written as root."""
        place = self.place / "root"
        place.mkdir(mode=0o700)
        made = json.loads(hikyaku("backup", place, "--json", directory=self.dir).stdout)
        self.assertEqual(pathlib.Path(made["path"], "store", "STORE").owner(), "root")
        self.assertTrue(json.loads(hikyaku("backup", "--check", place, "--json", directory=self.dir).stdout)["good"])
        self.check_store()

    def test_the_store_is_set_aside_and_replaced(self):
        done = json.loads(hikyaku("restore", self.backups, "--force", "--json", directory=self.dir).stdout)
        self.assertTrue(pathlib.Path(done["former"]).exists())
        self.check_store()

    def test_a_copied_key_gets_the_mode_that_the_server_needs(self):
        kept = (self.dir / "secret.key").read_bytes()
        shutil.rmtree(self.dir)
        self.dir.mkdir()
        key = self.dir / "secret.key"
        key.write_bytes(kept)
        key.chmod(0o600)
        told = " ".join(hikyaku("restore", self.backups, directory=self.dir).stdout.split())
        self.assertIn("can be read by the group of hikyaku now", told)
        self.assertEqual((key.owner(), key.group(), key.stat().st_mode & 0o777), ("root", "hikyaku", 0o640))
        # Another time it is as it should be; what no restore has mended is told with the command that does.
        self.assertNotIn("can be read by", hikyaku("restore", self.backups, "--force", directory=self.dir).stdout)
        key.chmod(0o600)
        refused = " ".join(hikyaku("account", "list", directory=self.dir, check=False).stderr.split())
        self.assertIn(f"chgrp hikyaku {key} && chmod 640 {key}", refused)

    def test_a_link_to_what_others_must_not_read_is_not_followed(self):
        secret = self.place / "another"
        secret.write_bytes((self.dir / "secret.key").read_bytes())
        secret.chmod(0o600)
        (self.dir / "secret.key").unlink()
        (self.dir / "secret.key").symlink_to(secret)
        refused = hikyaku("restore", self.backups, "--force", directory=self.dir, check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("is a link", refused.stderr)
        self.assertEqual((secret.group(), secret.stat().st_mode & 0o777), ("root", 0o600))

    def test_without_the_servers_user_the_command_that_makes_it_is_named(self):
        key = (self.dir / "secret.key").read_bytes()
        for file in self.backups.glob("*/config/hikyaku.toml"):
            text = file.read_text() + '\n[server]\nuser = "no-such-user"\n' if "[server]" not in file.read_text() else \
                file.read_text().replace("[server]\n", '[server]\nuser = "no-such-user"\n')
            file.write_text(text)
        shutil.rmtree(self.dir)
        self.dir.mkdir()
        (self.dir / "secret.key").write_bytes(key)
        refused = hikyaku("restore", self.backups, "--with-losses", directory=self.dir, check=False)
        self.assertEqual(refused.returncode, 66)
        self.assertIn("useradd --system --user-group --no-create-home --home-dir /var/lib/hikyaku --shell /usr/sbin/nologin no-such-user",
                      " ".join(refused.stderr.split()))
        self.assertEqual([path.name for path in self.dir.iterdir()], ["secret.key"])

    def test_files_are_judged_as_the_server_reads_them(self):
        """A certificate of certbot's: root reads it, the server does not."""
        live, archive = self.place / "live", self.place / "archive"
        for directory in (live, archive):
            directory.mkdir(mode=0o700)
        for name in ("cert.pem", "key.pem"):
            shutil.copy(self.dir / "tls" / name, archive / name)
            (live / name).symlink_to(f"../archive/{name}")
        config = self.dir / "hikyaku.toml"
        kept = config.read_text()
        config.write_text(kept + f'\n[tls]\ncertificates = [{{ cert = "{live}/cert.pem", key = "{live}/key.pem" }}]\n')
        line = config.read_text().splitlines().index(next(l for l in config.read_text().splitlines() if l.startswith("certificates")))

        def problems():
            found = json.loads(hikyaku("check", "--no-dns", "--json", directory=self.dir, check=False).stdout)
            return [one["text"] for one in found if one["level"] == "problem"]

        for way, closed in ((live, live), (live, archive)):
            told = [text for text in problems() if f"{closed} is closed to it (root:root 0700)" in text]
            self.assertEqual(len(told), 2, problems())
            self.assertIn(f"install -m 0640 -g hikyaku {live}/cert.pem {self.dir}/tls/", told[0])
            refused = hikyaku("config", "check", directory=self.dir, check=False)
            self.assertEqual(refused.returncode, 78)
            self.assertIn(f"hikyaku.toml:{line + 1}: hikyaku (server.user) cannot read {live}/cert.pem", refused.stderr)
            closed.chmod(0o755)
        (archive / "key.pem").chmod(0o600)
        shutil.chown(archive / "key.pem", "root", "root")
        self.assertTrue(any(f"chgrp hikyaku {archive}/key.pem && chmod 640 {archive}/key.pem" in text for text in problems()), problems())
        shutil.chown(archive / "key.pem", "root", "hikyaku")
        (archive / "key.pem").chmod(0o640)
        self.assertFalse(any("cannot read" in text for text in problems()), problems())
        hikyaku("config", "check", directory=self.dir)
        (archive / "cert.pem").unlink()
        refused = hikyaku("config", "check", directory=self.dir, check=False)
        self.assertEqual(refused.returncode, 78)
        self.assertIn(f"{live}/cert.pem is not there", refused.stderr)
        # Without a server's user to judge for, too.
        missing = subprocess.run([str(HIKYAKU), "config", "check", str(config)], capture_output=True, text=True, user=65534)
        self.assertNotIn("no mistakes", missing.stdout)

    def test_the_keys_can_be_read_by_the_server(self):
        key = (self.dir / "secret.key").read_bytes()
        shutil.rmtree(self.dir)
        self.dir.mkdir()
        (self.dir / "secret.key").write_bytes(key)
        shutil.chown(self.dir / "secret.key", "root", "hikyaku")
        (self.dir / "secret.key").chmod(0o640)
        hikyaku("restore", self.backups, directory=self.dir)
        self.check_store()
        for name in ("tls", "dkim"):
            self.assertEqual(((self.dir / name).group(), (self.dir / name).stat().st_mode & 0o777), ("hikyaku", 0o750))
        keys = [self.dir / "tls" / "key.pem", *(self.dir / "dkim").iterdir()]
        self.assertGreater(len(keys), 1)
        for path in keys:
            self.assertEqual((path.owner(), path.group(), path.stat().st_mode & 0o777), ("root", "hikyaku", 0o640), path)
