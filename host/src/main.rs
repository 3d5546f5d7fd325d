//! The binary `caspian`. Everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    caspian::cli::main()
}
