//! Stories of the office. Every one ends with the doctor finding nothing.

mod clean_year;
