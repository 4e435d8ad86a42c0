"""SQL that several peers share, in the words of each engine."""

from workload import MONTH, day, last_day

# Columns of the two tables that matter; `payment` is keyed so that a person cannot be paid twice for a month.
SQLITE_TABLES = """
CREATE TABLE person(person_id INTEGER PRIMARY KEY, id_no TEXT NOT NULL, name TEXT NOT NULL, card_no TEXT NOT NULL,
  bank TEXT NOT NULL, rate_fen INTEGER NOT NULL, start_on TEXT NOT NULL, end_on TEXT, status TEXT NOT NULL);
CREATE TABLE reject(line INTEGER PRIMARY KEY, reason TEXT NOT NULL);
CREATE TABLE payment(pay_no INTEGER PRIMARY KEY, month INTEGER NOT NULL, person_id INTEGER NOT NULL,
  bank TEXT NOT NULL, card_no TEXT NOT NULL, amount_fen INTEGER NOT NULL, state INTEGER NOT NULL, fail_code TEXT);
CREATE TABLE budget(month INTEGER PRIMARY KEY, budget_fen INTEGER NOT NULL);
"""
# The usual advice for SQLite; every commit reaches the disk.
SQLITE_SETTINGS = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-262144;"

RANGE = f"pay_no BETWEEN {MONTH}00000000 AND {MONTH}99999999"

DIALECTS = {
    "sqlite": {"date": "'{}'", "day": "CAST(substr({},9) AS INTEGER)", "least": "min", "divide": "/", "big": "{}"},
    "postgres": {
        "date": "DATE '{}'",
        "day": "extract(day FROM {})::int",
        "least": "least",
        "divide": "/",
        "big": "{}::bigint",
    },
    "duckdb": {"date": "DATE '{}'", "day": "day({})", "least": "least", "divide": "//", "big": "{}::BIGINT"},
}


def pay(dialect, month, state=0):
    """Pays a month: 0 is sent, 1 credited, 2 refused. Thirtieths, the last day of a month is the thirtieth, half up."""
    say = DIALECTS[dialect]
    first, last = (say["date"].format(day(month, d)) for d in (1, last_day(month)))

    def place(column):
        return f"{say['least']}({say['day'].format(column)},30)"

    return f"""
INSERT INTO payment SELECT {say["big"].format(month)}*100000000+person_id, {month}, person_id, bank, card_no,
  (rate_fen*days*2+30){say["divide"]}60, {state}, NULL
FROM (SELECT person_id, bank, card_no, rate_fen,
        CASE WHEN end_on IS NULL OR end_on>={last} THEN 30 ELSE {place("end_on")} END
        - CASE WHEN start_on<{first} THEN 1 WHEN start_on>={last} THEN 30 ELSE {place("start_on")} END + 1 AS days
      FROM person WHERE status='A' AND start_on<={last} AND (end_on IS NULL OR end_on>={first})) AS entitled
WHERE days>0 ORDER BY person_id;
"""


RECONCILE = """
SELECT b.month AS month, count(*) AS count, sum(CASE state WHEN 1 THEN amount_fen ELSE 0 END) AS paid_fen,
  sum(CASE state WHEN 2 THEN amount_fen ELSE 0 END) AS failed_fen, b.budget_fen AS budget_fen,
  b.budget_fen-sum(CASE state WHEN 1 THEN amount_fen ELSE 0 END) AS diff_fen
FROM budget b JOIN payment p ON p.month=b.month GROUP BY b.month, b.budget_fen ORDER BY b.month
"""


def id_weights():
    """Weights of the seventeen digits of a citizen number, the last first."""
    return [pow(2, place, 11) for place in range(1, 18)]


def id_sum(value, divide="/"):
    """The weighted sum of the seventeen digits of an integer."""
    return "+".join(f"{w}*({value}{divide}{10**place}%10)" for place, w in enumerate(id_weights()))


def card_sum(value, divide="/"):
    """The sum of Luhn of an integer: every second digit from the right doubled, nines cast out."""
    digits = [f"({value}{divide}{10**place}%10)" for place in range(19)]
    doubled = "{0}*2-CASE WHEN {0}>4 THEN 9 ELSE 0 END"
    return "+".join(doubled.format(d) if place % 2 else d for place, d in enumerate(digits))
