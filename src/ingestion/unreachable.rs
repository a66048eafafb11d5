//! Why something in the cloud can't be reached, in words with a next step.

/// Which settings lead the way.
pub struct Hints {
    /// Where an authority is added that is to be trusted.
    pub trusted_in: &'static str,
    /// The setting that names the host.
    pub named_by: &'static str,
    /// The settings that say which way it is reached.
    pub way: &'static str,
}

/// What the innermost cause of a failed request means. The words aren't made printable here.
#[must_use]
pub fn unreachable(reason: &str, hints: &Hints) -> String {
    let lower = reason.to_lowercase();
    if lower.contains("unknownissuer") || lower.contains("certificate") {
        return format!(
            "its certificate isn't trusted here ({reason}): something between may be reading along; add its authority to {}; the \
             check can't be turned off",
            hints.trusted_in
        );
    }
    if lower.contains("lookup") || lower.contains("dns") {
        return format!("its name isn't known here ({reason}); check this network's DNS and {}", hints.named_by);
    }
    format!("can't be reached ({reason}); check the network, {}", hints.way)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_ways_to_fail_are_told_apart() {
        let hints = Hints { trusted_in: "the system's", named_by: "x.host", way: "x.proxy" };
        for (reason, words) in [
            ("invalid peer certificate: UnknownIssuer", "reading along; add its authority to the system's; the check"),
            ("failed to lookup address information", "DNS and x.host"),
            (
                "Connection refused (os error 111)",
                "can't be reached (Connection refused (os error 111)); check the network, x.proxy",
            ),
        ] {
            assert!(unreachable(reason, &hints).contains(words), "{reason}");
        }
    }
}
