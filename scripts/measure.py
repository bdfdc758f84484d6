"""What the scripts bench, soak and agree have in one place: the machine, the load, the watch, and what it costs.

CPU is always CPU time that the kernel counted for the process, never wall time: these machines are shared.
"""

import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Failure(Exception):
    """Something that had to work did not; the text says what."""


def say(text):
    """Progress, on standard error: standard output belongs to the report."""
    print(text, file=sys.stderr, flush=True)


def build(profile):
    """Compiles the binary with `profile` ("release" or "dev") and returns its path."""
    command = ["cargo", "build", "--quiet", "--locked", "--package", "watchkeeper", "--profile", profile]
    if subprocess.run(command, cwd=ROOT, check=False, stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode != 0:
        raise Failure("the binary does not build")
    return TARGET / ("debug" if profile == "dev" else profile) / "watchkeeper"


def machine():
    """Lines that say on what and when a figure was measured."""
    model = platform.processor() or "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    memory = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    load = Path("/proc/loadavg").read_text().split()[:3]
    return [
        f"- date: {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC, commit {commit()}",
        f"- machine: {os.cpu_count()} cores, {model}, {int(memory.split()[1]) / 1024 / 1024:.0f} GiB memory",
        f"- system: {platform.system()} {platform.release()} {platform.machine()}",
        f"- load average at the start: {' '.join(load)}",
    ]


def commit():
    answer = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, check=False, capture_output=True, text=True
    )
    return answer.stdout.strip() or "unknown"


def pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def descendants(pid):
    """`pid` and everybody it started, and they started."""
    parents = {}
    for each in pids():
        try:
            after_name = Path(f"/proc/{each}/stat").read_bytes().rpartition(b")")[2].split()
            parents.setdefault(int(after_name[1]), []).append(each)
        except (OSError, IndexError):
            continue
    found, todo = [], [pid]
    while todo:
        current = todo.pop()
        found.append(current)
        todo.extend(parents.get(current, []))
    return found


class CpuMeter:
    """CPU time of a process tree from schedstat of every thread.

    A thread that ended between two calls of `read` keeps what it had used at the first of them.
    """

    def __init__(self, pid):
        self.pid = pid
        self.used_ns = {}
        self.start_ns = self.read()

    def read(self):
        for pid in descendants(self.pid):
            try:
                threads = os.listdir(f"/proc/{pid}/task")
            except OSError:
                continue
            for thread in threads:
                try:
                    text = Path(f"/proc/{pid}/task/{thread}/schedstat").read_text()
                except OSError:
                    continue
                self.used_ns[pid, thread] = int(text.split()[0])
        return sum(self.used_ns.values())

    def since_start_ms(self):
        return (self.read() - self.start_ns) / 1e6


def resident_bytes(pid):
    """Resident memory of one process from statm, which is exact where stat is an estimate."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES


def anonymous_bytes(pid):
    """The part of it that is our own data: what a leak makes grow."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024
    return 0


class Load:
    """The reference load of benches/load with `count` processes, for as long as the `with` block lasts."""

    def __init__(self, count):
        self.count = count

    def __enter__(self):
        subprocess.run([ROOT / "scripts/build-load"], check=True, stdout=subprocess.DEVNULL)
        self.folder = tempfile.mkdtemp(prefix="watchkeeper-load-")
        self.process = subprocess.Popen(
            [TARGET / "load/hold", str(self.count), "20", self.folder],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        )
        answer = self.process.stdout.readline().strip()
        if answer != f"ready {self.count}":
            self.__exit__()
            raise Failure(f"the load of {self.count} processes did not start")
        time.sleep(2)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Watch:
    """The real binary with a state folder and an empty configuration of its own, for as long as the block lasts."""

    def __init__(self, binary, settings=None):
        self.binary = binary
        self.settings = settings or {}

    def __enter__(self):
        self.home = Path(tempfile.mkdtemp(prefix="watchkeeper-"))
        self.state = self.home / "state"
        configuration = self.home / "watchkeeper.toml"
        configuration.write_text("")
        configuration.chmod(0o600)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("WATCHKEEPER_")}
        environment |= {"WATCHKEEPER_STORE__PATH": str(self.state)} | self.settings
        self.messages = open(self.home / "messages", "w+b")
        started = time.monotonic()
        self.process = subprocess.Popen(
            [self.binary, "--config", configuration, "run"],
            stdin=subprocess.DEVNULL, stdout=self.messages, stderr=subprocess.STDOUT, env=environment,
        )
        while not self.day_files():
            if self.process.poll() is not None:
                raise Failure(f"the watch ended at once with {self.process.returncode}:\n{self.said()}")
            if time.monotonic() - started > 30:
                self.__exit__()
                raise Failure(f"the watch has written no log after 30 s:\n{self.said()}")
            time.sleep(0.01)
        self.seconds_to_log = time.monotonic() - started
        return self

    def day_files(self):
        return sorted((self.state / "log").glob("*.db"))

    def said(self):
        """What it printed so far."""
        return (self.home / "messages").read_text(errors="replace")

    def alive(self):
        if self.process.poll() is not None:
            raise Failure(f"the watch ended with {self.process.returncode}:\n{self.said()}")

    def stop(self):
        """Ends it as an administrator would; the log is whole afterwards."""
        self.process.send_signal(signal.SIGTERM)
        self.ended()

    def ended(self):
        """Waits for the end of a watch that was told to stop."""
        try:
            code = self.process.wait(15)
        except subprocess.TimeoutExpired:
            raise Failure("the watch did not end within 15 s of SIGTERM") from None
        if code != 0:
            raise Failure(f"the watch ended with {code}:\n{self.said()}")

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.messages.close()
        shutil.rmtree(self.home, ignore_errors=True)


def cost(watch, seconds, every=10):
    """Looks at a running watch for `seconds`: CPU of the tree, and resident memory every `every` seconds.

    Returns the share of one core used and a list of (second, resident bytes, anonymous bytes).
    """
    meter = CpuMeter(watch.process.pid)
    started = time.monotonic()
    memory = []
    while True:
        watch.alive()
        elapsed = time.monotonic() - started
        memory.append((elapsed, resident_bytes(watch.process.pid), anonymous_bytes(watch.process.pid)))
        used_ms = meter.since_start_ms()
        if elapsed >= seconds:
            return used_ms / 1000 / elapsed, memory
        time.sleep(min(every, max(0.0, seconds - elapsed)) or 0.001)


def slope(points):
    """Least-squares slope of (x, y) pairs, in y per x."""
    count = len(points)
    mean_x = sum(x for x, _ in points) / count
    mean_y = sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def mib(size_bytes):
    return size_bytes / 1024 / 1024


def run_script(main):
    """Runs `main`, turns a Failure into a sentence and exit code 1, and ends cleanly on Ctrl+C and SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f"{Path(sys.argv[0]).name}: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
