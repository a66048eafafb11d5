//! Records and approvals: made, signed, read back, shown.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::approvers::Approvers;
use super::check;
use super::record::{Approval, ApprovalView, PlanRecord, Signed};
use super::signature::{self, APPROVAL, PLAN};
use crate::provisioning::error::ProvisioningError;
use crate::settings::EnvironmentKind;
use crate::station::text::printable;

/// The form of records and approvals that this release writes and reads.
pub const SCHEMA: u32 = 1;
/// Characters that a reason may have.
pub const MAX_REASON: usize = 1000;
/// Bytes that an approval's file may have.
pub const MAX_FILE: usize = 64 * 1024;
/// Hours that an approval may be worth something at most.
const MAX_VALIDITY_H: i64 = 720;

/// What somebody who approves has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish<'a> {
    /// Who, as `user@host`: a label.
    pub label: &'a str,
    /// Why, 1 to [`MAX_REASON`] characters; must be there for an override.
    pub reason: Option<&'a str>,
    /// Whether what the policies deny is approved too.
    pub override_denials: bool,
    /// For how long it is worth something, up to 720 h.
    pub validity: SignedDuration,
}

fn refused(words: impl Into<String>) -> ProvisioningError {
    ProvisioningError::Refused(words.into())
}

/// The record as it is kept: signed with `key` where there is one, in the namespace `skydeck-plan`.
pub fn sign_record(record: &PlanRecord, key: Option<&Path>) -> Result<Signed, ProvisioningError> {
    signed(record, PLAN, key)
}

/// Approves the plan that `record` is of, at the time `now`; signed with `key`, in the namespace `skydeck-approval`.
/// Refused without a reason where it overrides denials, where there is nothing to override, and without a key in prod.
pub fn approve(
    record: &Signed,
    wish: &Wish<'_>,
    now: Timestamp,
    key: Option<&Path>,
) -> Result<Signed, ProvisioningError> {
    let record = record_of(record)?;
    let reason = wish.reason.map(reason_of).transpose()?;
    if wish.override_denials && reason.is_none() {
        return Err(refused("approval: what is denied is approved with a written reason only; give one (--reason)"));
    }
    if wish.override_denials && record.denials == 0 {
        return Err(refused(format!(
            "approval: no policy denies run {}, there is nothing to override; approve it without",
            record.run
        )));
    }
    if !wish.override_denials && record.denials > 0 {
        return Err(ProvisioningError::Denied(format!(
            "run {}: {}; correct what they name, or approve it with a written reason that overrides them",
            record.run,
            check::denied(record.denials)
        )));
    }
    if key.is_none() && check::is_prod(&record.environment) {
        return Err(ProvisioningError::NotApproved(format!(
            "approval: {} asks for a signature and there is no key; set provisioning.signing_key",
            record.environment
        )));
    }
    if !wish.validity.is_positive() || wish.validity > SignedDuration::from_hours(MAX_VALIDITY_H) {
        return Err(refused(format!(
            "approval: it is worth something for 1 to {MAX_VALIDITY_H} hours; set provisioning.approval_max_age_h"
        )));
    }
    let expires_at = now
        .checked_add(wish.validity)
        .map_err(|error| refused(format!("approval: its end is no time: {error}; correct the clock")))?;
    let approval = Approval {
        schema: SCHEMA,
        id: Uuid::now_v7().to_string(),
        emulated: record.environment.kind() != EnvironmentKind::Cloud,
        record,
        approved_by: printable(wish.label),
        approved_at: now,
        expires_at,
        reason,
        overrides_denials: wish.override_denials,
    };
    signed(&approval, APPROVAL, key)
}

fn reason_of(text: &str) -> Result<String, ProvisioningError> {
    let reason = printable(text.trim()).trim().to_owned();
    match reason.chars().count() {
        0 => Err(refused("approval: its reason is empty; say why, or leave it out")),
        length if length > MAX_REASON => {
            Err(refused(format!("approval: its reason has {length} characters; {MAX_REASON} are the most")))
        }
        _ => Ok(reason),
    }
}

fn signed<T: Serialize>(what: &T, namespace: &str, key: Option<&Path>) -> Result<Signed, ProvisioningError> {
    let payload = serde_json::to_string(what).map_err(|error| refused(format!("{namespace}: {error}; try again")))?;
    let signature = key.map(|key| signature::sign(key, namespace, payload.as_bytes())).transpose()?;
    Ok(Signed { payload, signature })
}

/// The record in `signed`, whose signature isn't looked at. Fails where it is none, or of a form that isn't known.
pub fn record_of(signed: &Signed) -> Result<PlanRecord, ProvisioningError> {
    read("record", "plan again", &signed.payload)
}

/// The name of whoever signed a record, among the approvers at the time `at`; `None` where nobody did, or nobody says whose
/// the key is.
#[must_use]
pub fn planner(signed: &Signed, approvers: Option<&Approvers>, at: Timestamp) -> Option<String> {
    let signature = signed.signature.as_deref()?;
    let signer = signature::verify(signature, PLAN, signed.payload.as_bytes()).ok()?;
    approvers?.who(PLAN, &signer.key, at).map(str::to_owned)
}

/// The approval in `signed`, whose signature isn't looked at. Fails where it is none, or of a form that isn't known.
pub fn approval_of(signed: &Signed) -> Result<Approval, ProvisioningError> {
    let approval: Approval = read("approval", "ask for it anew", &signed.payload)?;
    // It becomes a file's name.
    let is_uuid = Uuid::try_parse(&approval.id).is_ok_and(|id| id.hyphenated().to_string() == approval.id);
    if !is_uuid {
        return Err(refused(format!("approval: its id {:?} isn't a UUID; ask for it anew", printable(&approval.id))));
    }
    if approval.record.schema != SCHEMA {
        return Err(unknown_schema("approval", approval.record.schema));
    }
    Ok(approval)
}

fn unknown_schema(thing: &str, schema: u32) -> ProvisioningError {
    refused(format!(
        "{thing}: it is of form {schema} and {SCHEMA} is the one known here; use the same skydeck everywhere"
    ))
}

fn read<T: DeserializeOwned>(thing: &str, next: &str, payload: &str) -> Result<T, ProvisioningError> {
    #[derive(Deserialize)]
    struct Form {
        schema: u32,
    }
    if payload.len() > MAX_FILE {
        return Err(refused(format!("{thing}: is larger than {MAX_FILE} bytes; {next}")));
    }
    let foreign = |error: serde_json::Error| {
        refused(format!("{thing}: can't be understood: {}; {next}", printable(&error.to_string())))
    };
    // A newer form may have other fields: its number is looked at first.
    let form: Form = serde_json::from_str(payload).map_err(foreign)?;
    if form.schema != SCHEMA {
        return Err(unknown_schema(thing, form.schema));
    }
    serde_json::from_str(payload).map_err(foreign)
}

/// An approval as it is shown. The signer's name is there where the signature is good and its key counted when it was
/// given; nothing is said about whether it counts now.
pub fn view(signed: &Signed, approvers: Option<&Approvers>) -> Result<ApprovalView, ProvisioningError> {
    let approval = approval_of(signed)?;
    let signer = signed
        .signature
        .as_ref()
        .and_then(|signature| signature::verify(signature, APPROVAL, signed.payload.as_bytes()).ok());
    let name = signer
        .as_ref()
        .zip(approvers)
        .and_then(|(signer, approvers)| approvers.who(APPROVAL, &signer.key, approval.approved_at).map(str::to_owned));
    Ok(ApprovalView {
        id: printable(&approval.id),
        by: name.unwrap_or_else(|| printable(&approval.approved_by)),
        key: signer.map(|signer| signer.fingerprint),
        at: approval.approved_at,
        expires_at: approval.expires_at,
        reason: approval.reason.as_deref().map(printable),
        overrides_denials: approval.overrides_denials,
    })
}

/// An approval as a file that can be handed around.
pub fn to_file(signed: &Signed) -> Result<String, ProvisioningError> {
    let text =
        serde_json::to_string_pretty(signed).map_err(|error| refused(format!("approval: {error}; try again")))?;
    Ok(text + "\n")
}

/// Reads an approval's file. Fails where it is none; whether it counts is asked when it is used.
pub fn from_file(text: &str) -> Result<Signed, ProvisioningError> {
    if text.len() > MAX_FILE {
        return Err(refused(format!("approval: its file is larger than {MAX_FILE} bytes; ask for it anew")));
    }
    let signed: Signed = serde_json::from_str(text).map_err(|error| {
        refused(format!(
            "approval: its file can't be understood: {}; `skydeck approve RUN --out FILE` writes one",
            printable(&error.to_string())
        ))
    })?;
    approval_of(&signed)?;
    Ok(signed)
}
