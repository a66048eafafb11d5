//! The binary: hands the command line over to `cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    skydeck::cli::main()
}
