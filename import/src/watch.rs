//! Watching an import until it ends.

use std::time::Duration;

use crate::{
    clock,
    complaint::Complaint,
    job::{Job, Status},
    progress::{Screen, Standing},
    server::Server,
};

const LOOK_EVERY: Duration = Duration::from_millis(400);
/// A Worker that works on it moves it every few seconds; the sweep takes a stuck one up again within three minutes.
const STUCK_AFTER: Duration = Duration::from_mins(10);

/// Looks until the import has ended.
pub fn to_the_end(server: &Server, id: i64, screen: &mut Screen) -> Result<Job, Complaint> {
    let mut moved_at = clock::now();
    let mut rows_before = None;
    let mut reason_before = None;
    loop {
        let job = server.job(id)?;
        if let Some(progress) = &job.progress {
            screen.show(&Standing::of_import(progress));
        }
        if job.status.is_final() {
            screen.end();
            return Ok(job);
        }
        if job.pause_reason != reason_before {
            if let Some(reason) = &job.pause_reason {
                screen.say(&format!("The import pauses and goes on by itself: {reason}"));
            }
            reason_before.clone_from(&job.pause_reason);
        }
        let rows = job.progress.as_ref().map(|progress| progress.rows_read);
        if rows != rows_before || job.pause_reason.is_some() {
            rows_before = rows;
            moved_at = clock::now();
        }
        if moved_at.elapsed() > STUCK_AFTER {
            screen.end();
            let what = if job.status == Status::Pending { "has not begun" } else { "has not moved" };
            return Err(Complaint::unreachable(format!(
                "The import {id} {what} for ten minutes. The Worker goes on by itself when it can; run this again to look, \
                 or say PLAN=free if the Worker is on Cloudflare's free plan."
            )));
        }
        clock::sleep(LOOK_EVERY);
    }
}
