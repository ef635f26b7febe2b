//! A page of a list, the same for every list.

use serde::Serialize;

use super::query::Page;

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
