//! Verbs: one file = one business step = one transaction + one audit event.
//!
//! | step | run before → after | who |
//! |---|---|---|
//! | `register` | – | administrator |
//! | `load_scheme`, `load_budget` | – | administrator, finance |
//! | `import_roster`, `enter_change`, `clear_hold` | – | maker |
//! | `import_comparison`, `decide_hit`, `import_certifications` | – | maker |
//! | `enter_change::accept`, `reject` | – | reviewer or approver, another person |
//! | `prepare_run` | – → prepared | maker |
//! | `decide_run::submit` | prepared → submitted | maker |
//! | `decide_run::review` | submitted → reviewed | reviewer, another person |
//! | `decide_run::approve` | reviewed → approved, money reserved | approver, a third person |
//! | `decide_run::send_back` | submitted, reviewed → prepared | reviewer, approver |
//! | `decide_run::cancel` | prepared … approved → cancelled | maker; approver once approved |
//! | `publish` | –, the list shown is recorded | maker |
//! | `issue_files` | approved → issued | finance |
//! | `hand_over` | issued, a file is on its way, at the bank, acknowledged | finance |
//! | `take_return` | issued → issued or settled, money paid or released | finance |
//! | `decide_run::close` | settled → closed | finance |
//! | `take_statement` | –, the bank's entries are held against files and returns | finance |
//! | `explain_finding` | – | finance |
//! | `recover::open`, `plan`, `request_write_off` | – | maker; an approver accepts the write-off |
//! | `recover::repay` | – | finance |
//! | `move_office` | –, every agency goes to another database | administrator |
//!
//! [`step::Step`] is the only door to a writing transaction, and leaving it through
//! [`step::Step::finish`] writes the audit event: no step can forget it. Two are steps of more than one agency or of
//! none yet, and open their own: `register::agency` and `move_office`.

pub mod change_enrolment;
pub mod clear_hold;
pub mod decide_hit;
pub mod decide_run;
mod dossiers;
pub mod enter_change;
mod exclusion;
pub mod explain_finding;
pub mod hand_over;
pub mod import_certifications;
pub mod import_comparison;
pub mod import_roster;
pub mod issue_files;
mod laid_answer;
pub mod load_budget;
pub mod load_scheme;
pub mod move_office;
mod offset;
pub mod pay_date;
pub mod prepare_run;
pub mod publish;
pub mod recover;
pub mod register;
mod roster_difference;
mod standard_answer;
pub mod step;
pub mod take_return;
pub mod take_statement;
pub mod try_layout;
mod voucher_basis;
