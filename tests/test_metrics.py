"""What the metrics say, held against what was done: logins, mail that goes out or waits, connections that are turned away, the store."""
import contextlib
import imaplib
import smtplib
import socket
import tempfile
import time
import unittest

from harness import PASSWORD, Instance, eventually
from load import ZONE, Recorder
from mail import message, submit
from test_observability import parse_exposition

ANNA, DORA = "anna@alpha.test", "dora@gamma.test"


def value_in(families, name, sample="", **labels):
    return sum(value for (found, pairs), value in families[name]["samples"].items()
               if found == name + sample and labels.items() <= dict(pairs).items())


class Metrics(unittest.TestCase):
    config = {}

    def setUp(self):
        zone = self.enterContext(tempfile.NamedTemporaryFile("w", suffix=".zone"))
        zone.write(ZONE)
        zone.flush()
        self.server = self.enterContext(Instance(ANNA, zone=zone.name, config={"queue.retry": '["1h"]', **self.config}))

    def value(self, name, sample="", **labels):
        """Of one family, summed over the other labels; `sample`: of a histogram, "_count" or "_sum"."""
        return value_in(self.families(), name, sample, **labels)

    def families(self):
        return parse_exposition(self.server.run("metrics").stdout)


class Logins(Metrics):
    def log_in(self, password=PASSWORD):
        client = imaplib.IMAP4(self.server.host, self.server.port("imap"), timeout=20)
        client.login(ANNA, password)
        client.logout()

    def test_a_hash_is_counted_where_one_is_worked_out(self):
        hashed = lambda: self.value("hikyaku_login_hash_seconds", "_count")
        self.assertEqual(hashed(), 0)
        self.log_in()
        self.assertEqual(hashed(), 1)
        took = self.value("hikyaku_login_hash_seconds", "_sum")
        self.assertGreater(took, 0.001)  # it is meant to be slow
        with self.assertRaises(imaplib.IMAP4.error):
            self.log_in("wrong")
        self.assertEqual(hashed(), 2)
        self.log_in()  # it is remembered
        self.assertEqual(hashed(), 2)
        self.assertEqual(self.value("hikyaku_logins_total", outcome="ok"), 2)


class Out(Metrics):
    def test_mail_that_goes(self):
        self.assertEqual(self.value("hikyaku_deliveries_total"), 0)
        recorder = Recorder(self.server.port("smtp"))
        self.addCleanup(recorder.server_close)
        self.addCleanup(recorder.shutdown)
        for number in range(2):
            submit(self.server, message(ANNA, DORA, f"m{number}"))
        eventually(lambda: self.value("hikyaku_deliveries_total", outcome="delivered") == 2)
        self.assertEqual(self.value("hikyaku_delivery_seconds", "_count"), 2)
        self.assertGreater(self.value("hikyaku_delivery_seconds", "_sum"), 0)
        self.assertGreaterEqual(self.value("hikyaku_dns_lookups_total", outcome="found"), 2)  # MX and A
        self.assertEqual(self.value("hikyaku_dns_lookup_seconds", "_count"), self.value("hikyaku_dns_lookups_total"))
        eventually(lambda: self.value("hikyaku_queue_bytes") == 0)

    def test_mail_that_waits(self):
        names = ("hikyaku_queue_bytes", "hikyaku_queue_oldest_seconds", "hikyaku_queue_recipients")
        self.assertEqual([self.value(name) for name in names], [0, 0, 0])
        submit(self.server, message(ANNA, DORA, "Waits", "x" * 70 + "\n" + "y" * 5_000))  # nobody listens there
        came = time.monotonic()
        waiting = lambda: self.value("hikyaku_queue_recipients", state="waiting")
        eventually(lambda: waiting() == 1)
        self.assertEqual(self.value("hikyaku_deliveries_total", outcome="deferred"), 1)
        self.assertEqual(self.value("hikyaku_delivery_seconds", "_count"), 0)  # there was no connection
        self.assertEqual(self.value("hikyaku_queue_recipients"), 1)
        self.assertTrue(5_000 < self.value("hikyaku_queue_bytes") < 12_000)
        oldest = eventually(lambda: self.value("hikyaku_queue_oldest_seconds"))
        self.assertLessEqual(oldest, time.monotonic() - came + 2)
        eventually(lambda: self.value("hikyaku_queue_oldest_seconds") > oldest)
        self.server.run("queue", "drop", "all")
        eventually(lambda: [self.value(name) for name in names] == [0, 0, 0])


class Refused(Metrics):
    config = {"limits.connections_per_address": 3}

    def test_connections_that_are_turned_away(self):
        with contextlib.ExitStack() as stack:
            def connect(service):
                peer = stack.enter_context(socket.create_connection((self.server.host, self.server.port(service)), timeout=20))
                return peer.recv(1000)

            for _ in range(3):
                self.assertRegex(connect("imap"), rb"^\* OK")
            self.assertRegex(connect("imap"), rb"^\* BYE")
            for _ in range(2):
                self.assertRegex(connect("smtp"), rb"^421 ")
            refused = lambda protocol: self.value("hikyaku_connections_refused_total", protocol=protocol)
            eventually(lambda: [refused("imap"), refused("smtp"), refused("pop3")] == [1, 2, 0])
            # Whoever complains can be told why, and a flood fills no disk: one line a minute and address.
            told = [line for line in self.server.log if "event=connection.refuse" in line]
            self.assertEqual(len(told), 1, told)
            self.assertIn(f"ip={self.server.host} limit=limits.connections_per_address", told[0])
            self.assertEqual(self.value("hikyaku_connections_open", protocol="imap"), 3)
        eventually(lambda: self.value("hikyaku_connections_open", protocol="imap") == 0)
        self.assertEqual(self.value("hikyaku_connections_total", protocol="imap"), 3)


class Store(Metrics):
    def test_transactions_and_the_groups_that_they_shared(self):
        before = self.families()
        with smtplib.SMTP(self.server.host, self.server.port("smtp"), timeout=20) as smtp:
            for number in range(5):
                smtp.sendmail("x@beta.test", [ANNA], f"Subject: {number}\r\n\r\n" + "x" * 900 + "\r\n")
        after = self.families()
        grown = lambda name, sample="": value_in(after, f"hikyaku_store_{name}", sample) - value_in(before, f"hikyaku_store_{name}", sample)
        batches, transactions = grown("batches_total"), grown("transactions_total")
        self.assertEqual(grown("batch_transactions", "_count"), batches)
        self.assertEqual(grown("batch_transactions", "_sum"), transactions)
        self.assertEqual(grown("sync_seconds", "_count"), batches)
        self.assertGreaterEqual(transactions, 5)
        self.assertTrue(1 <= batches <= transactions)
        self.assertGreater(grown("journal_written_bytes_total"), 5 * 900)
        self.assertEqual(self.value("hikyaku_store_read_only"), 0)
        self.assertEqual(self.value("hikyaku_store_waiting_transactions"), 0)


if __name__ == "__main__":
    unittest.main()
