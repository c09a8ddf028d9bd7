"""What every row of the benchmark needs: a gateway to measure, turns with the yardstick, a report."""
import json
import os
import shutil
import socket
import statistics
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("HEARTH_BIN", os.path.join(ROOT, "build", "release", "bin"))
# 1 is the size that the goals speak of; the smoke test of `tests/run --all` uses a hundredth.
SCALE = float(os.environ.get("HEARTH_BENCH_SCALE", "1"))
ROUNDS = int(os.environ.get("HEARTH_BENCH_ROUNDS", "3"))
WORK = os.environ.get("HEARTH_BENCH_DIR", os.path.join(ROOT, "build", "bench"))
ASIDE = os.path.join(WORK, "aside")
START_SECONDS = 60
STOP_SECONDS = 30


def scaled(count, least=1):
    """A count of the full scale, made smaller."""
    return max(least, round(count * SCALE))


def tool(name):
    return os.path.join(BIN, name)


def fresh(*names, aside=False):
    """An empty folder under WORK. What was there is deleted, or (`aside`) put aside until the end of the run:
    ext4 gives no inode again in the minutes after its file was deleted, and looks at each of them whenever a file
    is created near by. Thousands of small files deleted before a turn would be most of what that turn measures."""
    path = os.path.join(WORK, *names)
    if aside and os.path.exists(path):
        os.makedirs(ASIDE, exist_ok=True)
        os.rename(path, os.path.join(ASIDE, f"{os.getpid()}-{len(os.listdir(ASIDE))}"))
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


def delete_aside():
    shutil.rmtree(ASIDE, ignore_errors=True)


def drop_caches():
    """Forget what the kernel cached of the disk; False where that is not allowed."""
    os.sync()
    try:
        with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
            file.write("3\n")
        return True
    except OSError:
        return False


def seconds_of(function):
    start = time.monotonic()
    function()
    return time.monotonic() - start


def run(*words, **options):
    """Runs a command that must succeed; its output is returned."""
    done = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: exit {done.returncode}: {done.stderr[-2000:]}{done.stdout[-500:]}")
    return done.stdout


def load(*words):
    """Seconds that bench-fsload measured."""
    return float(run(tool("bench-fsload"), *map(str, words)))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Gateway:
    """A hearthd on a state of its own, from start() or `with` to stop()."""

    def __init__(self, state, mount=None, config=""):
        self.state, self.mount, self.daemon = state, mount, None
        self.port = free_port()
        self.config = os.path.join(state, "bench.conf")
        os.makedirs(state, exist_ok=True)
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(config)

    def start(self):
        """Returns the seconds until the command gets its first answer."""
        words = [tool("hearthd"), "--foreground", "--state", self.state, "--config", self.config,
                 "--listen", f"127.0.0.1:{self.port}"]
        if self.mount:
            os.makedirs(self.mount, exist_ok=True)
            words += ["--mount", self.mount]
        begin = time.monotonic()
        with open(os.path.join(self.state, "bench.log"), "ab") as log:
            self.daemon = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        while not self.answers():
            if self.daemon.poll() is not None or time.monotonic() - begin > START_SECONDS:
                raise RuntimeError(f"hearthd did not start: see {self.state}/bench.log")
            time.sleep(0.005)
        taken = time.monotonic() - begin
        while self.mount and not os.path.ismount(self.mount):
            if time.monotonic() - begin > START_SECONDS:
                raise RuntimeError(f"no mount at {self.mount}: see {self.state}/bench.log")
            time.sleep(0.01)
        return taken

    def answers(self):
        """Does it answer on its socket? Asked in HTTP, since starting a command takes time of its own."""
        try:
            with socket.socket(socket.AF_UNIX) as line:
                line.settimeout(5)
                line.connect(os.path.join(self.state, "hearthd.sock"))
                line.sendall(b"GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                return line.recv(12).endswith(b"200")
        except OSError:
            return False

    def hearth(self, *words):
        return run(tool("hearth"), "--state", self.state, *words)

    def memory(self, key="VmRSS"):
        """MiB of the daemon: VmRSS now, VmHWM at most so far."""
        with open(f"/proc/{self.daemon.pid}/status", encoding="ascii") as file:
            for line in file:
                if line.startswith(key + ":"):
                    return int(line.split()[1]) / 1024
        return 0.0

    def attach(self, port):
        """Attaches; returns when all is imported and durable."""
        self.hearth("device", "attach", port)
        self.hearth("import", "--wait")

    def stop(self):
        if self.daemon is None:
            return
        self.daemon.terminate()
        try:
            self.daemon.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            self.daemon.wait()
        self.daemon = None
        if self.mount and os.path.ismount(self.mount):
            subprocess.run(["fusermount3", "-u", "-z", self.mount], check=False)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()


def in_turns(*functions):
    """Calls each once a round and returns the median of what each returned."""
    results = [[] for _ in functions]
    for _ in range(ROUNDS):
        for function, values in zip(functions, results):
            values.append(function())
    return [statistics.median(values) for values in results]


VERDICTS = {True: "yes", False: "**no**", None: "-"}


class Row:
    """One line of the table. `ratio` compares as the goal does: of times, or of speeds."""

    def __init__(self, what, yardstick, goal, at_most=None, at_least=None):
        self.what, self.yardstick, self.goal = what, yardstick, goal
        self.at_most, self.at_least = at_most, at_least
        self.hearth = self.against = self.ratio = None

    def compare_times(self, hearth, against):
        """Both in seconds; a goal that is a least ratio is one of speeds."""
        self.hearth, self.against = f"{hearth:.3f} s", f"{against:.3f} s"
        self.ratio = hearth / against if self.at_most is not None else against / hearth
        return self

    def value(self, number, unit):
        """A figure without a yardstick."""
        self.hearth, self.against, self.ratio = f"{number:.1f} {unit}", "-", number
        return self

    def met(self):
        """None: there is no goal."""
        if self.at_most is None and self.at_least is None:
            return None
        return self.ratio <= self.at_most if self.at_most is not None else self.ratio >= self.at_least

    def markdown(self):
        ratio = "" if self.against == "-" else f"{self.ratio:.2f} ×"
        cells = [self.what, self.hearth, f"{self.yardstick}: {self.against}" if ratio else "-", ratio, self.goal,
                 VERDICTS[self.met()]]
        return "| " + " | ".join(cells) + " |"

    def json(self):
        return {"what": self.what, "hearth": self.hearth, "yardstick": self.yardstick, "against": self.against,
                "ratio": round(self.ratio, 4), "goal": self.goal, "met": self.met()}


HEADER = "| what | Hearth | yardstick | ratio | goal | met |\n|---|---|---|---|---|---|"


def report(rows, path):
    """Prints the table and writes it as JSON."""
    print(HEADER)
    for row in rows:
        print(row.markdown())
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"scale": SCALE, "rounds": ROUNDS, "rows": [row.json() for row in rows]}, file, indent=1)
