//! The nouns as tables: one file per noun, each with its statements, row types and conversions.
//!
//! How to add a table: a migration file with one statement (`agency_code` first in its key), a file
//! here with its statements in [`statements!`], and its name in [`all_statements`], which lets a
//! test prepare every statement on both engines. Nothing here decides anything about the business.

pub mod engine;
pub mod error;

/// Declares the statements of a file as constants, and lists them for the test that prepares each
/// one on every engine.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)+) => {
        $($(#[$doc])* const $name: &str = $sql;)+
        /// Every statement of this file, by name.
        pub(super) const STATEMENTS: &[(&str, &str)] = &[$((stringify!($name), $name)),+];
    };
}

/// Placeholders for a hundred values, `$2` to `$101`: many keys in a statement whose text is one and the same.
macro_rules! hundred {
    () => {
        "$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21,$22,$23,$24,$25,$26,$27,$28,$29,$30,$31,$32,$33,$34,\
         $35,$36,$37,$38,$39,$40,$41,$42,$43,$44,$45,$46,$47,$48,$49,$50,$51,$52,$53,$54,$55,$56,$57,$58,$59,$60,$61,$62,$63,$64,$65,$66,\
         $67,$68,$69,$70,$71,$72,$73,$74,$75,$76,$77,$78,$79,$80,$81,$82,$83,$84,$85,$86,$87,$88,$89,$90,$91,$92,$93,$94,$95,$96,$97,$98,\
         $99,$100,$101"
    };
}

/// As many as [`hundred!`] has placeholders.
const HUNDRED: usize = 100;

/// The agency and up to a hundred values; the last is repeated until they are so many.
fn hundred_values<T: Copy + Into<engine::Value>>(agency: &str, some: &[T]) -> Vec<engine::Value> {
    let last = some.last().copied();
    let filled = some.iter().copied().chain(last.into_iter().cycle()).take(HUNDRED);
    std::iter::once(agency.into()).chain(filled.map(Into::into)).collect()
}

pub mod actor;
pub mod agency;
pub mod appropriation;
pub mod audit_event;
pub mod baseline;
pub mod change_request;
pub mod comparison;
pub mod counter;
pub mod cover;
pub mod delivery;
pub mod enrolment;
pub mod enrolment_event;
pub mod finding;
pub mod hold;
pub mod kept_file;
pub mod month_sum;
pub mod moved_away;
pub mod payment;
pub mod payment_file;
pub mod publicity;
pub mod recovery;
pub mod roll;
pub mod roster_import;
pub mod run;
pub mod scheme;
pub mod statement;
pub mod whole_office;

/// Every statement that `storage` runs, with the file and name it stands under.
pub fn all_statements() -> Vec<(&'static str, &'static str, &'static str)> {
    let files = [
        ("actor", actor::STATEMENTS),
        ("agency", agency::STATEMENTS),
        ("appropriation", appropriation::STATEMENTS),
        ("audit_event", audit_event::STATEMENTS),
        ("baseline", baseline::STATEMENTS),
        ("change_request", change_request::STATEMENTS),
        ("comparison", comparison::STATEMENTS),
        ("counter", counter::STATEMENTS),
        ("cover", cover::STATEMENTS),
        ("delivery", delivery::STATEMENTS),
        ("enrolment", enrolment::STATEMENTS),
        ("enrolment_event", enrolment_event::STATEMENTS),
        ("finding", finding::STATEMENTS),
        ("hold", hold::STATEMENTS),
        ("kept_file", kept_file::STATEMENTS),
        ("month_sum", month_sum::STATEMENTS),
        ("moved_away", moved_away::STATEMENTS),
        ("payment", payment::STATEMENTS),
        ("payment_file", payment_file::STATEMENTS),
        ("publicity", publicity::STATEMENTS),
        ("recovery", recovery::STATEMENTS),
        ("roll", roll::STATEMENTS),
        ("roster_import", roster_import::STATEMENTS),
        ("run", run::STATEMENTS),
        ("scheme", scheme::STATEMENTS),
        ("statement", statement::STATEMENTS),
    ];
    files.into_iter().flat_map(|(file, list)| list.iter().map(move |(name, sql)| (file, *name, *sql))).collect()
}

/// A stored period.
pub(crate) fn period(table: &'static str, yyyymm: i64) -> Result<crate::domain::period::Period, error::StorageError> {
    crate::domain::period::Period::from_number(yyyymm).map_err(|e| error::StorageError::inconsistent(table, yyyymm, e))
}

/// A stored date.
pub(crate) fn date(table: &'static str, yyyymmdd: i64) -> Result<chrono::NaiveDate, error::StorageError> {
    crate::domain::period::date_from_number(yyyymmdd)
        .ok_or_else(|| error::StorageError::inconsistent(table, yyyymmdd, "不是日期"))
}
