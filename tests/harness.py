"""Starts real Hikyaku servers for the tests: build/hikyaku in temporary directories on loopback addresses.

    with Instance("anna@alpha.test") as server:
        smtp = smtplib.SMTP(server.host, server.port("submission"))
"""
import contextlib
import fcntl
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

TOP = pathlib.Path(__file__).resolve().parent.parent
HIKYAKU = pathlib.Path(os.environ.get("HIKYAKU", TOP / "build" / "hikyaku")).absolute()  # some tests run it elsewhere
# Not: that a leak checker could not look, as it says where a container forbids it to stop threads.
SANITIZER_SPOKE = re.compile(r"Sanitizer(?! has encountered a fatal error| does not work under ptrace)|runtime error:")
SANITIZED = bool({"asan", "tsan", "coverage"} & set(HIKYAKU.parts))  # or measured: what may write nowhere tells nothing
# Seconds in which whatever takes a moment is over, also beside compilers: to notice what hangs, and for nothing else. How quick something is, is
# compared with how quick it is in calm, in the same test.
HANGS = 60 if SANITIZED else 20
VECTORS = pathlib.Path(os.environ.get("HIKYAKU_VECTORS", TOP.parent / "shared" / "vectors"))
PASSWORD = "correct horse battery staple"

PORTS = {"smtp": 25, "submission": 587, "submissions": 465, "pop3": 110, "pop3s": 995, "imap": 143, "imaps": 993}

_next_base = [10_000 + os.getpid() % 200 * 100]
_bases = {}  # those that this process may use, with the locks that keep others away


def _lock_base(base):
    """Whether the ports of this base are ours: other test programs run at the same time."""
    if base not in _bases:
        lock = open(f"{tempfile.gettempdir()}/hikyaku-test-ports-{os.getuid()}-{base}", "w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            return False
        _bases[base] = lock
    return True


def free_port_base(host="127.0.0.1"):
    """A port base whose ports are all free on `host`; below the range that the kernel gives to clients."""
    for _ in range(300):
        base = _next_base[0]
        _next_base[0] = 10_000 + (base - 10_000 + 1_100) % 20_000
        if not _lock_base(base):
            continue
        with contextlib.ExitStack() as stack:
            try:
                for offset in PORTS.values():
                    s = stack.enter_context(socket.socket())
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    s.bind((host, base + offset))
                return base
            except OSError:
                continue
    raise RuntimeError("no free ports")


def hikyaku(*arguments, directory=None, input=None, check=True, timeout=60, env=None):
    """Runs one command of the program; gives the CompletedProcess."""
    command = [str(HIKYAKU), *map(str, arguments)]
    if directory:
        command += ["--dir", str(directory)]
    done = subprocess.run(command, input=input, capture_output=True, text=True, timeout=timeout,
                          env={**os.environ, "LANG": "C.UTF-8", **(env or {})})
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(command)} exited {done.returncode}\n{done.stdout}{done.stderr}")
    return done


class Instance:
    """One server with a data directory of its own."""

    def __init__(self, address, *, host="127.0.0.1", base=None, zone=None, config=None, keep=False, directory=None, metrics=False):
        """config: {"section.option": TOML value}, over what quickstart writes. metrics: HTTP is served at metrics_port."""
        self.address, self.host, self.zone, self.options = address, host, zone, dict(config or {})
        if host != "127.0.0.1":
            self.options.setdefault("listen.addresses", f'["{host}"]')
            self.options.setdefault("transmit.source_addresses", f'["{host}"]')
        if SANITIZED:
            self.options.setdefault("server.sandbox", "false")  # a leak checker traces the process that it is in
        self.domain = address.split("@")[1]
        self.base = base or free_port_base(host)
        self.metrics_port = self.base + 90
        if metrics:
            self.options["listen.metrics"] = f"[{self.metrics_port}]"
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="hikyaku-test-", dir=directory))
        self.keep = keep
        self.env = {}
        self.wrapper = []  # a command that runs the server, its process becoming the server's
        self.process = None
        self.log = []

    def port(self, service):
        return self.base + PORTS[service]

    def __enter__(self):
        self.quickstart()
        self.start()
        return self

    def __exit__(self, *exc):
        try:
            self.stop()
        finally:
            if not self.keep:
                shutil.rmtree(self.dir, ignore_errors=True)

    def quickstart(self):
        arguments = ["quickstart", self.address, "--local", "--port-base", self.base, "--password-stdin"]
        if self.zone:
            arguments += ["--zone", self.zone]
        self.quickstart_output = hikyaku(*arguments, directory=self.dir, input=PASSWORD + "\n").stdout
        self.configure(self.options)

    def configure(self, options):
        """Sets options in hikyaku.toml; a running server reads them when it is told to."""
        path = self.dir / "hikyaku.toml"
        lines = path.read_text().splitlines()
        for name, value in options.items():
            section, option = name.split(".")
            start = lines.index(f"[{section}]") if f"[{section}]" in lines else None
            if start is None:
                lines += [f"[{section}]"]
                start = len(lines) - 1
            end = next((i for i in range(start + 1, len(lines)) if lines[i].startswith("[")), len(lines))
            kept = [line for line in lines[start + 1:end] if not re.match(rf"{option}\s*=", line)]
            lines[start + 1:end] = [f"{option} = {value}", *kept]
        path.write_text("\n".join(lines) + "\n")

    def run(self, *arguments, **options):
        return hikyaku(*arguments, directory=self.dir, **options)

    def add_account(self, address, password=PASSWORD, *options):
        return self.run("account", "add", address, "--password-stdin", *options, input=password + "\n")

    def spawn(self):
        """Starts the program without waiting for anything; gives an event: it is ready, or its output has ended."""
        self.process = subprocess.Popen([*self.wrapper, str(HIKYAKU), "serve", "--dir", str(self.dir)], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, errors="replace",
                                        env={**os.environ, "LANG": "C.UTF-8", **self.env})
        said_all = threading.Event()
        lines = self.log = []

        def read(pipe):
            for line in pipe:
                lines.append(line.rstrip("\n"))
                if line.strip() == "ready":
                    said_all.set()
            said_all.set()

        self._reader = threading.Thread(target=read, args=(self.process.stdout,), daemon=True)
        self._reader.start()
        return said_all

    def start(self, wait=90):
        said_all = self.spawn()
        lines = self.log
        said_all.wait(wait)
        # Only its word counts: its output may end well before its process.
        if self.process.poll() is not None or "ready" not in (line.strip() for line in lines):
            self.process.kill()
            code = self.process.wait()
            self.process = None
            raise AssertionError(f"serve did not become ready ({code}):\n" + "\n".join(lines[-60:]))

    def stop(self, how=signal.SIGTERM, wait=30):
        """Ends the server; gives its exit code."""
        if not self.process:
            return None
        crashed = self.process.poll()
        if crashed is None:
            self.process.send_signal(how)
        code = self.process.wait(wait)
        self._reader.join(5)
        self.process = None
        found = [i for i, line in enumerate(self.log) if SANITIZER_SPOKE.search(line)]
        if crashed is not None or found:
            shown = self.log[found[0]:found[0] + 60] if found else self.log[-60:]
            raise AssertionError(f"the server ended by itself ({crashed}) or a sanitizer spoke:\n" + "\n".join(shown))
        return code

    def kill(self):
        self.stop(signal.SIGKILL)

    def restart(self, how=signal.SIGTERM):
        self.stop(how)
        self.start()


def restored_instance(original, backup, *options):
    """Another instance, with the original's configuration and key, and the store out of the backup."""
    other = Instance(original.address, base=original.base)
    shutil.copy(original.dir / "secret.key", other.dir)
    other.run("restore", backup, *options)
    return other


def server_user(case):
    """The user that a server of root becomes. It is made where there is none, as quickstart does for root; the test is skipped for anybody else."""
    if os.geteuid() != 0:
        case.skipTest("not root")
    with open(f"{tempfile.gettempdir()}/hikyaku-test-user", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other test programs want it at the same time
        with contextlib.suppress(KeyError):
            return pwd.getpwnam("hikyaku")
        print("making the system user hikyaku", flush=True)
        subprocess.run(["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/var/lib/hikyaku", "--shell", "/usr/sbin/nologin",
                        "hikyaku"], check=True, env={"PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"})
        return pwd.getpwnam("hikyaku")


def place_of_root(case):
    """A directory for an instance as quickstart makes it for root: its store is the server's user's. Skipped for anybody else."""
    server_user(case)
    place = pathlib.Path(tempfile.mkdtemp(prefix="hikyaku-root-"))
    case.addCleanup(shutil.rmtree, place, True)
    place.chmod(0o755)
    return place


def turn(epoch):
    """How often a store's epoch was raised: what is above its chance (docs/data-model.md)."""
    return epoch >> 16 if epoch > 0xFFFF else epoch


def eventually(probe, timeout=20, every=0.05):
    """Calls `probe` until it gives something true; gives that, or fails."""
    deadline = time.monotonic() + timeout
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"did not become true within {timeout} s: {probe}")
        time.sleep(every)


def need(*programs):
    """Skips the test, saying so, when a program is missing."""
    missing = [p for p in programs if not shutil.which(p)]
    if missing:
        raise unittest.SkipTest("not installed: " + ", ".join(missing))
