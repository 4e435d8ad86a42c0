"""Runs the peers one after another, round after round, sees that they agree, and prints the table."""

import argparse
import datetime
import json
import os
import platform
import shutil
import statistics
import sys

import long
import measure
import peer_postgres
import peer_sqlite
import small
from measure import Cost
from office import Office, expect
from server import Server
from workload import Workload, digest

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER, PROGRAM, LOG = (os.environ[name] for name in ("BENCH_FOLDER", "FAFANG_BIN", "BENCH_LOG"))
STAGES = ["import", "compute", "export", "return", "reconcile"]
PEERS = ["sqlite", "pandas", "polars", "duckdb", "postgres", "fafang-sqlite", "fafang-postgres"]
# fafang on an engine is compared with those who could stand in its place.
RIVALS = {"fafang-sqlite": ["sqlite", "pandas", "polars", "duckdb"], "fafang-postgres": ["postgres"]}


def peer(options, name, work, data):
    """Stages of one peer, each with its parts: {(stage, part): cost}. Agreement with the workload is asserted."""
    out = f"{FOLDER}/out"
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    os.chmod(out, 0o777)  # the server writes here
    if name.endswith("postgres"):
        with Server(os.environ["POSTGRES_BIN"], f"{FOLDER}/postgres") as server:
            if name == "fafang-postgres":
                return fafang(options, work, f"{out}/office", server)
            return checked(shell(peer_postgres.stages(work.months, data, out, server.url), server), work, out)
    if name == "fafang-sqlite":
        return fafang(options, work, f"{out}/office")
    if name == "sqlite":
        return checked(shell(peer_sqlite.stages(work.months, data, out)), work, out)
    command = [sys.executable, f"{HERE}/peer_{name}.py", data, out, *work.months]
    return checked(python(command), work, out)


def fafang(options, work, folder, server=None):
    """Centre after centre, in one database."""
    first = Office(PROGRAM, work, folder, server)
    parts = first.cycle()
    for number in range(1, options.centres):
        work = Workload(options.people, options.seed + number, options.months)
        centre = Office(PROGRAM, work, f"{folder}-{number}", server, first.database, number)
        for part, cost in centre.cycle().items():
            parts[part] += cost
        shutil.rmtree(centre.folder)
    return parts


def shell(stages, server=None):
    parts, lines = {}, []
    for stage, command in stages:
        cost, _, text = measure.run(command, server)
        parts[stage, stage] = cost
        lines += text.splitlines()
    return parts, lines


def python(command):
    cost, _, text = measure.run(command)
    parts, lines = {}, text.splitlines()
    for word, name, *numbers in map(str.split, lines):
        if word == "stage":
            # The peak is that of the whole process.
            parts[name, name] = Cost(*map(float, numbers), cost.peak)
    return parts, lines


def checked(result, work, out):
    parts, lines = result
    checks = {key: int(value) for word, key, value in map(str.split, filter(check_line, lines))}
    wanted = dict.fromkeys(("rej_id", "rej_card", "rej_dupid", "rej_dupcard"), 0) | work.checks | {"unmatched": 0}
    # Whoever counts by GROUP BY says nothing of what is not there.
    expect(dict.fromkeys(wanted, 0) | checks, wanted, "counts and sums")
    for name, wanted_digest in work.digests.items():
        with open(f"{out}/{name}", "rb") as file:
            expect(digest(file.read()), wanted_digest, f"bytes of {name}")
    return {key: cost for key, cost in parts.items() if key[0] != "setup"}


def check_line(line):
    return line.startswith("check ")


def by_stage(parts):
    stages = {}
    for (stage, _), cost in parts.items():
        stages[stage] = stages.get(stage, Cost()) + cost
    stages["all"] = sum((stages[stage] for stage in STAGES), Cost())
    return stages


def median(runs):
    """Of several runs of a peer, the median of each part; the peak is the highest."""
    middle = {}
    for key in runs[0]:
        costs = [run[key] for run in runs]
        wall, cpu = (statistics.median(getattr(c, field) for c in costs) for field in ("wall", "cpu"))
        middle[key] = Cost(wall, cpu, max(c.peak for c in costs))
    return middle


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    model = models[0] if models else platform.machine()
    return f"{model}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB, {platform.system()}"


def heading(options):
    said = measure.run([PROGRAM, "--version"])[2].strip()
    print(f"\n{datetime.date.today()}; {machine()}; {said}.")
    centres = f", centres: {options.centres}" if options.centres > 1 else ""
    print(f"{options.people:,} people{centres}, months: {options.months}, seed {options.seed}, median of rounds: {options.rounds}.")


def table(results):
    """`results`: {peer: [parts of a round]}."""
    names = [name for name in PEERS if results.get(name)]
    middles = {name: median([by_stage(parts) for parts in results[name]]) for name in names}
    columns = [*STAGES, "all"]
    print("\nCPU seconds (wall seconds):\n")
    print(f"| | {' | '.join(columns)} | recount | peak MiB |\n|---|{'--:|' * (len(columns) + 2)}")
    for name in names:
        cost = middles[name]
        cells = [f"{cost[s].cpu:.2f} ({cost[s].wall:.2f})" if s in cost else "–" for s in [*columns, "recount"]]
        print(f"| {name} | {' | '.join(cells)} | {max(c.peak for c in cost.values()):,.0f} |")
    pairs = [(ours, other) for ours in RIVALS if ours in names for other in RIVALS[ours] if other in names]
    if pairs:
        print("\nCPU of fafang as a multiple of the other's; below 1, fafang needs less:\n")
        print(f"| | {' | '.join(columns)} |\n|---|{'--:|' * len(columns)}")
    for ours, other in pairs:
        cells = [ratio(middles[ours][s].cpu, middles[other][s].cpu) for s in columns]
        print(f"| {ours} : {other} | {' | '.join(cells)} |")
    for name in names:
        if name in RIVALS:
            print(f"\nCommands of {name}:\n\n| stage | command | CPU s | wall s | peak MiB |\n|---|---|--:|--:|--:|")
            for (stage, part), cost in median(results[name]).items():
                print(f"| {stage} | {part} | {cost.cpu:.2f} | {cost.wall:.2f} | {cost.peak:,.0f} |")


def ratio(ours, other):
    return f"{ours / other:.1f}" if other > 0 else "–"


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--people", type=int)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--centres", type=int, default=1, help="so many centres of that many people, in one database of fafang")
    parser.add_argument("--months", type=int, help="the measured month and those before it, 1 to 12")
    parser.add_argument("--peers", default=",".join(PEERS), help="of " + ", ".join(PEERS))
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--small", action="store_true", help="200 people and one month: milliseconds and fsyncs")
    parser.add_argument("--long", action="store_true", help="20,000 people and 61 months: the last beside the first")
    options = parser.parse_args()
    usual = (200, 5, 1) if options.small else (20_000, 1, 61) if options.long else (100_000, 1, 12)
    for name, value in zip(("people", "rounds", "months"), usual):
        if getattr(options, name) is None:
            setattr(options, name, value)
    options.peers = options.peers.split(",")
    unknown = set(options.peers) - set(PEERS)
    if unknown or not 1 <= options.months <= (12, 120)[options.long] or options.people < 100 or options.rounds < 1:
        limits = "--people from 100, --months 1 to 12 (to 120 with --long), --rounds from 1"
        parser.error(f"unknown: {', '.join(unknown)}" if unknown else limits)
    if options.centres > 1 and not set(options.peers) <= set(RIVALS):
        parser.error("--centres is for fafang-sqlite and fafang-postgres")
    return options


def main():
    options = arguments()
    work = Workload(options.people, options.seed, options.months)
    if options.small:
        heading(options)
        return small.report(PROGRAM, work, FOLDER, options.rounds)
    if options.long:
        heading(options)
        return long.report(PROGRAM, work, f"{FOLDER}/office")
    data = f"{FOLDER}/data"
    work.write(data)
    results = {name: [] for name in options.peers}
    for number in range(options.rounds):
        for name in options.peers:
            try:
                parts = peer(options, name, work, data)
            except measure.Failed as failed:
                sys.exit(f"{name}: {failed}")
            results[name].append(parts)
            note(options, number, name, parts)
    heading(options)
    table(results)
    return None


def note(options, number, name, parts):
    """One line for whoever waits, one for whoever evaluates later."""
    total = by_stage(parts)["all"]
    print(f"round {number + 1} {name}: CPU {total.cpu:.2f} s, wall {total.wall:.2f} s", file=sys.stderr, flush=True)
    line = {"at": datetime.datetime.now().isoformat(timespec="seconds"), "machine": machine(), "peer": name}
    line |= {key: getattr(options, key) for key in ("people", "centres", "months", "seed")}
    line["parts"] = [{"stage": stage, "part": part, **vars(cost)} for (stage, part), cost in parts.items()]
    with open(LOG, "a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")


main()
