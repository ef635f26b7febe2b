//! `make dev`: the Worker on this machine until Ctrl-C. `serve [--port N] [--state FOLDER] [--vars "NAME:value ..."]`.
//!
//! Must stay true: without a word about credentials the door is open, which the Worker allows on loopback only; nothing
//! is left running when this program ends, however it ends.

use std::process::ExitCode;

use listenlog_workbench::runtime::{Runtime, RuntimeOptions, repository};

const USAGE: &str = "Usage: serve [--port 8787] [--state .state] [--vars \"NAME:value NAME:value\"]";
const DEFAULT_PORT: u16 = 8787;

fn main() -> ExitCode {
    let Some(options) = options(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let mut runtime = match Runtime::start(options) {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    println!("\nListenlog is at {}. Ctrl-C stops it; what it stored stays.\n", runtime.url());
    match runtime.wait() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) => {
            eprintln!("The Worker ended by itself ({status}).");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// `None` for anything that is not in the usage.
fn options(mut arguments: impl Iterator<Item = String>) -> Option<RuntimeOptions> {
    let mut options = RuntimeOptions::new(repository().join(".state"));
    options.port = Some(DEFAULT_PORT);
    options.quiet = false;
    while let Some(option) = arguments.next() {
        let value = arguments.next()?;
        match option.as_str() {
            "--port" => options.port = Some(value.parse().ok()?),
            "--state" => options.state = value.into(),
            "--vars" => {
                for pair in value.split_whitespace() {
                    let (name, value) = pair.split_once(':')?;
                    options = options.var(name, value);
                }
            }
            _ => return None,
        }
    }
    let has_mode = options.vars.iter().any(|(name, _)| name == "ADMIN_AUTH_MODE");
    Some(if has_mode { options } else { options.var("ADMIN_AUTH_MODE", "disabled") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(arguments: &[&str]) -> Option<RuntimeOptions> {
        options(arguments.iter().map(|argument| (*argument).to_owned()))
    }

    #[test]
    fn the_door_is_open_unless_a_mode_is_given() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(asked(&["--vars", ""]).unwrap().vars, [pair("ADMIN_AUTH_MODE", "disabled")]);
        let given = asked(&["--port", "9", "--vars", "ADMIN_AUTH_MODE:token  ADMIN_TOKEN:a:b"]).unwrap();
        assert_eq!(given.port, Some(9));
        assert_eq!(given.vars, [pair("ADMIN_AUTH_MODE", "token"), pair("ADMIN_TOKEN", "a:b")]);
    }

    #[test]
    fn anything_else_is_answered_with_the_usage() {
        for arguments in [&["--port"][..], &["--port", "high"], &["--vars", "NOVALUE"], &["--help", "x"]] {
            assert!(asked(arguments).is_none(), "{arguments:?}");
        }
    }
}
