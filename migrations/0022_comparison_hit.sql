-- One of our people on a list: on hold until someone has decided what it means.
CREATE TABLE comparison_hit (
    agency_code TEXT NOT NULL,
    hit_no BIGINT NOT NULL,
    list_no BIGINT NOT NULL,
    row_no BIGINT NOT NULL,
    beneficiary_no BIGINT NOT NULL,
    hold_no BIGINT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('open', 'confirmed', 'dismissed')),
    found_on BIGINT NOT NULL,
    event_no BIGINT NOT NULL,
    decided_by TEXT,
    decided_on BIGINT,
    decided_event_no BIGINT,
    decision TEXT, -- why
    PRIMARY KEY (agency_code, hit_no),
    UNIQUE (agency_code, hold_no),
    FOREIGN KEY (agency_code, list_no, row_no) REFERENCES comparison_entry (agency_code, list_no, row_no),
    FOREIGN KEY (agency_code, hold_no) REFERENCES hold (agency_code, hold_no),
    CHECK ((status = 'open') = (decided_by IS NULL) AND (decided_by IS NULL) = (decided_on IS NULL)
        AND (decided_by IS NULL) = (decided_event_no IS NULL) AND (decided_by IS NULL) = (decision IS NULL))
);
