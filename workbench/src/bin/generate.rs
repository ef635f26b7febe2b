//! Writes a made-up export to disk: `generate --plan demo|bench [--rows N] [--seed S] --out FILE.zip`.

use std::{fs, path::PathBuf, process::ExitCode};

use listenlog_workbench::generator::ExportPlan;

const USAGE: &str = "Usage: generate --plan demo|bench [--rows N] [--seed S] --out FILE.zip\n\
    demo is about 20,000 plays, bench 200,000 unless --rows says otherwise; --rows works with both.";

#[derive(Debug, PartialEq, Eq)]
struct Wish {
    plan: ExportPlan,
    out: PathBuf,
}

fn main() -> ExitCode {
    let Some(wish) = wish(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match write(&wish) {
        Ok(sentence) => {
            println!("{sentence}");
            ExitCode::SUCCESS
        }
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}

/// `None` for anything that is not in the usage.
fn wish(mut arguments: impl Iterator<Item = String>) -> Option<Wish> {
    let (mut name, mut rows, mut seed, mut out) = (None, None, None, None);
    while let Some(option) = arguments.next() {
        let value = arguments.next()?;
        match option.as_str() {
            "--plan" => name = Some(value),
            "--rows" => rows = Some(value.replace(['_', ','], "").parse().ok()?),
            "--seed" => seed = Some(value.parse().ok()?),
            "--out" => out = Some(PathBuf::from(value)),
            _ => return None,
        }
    }
    let mut plan = match name.as_deref() {
        Some("demo") => ExportPlan::demo(),
        Some("bench") => ExportPlan::bench(200_000),
        _ => return None,
    };
    plan.plays = rows.unwrap_or(plan.plays);
    plan.seed = seed.unwrap_or(plan.seed);
    Some(Wish { plan, out: out? })
}

fn write(wish: &Wish) -> Result<String, String> {
    let archive = wish.plan.write(&wish.plan.live()).map_err(|error| error.to_string())?;
    let out = wish.out.display();
    fs::write(&wish.out, &archive).map_err(|error| format!("{out} cannot be written: {error}"))?;
    Ok(format!("{out}: {} rows, {} bytes", wish.plan.plays, archive.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wished(line: &str) -> Option<Wish> {
        wish(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_change_the_plan() {
        let wish = wished("--plan bench --rows 1_000 --seed 9 --out a.zip").unwrap();
        assert_eq!((wish.plan.plays, wish.plan.seed, wish.out), (1_000, 9, PathBuf::from("a.zip")));
        assert_eq!(wished("--out a.zip --plan demo").unwrap().plan, ExportPlan::demo());
    }

    #[test]
    fn anything_else_is_answered_with_the_usage() {
        for line in
            ["", "--plan demo", "--plan small --out a.zip", "--plan demo --out", "--rows x --plan demo --out a.zip"]
        {
            assert_eq!(wished(line), None, "{line}");
        }
    }
}
