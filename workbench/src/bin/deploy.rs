//! `make deploy`: `deploy [--vars "NAME:value ..."] [--rotate NAME]`; `make undeploy`: `deploy --undo`.

use std::{
    io::{IsTerminal, Write, stdin, stdout},
    process::ExitCode,
};

use listenlog_workbench::deploy::{Person, Wishes, deploy, root, undeploy};

const USAGE: &str = "Usage: deploy [--vars \"NAME:value NAME:value\"] [--rotate \"NAME NAME\"], or deploy --undo";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = if arguments == ["--undo"] {
        // Whoever pipes the name in has thought about it.
        undeploy(&root(), &mut Operator { asks_without_terminal: true }, &mut stdout())
    } else if let Some(wishes) = wishes(arguments.into_iter()) {
        deploy(&root(), &wishes, &mut Operator { asks_without_terminal: false }, &mut stdout())
    } else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Whoever sits at the terminal.
struct Operator {
    asks_without_terminal: bool,
}

impl Person for Operator {
    fn asked(&mut self, question: &str) -> Option<String> {
        if !self.asks_without_terminal && !stdin().is_terminal() {
            return None;
        }
        print!("{question}");
        stdout().flush().ok()?;
        let mut line = String::new();
        stdin().read_line(&mut line).ok()?;
        Some(line.trim().to_owned()).filter(|line| !line.is_empty())
    }
}

/// `None` for anything that is not in the usage.
fn wishes(mut arguments: impl Iterator<Item = String>) -> Option<Wishes> {
    let mut wishes = Wishes::default();
    while let Some(option) = arguments.next() {
        let value = arguments.next()?;
        match option.as_str() {
            "--vars" => {
                for pair in value.split_whitespace() {
                    let (name, value) = pair.split_once(':')?;
                    wishes.vars.push((name.to_owned(), value.to_owned()));
                }
            }
            "--rotate" => wishes.rotate.extend(value.split_whitespace().map(str::to_owned)),
            _ => return None,
        }
    }
    Some(wishes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_and_rotations_are_read_and_anything_else_is_answered_with_the_usage() {
        let asked = |arguments: &[&str]| wishes(arguments.iter().map(|argument| (*argument).to_owned()));
        let given =
            asked(&["--vars", "PUBLIC_URL:https://a.example LOG_LEVEL:debug", "--rotate", "ADMIN_TOKEN"]).unwrap();
        assert_eq!(given.vars[0], ("PUBLIC_URL".to_owned(), "https://a.example".to_owned()));
        assert_eq!((given.vars.len(), given.rotate.as_slice()), (2, ["ADMIN_TOKEN".to_owned()].as_slice()));
        assert_eq!(asked(&["--vars", "", "--rotate", ""]), Some(Wishes::default()));
        for wrong in [&["--vars", "NOVALUE"][..], &["--undo", "x"], &["--vars"]] {
            assert!(asked(wrong).is_none(), "{wrong:?}");
        }
    }
}
