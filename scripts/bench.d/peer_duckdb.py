"""Peer: DuckDB, SQL only, its own file; iconv for GB18030. peer_duckdb.py DATA OUT MONTH…

`payment` has no key: an index costs DuckDB much. That the month is empty is looked at before it is written.
"""

import os
import subprocess
import sys

import duckdb

from measure import Stages
from statements import RECONCILE, card_sum, id_sum, pay
from workload import BANKS, MONTH

DATA, OUT = sys.argv[1:3]
MONTHS = [int(month) for month in sys.argv[3:]]
YUAN = "({0}//100)::VARCHAR||'.'||lpad(({0}%100)::VARCHAR,2,'0')"

stages = Stages()
db = duckdb.connect(f"{OUT}/peer.duckdb")


def ask(sql):
    return db.execute(sql).fetchall()


ask("""
CREATE TABLE person(person_id INTEGER, id_no VARCHAR NOT NULL, name VARCHAR NOT NULL, card_no VARCHAR NOT NULL,
  bank VARCHAR NOT NULL, rate_fen BIGINT NOT NULL, start_on DATE NOT NULL, end_on DATE, status VARCHAR NOT NULL);
CREATE TABLE reject(line INTEGER, reason VARCHAR NOT NULL);
CREATE TABLE payment(pay_no BIGINT NOT NULL, month INTEGER NOT NULL, person_id INTEGER NOT NULL, bank VARCHAR NOT NULL,
  card_no VARCHAR NOT NULL, amount_fen BIGINT NOT NULL, state TINYINT NOT NULL, fail_code VARCHAR);
CREATE TABLE budget(month INTEGER, budget_fen BIGINT NOT NULL);
""")
ask(f"INSERT INTO budget FROM read_csv('{DATA}/budget.csv')")
ask(f"""
CREATE TEMP TABLE read AS SELECT *, CASE
    WHEN NOT id_shape OR substr('10X98765432',({id_sum("v", "//")})%11+1,1)<>id_no[18] THEN 'ID'
    WHEN NOT card_shape OR ({card_sum("c", "//")})%10<>0 THEN 'CARD' END AS reason
  FROM (SELECT row_number() OVER () AS line, *, regexp_full_match(id_no,'[0-9]{{17}}[0-9X]') AS id_shape,
      regexp_full_match(card_no,'[0-9]{{19}}') AS card_shape, TRY_CAST(left(id_no,17) AS BIGINT) AS v,
      TRY_CAST(card_no AS BIGINT) AS c
    FROM read_csv('{DATA}/roster.csv', header=true, all_varchar=true))
""")
for key, reason in (("id_no", "DUPID"), ("card_no", "DUPCARD")):
    ask(f"""UPDATE read SET reason='{reason}' FROM (SELECT {key} AS k, min(line) AS first FROM read
              WHERE reason IS NULL OR reason='DUPID' GROUP BY {key} HAVING count(*)>1) twice
            WHERE read.{key}=k AND line<>first AND reason IS NULL""")
ask("BEGIN")
ask("INSERT INTO reject SELECT line, reason FROM read WHERE reason IS NOT NULL")
ask("""INSERT INTO person SELECT line, id_no, name, card_no, bank, replace(rate,'.','')::BIGINT, start::DATE,
         nullif("end",'')::DATE, status FROM read WHERE reason IS NULL""")
ask("COMMIT")
ask("DROP TABLE read")
counts = {f"rej_{kind}": 0 for kind in ("id", "card", "dupid", "dupcard")}
counts |= dict(ask("SELECT 'rej_'||lower(reason), count(*) FROM reject GROUP BY 1"))
stages.end("import", accepted=ask("SELECT count(*) FROM person")[0][0], **counts)

for earlier in MONTHS[:-1]:
    ask(pay("duckdb", earlier, 1))
ask("CHECKPOINT")
stages.end("setup")

ask("BEGIN")
if ask(f"SELECT count(*) FROM payment WHERE month={MONTH}")[0][0]:
    sys.exit("the month is paid")
ask(pay("duckdb", MONTH))
ask("COMMIT")
count, fen = ask(f"SELECT count(*), sum(amount_fen)::BIGINT FROM payment WHERE month={MONTH}")[0]
stages.end("compute", pay_count=count, pay_fen=fen)

for bank in BANKS:
    mine = f"month={MONTH} AND p.bank='{bank}'"
    path = f"{OUT}/pay_{bank}.txt"
    ask(f"""
COPY (WITH t AS (SELECT count(*)||'|'||{YUAN.format("sum(amount_fen)::BIGINT")} AS sums FROM payment p WHERE {mine})
  SELECT line FROM (SELECT 0 AS no, 'H|{MONTH}|{bank}|'||sums AS line FROM t
    UNION ALL SELECT pay_no, 'D|'||pay_no||'|'||p.card_no||'|'||n.name||'|'||{YUAN.format("amount_fen")}
      FROM payment p JOIN person n USING(person_id) WHERE {mine}
    UNION ALL SELECT {10**18}, 'T|'||sums FROM t) ORDER BY no)
TO '{path}.utf8' (HEADER false, QUOTE '', DELIMITER '\t')""")
    with open(path, "wb") as file:
        subprocess.run(["iconv", "-f", "UTF-8", "-t", "GB18030", f"{path}.utf8"], stdout=file, check=True)
        os.fsync(file.fileno())
stages.end("export")

for bank in BANKS:
    command = f"iconv -f GB18030 -t UTF-8 {DATA}/ret_{bank}.txt | grep ^D >{OUT}/ret_{bank}.utf8"
    subprocess.run(command, shell=True, check=True)
ask(f"""
CREATE TEMP TABLE answer AS SELECT column1::BIGINT AS no, column2 AS card, replace(column4,'.','')::BIGINT AS fen,
  column5 AS code FROM read_csv('{OUT}/ret_*.utf8', delim='|', quote='', header=false, all_varchar=true)
""")
changed = ask(f"""
UPDATE payment SET state=CASE code WHEN '0000' THEN 1 ELSE 2 END, fail_code=nullif(code,'0000') FROM answer
WHERE pay_no=no AND card_no=card AND amount_fen=fen AND state=0 AND month={MONTH}""")[0][0]
state = "SELECT count(*), coalesce(sum(amount_fen),0)::BIGINT FROM payment WHERE month={} AND state={}"
ok, bad = (ask(state.format(MONTH, s))[0] for s in (1, 2))
unmatched = ask("SELECT count(*) FROM answer")[0][0] - changed
stages.end("return", unmatched=unmatched, ok_count=ok[0], ok_fen=ok[1], fail_count=bad[0], fail_fen=bad[1])

ask(f"COPY ({RECONCILE}) TO '{OUT}/recon.csv' (HEADER true)")
stages.end("reconcile")
