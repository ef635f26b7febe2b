//! An import as the Worker tells of it.

use serde::Deserialize;

/// What `GET /admin/import-jobs/{id}` answers, as far as it is shown here. What a Worker does not say counts as nothing.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Job {
    #[serde(default)]
    pub id: i64,
    pub status: Status,
    /// `rows` when the sender unpacks the archive.
    #[serde(default)]
    pub archive_form: String,
    #[serde(default)]
    pub completed_at: Option<String>,
    #[serde(default)]
    pub progress: Option<Progress>,
    #[serde(default)]
    pub error_message: Option<String>,
    /// Why nothing moves at the moment, when the Worker waits on purpose.
    #[serde(default)]
    pub pause_reason: Option<String>,
    #[serde(default)]
    pub earliest_played_at: Option<String>,
    #[serde(default)]
    pub latest_played_at: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    #[default]
    Pending,
    Running,
    Success,
    Partial,
    Error,
    Cancelled,
    /// Of a later Worker: waiting is right for whatever is not final.
    #[serde(other)]
    Other,
}

impl Job {
    /// Whether only a sender of rows can go on with it.
    pub fn takes_slices(&self) -> bool {
        self.archive_form == "rows"
    }
}

impl Status {
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Success | Self::Partial | Self::Error | Self::Cancelled)
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Progress {
    pub percent: f64,
    pub rows_per_second: Option<u64>,
    pub seconds_left: Option<u64>,
    pub current_file: Option<String>,
    pub rows_read: u64,
    pub inserted: u64,
    pub merged: u64,
    pub duplicate: u64,
    pub skipped: u64,
    pub rejected: u64,
    pub files: Vec<FileProgress>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct FileProgress {
    pub name: String,
    pub status: String,
    pub note: Option<String>,
}
