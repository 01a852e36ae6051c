"""A machine of its own for a benchmark: network, processes and mounts that nobody else sees and that end with the script.

    world.enter("what the script is")       # runs the script again inside; needs root
    with world.World(directory) as here:
        here.resolver(ZONE)                 # unbound at 127.0.0.53, the only resolver there is
"""
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

RESOLVER = "127.0.0.53"
# Documentation addresses (RFC 5737), which are no loopback: servers trust those.
ADDRESSES = {"sender": "192.0.2.1", "stranger": "192.0.2.66", "hikyaku": "192.0.2.25", "peer": "192.0.2.26"}
# On loopback, where logins without TLS are possible; Postfix wants to find its address at an interface.
LOOPBACK = {"hikyaku": "127.0.1.1", "peer": "127.0.2.1"}
INSIDE = "HIKYAKU_BENCH_INSIDE"


def require(packages):
    """Ends the script, naming what to install, unless every program is there. packages: {program: Debian package}"""
    path = os.environ["PATH"] + ":/usr/sbin:/sbin:/usr/lib/dovecot"
    missing = sorted({package for program, package in packages.items() if not shutil.which(program, path=path)})
    if missing:
        sys.exit(f"These packages are missing: apt-get install --no-install-recommends {' '.join(missing)}\n"
                 "(their own services are not used and may stay off)")
    os.environ["PATH"] = path


def enter(what):
    """Goes on in namespaces of its own; returns only there."""
    if os.environ.get(INSIDE):
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: sys.exit(f"{what} was ended before its end"))
        return
    if os.geteuid() != 0:
        sys.exit(f"{what} starts Postfix and makes a network namespace: it must be run by root")
    os.environ[INSIDE] = "1"
    os.execvp("unshare", ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child=SIGTERM", "--mount-proc",
                          sys.executable, *sys.argv])


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}")
    return done.stdout


def wait_for(probe, what, timeout=60, every=0.01):
    deadline = time.monotonic() + timeout
    while not probe():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what}: not within {timeout} s")
        time.sleep(every)


def listening(address, port):
    with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=1):
        return True
    return False


def processor_seconds():
    """What all processes in here but this one have used, also those that have ended (their parents know)."""
    total = 0
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(stat.parent.name) != os.getpid():
                total += sum(int(field) for field in fields[11:15])
    return total / os.sysconf("SC_CLK_TCK")


def memory_of(pids):
    """Proportional set size in KB: pages that several processes share count once."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total


def all_pids():
    return {int(path.name) for path in pathlib.Path("/proc").glob("[0-9]*")} - {os.getpid()}


def machine(directory):
    """One line about where the figures come from."""
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    memory = int(open("/proc/meminfo").readline().split()[1]) / 1048576
    device, kind = run("findmnt", "-no", "SOURCE,FSTYPE", "-T", directory).split()
    name = pathlib.Path(device).name
    rotational = [pathlib.Path(f"/sys/class/block/{name}{part}/queue/rotational") for part in ("", "/..")]
    turns = next((path.read_text().strip() for path in rotational if path.exists()), "?")
    # Virtual disks say that they turn, whatever they are.
    disk = "virtual disk" if name.startswith(("vd", "xvd")) else {"0": "solid-state disk", "1": "rotating disk"}.get(turns, "disk unknown")
    return (f"{os.cpu_count()} processors ({model}), {memory:.0f} GB, Linux {os.uname().release}, "
            f"{kind} on {device} ({disk}); client and servers on this machine")


class World:
    def __init__(self, directory):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="hikyaku-bench-", dir=directory))
        self.directory.chmod(0o755)  # Postfix' and Dovecot's users go through it
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        run("ip", "link", "set", "lo", "up")
        for address in [*ADDRESSES.values(), *LOOPBACK.values()]:
            run("ip", "address", "replace", f"{address}/32", "dev", "lo")
        return self

    def __exit__(self, *exc):
        self.stack.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def path(self, *parts):
        path = self.directory.joinpath(*parts)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def write(self, name, text):
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def start(self, *command, log="log"):
        """A process in the foreground until the end; its words go to a file."""
        with open(self.directory / log, "ab") as out:
            process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=out,
                                       stderr=subprocess.STDOUT)

        def end():
            process.terminate()
            process.wait(30)
        self.stack.callback(end)
        return process

    def resolver(self, records):
        """unbound with these records and nothing else; everything that is not there does not exist, at once."""
        data = "\n".join(f"  local-data: '{record}'" for record in records)
        config = self.write("unbound.conf", f"""\
server:
  interface: {RESOLVER}
  access-control: 127.0.0.0/8 allow
  username: ""
  chroot: ""
  directory: "{self.directory}"
  pidfile: ""
  use-syslog: no
  module-config: "iterator"
  local-zone: "." static
{data}
""")
        run("mount", "--bind", self.write("resolv.conf", f"nameserver {RESOLVER}\n"), "/etc/resolv.conf")
        self.stack.callback(run, "umount", "/etc/resolv.conf")
        self.unbound = self.start("unbound", "-d", "-c", config, log="unbound.log")
        wait_for(lambda: "start of service" in (self.directory / "unbound.log").read_text(), "unbound")
