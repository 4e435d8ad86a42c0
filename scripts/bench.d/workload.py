"""The workload: an invented roster with faults, what every program must make of it, and the bank's answers.

Everything follows from the number of people and the seed. What is due is reckoned here once more, by plain
Python, so that no program measured is the judge of another.
"""

import calendar
import csv
import datetime
import hashlib
import os
import random

MONTH = 202612
BANKS = ["RCC", "ABC", "PSBC", "CCB", "ICBC"]
SHARES = [50, 20, 12, 10, 8]
ISSUER = {"RCC": "621458", "ABC": "621284", "PSBC": "621098", "CCB": "621700", "ICBC": "621226"}
REFUSED = [("3018", "已清户"), ("3031", "账号户名不符"), ("3017", "账户已冻结")]

AREAS = ["650102", "650103", "650104", "650106", "650202", "650402", "652301", "652801", "652822", "652823",
         "652826", "652827", "652901", "653001", "653101", "653121", "653201", "653222", "654002", "654201"]  # fmt: skip
SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧"
GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰建国春梅志新海燕红文云生宝玲"
UYGHUR = ["阿不都热合曼", "买买提", "吐尔逊", "艾合买提", "阿依古丽", "热依汗", "库尔班", "玉素甫", "古丽娜尔",
          "木合塔尔", "帕提古丽", "依明", "肉孜", "托合提", "阿迪力", "米热古丽", "艾山", "塔依尔", "祖丽胡玛尔",
          "亚森", "沙吾提", "尼亚孜", "阿卜杜拉", "迪丽努尔"]  # fmt: skip
# Three take four bytes in GB18030; the second byte of 晐 is that of the separator `|`.
RARE = "㑇晐𠮷𬭎"

FIRST_BIRTH = datetime.date(1930, 1, 1).toordinal()
BIRTH_DAYS = 37 * 365
NUMBERS = BIRTH_DAYS * 1000 * len(AREAS)


def months(count):
    """The months of the history and the measured one, oldest first."""
    last = MONTH // 100 * 12 + MONTH % 100 - 1
    return [n // 12 * 100 + n % 12 + 1 for n in range(last - count + 1, last + 1)]


def day(month, of_month):
    return f"{month // 100}-{month % 100:02d}-{of_month:02d}"


def last_day(month):
    return calendar.monthrange(month // 100, month % 100)[1]


def yuan(fen):
    return f"{fen // 100}.{fen % 100:02d}"


def citizen_number(order):
    """The order-th number: every step lands on another one."""
    rest, area = divmod((order * 104_395_303 + 777) % NUMBERS, len(AREAS))
    serial, born = divmod(rest, BIRTH_DAYS)
    body = f"{AREAS[area]}{datetime.date.fromordinal(FIRST_BIRTH + born):%Y%m%d}{serial:03d}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return body + "10X98765432"[sum(int(c) * w for c, w in zip(body, weights)) % 11]


def card_number(order, bank):
    body = f"{ISSUER[bank]}{(order * 7_368_787 + 31_337) % 10**12:012d}"
    total = sum(int(c) if place % 2 == 0 else sum(divmod(int(c) * 2, 10)) for place, c in enumerate(body))
    return body + str(-total % 10)


def fault_of(order):
    """One of a thousand has a wrong check digit, one a wrong card; one of two thousand repeats a number, one a card."""
    if order % 1000 == 17:
        return "ID"
    if order % 1000 == 42:
        return "CARD"
    return {77: "DUPID", 123: "DUPCARD"}.get(order % 2000)


def name(rng, order):
    if order % 1000 == 500 or order < len(RARE):
        return rng.choice(SURNAMES) + RARE[order // 1000 % len(RARE) if order >= len(RARE) else order]
    if rng.random() < 0.45:
        return f"{rng.choice(UYGHUR)}·{rng.choice(UYGHUR)}"
    return rng.choice(SURNAMES) + "".join(rng.choices(GIVEN, k=1 if rng.random() < 0.3 else 2))


def start_day(rng):
    roll = rng.randrange(100)
    if roll == 0:  # begins inside the month
        return day(MONTH, rng.randint(2, 31))
    if roll == 1:  # not yet
        return day(MONTH + 100 - MONTH % 100 + rng.randint(1, 6), 1)
    if roll == 2:
        return day(MONTH, 1)
    return day(100 * rng.randint(2010, 2025) + rng.randint(1, 12), rng.randint(1, 28))


def end_day(rng):
    roll = rng.randrange(100)
    if roll < 2:  # ended in a month before
        return day(MONTH - rng.randint(1, 11), rng.randint(1, 28))
    if roll == 2:  # ends inside the month
        return day(MONTH, rng.randint(1, 31))
    if roll < 6:
        return day(100 * rng.randint(2027, 2036) + rng.randint(1, 12), 28)
    return ""


def status(rng):
    """Active, suspended, terminated."""
    roll = rng.randrange(100)
    return "S" if roll < 3 else "T" if roll < 5 else "A"


class Person:
    __slots__ = ("no", "number", "name", "card", "bank", "rate", "start", "end", "status", "fault")


def due(person, month):
    """Fen owed for a month; 0 when nothing is. A part of a month is paid by thirtieths, half up."""
    last = day(month, last_day(month))
    if person.status != "A" or person.start > last or (person.end and person.end < day(month, 1)):
        return 0

    def place(text):
        return 30 if text >= last else min(int(text[8:]), 30)

    begin = 1 if person.start < day(month, 1) else place(person.start)
    end = place(person.end) if person.end else 30
    return (person.rate * max(end - begin + 1, 0) * 2 + 30) // 60


class Workload:
    def __init__(self, people, seed, month_count):
        self.months = months(month_count)
        self.budget = people * 350_000
        self.people = []
        rng = random.Random(seed)
        for order in range(people):
            self.people.append(self._person(rng, order))
        self.good = [p for p in self.people if p.fault is None]
        self._reckon(random.Random(f"bank {seed}"))

    def _person(self, rng, order):
        p = Person()
        p.no, p.fault = order + 1, fault_of(order)
        p.bank = rng.choices(BANKS, SHARES)[0]
        p.number, p.card = citizen_number(order), card_number(order, p.bank)
        p.name, p.rate = name(rng, order), rng.randrange(15_000, 600_000)
        p.start, p.end, p.status = start_day(rng), end_day(rng), status(rng)
        if p.end and p.end < p.start:
            p.end = ""
        if p.fault == "ID":
            p.number = p.number[:17] + ("6" if p.number[17] == "5" else "5")
        elif p.fault == "CARD":
            p.card = p.card[:18] + str((int(p.card[18]) + 1) % 10)
        elif p.fault:
            earlier = rng.choice([e for e in self.people[-500:] if e.fault is None])
            if p.fault == "DUPID":
                p.number = earlier.number
            else:
                p.card, p.bank = earlier.card, earlier.bank
        return p

    def _reckon(self, rng):
        """What must come out: `checks`, `payments` of the month, `reconciliation` of all months."""
        self.checks = {"accepted": len(self.good)}
        for fault in ("ID", "CARD", "DUPID", "DUPCARD"):
            self.checks[f"rej_{fault.lower()}"] = sum(p.fault == fault for p in self.people)
        self.payments = {bank: [] for bank in BANKS}  # person, fen, refusal or None
        for p in self.good:
            fen = due(p, MONTH)
            if fen:
                rows = self.payments[p.bank]
                # The third of each bank fails too, so that a small roster has failures.
                failed = rng.random() < 0.01 or len(rows) == 2
                rows.append((p, fen, rng.choice(REFUSED) if failed else None))
        rows = [row for rows in self.payments.values() for row in rows]
        good = [fen for _, fen, refusal in rows if not refusal]
        bad = [fen for _, fen, refusal in rows if refusal]
        self.checks |= {"pay_count": len(rows), "pay_fen": sum(good) + sum(bad)}
        self.checks |= {"ok_count": len(good), "ok_fen": sum(good), "fail_count": len(bad), "fail_fen": sum(bad)}
        self.reconciliation = []
        for month in self.months[:-1]:
            owed = [fen for p in self.good if (fen := due(p, month))]
            self.reconciliation.append((month, len(owed), sum(owed), 0))
        self.reconciliation.append((MONTH, len(rows), sum(good), sum(bad)))
        self.digests = {f"pay_{bank}.txt": digest(self._payment_file(bank)) for bank in BANKS}
        self.digests["recon.csv"] = digest(self._recon_file())

    def _payment_file(self, bank):
        rows = self.payments[bank]
        sums = f"{len(rows)}|{yuan(sum(fen for _, fen, _ in rows))}"
        lines = [f"H|{MONTH}|{bank}|{sums}"]
        lines += [f"D|{MONTH * 10**8 + p.no}|{p.card}|{p.name}|{yuan(fen)}" for p, fen, _ in rows]
        return "".join(line + "\n" for line in [*lines, f"T|{sums}"]).encode("gb18030")

    def _return_file(self, bank):
        rows = self.payments[bank]
        sums = f"{len(rows)}|{yuan(sum(fen for _, fen, _ in rows))}"
        lines = [f"H|{MONTH}|{bank}|{sums}"]
        for p, fen, refusal in rows:
            code, text = refusal or ("0000", "")
            lines.append(f"D|{MONTH * 10**8 + p.no}|{p.card}|{p.name}|{yuan(fen)}|{code}|{text}")
        return "".join(line + "\n" for line in [*lines, f"T|{sums}"]).encode("gb18030")

    def _recon_file(self):
        lines = ["month,count,paid_fen,failed_fen,budget_fen,diff_fen"]
        for month, count, paid, failed in self.reconciliation:
            lines.append(f"{month},{count},{paid},{failed},{self.budget},{self.budget - paid}")
        return "".join(line + "\n" for line in lines).encode()

    def write(self, folder):
        """The files that the peers read."""
        os.makedirs(folder)
        with open(f"{folder}/roster.csv", "w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(["id_no", "name", "card_no", "bank", "rate", "start", "end", "status"])
            rows.writerows(
                (p.number, p.name, p.card, p.bank, yuan(p.rate), p.start, p.end, p.status) for p in self.people
            )
        with open(f"{folder}/budget.csv", "w", encoding="utf-8") as file:
            file.write("month,budget_fen\n" + "".join(f"{month},{self.budget}\n" for month in self.months))
        for bank in BANKS:
            with open(f"{folder}/ret_{bank}.txt", "wb") as file:
                file.write(self._return_file(bank))


def digest(data):
    return hashlib.sha256(data).hexdigest()
