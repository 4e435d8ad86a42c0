"""Peer: fafang, through its public commands only. One process a command, as a clerk would type them."""

import csv
import glob
import json
import os

import measure
from workload import BANKS, MONTH, day, yuan

# Every command is given on this day of its month.
OFFICE_DAY = 10
FIRST_AGENCY, SCHEME = 652827, "bijiao"
MAKER, REVIEWER, APPROVER, CASHIER = "阿依努尔", "王建国", "李红梅", "巴特尔"

# What stands in the column of reasons, by fault.
REASONS = {"ID": "校验码", "CARD": "银行卡校验位", "DUPID": "每个领取人一行", "DUPCARD": "是同一账号"}
TITLES = ["姓名", "公民身份号码", "银行账号", "开户银行", "月待遇", "享受起始月",
          "待遇终止日期", "停发原因", "发放状态", "暂停起始月", "暂停原因"]  # fmt: skip


def month_text(month):
    return day(month, 1)[:7]


class Office:
    """A folder with the files of one of the centres of a database: a file, or a PostgreSQL server."""

    def __init__(self, program, work, folder, server=None, database=None, number=0):
        self.program, self.work, self.folder, self.server = program, work, folder, server
        self.database = database or (server.url if server else f"{folder}/fafang.db")
        self.agency = str(FIRST_AGENCY + number)
        self.parts = {}  # (stage, part): cost

    def do(self, *command, by=None, month=None, accept=(0,), part=None, prefix=()):
        """Runs one command on the tenth of the month; its cost is added to the part, if that is wanted."""
        month = month or self.work.months[0]
        options = ["--json", "--config", "fafang.toml", "--database", self.database, "--on", day(month, OFFICE_DAY)]
        if by:
            options += ["--as", by]
        command = [*prefix, self.program, *options, *command]
        cost, code, text = measure.run(command, self.server, accept, cwd=self.folder)
        if part:
            self.parts[part] = self.parts.get(part, measure.Cost()) + cost
        return code, text

    def open(self):
        """The office, its people, its scheme with own amounts and part months by thirtieths, and its budget."""
        os.makedirs(self.folder)
        rows = len(self.work.people)
        self._write("bank.toml", BANK_FILE.format(rows=max(rows, 1000)))
        self._write("fafang.toml", f'agency = "{self.agency}"\nbanks = ["bank.toml"]\n')
        first = month_text(self.work.months[0])
        scheme = SCHEME_FILE.format(code=SCHEME, first=first)
        years = [month // 100 for month in self.work.months]
        for year in sorted(set(years)):
            scheme += APPROPRIATION.format(year=year, budget=yuan(self.work.budget * years.count(year)))
        self._write("scheme.toml", scheme)
        self.do("init", "--agency", self.agency, "--name", "和静县社会保险中心", "--admin", "信息员")
        for name, role in ((MAKER, "maker"), (REVIEWER, "reviewer"), (APPROVER, "approver"), (CASHIER, "finance")):
            self.do("user", "add", name, "--role", role)
        self.do("scheme", "load", "scheme.toml")
        self.do("budget", "load", "scheme.toml")

    def _write(self, name, text):
        with open(f"{self.folder}/{name}", "w", encoding="utf-8", newline="") as file:
            file.write(text)

    def _roster(self, name, people):
        with open(f"{self.folder}/{name}", "w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(TITLES)
            rows.writerows(self._row(p) for p in people)

    def _row(self, p):
        """A person as a clerk writes one: who has stopped with the day, who is suspended with the month."""
        first = self.work.months[0]
        row = [p.name, p.number, p.card, p.bank, yuan(p.rate), p.start]
        if p.status == "T":
            return [*row, f"{first // 100 - 1}-12-31", "不再符合条件", "停发", "", ""]
        if p.status == "S":
            return [*row, p.end, "", "暂停", month_text(first), "待核实"]
        ended = p.end and p.end <= day(first, OFFICE_DAY)
        return [*row, p.end, "", "停发" if ended else "正常", "", ""]

    def take_roster(self):
        """One import: the good rows take effect, the faulty ones come back with their reasons."""
        self._roster("roster.csv", self.work.people)
        command = ("roster", "import", "--scheme", SCHEME, "roster.csv", "--accept-good", "--rejects", "rejects.csv")
        faulty = [p for p in self.work.people if p.fault]
        part = ("import", "roster")
        _, text = self.do(*command, by=MAKER, accept=(1,) if faulty else (0,), part=part)
        answer = json.loads(text)
        expect(answer["accepted"], len(self.work.people) - len(faulty), "rows accepted")
        expect(answer["rejected"], len(faulty), "rows refused")
        if faulty:
            self._check_rejects(faulty)

    def _check_rejects(self, faulty):
        """Exactly the faulty rows, in their order, each as it was and with its reason."""
        with open(f"{self.folder}/rejects.csv", encoding="utf-8-sig", newline="") as file:
            titles, *rows = csv.reader(file)
        expect(titles, [*TITLES, "退回原因"], "titles of the rows given back")
        expect([row[:-1] for row in rows], [self._row(p) for p in faulty], "rows given back")
        for p, row in zip(faulty, rows, strict=True):
            kinds = [kind for kind, words in REASONS.items() if words in row[-1]]
            expect(kinds, [p.fault], f"reason of row {p.no} ({row[-1]})")

    def prepare(self, month, part=None):
        """Prepares a run and brings it through four eyes; its code."""

        def stage(name):
            return part and (part, name)

        run = ("run", "prepare", "--scheme", SCHEME, "--period", month_text(month))
        _, text = self.do(*run, by=MAKER, month=month, part=stage("prepare"))
        code = json.loads(text)["run"]
        for step, by in (("submit", MAKER), ("review", REVIEWER), ("approve", APPROVER)):
            self.do("run", step, code, by=by, month=month, part=stage(step))
        return code

    def issue(self, month, code, part=None):
        folder = f"out-{month}"
        os.makedirs(f"{self.folder}/{folder}")
        self.do("bank", "issue", code, "--out", folder, by=CASHIER, month=month, part=part)
        return sorted(glob.glob(f"{self.folder}/{folder}/*.txt"))

    def answer(self, month, files, failing=None):
        """The bank's answers to payment files, in the layout of returns: `failing` cards with their reasons."""
        answers = []
        for path in files:
            with open(path, encoding="gb18030", newline="") as file:
                head, *rows, tail = file.read().split("\r\n")[:-1]
            lines, good, fen = ["R" + head[1:]], 0, 0
            for row in rows:
                _, no, card, holder, amount, _, _, reference = row.split("|")
                code, why = (failing or {}).get(card, ("", ""))
                if not code:
                    good, fen = good + 1, fen + int(amount.replace(".", ""))
                told = f"F|{code}|{why}" if code else "S||"
                bank_no = f"BIJIAO{no}"
                on = day(month, 12).replace("-", "")
                lines.append(f"D|{no}|{card}|{holder}|{amount}|{told}|{bank_no}|{on}|{reference}")
            lines.append(f"{tail}|{good}|{yuan(fen)}")
            answers.append(f"{path[:-4]}-return.txt")
            with open(answers[-1], "wb") as file:
                file.write("".join(line + "\r\n" for line in lines).encode("gb18030"))
        return answers

    def take_answers(self, month, answers, part=None):
        self.do("bank", "return", *answers, by=CASHIER, month=month, part=part)

    def history(self):
        """The earlier months, for real, everything credited."""
        for month in self.work.months[:-1]:
            files = self.issue(month, self.prepare(month))
            self.take_answers(month, self.answer(month, files))

    def month(self):
        """The measured month."""
        code = self.prepare(MONTH, "compute")
        files = self.issue(MONTH, code, ("export", "issue"))
        self._check_payments(files)
        rows = [row for rows in self.work.payments.values() for row in rows]
        answers = self.answer(MONTH, files, {p.card: refusal for p, _, refusal in rows if refusal})
        self.take_answers(MONTH, answers, ("return", f"{len(answers)} files"))

    def _check_payments(self, files):
        """Row by row: who, to which account, how much."""
        for bank in BANKS:
            paid = []
            for path in files:
                if f"-{bank}-" not in os.path.basename(path):
                    continue
                with open(path, encoding="gb18030", newline="") as file:
                    lines = [line.split("|") for line in file.read().split("\r\n")]
                paid += [(f[5], f[2], f[3], f[4]) for f in lines if f[0] == "D"]
            wanted = [(p.number, p.card, p.name, yuan(fen)) for p, fen, _ in self.work.payments[bank]]
            expect(sorted(paid), sorted(wanted), f"payments of {bank}")

    def reconcile(self):
        # Failed payments are owed still, so the year may end with differences: code 1.
        year = str(MONTH // 100)
        _, text = self.do("reconcile", "--year", year, month=MONTH, accept=(0, 1), part=("reconcile", "reconcile"))
        months = json.loads(text)["schemes"][0]["periods"]
        told = [
            (int(m["period"].replace("-", "")), m["claim_count"], m["credited_fen"], m["rejected_fen"])
            for m in months
            if m["claim_count"]
        ]
        expect(told, self.work.reconciliation, "reconciliation")

    def cycle(self):
        """The whole of it, from an empty folder to the recount; what each part took."""
        self.open()
        self.take_roster()
        self.history()
        self.month()
        self.reconcile()
        self.recount()
        return self.parts

    def recount(self):
        self.do("doctor", month=MONTH, part=("recount", "doctor"))


def expect(found, wanted, what):
    if found != wanted:
        raise measure.Failed(f"{what}:\nfound  {str(found)[:2000]}\nwanted {str(wanted)[:2000]}")


# Five files a month, as the peers write them: the built-in layout would begin a new file every thousand rows.
BANK_FILE = """code = "neutral"
title = "中性布局"
row_limit = {rows}
name_bytes = 60
[[reason]]
code = "3018"
text = "已清户"
class = "account_closed"
[[reason]]
code = "3031"
text = "账号户名不符"
class = "name_mismatch"
[[reason]]
code = "3017"
text = "账户已冻结"
class = "account_blocked"
""" + "".join(
    f'[[bank]]\ncode = "{code}"\nname = "{name}"\naccount_lengths = [19]\ncard_check = true\n'
    for code, name in zip(BANKS, ["农村信用合作联社", "中国农业银行", "中国邮政储蓄银行", "中国建设银行", "中国工商银行"])
)

SCHEME_FILE = """code = "{code}"
name = "按人核定的养老待遇"
policies = []
payment_way = "社会化发放"
first = "{first}"
release = "monthly"
amount = "individual"
back_pay = "forfeited"
start_month = "thirty_days"
stop_month = "thirty_days"
"""

APPROPRIATION = """[[appropriation]]
year = {year}
document = "测算〔{year}〕1号"
project = "按人核定的养老待遇"
function_code = "2090101"
economic_code = "30302"
source = "superior"
expenditure = "project"
amount = "{budget}"
"""
