//! The last runs of a user's jobs.

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Context, Right, Tool, answered,
    parameters::{Arguments, DefaultValue, Parameter, ParameterKind},
    question::USER_ID,
    whose::whose,
};
use crate::{
    domain::{
        ids::{JobRunId, UserId},
        instant::Millis,
    },
    error::AppError,
    store::Statement,
};

pub static TOOL: Tool = Tool {
    name: "ops_latest_job_runs",
    alias: "ops.latest_job_runs",
    title: "Latest job runs",
    description: "The last runs of a user's polls, initial syncs and imports, newest first: what each fetched and stored, and \
                  why it stopped or failed. Polls that brought nothing new are not listed; ops_sync_status counts them.",
    category: "ops",
    needs: Right::OPS,
    parameters: &[&USER_ID, &LATEST],
    #[cfg(test)]
    output_schema: super::description::schema::<JobRunsAnswer>,
    run: |context, arguments| Box::pin(run(context, arguments)),
};

/// How many of the last ones.
pub static LATEST: Parameter = Parameter {
    name: "limit",
    description: "How many of them, newest first.",
    kind: ParameterKind::Integer { min: 1, max: 100 },
    required: false,
    default: Some(DefaultValue::Integer(5)),
};

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct JobRunsAnswer {
    user_id: UserId,
    items: Vec<JobRunItem>,
}

#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema), schemars(inline))]
struct JobRunItem {
    id: JobRunId,
    /// `poll`, `initial_sync`, `import_zip`, or another kind of work.
    job_type: String,
    /// `queued`, `running`, `success`, `partial`, `error` or `cancelled`.
    status: String,
    started_at: Option<Millis>,
    completed_at: Option<Millis>,
    attempts: i64,
    records_fetched: i64,
    records_inserted: i64,
    /// Plays that another source had reported before.
    records_merged: i64,
    records_skipped: i64,
    stop_reason: Option<String>,
    error_class: Option<String>,
    error_message: Option<String>,
}

async fn run(context: Context, arguments: Arguments) -> Result<serde_json::Value, AppError> {
    const SELECT: &str = "SELECT id, job_type, status, started_at, completed_at, attempts, fetched AS records_fetched, \
        inserted AS records_inserted, merged AS records_merged, skipped AS records_skipped, stop_reason, error_class, \
        error_message FROM job_runs WHERE user_id = ?1 ORDER BY id DESC LIMIT CAST(?2 AS INTEGER)";
    let user = whose(&context.app, context.user).await?;
    let limit = arguments.integer("limit").unwrap_or(5);
    let items: Vec<JobRunItem> = context.app.db.run(Statement::new(SELECT).bind(user).bind(limit)).await?.all()?;
    answered(&context, user, &JobRunsAnswer { user_id: user, items })
}
