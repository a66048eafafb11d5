//! Whether the last end was in order: noted in a file beside the outbox, which is gone while it is open.

use std::path::{Path, PathBuf};

/// Where it is noted.
fn note(outbox: &Path) -> PathBuf {
    outbox.with_extension("clean")
}

/// Notes an end in order. Where that can't be noted, the next start looks at the file.
pub(super) fn note_clean(outbox: &Path) {
    drop(std::fs::write(note(outbox), b""));
}

/// Whether the last end was in order. Takes the note away: until the next one the file is in use.
pub(super) fn take_clean(outbox: &Path) -> bool {
    std::fs::remove_file(note(outbox)).is_ok()
}
