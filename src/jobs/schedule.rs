//! Everything the clock starts, on one page.
//!
//! Must stay true: each entry of `wrangler.toml`'s crons is here, and a cron that is not logs an error.

use std::sync::Arc;

use tracing::Instrument;

use crate::{
    app::App,
    domain::instant::{DAY_MS, Millis},
    error::AppError,
    jobs::{message::JobMessage, runs},
    store::{import_jobs, oauth_clients, oauth_grants},
    telemetry::{self, Capture, Service},
};

/// Every minute: what is due or stuck is sent again.
pub const SWEEP: &str = "* * * * *";
/// Every hour: archives that no import will ever read are deleted, and OAuth clients and grants that are over.
pub const TIDY: &str = "17 * * * *";

/// Does what the clock asks for. `now` is the tick's own time.
pub async fn tick(app: &App, cron: &str, now: Millis) {
    let capture = Arc::new(Capture::new(Service::Cron, app.clock.random_hex(), app.config.log_level));
    let span = telemetry::open(&capture);
    async {
        match cron {
            SWEEP => {
                sweep(app, now).await;
                runs::sweep(app, now).await;
            }
            TIDY => {
                tidy(app, now).await;
                forget_clients(app, now).await;
            }
            other => tracing::error!(cron = other, "No job is set for this cron"),
        }
        telemetry::flush(app, &capture).await;
    }
    .instrument(span)
    .await;
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
    fn every_cron_of_the_configuration_is_known_here() {
        let configuration = include_str!("../../wrangler.toml");
        let line = configuration.lines().find(|line| line.starts_with("crons")).unwrap();
        assert_eq!(line, format!("crons = [\"{SWEEP}\", \"{TIDY}\"]"));
    }
}
