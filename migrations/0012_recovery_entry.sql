-- What became of some fen of a month of a case. Append-only. An offset counts as long as its run is not
-- cancelled and no 'released' row takes it back.
CREATE TABLE recovery_entry (
    agency_code TEXT NOT NULL,
    case_no BIGINT NOT NULL,
    entry_no BIGINT NOT NULL, -- 1, 2, 3 … per case
    kind TEXT NOT NULL CHECK (kind IN ('repayment', 'offset', 'released', 'write_off')),
    enrolment_no BIGINT NOT NULL,
    period BIGINT NOT NULL, -- the overpaid month
    amount_fen BIGINT NOT NULL CHECK (amount_fen > 0),
    paid_run_period BIGINT, -- the run that had paid it; none for a write-off
    paid_run_no BIGINT,
    appropriation_no BIGINT, -- whose money it was and becomes again
    to_enrolment_no BIGINT, -- offset, released: the month that is paid with it …
    to_period BIGINT,
    claim_fen BIGINT NOT NULL, -- … and what was owed for that month, else 0
    run_period BIGINT, -- in this run …
    run_no BIGINT,
    run_from_fen BIGINT NOT NULL, -- … after this many fen of its payments and earlier offsets, else 0
    released_entry_no BIGINT, -- released: the offset that is taken back
    reference TEXT NOT NULL, -- receipt or bank statement entry; why, of a release or write-off
    received_on BIGINT, -- repayment: the day the money came
    made_by TEXT NOT NULL,
    made_on BIGINT NOT NULL,
    event_no BIGINT NOT NULL,
    accepted_by TEXT, -- write_off: the second person
    PRIMARY KEY (agency_code, case_no, entry_no),
    FOREIGN KEY (agency_code, case_no, period) REFERENCES recovery_month (agency_code, case_no, period),
    FOREIGN KEY (agency_code, paid_run_period, paid_run_no) REFERENCES run (agency_code, period, run_no),
    FOREIGN KEY (agency_code, run_period, run_no) REFERENCES run (agency_code, period, run_no),
    FOREIGN KEY (agency_code, appropriation_no) REFERENCES appropriation (agency_code, appropriation_no),
    CHECK ((kind = 'write_off') = (appropriation_no IS NULL) AND (kind = 'write_off') = (paid_run_no IS NULL)),
    CHECK ((kind IN ('offset', 'released')) = (run_no IS NOT NULL) AND (run_no IS NULL) = (to_enrolment_no IS NULL)
        AND (run_no IS NULL) = (to_period IS NULL)),
    CHECK ((kind = 'released') = (released_entry_no IS NOT NULL)),
    CHECK ((kind = 'repayment') = (received_on IS NOT NULL)),
    CHECK ((kind = 'write_off') = (accepted_by IS NOT NULL) AND (accepted_by IS NULL OR accepted_by <> made_by))
);
