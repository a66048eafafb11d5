//! The Python of `tests/peers/install.sh`, with Microsoft's clients in it.

use std::path::{Path, PathBuf};

/// The interpreter. Where it isn't installed, says so; fails where it must be.
pub fn interpreter() -> Option<PathBuf> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/bin/python");
    if python.exists() {
        return Some(python);
    }
    crate::skip::skip("Microsoft's clients not installed, run tests/peers/install.sh");
    None
}
