//! The `segue` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    segue::cli::main()
}
