# SPDX-License-Identifier: Apache-2.0
"""What bench/marks needs to run processes and to measure them."""
import contextlib
import json
import os
import pathlib
import platform
import resource
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = ROOT / "build/release/bin"
TICKS = os.sysconf("SC_CLK_TCK")
START_SECONDS = 120
STOP_SECONDS = 300


class Missing(Exception):
    """Something could not be measured, and why."""


def require(tools):
    """Says everything that is missing at once; installs nothing."""
    packages = {"redis-server": "redis-server", "redis-benchmark": "redis-tools"}
    missing = [f"{tool}: apt-get install {packages[tool]}"
               for tool in tools if tool in packages and shutil.which(tool) is None]
    missing += [f"{BIN / tool}: ./dev build release {tool}"
                for tool in tools if tool not in packages and not (BIN / tool).exists()]
    if missing:
        print("missing:\n  " + "\n  ".join(missing), file=sys.stderr)
        sys.exit(2)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """One server process with a directory of its own, ended with its `with` block."""

    def __init__(self, name, work):
        self.name = name
        self.directory = work / name
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def command(self):
        raise NotImplementedError

    def start(self):
        """Seconds from the start of the process until it answered a first request."""
        with open(self.directory / "log", "ab") as log:
            begin = time.monotonic()
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log,
                                            cwd=self.directory)
        while time.monotonic() < begin + START_SECONDS:
            if self.process.poll() is not None:
                break
            with contextlib.suppress(OSError):
                self.ask()
                return time.monotonic() - begin
            time.sleep(0.005)
        tail = (self.directory / "log").read_text(errors="replace")[-2000:]
        self.stop()
        raise Missing(f"{self.name} does not answer\n{tail}")

    def ask(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=START_SECONDS) as asking:
            return self.ask_on(asking)

    def ask_on(self, asking):
        raise NotImplementedError

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def cpu_seconds(self):
        stat = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text()
        fields = stat.rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident_bytes(self, field="VmRSS"):
        """Now, or at most since the process began: VmHWM."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
        raise Missing(f"{self.name} has ended")


class Synod(Server):
    target = "thrift"

    binary = BIN / "synod-server"

    def __init__(self, work, name="synod", durability="sync", settings=()):
        super().__init__(name, work)
        self.options = ["--durability", durability, "--set", "admin.http_port=0"]
        for each in settings:
            self.options += ["--set", each]

    def command(self):
        return [str(self.binary), "--port", str(self.port),
                "--data-dir", str(self.directory / "data"), *self.options]

    def ask_on(self, asking, key=b"bench:000000000000"):
        """A get in the framed binary protocol; the reply as it came."""
        body = (struct.pack("!II3sI", 0x80010001, 3, b"get", 0) + b"\x0c\x00\x01\x0b\x00\x01" +
                struct.pack("!I", len(key)) + key + b"\0\0")
        asking.sendall(struct.pack("!I", len(body)) + body)
        head = receive(asking, 4)
        return receive(asking, struct.unpack("!I", head)[0])


class Redis(Server):
    target = "resp"

    def __init__(self, work, name, appends):
        super().__init__(name, work)
        self.options = (["--appendonly", "yes", "--appendfsync", "always"] if appends
                        else ["--appendonly", "no"])

    def command(self):
        return ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                "--dir", str(self.directory), *self.options]

    def ask_on(self, asking):
        asking.sendall(b"PING\r\n")
        return receive(asking, 7)


def receive(asking, size):
    got = b""
    while len(got) < size:
        part = asking.recv(size - len(got))
        if not part:
            raise ConnectionError("closed")
        got += part
    return got


def run_client(command):
    """Its output, exit code, and the CPU seconds it took."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        errors = []
        reader = threading.Thread(target=lambda: errors.append(process.stderr.read()))
        reader.start()
        try:
            output = process.stdout.read().decode()
        except BaseException:  # Whoever ends the script does not wait for the run.
            process.kill()
            raise
        reader.join()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if not output:
        raise Missing(f"{' '.join(command)}\n{errors[0].decode(errors='replace')}")
    return output, process.returncode, usage.ru_utime + usage.ru_stime


def bench_command(server, options):
    return [str(BIN / "synod-bench"), "--json", "--target", server.target,
            "--port", str(server.port), *[str(option) for option in options]]


def bench(server, options, accepts_failure=False):
    """What synod-bench reports."""
    command = bench_command(server, options)
    output, code, _ = run_client(command)
    report = json.loads(output)
    if code != 0 and not accepts_failure:
        raise Missing(f"{' '.join(command)}: {output[:2000]}")
    return report


def measured(server, options):
    """One run of synod-bench: operations/s, CPU of server and client in us per operation."""
    before = server.cpu_seconds()
    report = bench(server, options)
    spent = server.cpu_seconds() - before
    return {"rate": report["operations_per_second"],
            "server_us": spent * 1e6 / report["answered"],
            "client_us": report["client_cpu_us_per_operation"],
            "read_p50_us": report["reads"]["p50_ns"] / 1e3,
            "read_p99_us": report["reads"]["p99_ns"] / 1e3,
            "write_p50_us": report["writes"]["p50_ns"] / 1e3,
            "write_p99_us": report["writes"]["p99_ns"] / 1e3}


def redis_benchmark(server, test, connections, value_size, keys, seconds):
    """The same of redis-benchmark, which counts operations instead of seconds."""
    def once(count):
        before = server.cpu_seconds()
        output, _, client = run_client(
            ["redis-benchmark", "-p", str(server.port), "-c", str(connections), "-n", str(count),
             "-d", str(value_size), "-r", str(keys), "-t", test, "--csv"])
        fields = [part.strip('"') for part in output.strip().splitlines()[-1].split(",")]
        return {"rate": float(fields[1]), "client_us": client * 1e6 / count,
                "server_us": (server.cpu_seconds() - before) * 1e6 / count,
                "p50_us": float(fields[4]) * 1000, "p99_us": float(fields[6]) * 1000}
    return once(max(1000, int(once(50 * connections)["rate"] * seconds)))


class Background:
    """synod-bench until told to end; then its report."""

    def __init__(self, server, options):
        self.process = subprocess.Popen(bench_command(server, options), stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)

    def end(self):
        self.process.send_signal(signal.SIGINT)
        output = self.process.communicate(timeout=60)[0]
        if not output:
            raise Missing("the reader beside the load ended early")
        return json.loads(output)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def raise_file_limit(wanted):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise Missing(f"only {hard} files may be open, {wanted} are needed (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def fdatasync_us(work, seconds=0.5):
    """p50 of a 4 KiB write and fdatasync inside a file that was written before."""
    path = work / "probe"
    times = []
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        os.pwrite(fd, bytes(16 << 20), 0)
        os.fsync(fd)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            begin = time.perf_counter()
            os.pwrite(fd, b"x" * 4096, len(times) % 4096 * 4096)
            os.fdatasync(fd)
            times.append(time.perf_counter() - begin)
    finally:
        os.close(fd)
        path.unlink()
    return statistics.median(times) * 1e6


def disk_of(directory):
    """Device and file system under a directory."""
    best = ("", "?", "?")
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        device, mount, kind = line.split()[:3]
        inside = str(directory) == mount or str(directory).startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best[0]):
            best = (mount, device, kind)
    return f"{best[1]} ({best[2]})"


class Others:
    """Processor time that went to processes that are not ours, as a share of the machine."""

    def __init__(self):
        self.begin = time.monotonic()
        self.before = self.all_seconds() - self.own_seconds()

    @staticmethod
    def all_seconds():
        user, nice, system, _, _, irq, softirq, steal = map(
            int, pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9])
        return (user + nice + system + irq + softirq + steal) / TICKS

    @staticmethod
    def own_seconds():
        return sum(usage.ru_utime + usage.ru_stime for usage in
                   (resource.getrusage(resource.RUSAGE_SELF),
                    resource.getrusage(resource.RUSAGE_CHILDREN)))

    def share(self):
        """Once everything that was started has ended."""
        spent = self.all_seconds() - self.own_seconds() - self.before
        return max(0, spent / (time.monotonic() - self.begin) / os.cpu_count())


def machine(directory):
    model = next((line.split(":", 1)[1].strip()
                  for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    load = os.getloadavg()[0]
    return (f"{model}, {len(os.sched_getaffinity(0))} CPUs, Linux {platform.release()}, "
            f"disk {disk_of(directory)}, load average at the start {load:.1f}")
