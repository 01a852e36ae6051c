"""Runs mailload (bench/mailload/), the client that measures; and finds the two programs."""
import argparse
import json
import pathlib
import resource
import subprocess
import sys

from servers import DOMAIN, PASSWORD

BUILD = pathlib.Path(__file__).resolve().parents[2] / "build"


def arguments(description):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hikyaku", default=BUILD / "hikyaku", type=pathlib.Path, help="the program (build/hikyaku)")
    parser.add_argument("--mailload", default=BUILD / "mailload", type=pathlib.Path, help="the client (build/mailload)")
    parser.add_argument("--dir", default="/var/tmp", help="where both sides keep their mail, on the disk to be measured (/var/tmp)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each side is measured, in turn (5)")
    return parser


def check(options):
    for program in (options.hikyaku, options.mailload):
        if not program.exists():
            sys.exit(f"{program} is not there: ./run build, and ninja -C build mailload")


class Load:
    def __init__(self, program, accounts):
        self.program, self.accounts = program, accounts

    def command(self, verb, host, port, **options):
        words = [str(self.program), verb, "--host", host, "--port", str(port), "--domain", DOMAIN, "--password", PASSWORD]
        for name, value in {"users": self.accounts, **options}.items():
            words += ["--" + name.replace("_", "-"), str(value)]
        return words

    def run(self, verb, host, port, **options):
        """What it printed, and "cpu": the seconds of processor that itself took."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(self.command(verb, host, port, **options), capture_output=True, text=True, timeout=900)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode != 0:
            raise RuntimeError(f"mailload {verb}: {done.stderr.strip()}")
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return {**json.loads(done.stdout), "cpu": cpu}
