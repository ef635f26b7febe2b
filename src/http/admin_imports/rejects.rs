//! The rows that an import refused, as JSON and as CSV.
//!
//! Must stay true: a cell of the CSV never begins with what a spreadsheet takes for a formula.

use std::fmt::Write;

use axum::{
    Json,
    extract::Path,
    http::{HeaderMap, HeaderValue, Uri, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::find;
use crate::{
    app::App,
    error::AppError,
    http::query::{LIMIT, OFFSET, Parameter, Query},
    store::import_jobs::{self, ImportFile, RejectedRow},
};

/// Rows of one CSV: with excerpts, some megabytes at most.
const CSV_ROWS: u32 = 10_000;
const FORMATS: [&str; 2] = ["json", "csv"];

pub const PARAMETERS: &[Parameter] = &[
    LIMIT,
    OFFSET,
    Parameter::one_of("format", &FORMATS, "`csv` for a table of up to 10,000 rows; json unless said."),
];

/// Refused rows of an import, in the order of the archive.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RejectsView {
    items: Vec<RejectedRow>,
    /// Rows that are kept here: the first 1,000 of each file.
    total: i64,
    /// Rows that were refused, kept or not.
    rejected: u64,
    limit: u32,
    offset: u32,
}

/// GET /admin/import-jobs/{id}/rejects: `format=csv`, or `Accept: text/csv`, for a table.
pub async fn rejects(app: App, Path(id): Path<String>, uri: Uri, headers: HeaderMap) -> Result<Response, AppError> {
    let query = Query::declared(&uri, PARAMETERS)?;
    let (job, files) = find(&app, &id).await?;
    let accepts_csv = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.trim_start().starts_with("text/csv"));
    let wants_csv = query.get("format").map_or(accepts_csv, |format| format == "csv");
    let page = query.page()?;
    if wants_csv {
        let limit = if query.get("limit").is_some() { page.limit } else { CSV_ROWS };
        let found = import_jobs::rejects(&*app.db, job.id, limit, page.offset).await?;
        let name = format!("attachment; filename=\"import-{}-rejects.csv\"", job.id);
        let mut response = csv(&found.rows).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
        if let Ok(name) = HeaderValue::from_str(&name) {
            headers.insert(header::CONTENT_DISPOSITION, name);
        }
        return Ok(response);
    }
    let found = import_jobs::rejects(&*app.db, job.id, page.limit, page.offset).await?;
    let rejected = files.iter().map(|file: &ImportFile| file.rejected).sum();
    let (limit, offset) = (page.limit, page.offset);
    Ok(Json(RejectsView { items: found.rows, total: found.total, rejected, limit, offset }).into_response())
}

/// RFC 4180.
fn csv(rows: &[RejectedRow]) -> String {
    let mut table = String::from("file,index,reason,excerpt\r\n");
    for row in rows {
        // Writing to a String cannot fail.
        write!(
            table,
            "{},{},{},{}\r\n",
            cell(&row.file),
            row.index,
            cell(&row.reason),
            cell(row.excerpt.as_deref().unwrap_or_default())
        )
        .unwrap_or_default();
    }
    table
}

fn cell(text: &str) -> String {
    let mark = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("\"{mark}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_are_no_formulas() {
        let row = |file: &str, excerpt: &str| RejectedRow {
            file: file.to_owned(),
            index: 7,
            reason: "unreadable".to_owned(),
            excerpt: Some(excerpt.to_owned()),
        };
        let table = csv(&[row("=cmd()", r#"{"ts":"soon"}"#), row("a,b", "line\nbreak")]);
        assert_eq!(
            table,
            "file,index,reason,excerpt\r\n\"'=cmd()\",7,\"unreadable\",\"{\"\"ts\"\":\"\"soon\"\"}\"\r\n\
             \"a,b\",7,\"unreadable\",\"line\nbreak\"\r\n"
        );
    }
}
