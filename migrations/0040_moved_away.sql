-- Where the agency went when this database was copied to another: from then on it is only read here. The one
-- table that is never copied.
CREATE TABLE moved_away (
    agency_code TEXT NOT NULL PRIMARY KEY,
    target TEXT NOT NULL, -- the other database, without a password
    digest TEXT NOT NULL, -- SHA-256 over everything that was copied
    moved_by TEXT NOT NULL,
    moved_on BIGINT NOT NULL, -- business date
    moved_at TEXT NOT NULL
);
