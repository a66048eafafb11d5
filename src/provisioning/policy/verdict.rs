//! Findings in order and together, and what pins them down.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use super::finding::{Finding, Severity};
use crate::station::text::printable;

/// Most findings that a policy has a word for each, and most addresses of one: a plan of 10,000 changes that are all
/// wrong must be read, too.
const MOST_FINDINGS: usize = 200;
const MOST_ADDRESSES: usize = 1000;
/// Most characters of a message.
const MOST_CHARACTERS: usize = 2000;

/// SHA-256 of the findings in lower-case hex: the same for the same findings, whatever their order.
#[must_use]
pub fn verdict_digest(findings: &[Finding]) -> String {
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort();
    let mut hash = Sha256::new();
    for finding in sorted {
        let explanation = finding.explanation.as_deref().unwrap_or_default();
        let fields = [finding.severity.label(), &finding.policy, &finding.message, explanation];
        let addresses = finding.addresses.iter().map(String::as_str);
        hash.update((finding.addresses.len() as u64).to_be_bytes());
        for text in fields.into_iter().chain(addresses) {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        }
    }
    hex(&hash.finalize())
}

/// What denies in `now` and didn't in `before`, as policy and address. Messages may tell the time, and aren't compared.
#[must_use]
pub fn denied_anew(before: &[Finding], now: &[Finding]) -> Vec<String> {
    let denied = |findings: &[Finding]| {
        let denying = findings.iter().filter(|finding| finding.severity == Severity::Deny);
        denying
            .flat_map(|finding| match finding.addresses.as_slice() {
                [] => vec![finding.policy.clone()],
                addresses => addresses.iter().map(|address| format!("{} of {address}", finding.policy)).collect(),
            })
            .collect::<BTreeSet<String>>()
    };
    denied(now).difference(&denied(before)).cloned().collect()
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The findings as they are shown: what says the same of several addresses is one, the gravest come first, and what is
/// left out for its number is counted. All texts are printable.
pub(super) fn together(findings: Vec<Finding>) -> Vec<Finding> {
    let mut same: BTreeMap<(Severity, String, String, Option<String>), BTreeSet<String>> = BTreeMap::new();
    for finding in findings {
        let message: String = printable(&finding.message).chars().take(MOST_CHARACTERS).collect();
        let explanation = finding.explanation.as_deref().map(printable);
        let addresses = finding.addresses.iter().map(|address| printable(address));
        same.entry((finding.severity, printable(&finding.policy), message, explanation)).or_default().extend(addresses);
    }
    let mut counts: BTreeMap<(Severity, String), usize> = BTreeMap::new();
    let mut shown = Vec::new();
    for ((severity, policy, mut message, explanation), addresses) in same {
        let count = counts.entry((severity, policy.clone())).or_default();
        *count += 1;
        if *count > MOST_FINDINGS {
            continue;
        }
        if let Some(more) = addresses.len().checked_sub(MOST_ADDRESSES).filter(|more| *more > 0) {
            message = format!("{message} ({more} more addresses)");
        }
        let addresses = addresses.into_iter().take(MOST_ADDRESSES).collect();
        shown.push(Finding { severity, policy, message, addresses, explanation });
    }
    for ((severity, policy), count) in counts {
        if let Some(more) = count.checked_sub(MOST_FINDINGS).filter(|more| *more > 0) {
            let message = format!("{more} more findings of this policy aren't shown; correct these first");
            shown.push(Finding { severity, policy, message, addresses: Vec::new(), explanation: None });
        }
    }
    shown.sort_by_key(|finding| finding.severity);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_denies_anew_is_told_by_policy_and_address() {
        let finding = |severity, policy: &str, message: &str, addresses: &[&str]| Finding {
            severity,
            policy: policy.into(),
            message: message.into(),
            addresses: addresses.iter().map(|address| (*address).to_owned()).collect(),
            explanation: None,
        };
        let before = [
            finding(Severity::Deny, "window", "now is 13:00", &[]),
            finding(Severity::Deny, "tags", "none", &["a.b", "a.c"]),
            finding(Severity::Warn, "sku", "dear", &["a.b"]),
        ];
        let now = [
            finding(Severity::Deny, "window", "now is 14:00", &[]),
            finding(Severity::Deny, "tags", "none", &["a.c", "a.d"]),
            finding(Severity::Deny, "sku", "dear", &["a.b"]),
            finding(Severity::Warn, "other", "", &["a.b"]),
        ];
        assert_eq!(denied_anew(&before, &now), ["sku of a.b", "tags of a.d"]);
        assert_eq!(denied_anew(&now, &now), Vec::<String>::new());
    }
}
