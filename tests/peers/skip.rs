//! Tests whose peer isn't there.

/// Says that a test is skipped, and why; fails where nothing may be.
pub fn skip(why: &str) {
    let words = format!("skipped: {why}");
    assert!(std::env::var_os("SKYDECK_PEERS_REQUIRED").is_none(), "{words}");
    eprintln!("{words}");
}
