"""Years of months: what a month costs with the years before it in place, as a multiple of the first."""

import shutil

from measure import Cost
from office import Office, month_text


def report(program, work, folder):
    shutil.rmtree(folder, ignore_errors=True)
    office = Office(program, work, folder)
    office.open()
    office.take_roster()
    costs = []
    for month in work.months:
        before = len(costs)
        files = office.issue(month, office.prepare(month, before), (before, "issue"))
        office.take_answers(month, office.answer(month, files), (before, "return"))
        office.do("reconcile", "--year", str(month // 100), month=month, accept=(0, 1), part=(before, "reconcile"))
        costs.append(sum((cost for (number, _), cost in office.parts.items() if number == before), Cost()))
    print("\n| month | months before it | CPU s | as a multiple of the first |\n|---|--:|--:|--:|")
    # The first of all, then the last of every year.
    shown = [0, *(n for n, month in enumerate(work.months) if n and month % 100 == 12)]
    for number in shown:
        cpu = costs[number].cpu
        print(f"| {month_text(work.months[number])} | {number} | {cpu:.3f} | {cpu / costs[0].cpu:.2f} |")
