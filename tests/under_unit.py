"""Runs a program behind the system call filters of packaging/hikyaku.service, made from the unit's own lines as systemd makes them.

usage: under_unit.py PROGRAM [ARGUMENTS]    its process becomes the program's

What SystemCallFilter= does not let through ends the program here, whatever the unit says of it: nothing of that kind is to be called at all.
"""
import ctypes
import ctypes.util
import errno
import os
import pathlib
import socket
import subprocess
import sys

UNIT = pathlib.Path(__file__).resolve().parent.parent / "packaging" / "hikyaku.service"
KILL, REFUSE, ALLOW = 0x80000000, 0x00050000, 0x7FFF0000  # seccomp(2)
EQUAL, MASKED_EQUAL = 4, 7  # seccomp_rule_add(3)
PROT_WRITE, PROT_EXEC = 2, 4


def values(option):
    """What the unit says of an option, line by line, in words."""
    lines = UNIT.read_text().splitlines()
    return [line.split("=", 1)[1].split() for line in lines if line.startswith(option + "=")]


def sets():
    """systemd's sets of system calls, such as @system-service."""
    told = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager"], capture_output=True, text=True, check=True).stdout
    found, current = {}, None
    for line in told.splitlines():
        word = line.strip()
        if line.startswith("@"):
            current = found.setdefault(word, [])
        elif line.startswith(" ") and word and not word.startswith("#") and current is not None:
            current.append(word)
    return found


def allowed():
    """The system calls that SystemCallFilter= lets through."""
    known = sets()

    def expand(word):
        return {call for one in known[word] for call in expand(one)} if word.startswith("@") else {word}
    result = expand("@default")
    for words in values("SystemCallFilter"):
        calls = set().union(*(expand(word.lstrip("~")) for word in words))
        result = result - calls if words[0].startswith("~") else result | calls
    return result


class Comparison(ctypes.Structure):
    _fields_ = [("argument", ctypes.c_uint), ("how", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def library():
    """libseccomp; None where it is missing."""
    name = ctypes.util.find_library("seccomp")
    if not name:
        return None
    found = ctypes.CDLL(name)
    found.seccomp_init.restype = ctypes.c_void_p
    found.seccomp_rule_add_array.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p]
    found.seccomp_load.argtypes = [ctypes.c_void_p]
    found.seccomp_syscall_resolve_name.argtypes = [ctypes.c_char_p]
    return found


def load(default, rules):
    """One filter: (action, call, comparisons) each."""
    seccomp = library()
    context = seccomp.seccomp_init(default)
    for action, call, *comparisons in rules:
        number = seccomp.seccomp_syscall_resolve_name(call.encode())
        if number >= 0:  # this machine has it
            array = (Comparison * len(comparisons))(*comparisons)
            if seccomp.seccomp_rule_add_array(context, action, number, len(comparisons), array) != 0:
                sys.exit(f"under_unit: no rule for {call}")
    if seccomp.seccomp_load(context) != 0:
        sys.exit("under_unit: the kernel does not take the filter")


def restrictions():
    """What the unit's other lines become in systemd: refused with an error."""
    rules = []
    if values("MemoryDenyWriteExecute") == [["yes"]]:
        both = PROT_WRITE | PROT_EXEC
        rules += [(REFUSE | errno.EPERM, "mmap", Comparison(2, MASKED_EQUAL, both, both)), (REFUSE | errno.EPERM, "mprotect", Comparison(2, MASKED_EQUAL, PROT_EXEC, PROT_EXEC))]
    families = {getattr(socket, name) for words in values("RestrictAddressFamilies") for name in words}
    for family in set(range(64)) - families if families else ():
        rules.append((REFUSE | errno.EAFNOSUPPORT, "socket", Comparison(0, EQUAL, family, 0)))
    return rules


def main():
    load(ALLOW, restrictions())
    load(KILL, [(ALLOW, call) for call in sorted(allowed())])
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
