//! `make dev`: the Worker on this machine until Ctrl-C. `serve [--port N] [--state FOLDER] [--vars "NAME:value ..."]`.
//!
//! Must stay true: without a word about credentials the door is open, which the Worker allows on loopback only; without a
//! Spotify app it is the stand-in's, and that is said; nothing is left running when this program ends, however it ends;
//! every line that is printed to be copied works as it stands.

#[path = "serve/spotify.rs"]
mod spotify;

use std::process::ExitCode;

use listenlog_workbench::runtime::{Runtime, RuntimeOptions, crons, repository};

const USAGE: &str = "Usage: serve [--port 8787] [--state .state] [--vars \"NAME:value NAME:value\"]";
const DEFAULT_PORT: u16 = 8787;
/// Where `make demo` looks unless told otherwise.
const DEFAULT_URL: &str = "http://127.0.0.1:8787";
const MODE: &str = "ADMIN_AUTH_MODE";

fn main() -> ExitCode {
    let Some(options) = options(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let crons = match crons::crons(&options.root) {
        Ok(crons) => crons,
        Err(error) => {
            eprintln!("The crons cannot be read from wrangler.toml: {error}");
            return ExitCode::FAILURE;
        }
    };
    let (mode, state) = (mode_of(&options), options.state.display().to_string());
    let (options, spotify) = match spotify::add_settings(options) {
        Ok(added) => added,
        Err(error) => {
            eprintln!("Spotify's stand-in and the key for its tokens: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut runtime = match Runtime::start(options) {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    crons::keep_firing(runtime.client(), crons);
    println!("{}{}", welcome(&runtime.url(), &mode, &state), spotify::welcome(&runtime.url(), &spotify));
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

/// The mode as the Worker reads it.
fn mode_of(options: &RuntimeOptions) -> String {
    let given = options.vars.iter().rev().find(|(name, _)| name == MODE);
    given.map(|(_, mode)| mode.trim().to_ascii_lowercase()).unwrap_or_default()
}

/// What to do next, in lines to copy. Secrets are left to the reader's own shell.
fn welcome(url: &str, mode: &str, state: &str) -> String {
    let (credential, before_demo) = match mode {
        "token" => (r#" -H "Authorization: Bearer $ADMIN_TOKEN""#, "ADMIN_TOKEN=\"$ADMIN_TOKEN\" "),
        "basic" => (r#" -u "$ADMIN_USERNAME:$ADMIN_PASSWORD""#, ""),
        _ => ("", ""),
    };
    let note = match mode {
        "token" => "\nThe lines below take the admin token from ADMIN_TOKEN of the shell they run in.\n",
        "basic" => "\nThe lines below take name and password from ADMIN_USERNAME and ADMIN_PASSWORD of their shell.\n",
        _ => "",
    };
    // The demo speaks to Workers that ask for a token or for nothing.
    let demo = match mode {
        "basic" => String::new(),
        _ if url == DEFAULT_URL => format!("\nA made-up history, and questions about it:\n  {before_demo}make demo\n"),
        _ => format!("\nA made-up history, and questions about it:\n  {before_demo}make demo URL={url}\n"),
    };
    format!(
        "
Listenlog is at {url}. What next, in another terminal:
{note}{demo}
Your own history: a user, the ZIP archive as Spotify handed it out, how the import goes, and a question about it:
  ID=$(curl -s{credential} {url}/admin/users -d '{{\"display_name\": \"Me\", \"timezone\": \"Europe/Berlin\"}}' | grep -o '^{{\"id\":[0-9]*' | tr -dc 0-9)
  curl{credential} {url}/admin/users/$ID/import -F file=@my_spotify_data.zip
  curl{credential} \"{url}/admin/import-jobs?user_id=$ID\"
  curl{credential} {url}/tools/history_taste_summary -d \"{{\\\"user_id\\\": $ID, \\\"days\\\": 36500}}\"

All questions, with their arguments:
  curl {url}/mcp/tools

Ctrl-C stops it. What it stored stays in {state}.
"
    )
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
    let has_mode = options.vars.iter().any(|(name, _)| name == MODE);
    Some(if has_mode { options } else { options.var(MODE, "disabled") })
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
    fn the_welcome_has_lines_for_the_port_and_the_mode_it_runs_with() {
        let open = welcome("http://127.0.0.1:8787", "disabled", "/somewhere");
        assert!(open.contains("\n  make demo\n") && open.contains("stays in /somewhere."), "{open}");
        assert!(
            open.contains(r#"  ID=$(curl -s http://127.0.0.1:8787/admin/users -d '{"display_name": "Me","#),
            "{open}"
        );
        let token = welcome("http://127.0.0.1:9", "token", "s");
        assert!(token.contains("\n  ADMIN_TOKEN=\"$ADMIN_TOKEN\" make demo URL=http://127.0.0.1:9\n"), "{token}");
        assert!(token.contains(r#"  curl -H "Authorization: Bearer $ADMIN_TOKEN" http://127.0.0.1:9/"#), "{token}");
        let basic = welcome("http://127.0.0.1:9", "basic", "s");
        assert!(!basic.contains("make demo") && basic.contains(r#"-u "$ADMIN_USERNAME:$ADMIN_PASSWORD""#), "{basic}");
    }

    #[test]
    fn a_mode_is_read_as_the_worker_reads_it() {
        assert_eq!(mode_of(&asked(&["--vars", "ADMIN_AUTH_MODE:Token ADMIN_TOKEN:t"]).unwrap()), "token");
        assert_eq!(mode_of(&asked(&[]).unwrap()), "disabled");
    }

    #[test]
    fn anything_else_is_answered_with_the_usage() {
        for arguments in [&["--port"][..], &["--port", "high"], &["--vars", "NOVALUE"], &["--help", "x"]] {
            assert!(asked(arguments).is_none(), "{arguments:?}");
        }
    }
}
