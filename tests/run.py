#!/usr/bin/env python3
"""Runs the whole-program tests: every tests/test_*.py, each in a process of its own.

usage: tests/run.py [-v] [--no-skips] [NAME …]     NAME: part of a file's name, or FILE:TEST, each of them a part of the name
       tests/run.py --watch [--no-skips] FILE      one file in this process, its progress as it comes

--no-skips: a test that is skipped has failed. A name that selects no test is a failure.
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
    tests = load(name)
    wanted = {o: [t for t in tests if selects(o, name, t._testMethodName)] for o in only}
    if only:  # of a file that cannot be read there is one test, which says so
        tests = [t for t in tests if isinstance(t, unittest.loader._FailedTest) or any(t in found for found in wanted.values())]
    result = run_tests(tests)
    bad = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    print(json.dumps({"passed": result.passed, "failed": bad, "skipped": len(result.skipped),
                      "selected": [o for o, found in wanted.items() if found]}))


def run_tests(tests):
    return unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Recorder).run(unittest.TestSuite(tests))


def load(name):
    return list(flatten(unittest.defaultTestLoader.loadTestsFromName(name.removesuffix(".py"))))


def selects(wanted, name, test):
    file, _, part = wanted.partition(":")
    return file in name and part in test


def watch(names, no_skips):
    """Runs files in this process, for somebody who reads along."""
    sys.stdout.reconfigure(line_buffering=True)
    result = run_tests([test for name in names for test in load(name)])
    if result.testsRun == 0:
        print("FAILED: there is no test in it")
    if result.skipped and no_skips:
        print("FAILED: skipped, and nothing may be skipped here: " + "; ".join(sorted({why for _, why in result.skipped})))
    return 0 if result.wasSuccessful() and result.testsRun and not (result.skipped and no_skips) else 1


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
        return name, output, {"passed": 0, "failed": 1, "skipped": 0, "selected": only}, time.monotonic() - began


def main():
    arguments = sys.argv[1:]
    if arguments[:1] == ["--file"]:
        return run_file(arguments[1], arguments[2:])
    verbose, no_skips = "-v" in arguments, "--no-skips" in arguments
    only = [a for a in arguments if not a.startswith("-")]
    if "--watch" in arguments:
        return watch(only, no_skips)
    files = sorted((p.stem for p in HERE.glob("test_*.py")), key=lambda name: (name not in LONG, name))
    missed = set(only)
    nothing = [o for o in only if not any(o.split(":")[0] in f for f in files)]
    if nothing:
        print("no file of tests has this in its name: " + ", ".join(nothing))
    if only:
        files = [f for f in files if any(o.split(":")[0] in f for o in only)]
    total = {"passed": 0, "failed": 0, "skipped": 0}
    # Some at a time: most of what tests do is wait.
    with concurrent.futures.ThreadPoolExecutor(max_workers=int(os.environ.get("HIKYAKU_TEST_JOBS", "3"))) as pool:
        for done in concurrent.futures.as_completed([pool.submit(run_child, f, [o for o in only if o.split(":")[0] in f]) for f in files]):
            name, output, counts, seconds = done.result()
            for key in total:
                total[key] += counts[key]
            missed -= set(counts["selected"])
            print(f"{name}: {counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped ({seconds:.0f} s)", flush=True)
            if counts["failed"] or verbose:
                print(output, flush=True)
            elif counts["skipped"]:
                print("\n".join(line for line in output.splitlines() if "skipped" in line), flush=True)
    missed -= set(nothing)
    if missed:
        print("no test has this in its name: " + ", ".join(sorted(missed)))
    if no_skips and total["skipped"]:
        print("FAILED: nothing may be skipped here")
    print(f"clients: {total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    return 1 if total["failed"] or nothing or missed or (no_skips and total["skipped"]) or not any(total.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
