//! What one run of an import may do.
//!
//! Must stay true: a run ends before the platform ends it; the free plan's figures are inside the free plan's limits.

use super::{SettingError, whole_number, wrong};

/// How much one run of an import does, so that it ends before the platform ends it.
/// <https://developers.cloudflare.com/workers/platform/limits/>, <https://developers.cloudflare.com/d1/platform/limits/>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportLimits {
    /// Rows settled in one batch.
    pub slice_rows: u64,
    /// Statements in one invocation.
    pub queries_per_run: u64,
    /// Rows that imports may write on one UTC day; `None`: as many as there are.
    pub rows_written_per_day: Option<u64>,
}

impl ImportLimits {
    /// 5,000 plays are about half a megabyte of JSON and 0.1 s of work. More would be hardly faster, and take more memory.
    const PAID: Self = Self { slice_rows: 5_000, queries_per_run: 1_000, rows_written_per_day: None };
    /// The day's 100,000 rows, but for what polls and log rows need.
    const FREE: Self = Self { slice_rows: 1_000, queries_per_run: 50, rows_written_per_day: Some(90_000) };

    pub(super) fn from_vars(var: impl Fn(&str) -> Option<String>) -> Result<Self, SettingError> {
        let plan = match var("CLOUDFLARE_PLAN").unwrap_or_default().to_ascii_lowercase().as_str() {
            "" | "paid" => Self::PAID,
            "free" => Self::FREE,
            _ => return Err(wrong("CLOUDFLARE_PLAN", "must be free or paid")),
        };
        let slices = "must be a whole number of rows from 100 to 20000";
        let slice_rows = whole_number(&var, "IMPORT_SLICE_ROWS", plan.slice_rows, slices)?;
        if !(100..=20_000).contains(&slice_rows) {
            return Err(wrong("IMPORT_SLICE_ROWS", slices));
        }
        let is_set = var("IMPORT_ROWS_PER_DAY").is_some_and(|rows| !rows.is_empty());
        let days = "must be a whole number of rows, at least four times IMPORT_SLICE_ROWS";
        let rows_written_per_day =
            if is_set { Some(whole_number(&var, "IMPORT_ROWS_PER_DAY", 0, days)?) } else { plan.rows_written_per_day };
        if rows_written_per_day.is_some_and(|rows| rows < 4 * slice_rows) {
            return Err(wrong("IMPORT_ROWS_PER_DAY", days));
        }
        Ok(Self { slice_rows, rows_written_per_day, ..plan })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(vars: &[(&str, &str)]) -> ImportLimits {
        let find = |name: &str| vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        ImportLimits::from_vars(find).unwrap()
    }

    #[test]
    fn a_plan_sets_what_one_run_does_and_each_figure_can_be_set_by_itself() {
        assert_eq!(limits(&[]), ImportLimits::PAID);
        assert_eq!(limits(&[("CLOUDFLARE_PLAN", "Free")]), ImportLimits::FREE);
        let own = limits(&[("IMPORT_SLICE_ROWS", "500"), ("IMPORT_ROWS_PER_DAY", "2000")]);
        assert_eq!((own.slice_rows, own.rows_written_per_day, own.queries_per_run), (500, Some(2_000), 1_000));
    }
}
