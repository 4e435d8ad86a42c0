"""Peer: the sqlite3 command line, set-based SQL; iconv for GB18030. A process a stage."""

from statements import RANGE, RECONCILE, SQLITE_SETTINGS, SQLITE_TABLES, card_sum, id_sum, pay
from workload import BANKS, MONTH

YUAN = "printf('%d.%02d',{0}/100,{0}%100)"


def stages(months, data, out):
    """Stage and the shell command that does it; the SQL lies beside the database."""
    for stage, sql, after in (
        ("import", take(data), ""),
        ("setup", "".join(pay("sqlite", m, 1) for m in months[:-1]) + "PRAGMA wal_checkpoint(TRUNCATE);", ""),
        ("compute", compute(), ""),
        ("export", export(out), f" && sync {out}/pay_*.txt"),
        ("return", answers(data), ""),
        ("reconcile", f'.headers on\n.mode list\n.separator , \\n\n.output "{out}/recon.csv"\n{RECONCILE};', ""),
    ):
        path = f"{out}/{stage}.sql"
        with open(path, "w", encoding="utf-8") as file:
            file.write(f".output /dev/null\n{SQLITE_SETTINGS}\n.output stdout\nPRAGMA temp_store=MEMORY;\n{sql}\n")
        yield stage, ["bash", "-ec", f"sqlite3 -bail {out}/peer.db <{path}{after}"]


def take(data):
    digits = "[0-9]"
    return f"""{SQLITE_TABLES}
.import --csv --skip 1 "{data}/budget.csv" budget
CREATE TEMP TABLE read(id_no TEXT, name TEXT, card_no TEXT, bank TEXT, rate TEXT, start TEXT, end TEXT, status TEXT);
.import --csv --skip 1 --schema temp "{data}/roster.csv" read
CREATE TEMP TABLE bad AS
  WITH number AS MATERIALIZED (SELECT rowid AS line, id_no, CAST(substr(id_no,1,17) AS INTEGER) AS v,
      CAST(card_no AS INTEGER) AS c, id_no GLOB '{digits * 17}[0-9X]' AS id_shape, card_no GLOB '{digits * 19}' AS card_shape
    FROM read)
  SELECT line, CASE
      WHEN NOT id_shape OR substr('10X98765432',1+({id_sum("v")})%11,1)<>substr(id_no,18,1) THEN 'ID'
      WHEN NOT card_shape OR ({card_sum("c")})%10<>0 THEN 'CARD' END AS reason
  FROM number WHERE reason IS NOT NULL;
CREATE INDEX temp.read_id ON read(id_no);
CREATE INDEX temp.read_card ON read(card_no);
BEGIN;
INSERT INTO reject SELECT line, reason FROM bad;
{again("id_no", "DUPID")}
{again("card_no", "DUPCARD")}
INSERT INTO person SELECT rowid, id_no, name, card_no, bank, CAST(replace(rate,'.','') AS INTEGER), start,
    nullif(end,''), status
  FROM read WHERE rowid NOT IN (SELECT line FROM reject) ORDER BY rowid;
CREATE UNIQUE INDEX person_id_no ON person(id_no);
COMMIT;
SELECT 'check accepted '||count(*) FROM person;
SELECT 'check rej_'||lower(reason)||' '||count(*) FROM reject GROUP BY reason;
"""


def again(column, reason):
    """Refuses the rows after the first good one with the same value."""
    return f"""
INSERT OR IGNORE INTO reject SELECT r.rowid, '{reason}'
  FROM (SELECT {column} FROM read GROUP BY {column} HAVING count(*)>1) JOIN read r USING({column})
  WHERE r.rowid>(SELECT min(e.rowid) FROM read e WHERE e.{column}=r.{column} AND e.rowid NOT IN (SELECT line FROM bad));
"""


def compute():
    return f"""BEGIN;
{pay("sqlite", MONTH)}
COMMIT;
SELECT 'check pay_count '||count(*)||char(10)||'check pay_fen '||sum(amount_fen) FROM payment WHERE {RANGE};
"""


def export(out):
    sql = ".mode list\n"
    for bank in BANKS:
        sums = f"SELECT '{{}}'||count(*)||'|'||{YUAN.format('sum(amount_fen)')} FROM payment WHERE {RANGE} AND bank='{bank}';"
        sql += f"""
.output "|iconv -f UTF-8 -t GB18030 >{out}/pay_{bank}.txt"
{sums.format(f"H|{MONTH}|{bank}|")}
SELECT 'D|'||pay_no||'|'||p.card_no||'|'||n.name||'|'||{YUAN.format("amount_fen")}
  FROM payment p CROSS JOIN person n USING(person_id) WHERE {RANGE} AND p.bank='{bank}' ORDER BY pay_no;
{sums.format("T|")}
.output stdout
"""
    return sql


def answers(data):
    table = "CREATE TEMP TABLE answer(kind TEXT, pay_no INTEGER PRIMARY KEY, card TEXT, name TEXT, yuan TEXT, code TEXT, why TEXT);"
    sql = f".mode list\n.separator | \\n\n{table}\n"
    for bank in BANKS:
        sql += f'.import "|iconv -f GB18030 -t UTF-8 {data}/ret_{bank}.txt | grep ^D" answer\n'
    return f"""{sql}
BEGIN;
UPDATE payment SET state=CASE a.code WHEN '0000' THEN 1 ELSE 2 END, fail_code=nullif(a.code,'0000') FROM answer a
  WHERE payment.pay_no=a.pay_no AND payment.card_no=a.card AND payment.amount_fen=CAST(replace(a.yuan,'.','') AS INTEGER)
  AND payment.state=0;
SELECT 'check unmatched '||((SELECT count(*) FROM answer)-changes());
COMMIT;
SELECT 'check ok_count '||sum(state=1)||char(10)||'check ok_fen '||sum(amount_fen*(state=1))||char(10)||
  'check fail_count '||sum(state=2)||char(10)||'check fail_fen '||sum(amount_fen*(state=2)) FROM payment WHERE {RANGE};
"""
