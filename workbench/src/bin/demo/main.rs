//! Shows what Listenlog does: a made-up history goes into a running Worker, and a few questions come back answered.
//!
//! Must stay true: nothing is printed as an answer that the Worker did not give, and what it gave is compared with what
//! the generator knows. A second run shows that importing the same archive again changes nothing.

/// Prints a line; a reader who has gone (`demo | head`) is no reason to fail.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        _ = writeln!(std::io::stdout(), $($text)*);
    }};
}

mod figures;
mod import;
mod questions;
mod spotify;

use std::{fmt::Write, process::ExitCode};

use figures::{at, grouped};
use listenlog_workbench::{
    client::{Client, Response},
    generator::{ExportPlan, FieldSet, seen_by_extended},
};

const DEFAULT_URL: &str = "http://127.0.0.1:8787";
const USAGE: &str = "Usage: demo [--url http://127.0.0.1:8787]\n\
    Needs a running Worker (`make dev`). Environment: URL; ADMIN_TOKEN where the Worker asks for one.";

fn main() -> ExitCode {
    let url = match url_of(std::env::args().skip(1)) {
        Ok(url) => url,
        Err(usage) => {
            eprintln!("{usage}");
            return ExitCode::from(2);
        }
    };
    match run(&url) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}

fn url_of(mut arguments: impl Iterator<Item = String>) -> Result<String, String> {
    let mut url = std::env::var("URL").ok().filter(|url| !url.is_empty());
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), arguments.next()) {
            ("--url", Some(given)) => url = Some(given),
            _ => return Err(USAGE.to_owned()),
        }
    }
    Ok(url.unwrap_or_else(|| DEFAULT_URL.to_owned()))
}

/// Whether every number agreed; an error is a sentence for the reader.
fn run(url: &str) -> Result<bool, String> {
    let client = connected(url)?;
    let plan = ExportPlan::demo();
    let plays = plan.live();
    let archive = plan.write(&plays).map_err(|error| error.to_string())?;
    say!(
        "A made-up listener in Berlin, 2019 to 2024: {} plays, as Spotify would hand them out ({} MB, zipped).",
        grouped(plays.len()),
        figures::megabytes(archive.len())
    );
    let user = import::demo_user(&client)?;
    import::upload(&client, user, &archive)?;
    say!();
    let known = seen_by_extended(&plays, FieldSet::R4);
    let all_agree = questions::ask_all(&client, user, &known)?;
    say!(
        "\nThe same questions over HTTP: POST {url}/tools/history_top_artists {{\"user_id\": {user}, \"days\": 3000}}"
    );
    say!("Every tool, with its arguments: GET {url}/mcp/tools");
    Ok(spotify::connect(&client)? && all_agree)
}

fn connected(url: &str) -> Result<Client, String> {
    let mut client = Client::new(url);
    if let Some(token) = std::env::var("ADMIN_TOKEN").ok().filter(|token| !token.is_empty()) {
        client = client.with_bearer(&token);
    }
    match client.get("/healthz") {
        Ok(response) if response.is_success() => Ok(client),
        Ok(response) => Err(complaint(&format!("{url} answers, but not as Listenlog does"), &response)),
        Err(_) => Err(format!("Nothing answers at {url}. Start it with `make dev`, then run this again.")),
    }
}

/// An answer that was not expected, in the words of its problem document.
fn complaint(what: &str, response: &Response) -> String {
    let problem = response.json();
    let detail = at(&problem, "/detail").as_str().or(at(&problem, "/title").as_str()).unwrap_or("no details");
    let mut sentence = format!("{what}: {} ({detail})", response.status);
    if let Some(errors) = at(&problem, "/errors").as_array() {
        for error in errors {
            // Writing to a String cannot fail.
            _ = write!(sentence, "\n  {error}");
        }
    }
    if response.status == 401 {
        sentence.push_str("\nSet ADMIN_TOKEN to the Worker's admin token.");
    }
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(arguments: &[&str]) -> Result<String, String> {
        url_of(arguments.iter().map(|argument| (*argument).to_owned()))
    }

    #[test]
    fn the_address_is_an_option_and_nothing_else_is() {
        assert_eq!(url(&["--url", "http://127.0.0.1:9"]).unwrap(), "http://127.0.0.1:9");
        assert!(url(&["--url"]).is_err());
        assert!(url(&["--user", "1"]).is_err());
    }

    #[test]
    fn an_absent_worker_is_said_in_a_sentence() {
        let error = connected("http://127.0.0.1:1").unwrap_err();
        assert_eq!(error, "Nothing answers at http://127.0.0.1:1. Start it with `make dev`, then run this again.");
    }

    #[test]
    fn a_problem_is_told_in_its_own_words() {
        let response = Response {
            status: 422,
            headers: Vec::new(),
            body: br#"{"detail":"Not valid.","errors":[{"field":"days"}]}"#.to_vec(),
        };
        assert_eq!(complaint("No answer", &response), "No answer: 422 (Not valid.)\n  {\"field\":\"days\"}");
    }
}
