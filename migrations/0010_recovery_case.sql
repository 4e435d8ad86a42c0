-- Money that was paid too much, being asked back: one case per notice (追缴通知书).
CREATE TABLE recovery_case (
    agency_code TEXT NOT NULL,
    case_no BIGINT NOT NULL, -- 1, 2, 3 …
    enrolment_no BIGINT NOT NULL, -- where it was overpaid
    beneficiary_no BIGINT NOT NULL,
    scheme_code TEXT NOT NULL,
    cause TEXT NOT NULL CHECK (cause IN ('death_told_late', 'prison', 'double_benefit', 'wrong_registration', 'standard', 'other')),
    notice_no TEXT NOT NULL,
    total_fen BIGINT NOT NULL CHECK (total_fen > 0), -- of the notice: its months together
    opened_by TEXT NOT NULL,
    opened_on BIGINT NOT NULL,
    opened_event_no BIGINT NOT NULL,
    deduct_scheme TEXT NOT NULL, -- whose payments are reduced; '' the case's own scheme
    monthly_cap_fen BIGINT NOT NULL CHECK (monthly_cap_fen >= 0), -- most per benefit month; 0: nothing is deducted
    consent TEXT NOT NULL, -- the person's consent to it, '' while there is none
    planned_event_no BIGINT, -- audit event of the last plan
    closed_by TEXT,
    closed_on BIGINT,
    closed_event_no BIGINT,
    PRIMARY KEY (agency_code, case_no),
    UNIQUE (agency_code, notice_no),
    CHECK (monthly_cap_fen = 0 OR consent <> ''),
    CHECK ((closed_by IS NULL) = (closed_on IS NULL) AND (closed_by IS NULL) = (closed_event_no IS NULL))
);
