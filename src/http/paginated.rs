//! A page of a list: one form for lists that are counted whole, one for those that only grow.

use serde::Serialize;

use super::query::Page;
use crate::store::walk::Walked;

/// `total` counts what matches, on all pages together.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Paginated<T> {
    pub items: Vec<T>,
    pub total: i64,
    pub limit: u32,
    pub offset: u32,
}

impl<T> Paginated<T> {
    pub const fn new(items: Vec<T>, total: i64, page: Page) -> Self {
        Self { items, total, limit: page.limit, offset: page.offset }
    }
}

/// A page of a list that only grows, newest first. A page that looked at its share of rows (10,000) ends there, full or not,
/// and says where to go on.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NewestFirst<T> {
    items: Vec<T>,
    /// How many match among the rows that were looked at.
    total: i64,
    /// More may match than `total` says.
    total_is_a_minimum: bool,
    limit: u32,
    offset: u32,
    /// The `before_id` of the next page. Null: there is nothing older.
    next_before_id: Option<i64>,
}

impl<T> NewestFirst<T> {
    pub fn new<R>(walked: Walked<R>, page: Page, view: impl FnMut(R) -> T) -> Self {
        Self {
            items: walked.rows.into_iter().map(view).collect(),
            total: walked.total,
            total_is_a_minimum: walked.total_is_a_minimum,
            limit: page.limit,
            offset: page.offset,
            next_before_id: walked.next_before_id,
        }
    }
}
