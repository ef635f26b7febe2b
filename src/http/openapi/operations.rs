//! Every operation of the admin API, with the types it takes and gives.

use super::document::Operation as O;
use crate::{
    http::{
        admin_audit, admin_dead_letters, admin_grants, admin_imports, admin_job_runs, admin_logs, admin_maintenance,
        admin_role_tokens, admin_row_imports, admin_schedule, admin_spotify, admin_sync, admin_tokens,
        admin_user_deletion, admin_users,
        issuing::Issued,
        paginated::{NewestFirst, Paginated},
        query::PAGED,
        storage,
    },
    store::{assistant_tokens::AssistantToken, role_tokens::RoleToken},
};

pub fn operations() -> Vec<O> {
    [users(), syncs(), connections(), imports(), runs(), records()].into_iter().flatten().collect()
}

fn users() -> Vec<O> {
    vec![
        O::get("/admin/users", "listUsers", "The users, in the order they came")
            .query(PAGED)
            .answers::<Paginated<admin_users::UserSummary>>(200),
        O::post("/admin/users", "createUser", "A user without Spotify, for imports only")
            .body::<admin_users::NewUser>()
            .answers::<admin_users::UserDetail>(201),
        O::get("/admin/users/{user_id}", "getUser", "One user with everything known")
            .answers::<admin_users::UserDetail>(200),
        O::patch("/admin/users/{user_id}", "updateUser", "Another name or time zone")
            .body::<admin_users::UserChanges>()
            .answers::<admin_users::UserDetail>(200),
        O::delete("/admin/users/{user_id}", "deleteUser", "The user goes, with everything that is theirs")
            .query(admin_user_deletion::PARAMETERS)
            .answers::<admin_user_deletion::UserDeletion>(200),
    ]
}

fn syncs() -> Vec<O> {
    vec![
        O::post("/admin/users/{user_id}/pause", "pauseUser", "Nothing is collected for this user until resumed")
            .answers::<admin_sync::ActionResult>(200),
        O::post("/admin/users/{user_id}/resume", "resumeUser", "Collect again, and forget the last error")
            .answers::<admin_sync::ActionResult>(200),
        O::post("/admin/users/{user_id}/trigger-sync", "triggerSync", "The initial sync anew, now")
            .conflicts()
            .answers::<admin_sync::ActionResult>(200),
        O::get("/admin/sync-status", "getSyncStatus", "How collecting stands, and the schedule")
            .answers::<admin_sync::SyncOverview>(200),
        O::post("/admin/schedule/{entry}/run", "runScheduleEntry", "What the clock does, done now")
            .conflicts()
            .answers::<admin_schedule::RanNow>(200),
        O::post("/admin/sync/pause", "pauseSync", "Nothing is collected for anybody until resumed")
            .answers::<admin_sync::ActionResult>(200),
        O::post("/admin/sync/resume", "resumeSync", "Collect again").answers::<admin_sync::ActionResult>(200),
    ]
}

fn connections() -> Vec<O> {
    const TOKENS: &str = "/admin/users/{user_id}/tokens";
    const CONNECTION: &str = "/admin/users/{user_id}/spotify-connection";
    const CREDENTIALS: &str = "/admin/users/{user_id}/spotify-credentials";
    vec![
        O::get(TOKENS, "listTokens", "A user's assistant tokens, never the tokens themselves")
            .query(PAGED)
            .answers::<Paginated<AssistantToken>>(200),
        O::post(TOKENS, "issueToken", "A token for an assistant, shown this once")
            .body::<admin_tokens::TokenRequest>()
            .answers::<Issued<AssistantToken>>(201),
        O::delete("/admin/users/{user_id}/tokens/{token_id}", "revokeToken", "From now on the token opens nothing")
            .answers_nothing(),
        O::get("/admin/tokens", "listRoleTokens", "Tokens with a role, never the tokens themselves")
            .query(PAGED)
            .answers::<Paginated<RoleToken>>(200),
        O::post("/admin/tokens", "issueRoleToken", "A token with a role, shown this once")
            .body::<admin_role_tokens::RoleTokenRequest>()
            .answers::<Issued<RoleToken>>(201),
        O::delete("/admin/tokens/{token_id}", "revokeRoleToken", "From now on the token opens nothing")
            .answers_nothing(),
        O::get(CONNECTION, "getSpotifyConnection", "How a user is connected to Spotify")
            .answers::<admin_spotify::ConnectionView>(200),
        O::post(CONNECTION, "makeSpotifyLink", "A link that connects this user")
            .answers::<admin_spotify::LinkView>(201),
        O::delete(CONNECTION, "disconnectSpotify", "Forget the user's tokens of Spotify")
            .answers::<admin_spotify::Disconnected>(200),
        O::get(CREDENTIALS, "getSpotifyCredentials", "The user's own Spotify app, without its secret")
            .answers::<admin_spotify::CredentialsView>(200),
        O::put(CREDENTIALS, "setSpotifyCredentials", "The user logs in through an app of their own")
            .body::<admin_spotify::NewCredentials>()
            .answers::<admin_spotify::CredentialsView>(200),
        O::delete(CREDENTIALS, "deleteSpotifyCredentials", "The user logs in through the installation's app")
            .answers_nothing(),
    ]
}

fn imports() -> Vec<O> {
    const JOB: &str = "/admin/import-jobs/{import_job_id}";
    vec![
        O::post("/admin/users/{user_id}/import", "uploadArchive", "Spotify's export, to be imported")
            .query(admin_imports::UPLOAD_PARAMETERS)
            .archive()
            .conflicts()
            .answers::<admin_imports::Accepted>(200)
            .answers::<admin_imports::Accepted>(201),
        O::get("/admin/import-jobs", "listImports", "Imports, newest first")
            .query(admin_imports::LIST_PARAMETERS)
            .answers::<Paginated<admin_imports::JobView>>(200),
        O::get(JOB, "getImport", "One import with its progress").answers::<admin_imports::JobView>(200),
        O::get("/admin/import-jobs/{import_job_id}/rejects", "listRejects", "Rows that an import refused, and why")
            .query(admin_imports::REJECTS_PARAMETERS)
            .answers_also::<admin_imports::RejectsView>(200, "text/csv"),
        O::post("/admin/import-jobs/{import_job_id}/cancel", "cancelImport", "Stop at the next slice")
            .conflicts()
            .answers::<admin_imports::JobView>(200)
            .answers::<admin_imports::JobView>(202),
        O::post("/admin/import-jobs/{import_job_id}/retry", "retryImport", "Go on from the cursor")
            .conflicts()
            .answers::<admin_imports::JobView>(202),
        O::post("/admin/users/{user_id}/row-imports", "openRowImport", "An import whose rows come in slices")
            .body::<admin_row_imports::Opening>()
            .answers::<admin_row_imports::Opened>(200)
            .answers::<admin_row_imports::Opened>(201),
        O::post("/admin/import-jobs/{import_job_id}/slices", "sendSlice", "Rows of one file, from its cursor on")
            .any_object()
            .conflicts()
            .answers::<admin_row_imports::SliceTaken>(200),
        O::post("/admin/import-jobs/{import_job_id}/verify", "verifyRowImport", "Count the stored plays, and end")
            .conflicts()
            .answers::<admin_imports::JobView>(200),
    ]
}

fn runs() -> Vec<O> {
    vec![
        O::get("/admin/job-runs", "listJobRuns", "Runs of jobs, newest first")
            .query(admin_job_runs::PARAMETERS)
            .answers::<NewestFirst<admin_job_runs::RunView>>(200),
        O::post("/admin/job-runs/cancel", "cancelJobRuns", "Runs that are chosen as the list is narrowed, at most 100")
            .query(admin_job_runs::many::PARAMETERS)
            .answers::<admin_job_runs::many::ManyView>(200),
        O::post("/admin/job-runs/retry", "retryJobRuns", "The same, tried again by new runs")
            .query(admin_job_runs::many::PARAMETERS)
            .answers::<admin_job_runs::many::ManyView>(200),
        O::get("/admin/job-runs/{job_run_id}", "getJobRun", "One run with what lies around it")
            .answers::<admin_job_runs::RunDetail>(200),
        O::post("/admin/job-runs/{job_run_id}/cancel", "cancelJobRun", "A queued run at once, a running one soon")
            .conflicts()
            .answers::<admin_job_runs::RunDetail>(200),
        O::post("/admin/job-runs/{job_run_id}/retry", "retryJobRun", "A new run that goes on where this one ended")
            .conflicts()
            .answers::<admin_job_runs::RunDetail>(202),
        O::get("/admin/job-types", "overviewJobs", "Runs by kind and state, and equal errors counted")
            .answers::<admin_job_runs::Overview>(200),
        O::post("/admin/job-types/{job_type}/pause", "pauseJobType", "No such work begins until it is resumed")
            .answers::<admin_sync::ActionResult>(200),
        O::post("/admin/job-types/{job_type}/resume", "resumeJobType", "Let such work go on")
            .answers::<admin_sync::ActionResult>(200),
        O::get("/admin/dead-letters", "listDeadLetters", "Messages that were given up, newest first")
            .query(admin_dead_letters::PARAMETERS)
            .answers::<Paginated<admin_dead_letters::DeadLetterView>>(200),
        O::post("/admin/dead-letters/{dead_letter_id}/resend", "resendDeadLetter", "Send one again, once")
            .conflicts()
            .answers::<admin_dead_letters::DeadLetterView>(202),
    ]
}

fn records() -> Vec<O> {
    vec![
        O::get("/admin/logs", "searchLogs", "Log rows, newest first or as they come")
            .query(admin_logs::PARAMETERS)
            .answers::<admin_logs::LogPage>(200),
        O::get("/admin/audit", "listChanges", "Changes made through the admin API, newest first")
            .query(admin_audit::PARAMETERS)
            .answers::<NewestFirst<admin_audit::AuditView>>(200),
        O::post("/admin/maintenance/purge-logs", "purgeLogs", "Clear what is older than it is kept")
            .query(admin_maintenance::PARAMETERS)
            .conflicts()
            .answers::<admin_maintenance::PurgeAnswer>(200),
        O::get("/admin/grants", "listGrants", "What assistants were granted through OAuth")
            .query(admin_grants::PARAMETERS)
            .answers::<Paginated<admin_grants::GrantView>>(200),
        O::delete("/admin/grants/{grant_id}", "revokeGrant", "From now on its tokens open nothing")
            .answers::<admin_grants::Revoked>(200),
        O::get("/admin/storage", "getStorage", "How much is stored, by table and by user")
            .answers::<storage::Storage>(200),
        O::get("/admin/metrics", "getMetrics", "Figures in Prometheus' text format")
            .answers_text("text/plain; version=0.0.4"),
        O::get("/admin/openapi.json", "getDescription", "This document").answers_any_json(),
    ]
}
