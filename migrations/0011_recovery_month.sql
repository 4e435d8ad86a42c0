-- A month of a case, as its notice froze it. Never updated.
CREATE TABLE recovery_month (
    agency_code TEXT NOT NULL,
    case_no BIGINT NOT NULL,
    period BIGINT NOT NULL, -- the overpaid benefit month
    claim_fen BIGINT NOT NULL, -- owed for it when the case was opened
    amount_fen BIGINT NOT NULL CHECK (amount_fen > 0), -- to be recovered
    PRIMARY KEY (agency_code, case_no, period),
    FOREIGN KEY (agency_code, case_no) REFERENCES recovery_case (agency_code, case_no)
);
