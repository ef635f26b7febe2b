//! Many clients at once, all asking for the top artists of 90 days.

use std::{thread, time::Duration};

use listenlog_workbench::client::Client;

use crate::{
    Extent, Failure, measure,
    measure::number,
    questions::windows,
    report::{Line, Report},
    say,
    worker::{Worker, accepted},
};

const CLIENTS: usize = 8;
/// Three times what the system before the rewrite did on two cores.
const BOUND_PER_SECOND: f64 = 3.0 * 97.0;

pub fn measure(extent: Extent, worker: &Worker, report: &mut Report) -> Result<(), Failure> {
    let duration = Duration::from_secs(if extent.quick { 2 } else { 10 });
    say(&format!("{CLIENTS} clients for {} s", duration.as_secs()));
    let newest_ms: i64 = worker.value("SELECT max(ended_at) FROM plays")?;
    let [last_90_days, _] = windows(newest_ms)?;
    let ask = |client: &Client| client.post_json("/tools/history_top_artists", &last_90_days.arguments);
    accepted(&ask(&worker.client())?)?;
    let started = measure::now();
    // An error of a client is told as text: it crosses threads.
    let counts = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let client = worker.client();
                scope.spawn(move || {
                    let mut calls = 0_usize;
                    while started.elapsed() < duration {
                        let answer = ask(&client).map_err(|error| error.to_string())?;
                        accepted(&answer).map_err(|error| error.to_string())?;
                        calls += 1;
                    }
                    Ok::<usize, String>(calls)
                })
            })
            .collect();
        clients
            .into_iter()
            .map(|client| client.join().unwrap_or_else(|_| Err("a client broke off".to_owned())))
            .collect::<Vec<_>>()
    });
    let took = started.elapsed();
    let calls: usize = counts.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().sum();
    let per_second = number(calls) / took.as_secs_f64();
    report.add(
        Line::new(format!("top artists, 90 days, {CLIENTS} clients: calls per second"))
            .ours(format!("{per_second:.0}"))
            .bound(format!(">= {BOUND_PER_SECOND:.0}"))
            .reached(per_second >= BOUND_PER_SECOND),
    );
    Ok(())
}
