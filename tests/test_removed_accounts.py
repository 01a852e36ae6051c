"""Accounts that are removed while they are used, and made again under their address."""
import json
import re
import threading
import unittest

from harness import Instance
from hostile import Peer

ANNA, BOB = "anna@alpha.test", "bob@alpha.test"


def append(mailbox, subject):
    text = f"Subject: {subject}\r\n\r\ntext"
    return f"APPEND {mailbox} {{{len(text)}+}}\r\n{text}"


def held(server):
    """What a stopped server's store holds: accounts that have rows, and bodies that somebody owns."""
    told = json.loads(server.run("verify", "--json").stdout)
    assert told["good"], told
    return told["mail"]["accounts"], told["bodies"] - told["waiting"]  # for the end of their retention


class Life:
    """One of an account's: all that its clients may have learnt by heart."""

    def __init__(self, server, folders):
        self.uids, self.mailboxes, self.emails, self.threads, self.numbers = {}, set(), set(), set(), []
        with Peer(server, "imap") as client:
            assert "a OK" in client.login(BOB)
            for name in folders:
                created = client.tagged(f"CREATE {name}")[-1]
                self.mailboxes.add(re.search(r"MAILBOXID \((\w+)\)", created).group(1))
            for name in ["INBOX", *folders]:
                appended = client.tagged(append(name, f"in {name}"))[-1]
                uid = re.search(r"APPENDUID (\d+) (\d+)", appended).groups()
                assert uid not in self.uids, (uid, name, self.uids[uid])
                self.uids[uid] = name
                client.tagged(f"EXAMINE {name}")
                seen = " ".join(client.tagged("FETCH 1 (EMAILID THREADID MODSEQ)"))
                self.emails.add(re.search(r"EMAILID \((\w+)\)", seen).group(1))
                self.threads.add(re.search(r"THREADID \((\w+)\)", seen).group(1))
                self.numbers.append(int(re.search(r"MODSEQ \((\d+)\)", seen).group(1)))


class RemovedAccounts(unittest.TestCase):
    def test_made_again_at_once_it_is_another(self):
        """A client that syncs 80 folders uses up 80 seconds of UIDVALIDITY in one."""
        folders = [f"f{number:02}" for number in range(80)]
        with Instance(ANNA, config={"limits.connections_per_address": "1000"}) as server:
            server.add_account(BOB)
            first = Life(server, folders)
            server.run("account", "remove", BOB, "--yes")
            server.restart()  # it is noted on the disk
            server.add_account(BOB)
            second = Life(server, folders[::-1])
            for what in ("uids", "mailboxes", "emails", "threads"):
                with self.subTest(what):
                    self.assertEqual(set(getattr(first, what)) & set(getattr(second, what)), set())
            self.assertGreater(min(second.numbers), max(first.numbers))

    def test_whoever_writes_while_it_goes_leaves_nothing(self):
        with Instance(ANNA, config={"limits.connections_per_address": "1000"}) as server:
            for turn in range(4):
                server.add_account(BOB)
                clients = [Peer(server, "imap", f"127.0.1.{number + 1}") for number in range(8)]
                for client in clients:
                    self.assertIn("a OK", client.login(BOB))
                done = threading.Barrier(len(clients) + 1)

                def write(client, number):
                    commands = "".join(f"b CREATE m{number}x{i}\r\nb {append(f'm{number}x{i}', i)}\r\n" for i in range(400))
                    try:
                        client.send(commands)
                        done.wait(20)
                        client.until("* BYE")
                    except OSError:
                        pass  # it has been ended
                    client.socket.close()

                writers = [threading.Thread(target=write, args=(client, number)) for number, client in enumerate(clients)]
                for writer in writers:
                    writer.start()
                done.wait(20)
                server.run("account", "remove", BOB, "--yes")
                for writer in writers:
                    writer.join(30)
            server.stop()
            self.assertEqual(held(server), (1, 0))


if __name__ == "__main__":
    unittest.main()
