"""Peer: pandas reads, plain Python checks, Decimal is the money, SQLite stores. peer_pandas.py DATA OUT MONTH…"""

import csv
import decimal
import os
import sqlite3
import sys

import pandas

from measure import Stages
from statements import RANGE, RECONCILE, SQLITE_SETTINGS, SQLITE_TABLES, pay
from workload import BANKS, MONTH, day

DATA, OUT = sys.argv[1:3]
MONTHS = [int(month) for month in sys.argv[3:]]
FIRST, LAST = day(MONTH, 1), day(MONTH, 31)
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def number_fits(text):
    if len(text) != 18 or not text[:17].isdigit():
        return False
    return "10X98765432"[sum(int(c) * w for c, w in zip(text, WEIGHTS)) % 11] == text[17]


def card_fits(text):
    if len(text) != 19 or not text.isdigit():
        return False
    return (sum(map(int, text[::2])) + sum(DOUBLED[int(c)] for c in text[1::2])) % 10 == 0


def owed(rate, start, end):
    begin = 1 if start < FIRST else min(int(start[8:]), 30)
    until = 30 if end is None or end >= LAST else min(int(end[8:]), 30)
    if until < begin:
        return 0
    part = decimal.Decimal(rate) * (until - begin + 1) / 30
    return int(part.quantize(decimal.Decimal(1), decimal.ROUND_HALF_UP))


def money(fen):
    return f"{decimal.Decimal(int(fen)).scaleb(-2):.2f}"


def rows_of(frame):
    return frame.astype(object).itertuples(index=False, name=None)


stages = Stages()
db = sqlite3.connect(f"{OUT}/peer.db", isolation_level=None)
db.executescript(SQLITE_SETTINGS + SQLITE_TABLES)

read = pandas.read_csv(f"{DATA}/roster.csv", dtype=str, keep_default_na=False)
read.insert(0, "line", range(1, len(read) + 1))
good_number, good_card = read["id_no"].map(number_fits), read["card_no"].map(card_fits)
refused = [(line, "ID") for line in read.loc[~good_number, "line"].tolist()]
refused += [(line, "CARD") for line in read.loc[good_number & ~good_card, "line"].tolist()]
read = read[good_number & good_card]
again, card_again = read.duplicated("id_no"), read.duplicated("card_no")
refused += [(line, "DUPID") for line in read.loc[again, "line"].tolist()]
refused += [(line, "DUPCARD") for line in read.loc[card_again & ~again, "line"].tolist()]
read = read[~again & ~card_again].copy()
read["rate_fen"] = read["rate"].map(lambda text: int(decimal.Decimal(text) * 100))
columns = ["line", "id_no", "name", "card_no", "bank", "rate_fen", "start", "end", "status"]
budget = pandas.read_csv(f"{DATA}/budget.csv")
db.execute("BEGIN")
db.executemany("INSERT INTO person VALUES(?,?,?,?,?,?,?,nullif(?,''),?)", rows_of(read[columns]))
db.executemany("INSERT INTO reject VALUES(?,?)", refused)
db.execute("CREATE UNIQUE INDEX person_id_no ON person(id_no)")
db.executemany("INSERT INTO budget VALUES(?,?)", rows_of(budget))
db.execute("COMMIT")
counts = {f"rej_{kind.lower()}": sum(k == kind for _, k in refused) for kind in ("ID", "CARD", "DUPID", "DUPCARD")}
stages.end("import", accepted=len(read), **counts)
del read

for earlier in MONTHS[:-1]:
    db.execute(pay("sqlite", earlier, 1))
db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
stages.end("setup")

due = pandas.read_sql_query(
    f"SELECT person_id,bank,card_no,rate_fen,start_on,end_on FROM person WHERE status='A' AND start_on<='{LAST}' "
    f"AND (end_on IS NULL OR end_on>='{FIRST}') ORDER BY person_id",
    db,
)
ends = due["end_on"].astype(object).where(due["end_on"].notna(), None)
due["fen"] = [owed(*row) for row in zip(due["rate_fen"].tolist(), due["start_on"].tolist(), ends.tolist())]
due = due[due["fen"] > 0]
due.insert(0, "pay_no", due["person_id"] + MONTH * 10**8)
db.execute("BEGIN")
db.executemany(
    f"INSERT INTO payment VALUES(?,{MONTH},?,?,?,?,0,NULL)",
    rows_of(due[["pay_no", "person_id", "bank", "card_no", "fen"]]),
)
db.execute("COMMIT")
stages.end("compute", pay_count=len(due), pay_fen=int(due["fen"].sum()))

due = pandas.read_sql_query(
    "SELECT p.pay_no,p.bank,p.card_no,n.name,p.amount_fen FROM payment p JOIN person n USING(person_id) "
    f"WHERE p.{RANGE} ORDER BY p.pay_no",
    db,
)
for bank in BANKS:
    part = due[due["bank"] == bank]
    sums = f"{len(part)}|{money(part['amount_fen'].sum())}"
    with open(f"{OUT}/pay_{bank}.txt", "w", encoding="gb18030", newline="\n") as file:
        file.write(f"H|{MONTH}|{bank}|{sums}\n")
        for number, _, card, name, fen in part.itertuples(index=False, name=None):
            file.write(f"D|{number}|{card}|{name}|{money(fen)}\n")
        file.write(f"T|{sums}\n")
        file.flush()
        os.fsync(file.fileno())
stages.end("export")

db.execute("BEGIN")
changed = lines = 0
for bank in BANKS:
    with open(f"{DATA}/ret_{bank}.txt", encoding="gb18030", newline="") as file:
        rows = [row for row in csv.reader(file, delimiter="|") if row[0] == "D"]
    lines += len(rows)
    changed += db.executemany(
        "UPDATE payment SET state=?,fail_code=? WHERE pay_no=? AND card_no=? AND amount_fen=? AND state=0",
        (
            (1 if code == "0000" else 2, None if code == "0000" else code, int(no), card, int(decimal.Decimal(y) * 100))
            for _, no, card, _, y, code, _ in rows
        ),
    ).rowcount
db.execute("COMMIT")
state = f"SELECT count(*),coalesce(sum(amount_fen),0) FROM payment WHERE {RANGE} AND state=?"
ok, bad = (db.execute(state, (s,)).fetchone() for s in (1, 2))
stages.end("return", unmatched=lines - changed, ok_count=ok[0], ok_fen=ok[1], fail_count=bad[0], fail_fen=bad[1])

pandas.read_sql_query(RECONCILE, db).to_csv(f"{OUT}/recon.csv", index=False)
stages.end("reconcile")
