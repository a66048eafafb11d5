//! The page that explains the carried policies, carried too: it reads the same offline.

/// The page.
const PAGE: &str = include_str!("../../../docs/src/reference/policies.md");
/// Where it is in the repository.
const PLACE: &str = "docs/src/reference/policies.md";

/// What the docs say of a policy (`public-access`), its heading first, Markdown. `None` where they don't know it.
#[must_use]
pub fn explain(policy: &str) -> Option<&'static str> {
    let heading = format!("\n## {}\n", policy.trim().replace('_', "-"));
    let start = PAGE.find(&heading)? + 1;
    let section = &PAGE[start..];
    let end = section[3..].find("\n## ").map_or(section.len(), |end| end + 3);
    Some(section[..end].trim_end())
}

/// Where a policy that skydeck carries is explained, from the repository's root.
pub(super) fn place(policy: &str) -> String {
    format!("{PLACE}#{policy}")
}

/// The policy that an explanation in the docs is about, where they know it.
pub(super) fn policy_of(explanation: &str) -> Option<&str> {
    let policy = explanation.strip_prefix(PLACE)?.strip_prefix('#')?;
    explain(policy).map(|_| policy)
}

#[cfg(test)]
mod tests {
    use super::super::finding::{Finding, Severity};
    use super::place;

    #[test]
    fn a_carried_policy_is_explained_by_a_command_and_an_own_one_by_its_address() {
        let see = |explanation: &str| {
            let finding = Finding {
                severity: Severity::Warn,
                policy: "x".into(),
                message: String::new(),
                addresses: Vec::new(),
                explanation: Some(explanation.into()),
            };
            finding.see().expect("an explanation")
        };
        assert_eq!(see(&place("public-access")), "`skydeck policy explain public-access`");
        assert_eq!(see("https://example.org/x"), "https://example.org/x");
        assert_eq!(see(&place("no-such-policy")), "docs/src/reference/policies.md#no-such-policy");
    }
}
