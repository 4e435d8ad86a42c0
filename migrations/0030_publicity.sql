-- A list that was shown to the public, where, from when to when, and what came of it. Append-only.
CREATE TABLE publicity (
    agency_code TEXT NOT NULL,
    period BIGINT NOT NULL, -- of the run
    run_no BIGINT NOT NULL,
    publicity_no BIGINT NOT NULL, -- 1, 2 … per run
    kind TEXT NOT NULL CHECK (kind IN ('before', 'result')), -- before the approval, or of what was credited
    place TEXT NOT NULL,
    from_date BIGINT NOT NULL, -- first day
    to_date BIGINT NOT NULL, -- last day
    objections TEXT NOT NULL, -- what was objected and what came of it; '' when nobody objected
    list_digest TEXT NOT NULL, -- SHA-256 over the rows that were shown
    row_count BIGINT NOT NULL,
    total_fen BIGINT NOT NULL,
    recorded_by TEXT NOT NULL,
    recorded_on BIGINT NOT NULL, -- business date
    event_no BIGINT NOT NULL,
    PRIMARY KEY (agency_code, period, run_no, publicity_no),
    FOREIGN KEY (agency_code, period, run_no) REFERENCES run (agency_code, period, run_no),
    CHECK (from_date <= to_date)
);
