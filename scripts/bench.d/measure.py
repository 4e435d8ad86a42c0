"""What a command costs: wall seconds, CPU seconds of it and all it started, peak memory."""

import dataclasses
import os
import resource
import subprocess
import tempfile
import threading
import time


@dataclasses.dataclass
class Cost:
    wall: float = 0.0
    cpu: float = 0.0
    peak: float = 0.0  # MiB

    def __add__(self, other):
        return Cost(self.wall + other.wall, self.cpu + other.cpu, max(self.peak, other.peak))


class Failed(Exception):
    pass


def run(command, server=None, accept=(0,), stdin=None, **options):
    """Runs a command to its end; its cost, exit code and output. The server's processes count as well."""
    with tempfile.NamedTemporaryFile("r") as peak, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        # GNU time starts the command: a child of this large process would inherit its peak.
        command = ["/usr/bin/time", "-q", "-f", "%M", "-o", peak.name, *map(str, command)]
        before = server.cpu() if server else 0
        if server:
            server.reset_peak()
        began = time.perf_counter()
        child = subprocess.Popen(command, stdin=stdin, stdout=out, stderr=err, **options)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - began
        child.returncode = code = os.waitstatus_to_exitcode(status)
        cpu = usage.ru_utime + usage.ru_stime
        kib = int(peak.read().split()[-1])
        if server:
            cpu += server.cpu() - before
            kib += server.peak()
        out.seek(0)
        err.seek(0)
        text, errors = out.read().decode(), err.read().decode(errors="replace")
    if code not in accept:
        raise Failed(f"{' '.join(command[6:])}: exit code {code}\n{errors[-4000:]}\n{text[-2000:]}")
    return Cost(wall, cpu, kib / 1024), code, text


class Stages:
    """The clock of a peer that is one Python program: a line a stage on standard output."""

    def __init__(self):
        self.wall, self.cpu = time.perf_counter(), self._cpu()

    @staticmethod
    def _cpu():
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(usage.ru_utime + usage.ru_stime for usage in used)

    def end(self, name, **checks):
        wall, cpu = time.perf_counter(), self._cpu()
        print(f"stage {name} {wall - self.wall:.6f} {cpu - self.cpu:.6f}")
        for key, value in checks.items():
            print(f"check {key} {value}")
        self.wall, self.cpu = time.perf_counter(), self._cpu()


class ServerMemory(threading.Thread):
    """The highest sum of the proportional memory of a server's processes, looked at four times a second."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.kib, self.wanted = pid, 0, True

    def run(self):
        while self.wanted:
            self.look()
            time.sleep(0.25)

    def look(self):
        total = 0
        for pid in processes(self.pid):
            try:
                with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
                    total += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
            except (OSError, StopIteration):  # it has ended
                pass
        self.kib = max(self.kib, total)


def processes(pid):
    """A process and its children."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [pid, *map(int, file.read().split())]


def ticks(pid):
    """Seconds of CPU of a process and its ended children."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
