"""Peer: PostgreSQL alone: COPY on the server, set-based SQL. A psql a stage."""

from statements import RANGE, RECONCILE, pay
from workload import BANKS, MONTH

YUAN = "({0}/100)||'.'||lpad(({0}%100)::text,2,'0')"


def stages(months, data, out, url):
    for stage, sql, after in (
        ("import", take(data), ""),
        ("setup", "".join(pay("postgres", m, 1) for m in months[:-1]) + "VACUUM ANALYZE; CHECKPOINT;", ""),
        ("compute", compute(), ""),
        ("export", "".join(export(out, bank) for bank in BANKS), f" && sync {out}/pay_*.txt"),
        ("return", answers(data), ""),
        ("reconcile", f"COPY ({RECONCILE}) TO '{out}/recon.csv' (FORMAT csv, HEADER);", ""),
    ):
        path = f"{out}/{stage}.sql"
        with open(path, "w", encoding="utf-8") as file:
            file.write(sql)
        psql = f"psql -X -q -A -t -v ON_ERROR_STOP=1 -f {path} {url}"
        yield stage, ["bash", "-ec", psql + after]


def take(data):
    weights = [pow(2, 17 - place, 11) for place in range(17)]
    number = "+".join(f"{w}*(get_byte(n,{place})-48)" for place, w in enumerate(weights))
    digits = [f"(get_byte(c,{place})-48)" for place in range(19)]
    card = "+".join(f"{d}*2-CASE WHEN {d}>4 THEN 9 ELSE 0 END" if p % 2 else d for p, d in enumerate(digits))
    again = """SELECT line, '{1}' AS reason FROM (SELECT line, min(line) OVER (PARTITION BY {0}) AS first FROM read
    WHERE {0} IN (SELECT {0} FROM read GROUP BY {0} HAVING count(*)>1) AND line NOT IN (SELECT line FROM bad)) t
  WHERE line<>first"""
    return f"""
CREATE TABLE person(person_id int PRIMARY KEY, id_no text NOT NULL, name text NOT NULL, card_no text NOT NULL,
  bank text NOT NULL, rate_fen bigint NOT NULL, start_on date NOT NULL, end_on date, status text NOT NULL);
CREATE TABLE reject(line int PRIMARY KEY, reason text NOT NULL);
CREATE TABLE payment(pay_no bigint PRIMARY KEY, month int NOT NULL, person_id int NOT NULL, bank text NOT NULL,
  card_no text NOT NULL, amount_fen bigint NOT NULL, state smallint NOT NULL, fail_code text);
CREATE TABLE budget(month int PRIMARY KEY, budget_fen bigint NOT NULL);
COPY budget FROM '{data}/budget.csv' (FORMAT csv, HEADER);
CREATE TEMP SEQUENCE line CACHE 1000;
CREATE TEMP TABLE read(line int DEFAULT nextval('line'), id_no text COLLATE "C", name text, card_no text COLLATE "C",
  bank text, rate text, start_on date, end_on date, status text);
COPY read(id_no,name,card_no,bank,rate,start_on,end_on,status) FROM '{data}/roster.csv' (FORMAT csv, HEADER, NULL '');
ANALYZE read;
CREATE TEMP TABLE bad AS SELECT line, reason FROM (SELECT line, CASE
    WHEN id_no !~ '^[0-9]{{17}}[0-9X]$' THEN 'ID'
    WHEN substr('10X98765432',({number})%11+1,1)<>substr(id_no,18,1) THEN 'ID'
    WHEN card_no !~ '^[0-9]{{19}}$' THEN 'CARD'
    WHEN ({card})%10<>0 THEN 'CARD' END AS reason
  FROM (SELECT line, id_no, card_no, id_no::bytea AS n, card_no::bytea AS c FROM read OFFSET 0) s) t
  WHERE reason IS NOT NULL;
ANALYZE bad;
BEGIN;
INSERT INTO reject SELECT line, reason FROM bad;
INSERT INTO reject {again.format("id_no", "DUPID")};
INSERT INTO reject {again.format("card_no", "DUPCARD")} ON CONFLICT DO NOTHING;
INSERT INTO person SELECT line, id_no, name, card_no, bank, replace(rate,'.','')::bigint, start_on, end_on, status
  FROM read WHERE line NOT IN (SELECT line FROM reject) ORDER BY line;
CREATE UNIQUE INDEX person_id_no ON person(id_no COLLATE "C");
COMMIT;
SELECT 'check accepted '||count(*) FROM person;
SELECT 'check rej_'||lower(reason)||' '||count(*) FROM reject GROUP BY reason;
"""


def compute():
    return f"""{pay("postgres", MONTH)}
SELECT 'check pay_count '||count(*)||chr(10)||'check pay_fen '||sum(amount_fen) FROM payment WHERE {RANGE};
"""


def export(out, bank):
    mine = f"{RANGE} AND p.bank='{bank}'"
    return f"""
COPY (WITH t AS (SELECT count(*)||'|'||{YUAN.format("sum(amount_fen)::bigint")} AS sums FROM payment p WHERE {mine})
  SELECT 'H|{MONTH}|{bank}|'||sums FROM t
  UNION ALL SELECT line FROM (SELECT 'D|'||pay_no||'|'||p.card_no||'|'||n.name||'|'||{YUAN.format("amount_fen")} AS line
    FROM payment p JOIN person n USING(person_id) WHERE {mine} ORDER BY pay_no) d
  UNION ALL SELECT 'T|'||sums FROM t)
TO '{out}/pay_{bank}.txt' (ENCODING 'GB18030');
"""


def answers(data):
    sql = "CREATE TEMP TABLE answer(kind text, pay_no bigint, card text, name text, yuan text, code text, why text);\n"
    for bank in BANKS:
        # NULL is set to what no file has: an empty reason is an empty text.
        sql += f"COPY answer FROM PROGRAM 'grep -a ^D {data}/ret_{bank}.txt' (DELIMITER '|', NULL '\\N', ENCODING 'GB18030');\n"
    return f"""{sql}
ANALYZE answer;
WITH u AS (UPDATE payment p SET state=CASE a.code WHEN '0000' THEN 1 ELSE 2 END, fail_code=nullif(a.code,'0000')
  FROM answer a WHERE p.pay_no=a.pay_no AND p.card_no=a.card AND p.amount_fen=replace(a.yuan,'.','')::bigint
  AND p.state=0 AND p.{RANGE} RETURNING 1)
SELECT 'check unmatched '||((SELECT count(*) FROM answer)-(SELECT count(*) FROM u));
SELECT 'check '||CASE state WHEN 1 THEN 'ok' ELSE 'fail' END||'_count '||count(*)||chr(10)||
  'check '||CASE state WHEN 1 THEN 'ok' ELSE 'fail' END||'_fen '||sum(amount_fen) FROM payment WHERE {RANGE} GROUP BY state;
"""
