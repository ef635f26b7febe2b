//! Every history tool, asked over HTTP, beside the same question asked of SQLite on a copy of the same file.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, types::Value as Cell};
use serde_json::Value;

use crate::{
    Extent, Failure, measure,
    measure::{Times, ms, number},
    questions::{QUESTIONS, Question, Reads, Results, Window, windows},
    report::{Line, Report, grouped},
    say,
    worker::Worker,
};

/// Asked before anything is measured.
const WARM_UP: usize = 3;

/// One tool over one window.
struct Asked<'a> {
    question: &'a Question,
    window: &'a Window,
    times: usize,
    /// Isolates that are started for a first answer.
    fresh_isolates: usize,
}

pub fn measure(extent: Extent, worker: &mut Worker, folder: &Path, report: &mut Report) -> Result<(), Failure> {
    let copy = worker.copy_of_database(folder)?;
    let newest_ms: i64 =
        copy.query_row("SELECT max(ended_at) FROM plays WHERE user_id = ?1", [worker.user], |row| row.get(0))?;
    let times = if extent.quick { 5 } else { 31 };
    for window in windows(newest_ms)? {
        for question in &QUESTIONS {
            say(&format!("{}, {}", question.tool, window.name));
            let bound_ms = first_bound_ms(extent, question, &window);
            let fresh_isolates = if bound_ms.is_some() && !extent.quick { 3 } else { 1 };
            let asked = Asked { question, window: &window, times, fresh_isolates };
            asked.measure(worker, &copy, bound_ms, report)?;
        }
    }
    Ok(())
}

/// Stated for all time at 200,000 plays: what Postgres takes at its best.
fn first_bound_ms(extent: Extent, question: &Question, window: &Window) -> Option<f64> {
    match question.tool {
        _ if !extent.is_as_stated() || window.name != "all time" => None,
        "history_top_tracks" => Some(41.0),
        "history_taste_summary" => Some(100.0),
        _ => None,
    }
}

impl Asked<'_> {
    fn measure(
        &self,
        worker: &mut Worker,
        copy: &Connection,
        first_bound_ms: Option<f64>,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let name = format!("{}, {}", self.question.tool.trim_start_matches("history_"), self.window.name);
        let (first, rows_first) = self.first(worker)?;
        let (ours, answer) = self.again(worker)?;
        let rows_again = worker.rows_read(&self.request_id("warm", self.times))?;
        let (native, results) = self.native(worker, copy)?;
        let (expected, found) = ((self.question.native)(&results), (self.question.ours)(&answer));
        if expected.is_empty() || expected != found {
            return Err(format!("{name}: SQLite says {expected:?}, the Worker {found:?}").into());
        }
        let (p50, native_p50) = (ours.median(), native.median());
        let bound_ms = ms(native_p50) * 1.3 + 3.0;
        report.add(
            Line::new(format!("{name}: warm, p50"))
                .ratio(ms(p50) / ms(native_p50))
                .ours(format!("{:.1} ms (p90 {:.1})", ms(p50), ms(ours.percentile(90))))
                .native(format!("{:.1} ms (p90 {:.1})", ms(native_p50), ms(native.percentile(90))))
                .bound(format!("<= {bound_ms:.1} ms (1.3 x + 3)"))
                .reached(ms(p50) <= bound_ms),
        );
        let named = self.rows_named(worker, copy)?;
        let ratio = number(rows_first) / number(named);
        report.add(
            Line::new(format!("{name}: D1 rows read"))
                .ratio(ratio)
                .ours(format!("{} at first, {} again", grouped(rows_first), grouped(rows_again)))
                .native(format!("{} plays, tracks, artists", grouped(named)))
                .bound("<= 1.1 x")
                .reached(rows_first.max(rows_again) * 10 <= named * 11),
        );
        let line = Line::new(format!("{name}: first asked, cold isolate")).ours(format!("{:.1} ms", ms(first)));
        report.add(match first_bound_ms {
            Some(bound_ms) => line.bound(format!("<= {bound_ms} ms")).reached(ms(first) <= bound_ms),
            None => line,
        });
        if first_bound_ms.is_some() {
            report.add(
                Line::new(format!("{name}: asked again, nothing changed"))
                    .ours(format!("{:.1} ms", ms(p50)))
                    .bound("<= 10 ms")
                    .reached(ms(p50) <= 10.0),
            );
        }
        Ok(())
    }

    fn request_id(&self, what: &str, number: usize) -> String {
        let window = self.window.name.replace(' ', "-");
        format!("{}-{window}-{what}-{number}", self.question.tool.replace('_', "-"))
    }

    /// The first question that an isolate is asked, and the rows it read.
    fn first(&self, worker: &mut Worker) -> Result<(Duration, i64), Failure> {
        let mut times = Vec::new();
        let mut rows = 0;
        for number in 0..self.fresh_isolates {
            worker.restart()?;
            let request_id = self.request_id("first", number);
            let (time, _) = measure::timed(|| worker.ask(self.question.tool, &self.window.arguments, &request_id))?;
            times.push(time);
            rows = worker.rows_read(&request_id)?;
        }
        Ok((Times::of(times).median(), rows))
    }

    fn again(&self, worker: &Worker) -> Result<(Times, Value), Failure> {
        let ask = |what: &str, number| {
            let request_id = self.request_id(what, number);
            measure::timed(|| worker.ask(self.question.tool, &self.window.arguments, &request_id))
        };
        for number in 0..WARM_UP {
            ask("warm-up", number)?;
        }
        let mut times = Vec::new();
        let mut answer = Value::Null;
        for number in 1..=self.times {
            let (time, answered) = ask("warm", number)?;
            times.push(time);
            answer = answered;
        }
        Ok((Times::of(times), answer))
    }

    fn native(&self, worker: &Worker, copy: &Connection) -> Result<(Times, Results), Failure> {
        let stretches = self.window.stretches()?;
        let parameters: [Cell; 4] =
            [worker.user.into(), self.window.from_ms.into(), self.window.to_ms.into(), stretches.into()];
        let mut statements =
            self.question.statements.iter().map(|sql| copy.prepare(sql)).collect::<Result<Vec<_>, _>>()?;
        let mut ask = || {
            let mut results = Vec::new();
            for statement in &mut statements {
                let columns = statement.column_count();
                let taken = parameters.iter().take(statement.parameter_count());
                let rows = statement.query_map(rusqlite::params_from_iter(taken), |row| {
                    (0..columns).map(|column| row.get(column)).collect::<Result<Vec<Cell>, _>>()
                })?;
                results.push(rows.collect::<Result<Vec<_>, _>>()?);
            }
            Ok(results)
        };
        let mut times = Vec::new();
        let mut results = Results::new();
        for number in 0..WARM_UP + self.times {
            let (time, found) = measure::timed(&mut ask)?;
            if number >= WARM_UP {
                times.push(time);
            }
            results = found;
        }
        Ok((Times::of(times), results))
    }

    /// How many plays the window has, and how many tracks and artists the answer has to group them by.
    fn rows_named(&self, worker: &Worker, copy: &Connection) -> Result<i64, Failure> {
        const PLAYS: &str = "SELECT count(*) FROM plays WHERE user_id = ?1 AND ended_at >= ?2 AND ended_at < ?3";
        const TRACKS: &str = "SELECT count(DISTINCT track_id) FROM plays WHERE user_id = ?1 AND ended_at >= ?2 \
            AND ended_at < ?3 AND kind = 0 AND (ms_played >= 30000 OR ms_played IS NULL)";
        const ARTISTS: &str = "SELECT count(DISTINCT artist_id) FROM track_artists WHERE track_id IN (SELECT track_id \
            FROM plays WHERE user_id = ?1 AND ended_at >= ?2 AND ended_at < ?3 AND kind = 0 \
            AND (ms_played >= 30000 OR ms_played IS NULL))";
        let counts: &[&str] = match self.question.reads {
            Reads::Plays => &[PLAYS],
            Reads::Tracks => &[PLAYS, TRACKS],
            Reads::TracksAndArtists => &[PLAYS, TRACKS, ARTISTS],
        };
        let parameters = [worker.user, self.window.from_ms, self.window.to_ms];
        let mut sum = 0;
        for sql in counts {
            sum += copy.query_row(sql, parameters, |row| row.get::<_, i64>(0))?;
        }
        Ok(sum)
    }
}
