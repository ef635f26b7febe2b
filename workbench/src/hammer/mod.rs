//! Many clients at once on one Worker: admin calls, uploads and tools, mixed.
//!
//! Must stay true: what each client does follows from a seed; a change that was answered with success has promised a log row,
//! and the report tells which rows did not come.

mod client;

use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use self::client::{Seen, Tireless};
use crate::{
    client::Client,
    generator::{ExportPlan, FieldSet, write_extended},
    runtime::Runtime,
};

/// How long and how many.
#[derive(Clone, Copy, Debug)]
pub struct Hammer {
    pub clients: usize,
    pub lasting: Duration,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    pub requests: usize,
    pub seconds: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// How many answers had each status, in order of the statuses.
    pub statuses: Vec<(u16, usize)>,
    /// Request ids whose log row was promised and is not there.
    pub lost_log_rows: Vec<String>,
    pub promised_log_rows: usize,
    /// The module's memory before the first client, half way, and at the end. It never shrinks.
    pub memory_bytes: [u64; 3],
    /// Connections that broke before there was an answer.
    pub broken: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [idle, middle, end] = self.memory_bytes.map(|bytes| bytes / 1024);
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = self.requests as f64 / self.seconds;
        write!(
            formatter,
            "{} requests in {:.0} s: {rate:.0} a second, p50 {:.0} ms, p99 {:.0} ms; statuses {:?}; {} log rows promised, \
             {} lost; the module's memory {idle} KiB, half way {middle} KiB, at the end {end} KiB; {} connections broke",
            self.requests,
            self.seconds,
            self.p50_ms,
            self.p99_ms,
            self.statuses,
            self.promised_log_rows,
            self.lost_log_rows.len(),
            self.broken
        )
    }
}

/// How long the last log rows may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// By how much the module's memory may still grow in the second half: it never shrinks, and the largest answers and imports
/// may come late.
const MEMORY_PLAY_BYTES: u64 = 12 * 1024 * 1024;

impl Report {
    /// Everything that must not be.
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        for (status, count) in self.statuses.iter().filter(|(status, _)| *status >= 500) {
            complaints.push(format!("{count} answers were {status}"));
        }
        if self.broken > 0 {
            complaints.push(format!("{} connections broke", self.broken));
        }
        if !self.lost_log_rows.is_empty() {
            complaints.push(format!("promised log rows are missing: {:?}", self.lost_log_rows));
        }
        let [_, middle, end] = self.memory_bytes;
        if end > middle + MEMORY_PLAY_BYTES {
            complaints.push(format!("the module's memory grew from {middle} to {end} bytes"));
        }
        complaints
    }
}

impl Hammer {
    /// Hammers the Worker, which must be in token mode with this token.
    ///
    /// # Errors
    /// When the scene cannot be set; whatever happens afterwards is in the report.
    pub fn run(self, runtime: &Runtime, admin_token: &str) -> Result<Report, Box<dyn std::error::Error>> {
        let admin = runtime.client().with_bearer(admin_token);
        let archive = write_extended(&ExportPlan::small(5).live(), FieldSet::R4)?;
        for name in ["Ada", "Eve"] {
            admin.post_json("/admin/users", &json!({"display_name": name, "timezone": "Europe/Berlin"}))?;
        }
        let is_over = AtomicBool::new(false);
        let idle = memory_bytes(&runtime.client());
        let began = now();
        let (seen, middle) = thread::scope(|scope| {
            let workers: Vec<_> = (0..self.clients)
                .map(|number| {
                    let mut tireless = Tireless::new(admin.clone(), number, &archive);
                    let is_over = &is_over;
                    scope.spawn(move || {
                        while !is_over.load(Ordering::Relaxed) {
                            tireless.step();
                        }
                        tireless.seen
                    })
                })
                .collect();
            let half = self.lasting / 2;
            thread::sleep(half);
            let middle = memory_bytes(&runtime.client());
            thread::sleep(half);
            is_over.store(true, Ordering::Relaxed);
            let seen: Vec<Seen> = workers.into_iter().filter_map(|worker| worker.join().ok()).collect();
            (seen, middle)
        });
        let seconds = began.elapsed().as_secs_f64();
        let end = memory_bytes(&runtime.client());
        let promised: Vec<String> = seen.iter().flat_map(|seen| seen.promised.iter().cloned()).collect();
        let lost_log_rows = lost(runtime, &promised)?;
        Ok(summed_up(&seen, seconds, promised.len(), lost_log_rows, [idle, middle, end]))
    }
}

fn summed_up(
    seen: &[Seen],
    seconds: f64,
    promised_log_rows: usize,
    lost_log_rows: Vec<String>,
    memory_bytes: [u64; 3],
) -> Report {
    let mut took_ms: Vec<f64> = seen.iter().flat_map(|seen| seen.answers.iter().map(|(_, took_ms)| *took_ms)).collect();
    took_ms.sort_by(f64::total_cmp);
    let at = |per_cent: usize| took_ms.get(took_ms.len() * per_cent / 100).copied().unwrap_or_default();
    let mut statuses = std::collections::BTreeMap::new();
    for (status, _) in seen.iter().flat_map(|seen| &seen.answers) {
        *statuses.entry(*status).or_insert(0) += 1;
    }
    Report {
        requests: took_ms.len(),
        seconds,
        p50_ms: at(50),
        p99_ms: at(99),
        statuses: statuses.into_iter().collect(),
        lost_log_rows,
        promised_log_rows,
        memory_bytes,
        broken: seen.iter().map(|seen| seen.broken).sum(),
    }
}

/// The promised rows that are not there, once there has been time for them.
fn lost(runtime: &Runtime, promised: &[String]) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let wanted = serde_json::to_string(promised)?;
    let began = now();
    loop {
        let database = runtime.database()?;
        let mut missing = database.prepare(
            "SELECT value FROM json_each(?1) WHERE NOT EXISTS (SELECT 1 FROM logs WHERE request_id = value) LIMIT 20",
        )?;
        let found: Vec<String> = missing.query_map([&wanted], |row| row.get(0))?.collect::<Result<_, _>>()?;
        if found.is_empty() || began.elapsed() > PATIENCE {
            return Ok(found);
        }
        thread::sleep(Duration::from_millis(200));
    }
}

/// The most memory that the module has needed; 0 when it does not say.
fn memory_bytes(client: &Client) -> u64 {
    let answer = client.get("/healthz?deep=1").ok();
    let told = answer.and_then(|answer| serde_json::from_slice::<serde_json::Value>(&answer.body).ok());
    told.and_then(|told| told.get("memory_bytes")?.as_u64()).unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "a native program, on the machine's own clock")]
fn now() -> Instant {
    Instant::now()
}
