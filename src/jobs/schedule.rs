//! Everything the clock starts, on one page.
//!
//! Must stay true: each entry of `wrangler.toml`'s crons is here, and a cron that is not logs an error.

use std::sync::Arc;

use tracing::Instrument;

use crate::{
    app::App,
    domain::instant::{DAY_MS, HOUR_MS, MINUTE_MS, Millis},
    error::AppError,
    jobs::{collecting, message::JobMessage, purge, runs},
    store::{import_jobs, oauth_clients, oauth_grants, row_imports, schedule_ticks},
    telemetry::{self, Capture, Service},
};

/// Every minute: what is due or stuck is sent again, polls among it.
pub const SWEEP: &str = "* * * * *";
/// Every hour: archives that no import will ever read are deleted, and OAuth clients and grants that are over; who must
/// authorize again soon is told of;
/// once a day old rows are cleared.
pub const TIDY: &str = "17 * * * *";

/// Something that the clock starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub name: &'static str,
    pub cron: &'static str,
    /// How far apart its ticks are, and how far into that they come.
    period_ms: i64,
    offset_ms: i64,
}

/// All of it.
pub const SCHEDULE: [Entry; 2] = [
    Entry { name: "sweep", cron: SWEEP, period_ms: MINUTE_MS, offset_ms: 0 },
    Entry { name: "tidy", cron: TIDY, period_ms: HOUR_MS, offset_ms: 17 * MINUTE_MS },
];

/// A tick may come late by this much before somebody should look.
const LATE_MS: i64 = 5 * MINUTE_MS;

impl Entry {
    /// The first tick after `now`.
    pub const fn next_run_at(&self, now: Millis) -> Millis {
        let into_period_ms = (now.0 - self.offset_ms).rem_euclid(self.period_ms);
        now.plus_ms(self.period_ms - into_period_ms)
    }

    /// Whether a tick should have come and did not. One that never came is overdue.
    pub fn is_overdue(&self, last_run_at: Option<Millis>, now: Millis) -> bool {
        last_run_at.is_none_or(|last| now.since_ms(last) > self.period_ms + LATE_MS)
    }
}

/// Does what the clock asks for. `now` is the tick's own time.
pub async fn tick(app: &App, cron: &str, now: Millis) {
    let capture = Arc::new(Capture::new(Service::Cron, app.clock.random_hex(), app.config.log_level));
    let span = telemetry::open(&capture);
    async {
        work(app, cron, now).await;
        if let Some(entry) = SCHEDULE.iter().find(|entry| entry.cron == cron)
            && let Err(error) = app.db.run(schedule_ticks::ran(entry.name, now)).await
        {
            tracing::warn!(%error, "That a tick came could not be recorded");
        }
        telemetry::flush(app, &capture).await;
    }
    .instrument(span)
    .await;
}

/// What a tick does; each of its steps logs what fails in it, and may be done twice. `now` is the tick's own time.
pub async fn work(app: &App, cron: &str, now: Millis) {
    match cron {
        SWEEP => {
            sweep(app, now).await;
            runs::sweep(app, now).await;
            collecting::sweep(app, now).await;
        }
        TIDY => {
            tidy(app, now).await;
            forget_clients(app, now).await;
            collecting::warn_of_reauthorization(app, now).await;
            if is_purge_hour(now) {
                purge::start_scheduled(app, now).await;
            }
        }
        other => tracing::error!(cron = other, "No job is set for this cron"),
    }
}

/// Old rows are cleared once a day, at an hour (UTC) when few are awake where most people live.
const fn is_purge_hour(now: Millis) -> bool {
    now.0.rem_euclid(DAY_MS) / HOUR_MS == 3
}

/// Sends a message for every import that nobody works on.
async fn sweep(app: &App, now: Millis) {
    let due = match import_jobs::take_back_stuck(&*app.db, now).await {
        Ok(due) => due,
        Err(error) => return tracing::error!(%error, "The sweep could not look for stuck imports"),
    };
    for import_job_id in due {
        tracing::warn!(import_job_id = import_job_id.0, "An import was stuck and is sent again");
        if let Err(error) = app.queue.send(&JobMessage::ImportArchive { import_job_id }).await {
            tracing::error!(import_job_id = import_job_id.0, %error, "A stuck import could not be sent again");
        }
    }
}

/// An upload takes minutes; what is a day old and belongs to no unfinished import was left behind by a crash. It holds
/// its owner's address, so it must not stay.
async fn tidy(app: &App, now: Millis) {
    let found = async {
        let old = app.archives.keys_until(now.minus_ms(DAY_MS)).await?;
        import_jobs::forget_old_archives(&*app.db, now).await?;
        let wanted = import_jobs::archive_keys(&*app.db).await?;
        let left_behind: Vec<String> = old.into_iter().filter(|key| !wanted.contains(key)).collect();
        for key in &left_behind {
            app.archives.delete(key).await?;
        }
        Ok::<_, AppError>(left_behind.len())
    };
    match found.await {
        Ok(0) => {}
        Ok(count) => tracing::warn!(count, "Archives that were left behind were deleted"),
        Err(error) => tracing::error!(%error, "Archives that were left behind could not be deleted"),
    }
    match row_imports::end_forgotten(&*app.db, now).await {
        Ok(ended) => {
            for id in ended {
                tracing::warn!(
                    import_job_id = id.0,
                    "An import was ended whose sender had not been heard of for a week"
                );
            }
        }
        Err(error) => tracing::error!(%error, "Imports that were forgotten could not be ended"),
    }
}

/// Questions of OAuth clients that nobody answered, grants that are long over, and clients without a grant.
async fn forget_clients(app: &App, now: Millis) {
    if let Err(error) = app.db.batch(vec![oauth_grants::tidy(now), oauth_clients::tidy(now)]).await {
        tracing::error!(%error, "What is over between OAuth clients and users could not be cleared away");
    }
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;
    use serde_json::json;

    use super::*;
    use crate::testing::TestApp;

    #[test]
    fn archives_left_behind_are_deleted_and_those_of_imports_are_not() {
        let app = TestApp::new();
        app.post("/admin/users", &json!({"display_name": "Ada"}));
        let plays = listenlog_workbench::generator::ExportPlan::small(3).live();
        let fields = listenlog_workbench::generator::FieldSet::R4;
        app.upload(1, listenlog_workbench::generator::write_extended(&plays, fields).unwrap());
        app.archives.put("users/1/left-behind.zip", "PK".into());
        block_on(tick(&app.app, TIDY, app.app.now()));
        assert_eq!(app.archives.keys().len(), 1);
        app.drain();
        assert_eq!(app.import_job(1)["status"], "success");
    }

    #[test]
    fn the_next_tick_is_the_first_after_now() {
        let [sweep, tidy] = SCHEDULE;
        assert_eq!(sweep.next_run_at(Millis(60_000)), Millis(120_000));
        assert_eq!(tidy.next_run_at(Millis(16 * MINUTE_MS)), Millis(17 * MINUTE_MS));
        assert_eq!(tidy.next_run_at(Millis(17 * MINUTE_MS)), Millis(77 * MINUTE_MS));
        assert!(tidy.is_overdue(None, Millis(0)) && !tidy.is_overdue(Some(Millis(0)), Millis(HOUR_MS)));
        assert!(sweep.is_overdue(Some(Millis(0)), Millis(7 * MINUTE_MS)));
    }

    #[test]
    fn every_cron_of_the_configuration_is_known_here() {
        let configuration = include_str!("../../wrangler.toml");
        let line = configuration.lines().find(|line| line.starts_with("crons")).unwrap();
        let known = SCHEDULE.map(|entry| format!("\"{}\"", entry.cron));
        assert_eq!(line, format!("crons = [{}]", known.join(", ")));
    }
}
