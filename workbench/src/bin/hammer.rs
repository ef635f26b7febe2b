//! `make hammer`: many clients at once on a fresh Worker. `hammer [--seconds 60] [--clients 32]`.

use std::{process::ExitCode, time::Duration};

use listenlog_workbench::{
    hammer::Hammer,
    runtime::{Runtime, RuntimeOptions},
};

const USAGE: &str = "Usage: hammer [--seconds 60] [--clients 32]";
const TOKEN: &str = "token-of-the-hammered-worker";

fn main() -> ExitCode {
    let Some(hammer) = asked(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match hammered(hammer) {
        Ok(complaints) if complaints.is_empty() => ExitCode::SUCCESS,
        Ok(complaints) => {
            eprintln!("{}", complaints.join("\n"));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn hammered(hammer: Hammer) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let state = std::env::temp_dir().join(format!("listenlog-hammer-{}", std::process::id()));
    let options = RuntimeOptions::new(&state).var("ADMIN_AUTH_MODE", "token").var("ADMIN_TOKEN", TOKEN);
    let mut runtime = Runtime::start(options)?;
    println!("{} clients for {} s on {} ...", hammer.clients, hammer.lasting.as_secs(), runtime.url());
    let report = hammer.run(&runtime, TOKEN);
    runtime.kill();
    std::fs::remove_dir_all(&state)?;
    let report = report?;
    println!("{report}");
    Ok(report.complaints())
}

/// `None` for anything that is not in the usage.
fn asked(mut arguments: impl Iterator<Item = String>) -> Option<Hammer> {
    let mut hammer = Hammer { clients: 32, lasting: Duration::from_mins(1) };
    while let Some(option) = arguments.next() {
        let number: u32 = arguments.next()?.parse().ok().filter(|number| *number > 0)?;
        match option.as_str() {
            "--seconds" => hammer.lasting = Duration::from_secs(u64::from(number)),
            "--clients" => hammer.clients = usize::try_from(number).ok()?,
            _ => return None,
        }
    }
    Some(hammer)
}
