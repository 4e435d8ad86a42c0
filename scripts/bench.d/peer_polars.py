"""Peer: polars, by columns; SQLite stores through the standard library. peer_polars.py DATA OUT MONTH…"""

import os
import sqlite3
import sys

import polars
from polars import col, lit, when

from measure import Stages
from statements import RANGE, RECONCILE, SQLITE_SETTINGS, SQLITE_TABLES, id_weights, pay
from workload import BANKS, MONTH, day, yuan

DATA, OUT = sys.argv[1:3]
MONTHS = [int(month) for month in sys.argv[3:]]
FIRST, LAST = day(MONTH, 1), day(MONTH, 31)

stages = Stages()
db = sqlite3.connect(f"{OUT}/peer.db", isolation_level=None)
db.executescript(SQLITE_SETTINGS + SQLITE_TABLES)


def digit(column, place):
    return column // 10**place % 10


body, card = col("id_no").str.head(17).cast(polars.Int64, strict=False), col("card_no").cast(polars.Int64, strict=False)
remainder = sum(digit(body, place) * weight for place, weight in enumerate(id_weights())) % 11
expected = remainder.replace_strict(list(range(11)), list("10X98765432"), default=None)
number_fits = col("id_no").str.contains(r"^\d{17}[\dX]$") & (expected == col("id_no").str.slice(17, 1))
doubled = [2 * digit(card, p) - 9 * (digit(card, p) > 4).cast(polars.Int64) for p in range(1, 19, 2)]
luhn = sum(doubled) + sum(digit(card, place) for place in range(0, 19, 2))
card_fits = col("card_no").str.contains(r"^\d{19}$") & (luhn % 10 == 0)

read = polars.read_csv(
    f"{DATA}/roster.csv", infer_schema=False, row_index_name="line", row_index_offset=1, empty_string_is_null=True
)
read = read.with_columns(
    col("line").cast(polars.Int64), reason=when(~number_fits).then(lit("ID")).when(~card_fits).then(lit("CARD"))
)
good = read.filter(col("reason").is_null()).with_columns(
    reason=when(~col("id_no").is_first_distinct())
    .then(lit("DUPID"))
    .when(~col("card_no").is_first_distinct())
    .then(lit("DUPCARD"))
)
refused = polars.concat(part.filter(col("reason").is_not_null()).select("line", "reason") for part in (read, good))
rate = col("rate").str.replace(".", "", literal=True).cast(polars.Int64)
person = good.filter(col("reason").is_null()).select(
    "line", "id_no", "name", "card_no", "bank", rate, "start", "end", "status"
)
db.execute("BEGIN")
db.executemany("INSERT INTO person VALUES(?,?,?,?,?,?,?,?,?)", person.iter_rows())
db.executemany("INSERT INTO reject VALUES(?,?)", refused.iter_rows())
db.execute("CREATE UNIQUE INDEX person_id_no ON person(id_no)")
db.executemany("INSERT INTO budget VALUES(?,?)", polars.read_csv(f"{DATA}/budget.csv").iter_rows())
db.execute("COMMIT")
counts = dict(refused.group_by("reason").len().iter_rows())
counts = {f"rej_{kind.lower()}": counts.get(kind, 0) for kind in ("ID", "CARD", "DUPID", "DUPCARD")}
stages.end("import", accepted=len(person), **counts)
del read, good, person

for earlier in MONTHS[:-1]:
    db.execute(pay("sqlite", earlier, 1))
db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
stages.end("setup")

columns = {"person_id": int, "name": str, "bank": str, "card_no": str, "rate_fen": int, "start_on": str, "end_on": str}
rows = db.execute(
    f"SELECT {','.join(columns)} FROM person WHERE status='A' AND start_on<=? AND (end_on IS NULL OR end_on>=?) "
    "ORDER BY person_id",
    (LAST, FIRST),
).fetchall()
due = polars.DataFrame(rows, schema=columns, orient="row")
del rows


def place(column):
    return polars.min_horizontal(col(column).str.slice(8).cast(polars.Int64), lit(30))


begin = when(col("start_on") < FIRST).then(1).otherwise(place("start_on"))
until = when(col("end_on").is_null() | (col("end_on") >= LAST)).then(30).otherwise(place("end_on"))
due = due.with_columns(days=until - begin + 1).filter(col("days") > 0)
due = due.select(
    (MONTH * 10**8 + col("person_id")).alias("pay_no"),
    "person_id",
    "bank",
    "card_no",
    ((col("rate_fen") * col("days") * 2 + 30) // 60).alias("fen"),
    "name",
)
db.execute("BEGIN")
db.executemany(f"INSERT INTO payment VALUES(?,{MONTH},?,?,?,?,0,NULL)", due.drop("name").iter_rows())
db.execute("COMMIT")
stages.end("compute", pay_count=len(due), pay_fen=due["fen"].sum())

cents = (col("fen") % 100).cast(polars.String).str.zfill(2)
lines = due.select(
    "bank", "fen", line=polars.format("D|{}|{}|{}|{}.{}", "pay_no", "card_no", "name", col("fen") // 100, cents)
)
for bank in BANKS:
    part = lines.filter(col("bank") == bank)
    sums = f"{len(part)}|{yuan(part['fen'].sum())}"
    text = "\n".join([f"H|{MONTH}|{bank}|{sums}", part["line"].str.join("\n")[0], f"T|{sums}", ""])
    with open(f"{OUT}/pay_{bank}.txt", "wb") as file:
        file.write(text.encode("gb18030"))
        file.flush()
        os.fsync(file.fileno())
del lines, text
stages.end("export")

answers = []
fields = ["kind", "pay_no", "card", "name", "yuan", "code", "why"]
for bank in BANKS:
    with open(f"{DATA}/ret_{bank}.txt", encoding="gb18030", newline="") as file:
        text = file.read()
    # The first and the last line have fewer fields.
    rows = text[text.index("\n") + 1 : text.rindex("\n", 0, -1) + 1].encode()
    answers.append(
        polars.read_csv(rows, separator="|", has_header=False, quote_char=None, infer_schema=False, new_columns=fields)
    )
answer = polars.concat(answers).select(
    col("pay_no").cast(polars.Int64),
    "card",
    col("yuan").str.replace(".", "", literal=True).cast(polars.Int64),
    "code",
)
told = due.join(answer, on="pay_no", validate="1:1").filter(
    (col("card_no") == col("card")) & (col("fen") == col("yuan"))
)
told = told.with_columns(
    state=when(col("code") == "0000").then(1).otherwise(2), fail_code=when(col("code") != "0000").then("code")
)
db.execute("BEGIN")
changed = db.executemany(
    "UPDATE payment SET state=?,fail_code=? WHERE pay_no=? AND state=0",
    told.select("state", "fail_code", "pay_no").iter_rows(),
).rowcount
db.execute("COMMIT")
ok, bad = (told.filter(col("state") == state)["fen"] for state in (1, 2))
unmatched = len(answer) - changed
stages.end("return", unmatched=unmatched, ok_count=len(ok), ok_fen=ok.sum(), fail_count=len(bad), fail_fen=bad.sum())

result = db.execute(RECONCILE)
titles = [column[0] for column in result.description]
polars.DataFrame(result.fetchall(), schema=titles, orient="row").write_csv(f"{OUT}/recon.csv")
stages.end("reconcile")
