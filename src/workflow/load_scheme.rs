//! Loads a scheme file. A changed file becomes the next version; runs keep theirs.

use serde_json::json;

use super::step::Step;
use crate::domain::actor::Role;
use crate::domain::scheme::Scheme;
use crate::failure::{Failure, Kind};
use crate::formats::scheme::parse_scheme;
use crate::office::Office;
use crate::storage::enrolment;
use crate::storage::kept_file::digest_of;
use crate::storage::scheme::{self, SchemeVersion};

/// What loading did.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The scheme.
    pub scheme: Scheme,
    /// Its version now.
    pub version: i64,
    /// False when exactly this text was in force already.
    pub is_new: bool,
}

/// Loads the text of a scheme file.
///
/// # Errors
/// Every fault of the file; a category that people are enrolled under and the file no longer has.
pub async fn load_scheme(office: &Office, text: &str) -> Result<Loaded, Failure> {
    let parsed = parse_scheme(text).map_err(|e| Failure::input("SCHEME_FILE", e.to_string()))?;
    let mut step = Step::begin(office, "scheme.load", &[Role::Admin]).await?;
    let digest = digest_of(text.as_bytes());
    let old = scheme::newest(&mut step.tx, &step.agency, &parsed.code).await?;
    if let Some(old) = &old
        && old.digest == digest
    {
        return Ok(Loaded { scheme: parsed, version: old.version, is_new: false });
    }
    for person in enrolment::of_scheme(&mut step.tx, &step.agency, &parsed.code).await? {
        let category = person.entitlement.last_category();
        if !parsed.has_category(category) {
            return Err(Failure::new(
                Kind::Input,
                "SCHEME_CATEGORY",
                format!("名册中有人属于类别“{category}”，新文件里没有它的标准"),
            )
            .hint("保留该类别的 [[standard]]，或先变更这些人的类别"));
        }
    }
    let version = SchemeVersion {
        version: old.map_or(1, |o| o.version + 1),
        name: parsed.name.clone(),
        definition: text.to_string(),
        digest,
    };
    scheme::insert(&mut step.tx, &step.agency, &parsed.code, &version, step.event_no).await?;
    let subject = parsed.code.clone();
    step.finish(&subject, json!({ "version": version.version, "digest": version.digest })).await?;
    Ok(Loaded { scheme: parsed, version: version.version, is_new: true })
}
