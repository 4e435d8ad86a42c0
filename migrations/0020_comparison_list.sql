-- A list of another office that was compared with our people.
CREATE TABLE comparison_list (
    agency_code TEXT NOT NULL,
    list_no BIGINT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('death', 'prison', 'missing', 'pay_list')),
    source TEXT NOT NULL, -- the office that sent it, '' when nobody said
    file_name TEXT NOT NULL,
    digest TEXT NOT NULL, -- kept_file
    row_count BIGINT NOT NULL, -- people in the file, those without a citizen number too
    imported_by TEXT NOT NULL,
    imported_on BIGINT NOT NULL,
    event_no BIGINT NOT NULL,
    PRIMARY KEY (agency_code, list_no),
    UNIQUE (agency_code, kind, digest),
    FOREIGN KEY (agency_code, digest) REFERENCES kept_file (agency_code, digest)
);
