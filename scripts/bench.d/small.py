"""The county's case: what each command of one month costs beyond the start of a process, and how often it syncs."""

import re
import shutil
import statistics

import measure
from office import Office


class TracedOffice(Office):
    """Counts the calls that wait for the disk."""

    syncs = None

    def do(self, *command, part=None, **options):
        trace = f"{self.folder}/trace"
        if part:
            options["prefix"] = ("strace", "-f", "-qq", "-e", "trace=fsync,fdatasync", "-o", trace)
        result = super().do(*command, part=part, **options)
        if part:
            with open(trace, encoding="utf-8", errors="replace") as file:
                # A call that another thread interrupts is written in two halves; the second has no bracket.
                calls = sum(bool(re.search(r"\b(fsync|fdatasync)\(", line)) for line in file)
            self.syncs[part] = self.syncs.get(part, 0) + calls
        return result


def cycle(office):
    shutil.rmtree(office.folder, ignore_errors=True)
    return office.cycle()


def report(program, work, folder, rounds):
    starts, runs = [], []
    for _ in range(rounds):
        starts += [measure.run([program, "--version"])[0].cpu for _ in range(5)]
        runs.append(cycle(Office(program, work, f"{folder}/office")))
    start = statistics.median(starts)
    traced = None
    if shutil.which("strace"):
        traced = TracedOffice(program, work, f"{folder}/office")
        traced.syncs = {}
        cycle(traced)
    print(f"\nStarting a process: {start * 1000:.1f} ms of CPU, taken off below, once a process.\n")
    print("| stage | command | CPU ms | fsyncs |\n|---|---|--:|--:|")
    total_cpu = total_syncs = 0
    for key in runs[0]:
        stage, part = key
        cpu = statistics.median(run[key].cpu for run in runs) - start  # every part is one command
        total_cpu += cpu
        syncs = traced.syncs[key] if traced else "–"
        total_syncs += traced.syncs[key] if traced else 0
        print(f"| {stage} | {part} | {cpu * 1000:.1f} | {syncs} |")
    print(f"| all | | {total_cpu * 1000:.1f} | {total_syncs if traced else '–'} |")
