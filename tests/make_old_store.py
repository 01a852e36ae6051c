#!/usr/bin/env python3
"""Makes tests/stores/NAME.tar.xz: an instance as this version of the program writes it, and what must be found in it.

    tests/make_old_store.py NAME            (NAME: a date or version, such as 2026-11)
    tests/make_old_store.py --killed NAME   makes tests/stores/killed/NAME.tar.xz

tests/test_upgrade.py opens all of them with every later version. The store holds two accounts, folders, flags, keywords, a deleted
message, a queue, a body in a bulk segment; signing keys, aliases, a catch-all, passwords of every kind; reports of others, read and unread,
reports of ours on their way and still growing; what is kept of an account that was removed; it was restored from a backup, which raises the epoch,
and ends with a crash after a clean end. Its keys and passwords are for nothing else.
What ages is kept for ten years. Stores from before there were such things are as they were: what a store has, its expected.json says.

Those in killed/ were ended with kill -9 under mixed load (load.py), twice; behind the end that the index knows there is a journal, and its last
group, whose sync had not ended, is torn. HIKYAKU names the program: an earlier one can be built from an earlier commit."""
import email.policy
import gzip
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from harness import PASSWORD, TOP, Instance, eventually
from load import ZONE as LOAD_ZONE
from load import World
from mail import Wire, imap, message, raw_messages, submit
from test_dmarc_reports import bring, mail_with, xml

ANNA, BOB, GONE = "anna@alpha.test", "bob@alpha.test", "gone@gamma.test"
STORES = pathlib.Path(__file__).parent / "stores"
LEGACY = "an old password, an old client"  # bob's, from the middle on
OPTIONS = {"server.memory": '"64MB"', "dmarc.keep_reports": '"3650d"', "store.history": '"3650d"', "store.retention": '"3650d"',
           "dmarc.failure_reports": '"minimal"'}
ZONE = """\
$ORIGIN test.
$TTL 60
""" + "".join(f"""\
{name} MX 10 mx.nowhere
_dmarc.{name} TXT "v=DMARC1; p=none; fo=1; rua=mailto:d@{name}.test{more}"
""" for name, more in (("told", "; ruf=mailto:f@told.test"), ("growing", ""))) + 'mx.nowhere A 127.0.0.250\nbig TXT "v=spf1 ip4:127.0.0.1 -all"\n'
FAILURE = f"""\
From: d@big.test
To: dmarc-reports@alpha.test
Subject: Failure
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary=b

--b
Content-Type: text/plain

One of yours failed.
--b
Content-Type: message/feedback-report

Feedback-Type: auth-failure
User-Agent: Big/1.0
Version: 1
Auth-Failure: dmarc
Source-IP: 192.0.2.9
Reported-Domain: alpha.test
Original-Mail-From: <x@mallory.test>

--b
Content-Type: text/rfc822-headers

From: {ANNA}
Subject: Not hers

--b--
""".replace("\n", "\r\n").encode()


def fill(server):
    server.add_account(BOB)
    for i in range(6):
        submit(server, message(ANNA, BOB, f"Message {i}", f"Text {i}\n" * (i * 20 + 1)))
    submit(server, message(ANNA, BOB, "Large", ("0123456789" * 9 + "\n") * 4000))
    submit(server, message(ANNA, "far@nowhere.test", "Away"), rcpt=["far@nowhere.test"])
    server.run("queue", "hold", "all")
    client = imap(server, BOB)
    client.create("Work/Old")
    client.create("&kAFP4W4IMH8-")
    client.subscribe("Work/Old")
    client.select()
    client.store("1:2", "+FLAGS", r"(\Seen)")
    client.store("2", "+FLAGS", r"(\Flagged $Todo)")
    client.copy("1,7", "Work/Old")
    client.copy("3", "&kAFP4W4IMH8-")
    client.store("5", "+FLAGS", r"(\Deleted)")
    client.expunge()
    client.logout()


def items(server, *command):
    return json.loads(server.run(*command, "--json").stdout)


def fill_further(server):
    """Everything that came after mailboxes and queue; gives the app password."""
    server.run("domain", "add", "gamma.test")
    server.run("domain", "catch-all", "gamma.test", BOB)
    server.run("domain", "dkim", "alpha.test", "rotate")
    server.run("alias", "add", "info@alpha.test", ANNA, "far@nowhere.test")
    server.add_account("carol@gamma.test", "for nothing", "--name", "キャロル", "--language", "ja", "--quota", "5MB")
    server.run("account", "change", "carol@gamma.test", "--disable")
    server.run("account", "password", BOB, "--password-stdin", "--legacy-auth", input=LEGACY + "\n")
    app_password = items(server, "app-password", "add", BOB, "phone")["password"]
    bring(server, message("x@told.test", "unknown@gamma.test", "To whom it may concern").as_bytes(policy=email.policy.SMTP),
          "unknown@gamma.test", "x@told.test")
    bring(server, mail_with(gzip.compress(xml("one", [("192.0.2.10", 90, "pass", "pass"), ("198.51.100.9", 7, "fail", "fail")]))))
    bring(server, FAILURE)
    bring(server, mail_with(b"<nonsense/>", "xml", "r.xml"))
    eventually(lambda: {i["kind"] for i in items(server, "reports", "dmarc")} >= {"domain", "source", "unread"}, 120)
    eventually(lambda: items(server, "reports", "failure"), 120)
    server.run("reports", "dmarc", "--send-now")
    for i in range(3):
        bring(server, message("y@growing.test", BOB, f"Growing {i}").as_bytes(policy=email.policy.SMTP), BOB, "y@growing.test")
    eventually(lambda: {"d@told.test", "f@told.test"} <= {entry["recipient"] for entry in items(server, "queue", "list")}, 120)
    server.run("queue", "hold", "all")
    return app_password


def numbers(server, address, password=PASSWORD):
    """The highest UIDVALIDITY, MAILBOXID, EMAILID, THREADID and MODSEQ of an account, with a message that comes now."""
    submit(server, message(ANNA, address, "Today"))
    with Wire(server, "imap") as client:
        assert "a OK" in client.login(address, password)
        told = client.tagged('LIST "" * RETURN (STATUS (UIDVALIDITY MAILBOXID))')
        client.tagged("EXAMINE INBOX")
        told = " ".join(told + client.tagged("FETCH 1:* (EMAILID THREADID MODSEQ)"))
    return [max(map(int, re.findall(pattern, told)))
            for pattern in (r"UIDVALIDITY (\d+)", r"MAILBOXID \(m(\d+)\)", r"EMAILID \(e(\d+)\)", r"THREADID \(t(\d+)\)", r"MODSEQ \((\d+)\)")]


def remove_an_account(server):
    """Gives the numbers that its clients have seen."""
    server.add_account(GONE)
    client = imap(server, GONE)
    for i in range(5):
        client.create(f"Box{i}")
    client.logout()
    seen = numbers(server, GONE)
    server.run("account", "remove", GONE, "--yes")
    return seen


def restore_from_backup(server):
    """Leads to another epoch; the server is stopped, and is started."""
    with tempfile.TemporaryDirectory(prefix="hikyaku-backup-") as backups:
        server.run("backup", backups)
        shutil.rmtree(items(server, "restore", backups, "--force")["former"])
    server.start()


def look_further(server):
    account = items(server, "account", "show", BOB)
    return {
        "domains": items(server, "domain", "list"),
        "aliases": items(server, "alias", "list"),
        "accounts": items(server, "account", "list"),
        "passwords": [{k: p[k] for k in ("name", "app_password", "scram", "legacy", "created")} for p in account["credentials"]],
        "keys": [[k["selector"], k["algorithm"], k["state"], k["record"]] for k in items(server, "domain", "dkim", "alpha.test")],
        # What is advised depends on the day.
        "reports": [i for i in items(server, "reports", "dmarc", "--since", "2026-01-01") if i["kind"] != "advice"],
        "failures": items(server, "reports", "failure", "--since", "2026-01-01"),
        "held": [[entry["id"], entry["state"]] for entry in items(server, "queue", "list")],
        "stories": sorted([s["id"], s["arrival"]["subject"], [[r["address"], r["outcome"]] for r in s["recipients"]]]
                          for s in map(json.loads, server.run("trace", BOB, "--most", "1000", "--json").stdout.splitlines()))}


def look(server, passwords=()):
    """What a store holds, for comparing."""
    found, passwords = {}, dict(passwords)
    for user in (ANNA, BOB):
        client = imap(server, user, passwords.get(user, PASSWORD))
        boxes = sorted(line.decode().split('"/" ')[1].strip('"') for line in client.list()[1])
        for box in boxes:
            client.select(f'"{box}"', readonly=True)
            validity = client.untagged_responses["UIDVALIDITY"][-1].decode()
            rows = client.uid("FETCH", "1:*", "(FLAGS INTERNALDATE RFC822.SIZE MODSEQ)")[1]
            found[f"{user} {box}"] = {"uidvalidity": validity, "messages": sorted(r.decode().split(" ", 1)[1] for r in rows if r),
                                      "sizes": [len(m) for m in raw_messages(server, user, box, passwords.get(user, PASSWORD))]}
        client.logout()
    found["queue"] = [entry["recipient"] for entry in json.loads(server.run("queue", "list", "--json").stdout)]
    found["deleted"] = [m["subject"] for m in json.loads(server.run("undelete", "--list", "--json").stdout)]
    return found


def tear_last_group(log):
    """What a power loss makes of a group that is written and not synced: its last sectors are not there. False if there is none."""
    pending = {}
    for line in map(str.split, log.read_text().splitlines()):
        if line[1].endswith(".log"):
            if line[0] == "write":
                pending[line[1]] = line
            elif line[1] in pending and int(line[2]) >= int(pending[line[1]][4]):
                del pending[line[1]]
    torn = False
    for _, path, begin, end, _ in pending.values():
        middle = (int(begin) + int(end)) // 2 // 512 * 512
        if middle > int(begin):
            with open(path, "r+b") as segment:
                segment.seek(middle)
                segment.write(bytes(int(end) - middle))
            torn = True
    return torn


def killed_under_load():
    """A world whose server was killed twice, and torn; its ledgers say what must be there."""
    world = World(int(time.time()))
    server = world.server
    server.start()
    with world.load():
        time.sleep(1)
        world.kill()
        world.stopping = True
    world.recorder.shutdown()
    world.recorder.server_close()  # from here on everything for others stays in the queue
    log = server.dir / "syncs"
    server.env = {"LD_PRELOAD": str(TOP / "build" / "sync_shim.so"), "HIKYAKU_SHIM_LOG": str(log)}
    server.start()
    assert world.check() == []
    with world.load() as clients:
        eventually(lambda: min(client.done for client in clients) > 0, 60)
        time.sleep(1)
        world.kill()
        world.stopping = True
    if not tear_last_group(log):
        raise SystemExit("nothing was under way: once more, please")
    log.unlink()
    return world


def killed(name):
    world = killed_under_load()
    expected = {**world.saved(), "queued": len(world.must_be_sent - set(world.recorder.got))}
    (world.server.dir / "zone").write_text(LOAD_ZONE)
    pack(world.server, f"killed/{name}", expected)
    shutil.rmtree(world.server.dir)


def pack(server, name, expected):
    (server.dir / "expected.json").write_text(json.dumps(expected, indent=None if "killed" in name else 1, ensure_ascii=False))
    for socket in ("control.sock", "submit.sock"):
        (server.dir / socket).unlink(missing_ok=True)
    for log in (server.dir / "data" / "index").glob("LOG*"):
        log.unlink()
    target = STORES / f"{name}.tar.xz"
    target.parent.mkdir(exist_ok=True)
    with tarfile.open(target, "w:xz", preset=9) as archive:
        archive.add(server.dir, arcname=".")
    print(f"{target}: {target.stat().st_size} bytes")


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--killed":
        return killed(sys.argv[2])
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    zone = tempfile.NamedTemporaryFile("w", suffix=".zone")
    zone.write(ZONE)
    zone.flush()
    with Instance(ANNA, zone=zone.name, config=OPTIONS) as server:
        fill(server)
        app_password = fill_further(server)
        removed = remove_an_account(server)
        server.stop()  # a clean end
        restore_from_backup(server)
        submit(server, message(ANNA, BOB, "After the restart"))
        expected = look(server, {BOB: LEGACY})
        expected["further"] = look_further(server)
        expected["passwords"] = {BOB: LEGACY, "phone": app_password}
        expected["removed"] = {"address": GONE, "numbers": removed}
        (server.dir / "zone").write_text(ZONE)
        time.sleep(3)  # what nobody waits for
        server.kill()  # and one that is not
        pack(server, sys.argv[1], expected)
        subprocess.run([TOP / "tools" / "check-stores", "--record", sys.argv[1]], check=True)


if __name__ == "__main__":
    main()
