//! The binary: hands the command line over to `cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(target_env = "gnu")]
    share_one_heap();
    skydeck::cli::main()
}

/// glibc opens a heap for each thread and keeps in each what was freed there: with a writer's thread a store and a picture
/// a minute that is 30 MiB at rest which nobody uses. One heap costs the embedded pipeline at full load a fifth of its
/// throughput, and leaves twice what is promised (docs/src/performance.md, which has what else was tried).
#[cfg(target_env = "gnu")]
#[allow(unsafe_code, reason = "no safe interface sets it, and the environment is read before the program starts")]
fn share_one_heap() {
    const KEPT: libc::c_int = 128 * 1024;
    // SAFETY: `mallopt` takes two integers and touches the allocator's parameters only. It is no data race either: this
    // is the first thing the program does, and no other thread runs yet. Refused, the heaps stay as they were.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
    }
}
