-- The office as tables. One text for SQLite, PostgreSQL and Citus.
--
-- Rules (ARCHITECTURE.md, "One schema"): agency_code first in every key; BIGINT and TEXT only, and
-- BYTEA for kept files; money in fen, periods yyyymm, dates yyyymmdd, instants RFC 3339 UTC; numbers
-- are given by the program; no trigger, sequence or default from a clock. This first file may hold many statements,
-- every later file holds one.

-- A paying office. Code table (a reference table on Citus).
CREATE TABLE agency (
    agency_code TEXT NOT NULL PRIMARY KEY, -- GB/T 2260 division code of the lowest paying office
    name TEXT NOT NULL,
    created_at TEXT NOT NULL
);

-- Head of the audit chain. Every writing step locks this row first, so an agency has one writer at
-- a time on every engine, and different agencies never wait for each other.
CREATE TABLE audit_head (
    agency_code TEXT NOT NULL PRIMARY KEY,
    event_no BIGINT NOT NULL, -- last event written
    hash TEXT NOT NULL -- its hash
);

-- Append-only evidence: who did what, when, chained by hashes.
CREATE TABLE audit_event (
    agency_code TEXT NOT NULL,
    event_no BIGINT NOT NULL, -- 1, 2, 3 … without gaps
    occurred_at TEXT NOT NULL, -- true instant
    business_date BIGINT NOT NULL, -- 业务日期
    actor TEXT NOT NULL,
    action TEXT NOT NULL, -- run.approve
    subject TEXT NOT NULL, -- what it was done to
    detail TEXT NOT NULL, -- JSON
    previous_hash TEXT NOT NULL,
    hash TEXT NOT NULL, -- SHA-256 over all the above
    PRIMARY KEY (agency_code, event_no)
);

-- Last number given, per kind of thing.
CREATE TABLE counter (
    agency_code TEXT NOT NULL,
    name TEXT NOT NULL,
    value BIGINT NOT NULL,
    PRIMARY KEY (agency_code, name)
);

-- Registered users and their roles.
CREATE TABLE actor (
    agency_code TEXT NOT NULL,
    name TEXT NOT NULL,
    actor_no BIGINT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('maker', 'reviewer', 'approver', 'finance', 'auditor', 'admin')),
    event_no BIGINT NOT NULL, -- audit event of the last change
    PRIMARY KEY (agency_code, name)
);

-- Files as they came or went, byte for byte: the first 256 KiB here, what is beyond them in pieces.
CREATE TABLE kept_file (
    agency_code TEXT NOT NULL,
    digest TEXT NOT NULL, -- SHA-256 of the whole file
    name TEXT NOT NULL,
    byte_count BIGINT NOT NULL, -- of the whole file
    content BYTEA NOT NULL,
    event_no BIGINT NOT NULL, -- audit event that kept it
    PRIMARY KEY (agency_code, digest)
);

-- What follows of a longer file, 256 KiB a row, so that neither we nor the database ever hold it twice.
CREATE TABLE kept_piece (
    agency_code TEXT NOT NULL,
    digest TEXT NOT NULL, -- kept_file
    piece_no BIGINT NOT NULL CHECK (piece_no > 1), -- 2, 3 …; the first piece stands with the file
    content BYTEA NOT NULL,
    PRIMARY KEY (agency_code, digest, piece_no),
    FOREIGN KEY (agency_code, digest) REFERENCES kept_file (agency_code, digest)
);

-- Versions of scheme files. A run keeps the version it was worked out with.
CREATE TABLE scheme_version (
    agency_code TEXT NOT NULL,
    scheme_code TEXT NOT NULL,
    version BIGINT NOT NULL, -- 1, 2, 3 …; the largest is in force
    name TEXT NOT NULL,
    definition TEXT NOT NULL, -- the TOML text as loaded
    digest TEXT NOT NULL,
    event_no BIGINT NOT NULL,
    PRIMARY KEY (agency_code, scheme_code, version)
);

-- Money allowed by a document. The four amounts are kept totals of the postings.
CREATE TABLE appropriation (
    agency_code TEXT NOT NULL,
    appropriation_no BIGINT NOT NULL, -- order of loading, which is the order of drawing after the scheme's own list
    year BIGINT NOT NULL,
    document TEXT NOT NULL, -- 巴财社〔2025〕98号
    scheme_code TEXT NOT NULL, -- '' when no scheme of this engine draws it
    project TEXT NOT NULL,
    function_code TEXT NOT NULL,
    economic_code TEXT NOT NULL,
    source TEXT NOT NULL CHECK (source IN ('superior', 'local')),
    expenditure TEXT NOT NULL CHECK (expenditure IN ('project', 'basic')),
    appropriated_fen BIGINT NOT NULL CHECK (appropriated_fen >= 0),
    available_fen BIGINT NOT NULL CHECK (available_fen >= 0),
    reserved_fen BIGINT NOT NULL CHECK (reserved_fen >= 0),
    paid_fen BIGINT NOT NULL CHECK (paid_fen >= 0),
    PRIMARY KEY (agency_code, appropriation_no),
    UNIQUE (agency_code, year, document, scheme_code, function_code, economic_code, source, expenditure),
    CHECK (appropriated_fen = available_fen + reserved_fen + paid_fen)
);

-- One movement on an appropriation. Append-only.
CREATE TABLE posting (
    agency_code TEXT NOT NULL,
    appropriation_no BIGINT NOT NULL,
    posting_no BIGINT NOT NULL, -- 1, 2, 3 … per agency
    kind TEXT NOT NULL CHECK (kind IN ('appropriate', 'adjust', 'reserve', 'release', 'pay', 'give_back')),
    amount_fen BIGINT NOT NULL CHECK (amount_fen > 0 OR kind = 'adjust'),
    document TEXT NOT NULL, -- of the appropriation or adjustment; '' for movements of runs
    run_no BIGINT, -- run that moved it
    file_no BIGINT, -- its file, for pay, release and give_back after issue
    case_no BIGINT, -- recovery case, for give_back of recovered money
    posted_on BIGINT NOT NULL, -- business date
    event_no BIGINT NOT NULL,
    note TEXT NOT NULL,
    PRIMARY KEY (agency_code, appropriation_no, posting_no),
    FOREIGN KEY (agency_code, appropriation_no) REFERENCES appropriation (agency_code, appropriation_no)
);

-- The rolls: every enrolment of a scheme as it began, with its person, some hundred lines a page, in the order of enrolment.
-- Insert-only. How a line reads: NewEnrolment::write_line in src/domain/roll.rs. A person is known by the number of the first
-- enrolment, so no table of people stands beside.
CREATE TABLE roll_page (
    agency_code TEXT NOT NULL,
    first_enrolment_no BIGINT NOT NULL, -- the smallest on the page …
    last_enrolment_no BIGINT NOT NULL CHECK (last_enrolment_no >= first_enrolment_no), -- … and the greatest; pages do not overlap
    scheme_code TEXT NOT NULL,
    import_no BIGINT, -- roster import that enrolled these people; none by a single change
    entered_by TEXT NOT NULL, -- who entered them with their accounts: may not approve their payment
    event_no BIGINT NOT NULL, -- audit event of the enrolment
    content TEXT NOT NULL,
    PRIMARY KEY (agency_code, first_enrolment_no)
);

-- Where the enrolments of a citizen number stand: the lines "number enrolment" of each import, sorted by a key that the digits
-- of the number make (src/storage/roll.rs). Follows from the rolls; doctor compares.
CREATE TABLE roll_index (
    agency_code TEXT NOT NULL,
    first_enrolment_no BIGINT NOT NULL, -- of the import
    page_no BIGINT NOT NULL, -- 1, 2, 3 … per import
    scheme_code TEXT NOT NULL,
    first_key BIGINT NOT NULL, -- the smallest on the page …
    last_key BIGINT NOT NULL CHECK (last_key >= first_key), -- … and the greatest
    content TEXT NOT NULL,
    PRIMARY KEY (agency_code, first_enrolment_no, page_no)
);
CREATE INDEX roll_index_by_key ON roll_index (agency_code, first_key, last_key);

-- What an enrolment is now, told by exception: a row for those that changed since they were enrolled. What is NULL is as enrolled.
-- What became of the entitlement is told by the events: the account and the name decide nothing about what is owed.
CREATE TABLE enrolment_now (
    agency_code TEXT NOT NULL,
    enrolment_no BIGINT NOT NULL,
    name TEXT,
    bank_code TEXT,
    account_number TEXT,
    account_holder TEXT, -- 户名, the bank's spelling
    holder_relation TEXT, -- why the holder is another person
    account_set_by TEXT, -- who entered the account: may not approve its payment
    changed_event_no BIGINT NOT NULL, -- audit event of the last change
    PRIMARY KEY (agency_code, enrolment_no),
    CHECK ((bank_code IS NULL) = (account_number IS NULL) AND (bank_code IS NULL) = (account_holder IS NULL)
        AND (bank_code IS NULL) = (holder_relation IS NULL) AND (bank_code IS NULL) = (account_set_by IS NULL))
);

-- What happened to an enrolment after it began: facts, and the undoing of wrong ones. Append-only.
CREATE TABLE enrolment_event (
    agency_code TEXT NOT NULL,
    enrolment_no BIGINT NOT NULL,
    seq_no BIGINT NOT NULL, -- 1, 2, 3 … per enrolment
    kind TEXT NOT NULL CHECK (kind IN ('stopped', 'suspended', 'resumed', 'account', 'name', 'category', 'amount', 'first_month',
        'certified', 'born', 'retired', 'undone')),
    period BIGINT, -- last month owed, first suspended, first paid again, first month of the category, amount or entitlement
    on_date BIGINT, -- the day it happened
    cause TEXT NOT NULL, -- of a stop or suspension, else ''
    amount_fen BIGINT NOT NULL, -- new monthly amount, else 0
    back_paid BIGINT CHECK (back_paid IN (0, 1)), -- resumed: suspended months are owed after all
    undoes_seq BIGINT, -- undone: the event that was wrong
    reason TEXT NOT NULL,
    evidence TEXT NOT NULL,
    old_value TEXT NOT NULL,
    new_value TEXT NOT NULL,
    made_by TEXT NOT NULL,
    made_on BIGINT NOT NULL,
    accepted_by TEXT, -- the second person, where the scheme asks for one
    event_no BIGINT NOT NULL,
    PRIMARY KEY (agency_code, enrolment_no, seq_no),
    CHECK ((kind = 'resumed') = (back_paid IS NOT NULL)),
    CHECK ((kind = 'undone') = (undoes_seq IS NOT NULL)),
    CHECK (accepted_by IS NULL OR accepted_by <> made_by)
);

CREATE INDEX enrolment_event_by_event ON enrolment_event (agency_code, event_no);

-- Changes, roster files and write-offs that wait for a second person, or had one.
CREATE TABLE change_request (
    agency_code TEXT NOT NULL,
    request_no BIGINT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('changes', 'roster', 'write_off')),
    scheme_code TEXT NOT NULL,
    summary TEXT NOT NULL, -- in words, numbers masked
    item_count BIGINT NOT NULL,
    content TEXT NOT NULL, -- JSON: what is done when it is accepted
    made_by TEXT NOT NULL,
    made_on BIGINT NOT NULL,
    made_event_no BIGINT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('pending', 'accepted', 'rejected')),
    decided_by TEXT,
    decided_on BIGINT,
    decided_event_no BIGINT,
    decision TEXT, -- why, when rejected
    PRIMARY KEY (agency_code, request_no),
    CHECK ((status = 'pending') = (decided_by IS NULL) AND (decided_by IS NULL) = (decided_on IS NULL)
        AND (decided_by IS NULL) = (decided_event_no IS NULL) AND (decided_by IS NULL) = (decision IS NULL)),
    CHECK (status <> 'accepted' OR decided_by <> made_by)
);

-- A roster file that took effect.
CREATE TABLE roster_import (
    agency_code TEXT NOT NULL,
    import_no BIGINT NOT NULL,
    scheme_code TEXT NOT NULL,
    file_name TEXT NOT NULL,
    digest TEXT NOT NULL, -- kept_file
    rejects_digest TEXT, -- kept_file: the rows that were given back with their reasons, if any
    row_count BIGINT NOT NULL,
    new_count BIGINT NOT NULL,
    changed_count BIGINT NOT NULL,
    missing_count BIGINT NOT NULL, -- in force but not in the file: reported, never stopped
    imported_by TEXT NOT NULL,
    imported_on BIGINT NOT NULL,
    event_no BIGINT NOT NULL,
    PRIMARY KEY (agency_code, import_no),
    UNIQUE (agency_code, scheme_code, digest)
);

-- What is paid together. Moved only by UPDATE … WHERE status = expected.
CREATE TABLE run (
    agency_code TEXT NOT NULL,
    period BIGINT NOT NULL, -- last release period
    run_no BIGINT NOT NULL,
    run_code TEXT NOT NULL,
    scheme_code TEXT NOT NULL,
    scheme_version BIGINT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('regular', 'supplementary')),
    first_period BIGINT NOT NULL CHECK (first_period <= period),
    payment_count BIGINT NOT NULL CHECK (payment_count > 0),
    total_fen BIGINT NOT NULL CHECK (total_fen > 0), -- of the payments
    offset_fen BIGINT NOT NULL CHECK (offset_fen >= 0), -- of months that are paid by offsetting what was overpaid
    status TEXT NOT NULL CHECK (status IN ('prepared', 'submitted', 'reviewed', 'approved', 'issued', 'settled', 'closed', 'cancelled')),
    prepared_by TEXT NOT NULL,
    prepared_on BIGINT NOT NULL,
    prepared_at TEXT NOT NULL,
    prepared_event_no BIGINT NOT NULL,
    submitted_by TEXT,
    submitted_on BIGINT,
    submitted_at TEXT,
    digest TEXT, -- SHA-256 over the frozen payments
    reviewed_by TEXT,
    reviewed_on BIGINT,
    reviewed_at TEXT,
    approved_by TEXT,
    approved_on BIGINT,
    approved_at TEXT,
    issued_by TEXT,
    issued_on BIGINT,
    issued_at TEXT,
    closed_by TEXT,
    closed_on BIGINT,
    closed_at TEXT,
    ended_by TEXT, -- who cancelled it, or sent it back to prepared
    ended_on BIGINT,
    ended_at TEXT,
    ended_reason TEXT,
    PRIMARY KEY (agency_code, period, run_no),
    UNIQUE (agency_code, run_code),
    -- four eyes
    CHECK (reviewed_by IS NULL OR (reviewed_by <> prepared_by AND reviewed_by <> submitted_by)),
    CHECK (approved_by IS NULL OR (approved_by <> prepared_by AND approved_by <> submitted_by AND approved_by <> reviewed_by)),
    -- a state has the signatures it needs
    CHECK (status NOT IN ('submitted', 'reviewed', 'approved', 'issued', 'settled', 'closed') OR (submitted_by IS NOT NULL AND digest IS NOT NULL)),
    CHECK (status NOT IN ('reviewed', 'approved', 'issued', 'settled', 'closed') OR reviewed_by IS NOT NULL),
    CHECK (status NOT IN ('approved', 'issued', 'settled', 'closed') OR approved_by IS NOT NULL),
    CHECK ((status IN ('issued', 'settled', 'closed')) = (issued_by IS NOT NULL)),
    CHECK ((status = 'closed') = (closed_by IS NOT NULL)),
    CHECK (status <> 'prepared' OR (submitted_by IS NULL AND digest IS NULL AND reviewed_by IS NULL AND approved_by IS NULL)),
    CHECK (status <> 'cancelled' OR (ended_by IS NOT NULL AND ended_reason IS NOT NULL))
);

-- Which stretch of a run's money comes from which appropriation.
CREATE TABLE run_draw (
    agency_code TEXT NOT NULL,
    period BIGINT NOT NULL,
    run_no BIGINT NOT NULL,
    draw_no BIGINT NOT NULL,
    appropriation_no BIGINT NOT NULL,
    from_fen BIGINT NOT NULL, -- of the run's payments and then its offsets laid end to end, included
    to_fen BIGINT NOT NULL CHECK (to_fen > from_fen), -- excluded
    PRIMARY KEY (agency_code, period, run_no, draw_no),
    FOREIGN KEY (agency_code, period, run_no) REFERENCES run (agency_code, period, run_no),
    FOREIGN KEY (agency_code, appropriation_no) REFERENCES appropriation (agency_code, appropriation_no)
);

-- The payments of a run, frozen: some hundred lines a page, one credit to one account each, with the claims that it covers.
-- Never updated. How a line reads: Payment::frozen_form in src/domain/payment.rs.
CREATE TABLE payment_page (
    agency_code TEXT NOT NULL,
    period BIGINT NOT NULL, -- of the run
    run_no BIGINT NOT NULL,
    page_no BIGINT NOT NULL, -- 1, 2, 3 …
    first_line_no BIGINT NOT NULL, -- lines are numbered 1, 2, 3 … over all pages, by bank, then by roster
    last_line_no BIGINT NOT NULL CHECK (last_line_no >= first_line_no),
    first_enrolment_no BIGINT NOT NULL, -- the smallest on the page …
    last_enrolment_no BIGINT NOT NULL CHECK (last_enrolment_no >= first_enrolment_no), -- … and the greatest
    content TEXT NOT NULL,
    PRIMARY KEY (agency_code, period, run_no, page_no),
    FOREIGN KEY (agency_code, period, run_no) REFERENCES run (agency_code, period, run_no)
);

-- How a scheme stood when a run was prepared (src/domain/baseline.rs): the next run looks back no further. Kept, not evidence:
-- doctor works it out anew from payments and facts. None where too many people were not even.
CREATE TABLE baseline (
    agency_code TEXT NOT NULL,
    period BIGINT NOT NULL, -- of the run
    run_no BIGINT NOT NULL,
    standing_runs BIGINT NOT NULL, -- runs of the scheme up to this one that were not cancelled; it holds while they are as many
    last_period BIGINT NOT NULL, -- everybody is even up to this month …
    last_enrolment_no BIGINT NOT NULL,
    claims TEXT NOT NULL, -- JSON: month: [people owed, fen owed, fen suspended]
    uneven TEXT NOT NULL, -- … but these. JSON: enrolment: {month: fen sent}
    PRIMARY KEY (agency_code, period, run_no),
    FOREIGN KEY (agency_code, period, run_no) REFERENCES run (agency_code, period, run_no)
);

-- Covers of a run by month, file and what was told of them one by one: kept totals. Run, file and outcome give the state.
CREATE TABLE month_sum (
    agency_code TEXT NOT NULL,
    period BIGINT NOT NULL, -- of the run
    run_no BIGINT NOT NULL,
    covered_period BIGINT NOT NULL,
    file_no BIGINT NOT NULL, -- 0: in no file
    told TEXT NOT NULL CHECK (told IN ('', 'withheld', 'open', 'credited', 'rejected', 'returned')), -- last outcome, '' when none
    cover_count BIGINT NOT NULL,
    amount_fen BIGINT NOT NULL,
    PRIMARY KEY (agency_code, period, run_no, covered_period, file_no, told),
    FOREIGN KEY (agency_code, period, run_no) REFERENCES run (agency_code, period, run_no)
);

-- Bytes sent to one bank for one run, with what became of its rows (kept totals).
CREATE TABLE payment_file (
    agency_code TEXT NOT NULL,
    period BIGINT NOT NULL,
    run_no BIGINT NOT NULL,
    file_no BIGINT NOT NULL,
    file_ref TEXT NOT NULL,
    name TEXT NOT NULL,
    bank_code TEXT NOT NULL,
    layout_code TEXT NOT NULL,
    part BIGINT NOT NULL,
    parts BIGINT NOT NULL,
    pay_date BIGINT NOT NULL,
    first_line_no BIGINT NOT NULL, -- its payments are the lines from here …
    last_line_no BIGINT NOT NULL, -- … to here, without the withheld ones
    row_count BIGINT NOT NULL CHECK (row_count > 0),
    total_fen BIGINT NOT NULL,
    digest TEXT NOT NULL, -- kept_file
    payments_digest TEXT NOT NULL, -- SHA-256 over its frozen payments: what an answer is checked against
    status TEXT NOT NULL CHECK (status IN ('written', 'answered')),
    open_rows BIGINT NOT NULL,
    open_fen BIGINT NOT NULL,
    credited_rows BIGINT NOT NULL,
    credited_fen BIGINT NOT NULL,
    rejected_rows BIGINT NOT NULL,
    rejected_fen BIGINT NOT NULL,
    returned_rows BIGINT NOT NULL,
    returned_fen BIGINT NOT NULL,
    event_no BIGINT NOT NULL,
    PRIMARY KEY (agency_code, period, run_no, file_no),
    UNIQUE (agency_code, file_ref),
    FOREIGN KEY (agency_code, period, run_no) REFERENCES run (agency_code, period, run_no),
    FOREIGN KEY (agency_code, digest) REFERENCES kept_file (agency_code, digest),
    CHECK (row_count = open_rows + credited_rows + rejected_rows + returned_rows),
    CHECK (total_fen = open_fen + credited_fen + rejected_fen + returned_fen)
);

-- What happened to a payment file on its way to the bank. Append-only; the last row counts.
CREATE TABLE delivery (
    agency_code TEXT NOT NULL,
    period BIGINT NOT NULL,
    run_no BIGINT NOT NULL,
    file_no BIGINT NOT NULL,
    seq_no BIGINT NOT NULL, -- 1, 2 … per file
    kind TEXT NOT NULL CHECK (kind IN ('sending', 'handed_over', 'not_sent', 'acknowledged')),
    place TEXT NOT NULL, -- where; '' when a clerk carried it
    sent_name TEXT NOT NULL, -- its name there
    sent_digest TEXT NOT NULL, -- SHA-256 of the bytes there: of the file, or of its encrypted form
    note TEXT NOT NULL,
    done_by TEXT NOT NULL,
    done_on BIGINT NOT NULL,
    done_at TEXT NOT NULL,
    event_no BIGINT NOT NULL,
    PRIMARY KEY (agency_code, period, run_no, file_no, seq_no),
    FOREIGN KEY (agency_code, period, run_no, file_no) REFERENCES payment_file (agency_code, period, run_no, file_no)
);

-- An answer of the bank that was taken in.
CREATE TABLE bank_return (
    agency_code TEXT NOT NULL,
    period BIGINT NOT NULL,
    run_no BIGINT NOT NULL,
    file_no BIGINT NOT NULL,
    return_no BIGINT NOT NULL, -- 1, 2 … per file
    kind TEXT NOT NULL CHECK (kind IN ('return', 'late_return')),
    name TEXT NOT NULL,
    digest TEXT NOT NULL, -- kept_file
    row_count BIGINT NOT NULL,
    received_by TEXT NOT NULL,
    received_on BIGINT NOT NULL,
    event_no BIGINT NOT NULL,
    PRIMARY KEY (agency_code, period, run_no, file_no, return_no),
    UNIQUE (agency_code, digest),
    FOREIGN KEY (agency_code, period, run_no, file_no) REFERENCES payment_file (agency_code, period, run_no, file_no)
);

-- What became of a payment, where it is not simply "credited with its file". Append-only; the last row counts.
CREATE TABLE payment_outcome (
    agency_code TEXT NOT NULL,
    period BIGINT NOT NULL,
    run_no BIGINT NOT NULL,
    line_no BIGINT NOT NULL,
    seq_no BIGINT NOT NULL, -- 1, 2 … per payment
    kind TEXT NOT NULL CHECK (kind IN ('withheld', 'open', 'credited', 'rejected', 'returned')),
    reason_class TEXT NOT NULL, -- '' when there is none
    reason_code TEXT NOT NULL, -- the bank's
    reason_text TEXT NOT NULL,
    bank_ref TEXT NOT NULL,
    outcome_on BIGINT NOT NULL, -- the bank's date, else the business date
    file_no BIGINT, -- the answer that said so
    return_no BIGINT,
    event_no BIGINT NOT NULL,
    enrolment_no BIGINT NOT NULL, -- whose payment it is, …
    beneficiary_no BIGINT NOT NULL,
    covers TEXT NOT NULL, -- … and what it covers, as its line has them: whoever looks at failures need not look for the line
    PRIMARY KEY (agency_code, period, run_no, line_no, seq_no),
    FOREIGN KEY (agency_code, period, run_no) REFERENCES run (agency_code, period, run_no)
);

CREATE INDEX payment_outcome_by_event ON payment_outcome (agency_code, event_no);
CREATE INDEX payment_outcome_by_enrolment ON payment_outcome (agency_code, enrolment_no);

-- A person may not be paid until a clerk has resolved something.
CREATE TABLE hold (
    agency_code TEXT NOT NULL,
    hold_no BIGINT NOT NULL,
    beneficiary_no BIGINT NOT NULL, -- the person: number of the first enrolment
    reason_class TEXT NOT NULL,
    note TEXT NOT NULL,
    opened_on BIGINT NOT NULL,
    opened_by TEXT NOT NULL,
    opened_event_no BIGINT NOT NULL,
    cleared_on BIGINT,
    cleared_by TEXT,
    cleared_event_no BIGINT,
    resolution TEXT,
    PRIMARY KEY (agency_code, hold_no),
    CHECK ((cleared_on IS NULL) = (cleared_by IS NULL) AND (cleared_on IS NULL) = (resolution IS NULL) AND (cleared_on IS NULL) = (cleared_event_no IS NULL))
);

-- A difference between what we sent and what came back, until someone explains it.
CREATE TABLE finding (
    agency_code TEXT NOT NULL,
    finding_no BIGINT NOT NULL,
    code TEXT NOT NULL,
    period BIGINT, -- of the run, when it concerns one
    run_no BIGINT,
    file_no BIGINT,
    line_no BIGINT,
    entry_no BIGINT, -- of a bank's statement, when it concerns one
    amount_fen BIGINT NOT NULL, -- money in question, 0 if none
    message TEXT NOT NULL,
    opened_on BIGINT NOT NULL,
    opened_event_no BIGINT NOT NULL,
    explained_on BIGINT,
    explained_by TEXT,
    explained_event_no BIGINT,
    explanation TEXT,
    PRIMARY KEY (agency_code, finding_no),
    CHECK ((explained_on IS NULL) = (explained_by IS NULL) AND (explained_on IS NULL) = (explanation IS NULL) AND (explained_on IS NULL) = (explained_event_no IS NULL))
);

-- A bank's statement of an account that was taken in.
CREATE TABLE bank_statement (
    agency_code TEXT NOT NULL,
    statement_no BIGINT NOT NULL, -- 1, 2, 3 … in the order of taking in
    bank_code TEXT NOT NULL,
    account TEXT NOT NULL, -- of the office, in its plain form
    number TEXT NOT NULL, -- the bank's, or the name of the file
    first_on BIGINT NOT NULL, -- day of its first entry
    last_on BIGINT NOT NULL, -- last day that it tells of
    has_balances BIGINT NOT NULL CHECK (has_balances IN (0, 1)),
    opening_fen BIGINT NOT NULL, -- 0 without balances
    closing_fen BIGINT NOT NULL,
    entry_count BIGINT NOT NULL,
    new_count BIGINT NOT NULL, -- entries that no statement before it had
    file_name TEXT NOT NULL,
    digest TEXT NOT NULL, -- kept_file
    taken_by TEXT NOT NULL,
    taken_on BIGINT NOT NULL,
    event_no BIGINT NOT NULL,
    PRIMARY KEY (agency_code, statement_no),
    FOREIGN KEY (agency_code, digest) REFERENCES kept_file (agency_code, digest),
    CHECK (last_on >= first_on AND new_count <= entry_count)
);
CREATE INDEX bank_statement_of_file ON bank_statement (agency_code, digest);

-- One booking of a bank on an account of the office, once however many statements tell it. Append-only.
CREATE TABLE statement_entry (
    agency_code TEXT NOT NULL,
    entry_no BIGINT NOT NULL, -- 1, 2, 3 … in the order of taking in
    statement_no BIGINT NOT NULL, -- the first that told it
    bank_code TEXT NOT NULL,
    account TEXT NOT NULL,
    booked_on BIGINT NOT NULL,
    valued_on BIGINT,
    amount_fen BIGINT NOT NULL CHECK (amount_fen <> 0), -- below zero: money out
    bank_ref TEXT NOT NULL,
    our_ref TEXT NOT NULL,
    counterparty_name TEXT NOT NULL,
    counterparty_account TEXT NOT NULL,
    text TEXT NOT NULL,
    code TEXT NOT NULL,
    is_reversal BIGINT NOT NULL CHECK (is_reversal IN (0, 1)),
    PRIMARY KEY (agency_code, entry_no),
    FOREIGN KEY (agency_code, statement_no) REFERENCES bank_statement (agency_code, statement_no)
);

-- What an entry answers in our books, whole: a file sent, what of it was rejected or returned late, or nothing of these
-- but a kind of its own. An entry without parts is open, until its finding is explained. Append-only.
CREATE TABLE statement_match (
    agency_code TEXT NOT NULL,
    entry_no BIGINT NOT NULL,
    part_no BIGINT NOT NULL, -- 1, 2, 3 … per entry; together the entry's amount
    kind TEXT NOT NULL CHECK (kind IN ('sent', 'rejected', 'returned', 'funding', 'charge', 'interest')),
    period BIGINT, -- of the run
    run_no BIGINT,
    file_no BIGINT,
    book_event_no BIGINT, -- audit event that booked what is answered
    line_no BIGINT, -- one payment, when the bank books each
    amount_fen BIGINT NOT NULL CHECK (amount_fen <> 0), -- below zero: money out
    event_no BIGINT NOT NULL,
    PRIMARY KEY (agency_code, entry_no, part_no),
    FOREIGN KEY (agency_code, entry_no) REFERENCES statement_entry (agency_code, entry_no),
    FOREIGN KEY (agency_code, period, run_no, file_no) REFERENCES payment_file (agency_code, period, run_no, file_no),
    CHECK ((kind IN ('sent', 'rejected', 'returned')) = (file_no IS NOT NULL)
        AND (file_no IS NULL) = (run_no IS NULL) AND (file_no IS NULL) = (period IS NULL) AND (file_no IS NULL) = (book_event_no IS NULL))
);
