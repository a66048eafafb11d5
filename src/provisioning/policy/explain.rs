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
