//! `make import`: Spotify's export into a Worker, with a progress bar.
//!
//! Exit codes, for scripts: see [`listenlog_import::Exit`].

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments: Vec<String> = Vec::new();
    for argument in std::env::args_os().skip(1) {
        // A path that is no UTF-8 is shown with replacement characters and then not found, which says enough.
        arguments.push(argument.to_string_lossy().into_owned());
    }
    listenlog_import::main(&arguments, |name| std::env::var(name).ok()).into()
}
