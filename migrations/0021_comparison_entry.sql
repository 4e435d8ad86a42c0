-- A person on a list, ours or not: who is enrolled later is compared with it then.
CREATE TABLE comparison_entry (
    agency_code TEXT NOT NULL,
    list_no BIGINT NOT NULL,
    row_no BIGINT NOT NULL, -- of the file
    citizen_number TEXT NOT NULL, -- normalised as in beneficiary
    name TEXT NOT NULL, -- as the list has it, '' when it has none
    from_on BIGINT, -- died, imprisoned, missing, paid from; none when the list does not say
    to_on BIGINT, -- released, paid until
    amount_fen BIGINT NOT NULL, -- what the other office pays, 0 when the list does not say
    detail TEXT NOT NULL, -- benefit, source and remark in the words of the list
    PRIMARY KEY (agency_code, list_no, row_no),
    FOREIGN KEY (agency_code, list_no) REFERENCES comparison_list (agency_code, list_no)
);
