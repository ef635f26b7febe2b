//! The last imports of a user.

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Context, Right, Tool, answered, ops_latest_job_runs::LATEST, parameters::Arguments, question::USER_ID, whose::whose,
};
use crate::{
    domain::{
        ids::{ImportJobId, UserId},
        instant::Millis,
    },
    error::AppError,
    store::Statement,
};

pub static TOOL: Tool = Tool {
    name: "ops_latest_import_jobs",
    alias: "ops.latest_import_jobs",
    title: "Latest imports",
    description: "The last imports of a user's Spotify data exports, newest first: status, rows taken up, the time they cover, \
                  and why one failed. Use it when plays of years ago are missing.",
    category: "ops",
    needs: Right::OPS,
    parameters: &[&USER_ID, &LATEST],
    #[cfg(test)]
    output_schema: super::description::schema::<ImportJobsAnswer>,
    run: |context, arguments| Box::pin(run(context, arguments)),
};

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct ImportJobsAnswer {
    user_id: UserId,
    items: Vec<ImportJobItem>,
}

#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema), schemars(inline))]
struct ImportJobItem {
    id: ImportJobId,
    /// `pending`, `running`, `success`, `partial`, `error` or `cancelled`.
    status: String,
    /// `extended`, `account`, or both with a plus between.
    format_detected: Option<String>,
    /// Plays that were new, or that completed one known before.
    records_ingested: i64,
    earliest_played_at: Option<Millis>,
    latest_played_at: Option<Millis>,
    created_at: Millis,
    started_at: Option<Millis>,
    completed_at: Option<Millis>,
    error_message: Option<String>,
}

async fn run(context: Context, arguments: Arguments) -> Result<serde_json::Value, AppError> {
    const SELECT: &str = "SELECT jobs.id, jobs.status, (SELECT group_concat(DISTINCT format) FROM import_files AS files \
          WHERE files.import_job_id = jobs.id AND format <> 'not_history') AS format_detected, \
        coalesce((SELECT sum(inserted + merged) FROM import_files AS files WHERE files.import_job_id = jobs.id), 0) \
          AS records_ingested, \
        jobs.earliest_played_at, jobs.latest_played_at, jobs.created_at, jobs.started_at, jobs.completed_at, \
        jobs.error_message FROM import_jobs AS jobs WHERE jobs.user_id = ?1 ORDER BY jobs.id DESC \
        LIMIT CAST(?2 AS INTEGER)";
    let user = whose(&context.app, context.user).await?;
    let limit = arguments.integer("limit").unwrap_or(5);
    let mut items: Vec<ImportJobItem> =
        context.app.db.run(Statement::new(SELECT).bind(user).bind(limit)).await?.all()?;
    for item in &mut items {
        item.format_detected = item.format_detected.take().map(|formats| formats.replace(',', "+"));
    }
    answered(&context, user, &ImportJobsAnswer { user_id: user, items })
}
