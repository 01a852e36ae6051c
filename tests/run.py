#!/usr/bin/env python3
"""Runs the whole-program tests: every tests/test_*.py, each in a process of its own.

usage: tests/run.py [-v] [NAME …]     NAME: part of a file name or of FILE:TEST
       tests/run.py --watch FILE      one file in this process, its progress as it comes

Needs build/hikyaku. Closes with "clients: N passed, N failed, N skipped".
"""
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
LONG = ("test_backup", "test_dmarc_reports", "test_kill", "test_power_loss", "test_verify")  # they begin first, so that none is left alone at the end


class Recorder(unittest.TextTestResult):
    """Prints one line a test, and what went wrong at once."""

    def __init__(self, *args):
        super().__init__(*args)
        self.passed = 0

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1


def run_file(name, only):
    """Runs one file in this process; the last line printed is a JSON summary for the parent."""
    suite = unittest.defaultTestLoader.loadTestsFromName(name)
    if only:
        suite = unittest.TestSuite(t for t in flatten(suite) if any(o in f"{name}:{t._testMethodName}" for o in only))
    runner = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Recorder)
    result = runner.run(suite)
    bad = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    print(json.dumps({"passed": result.passed, "failed": bad, "skipped": len(result.skipped)}))


def flatten(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flatten(test)
        else:
            yield test


def run_child(name, only):
    began = time.monotonic()
    command = [sys.executable, __file__, "--file", name, *only]
    patience = 3_600 if os.environ.get("HIKYAKU_LONG") == "1" else 900
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=patience, errors="replace")
        output = done.stdout
    except subprocess.TimeoutExpired as error:
        output = (error.stdout or b"").decode(errors="replace") + f"\ntimed out after {patience} s\n"
    lines = output.rstrip().splitlines()
    try:
        return name, "\n".join(lines[:-1]), json.loads(lines[-1]), time.monotonic() - began
    except (ValueError, IndexError):
        return name, output, {"passed": 0, "failed": 1, "skipped": 0}, time.monotonic() - began


def main():
    arguments = sys.argv[1:]
    if arguments[:1] == ["--file"]:
        return run_file(arguments[1], arguments[2:])
    verbose = "-v" in arguments
    if arguments[:1] == ["--watch"]:  # one file, its words as they come
        os.chdir(HERE)
        os.execv(sys.executable, [sys.executable, "-u", "-W", "ignore", "-m", "unittest", "-v", *arguments[1:]])
    only = [a for a in arguments if a != "-v"]
    files = sorted((p.stem for p in HERE.glob("test_*.py")), key=lambda name: (name not in LONG, name))
    if only:
        files = [f for f in files if any(o.split(":")[0] in f for o in only)]
    total = {"passed": 0, "failed": 0, "skipped": 0}
    # Two at a time: most of what tests do is wait.
    with concurrent.futures.ThreadPoolExecutor(max_workers=int(os.environ.get("HIKYAKU_TEST_JOBS", "3"))) as pool:
        for done in concurrent.futures.as_completed([pool.submit(run_child, f, [o for o in only if ":" in o]) for f in files]):
            name, output, counts, seconds = done.result()
            for key in total:
                total[key] += counts[key]
            print(f"{name}: {counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped ({seconds:.0f} s)", flush=True)
            if counts["failed"] or verbose:
                print(output, flush=True)
            elif counts["skipped"]:
                print("\n".join(line for line in output.splitlines() if "skipped" in line), flush=True)
    print(f"clients: {total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    return 1 if total["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
