#!/usr/bin/env python3
"""Makes tests/stores/NAME.tar.xz: an instance as this version of the program writes it, and what must be found in it.

    tests/make_old_store.py NAME        (NAME: a date or version, such as 2026-11)

tests/test_upgrade.py opens all of them with every later version. The store holds two accounts, folders, flags, keywords, a deleted
message, a queue, a body in a bulk segment, and ends with a crash after a clean end. Its keys and passwords are for nothing else."""
import json
import pathlib
import sys
import tarfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from harness import Instance
from mail import imap, message, raw_messages, submit

ANNA, BOB = "anna@alpha.test", "bob@alpha.test"
STORES = pathlib.Path(__file__).parent / "stores"


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


def look(server):
    """What a store holds, for comparing."""
    found = {}
    for user in (ANNA, BOB):
        client = imap(server, user)
        boxes = sorted(line.decode().split('"/" ')[1].strip('"') for line in client.list()[1])
        for box in boxes:
            client.select(f'"{box}"', readonly=True)
            validity = client.untagged_responses["UIDVALIDITY"][-1].decode()
            rows = client.uid("FETCH", "1:*", "(FLAGS INTERNALDATE RFC822.SIZE MODSEQ)")[1]
            found[f"{user} {box}"] = {"uidvalidity": validity, "messages": sorted(r.decode().split(" ", 1)[1] for r in rows if r),
                                      "sizes": [len(m) for m in raw_messages(server, user, box)]}
        client.logout()
    found["queue"] = [entry["recipient"] for entry in json.loads(server.run("queue", "list", "--json").stdout)]
    found["deleted"] = [m["subject"] for m in json.loads(server.run("undelete", "--list", "--json").stdout)]
    return found


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    STORES.mkdir(exist_ok=True)
    with Instance(ANNA, config={"server.memory": '"64MB"'}) as server:
        fill(server)
        server.restart()  # a clean end
        submit(server, message(ANNA, BOB, "After the restart"))
        expected = look(server)
        server.kill()  # and one that is not
        (server.dir / "expected.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False))
        for name in ("control.sock", "submit.sock"):
            (server.dir / name).unlink(missing_ok=True)
        for log in (server.dir / "data" / "index").glob("LOG*"):
            log.unlink()
        target = STORES / f"{sys.argv[1]}.tar.xz"
        with tarfile.open(target, "w:xz", preset=9) as archive:
            archive.add(server.dir, arcname=".")
    print(f"{target}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
