//! What a statement gave back, in one shape for both adapters.
//!
//! Must stay true: integers stay integers, NULL is `null`, a blob is a list of byte values, and a boolean is the integer
//! that was stored for it: read it with [`integer_bool`].

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;

use super::{Row, StoreError};

/// The rows of one statement.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    pub rows: Vec<Row>,
}

impl Rows {
    /// All rows as `T`.
    pub fn all<T: DeserializeOwned>(self) -> Result<Vec<T>, StoreError> {
        self.rows.into_iter().map(parse).collect()
    }

    /// The first row as `T`, if there is one.
    pub fn first<T: DeserializeOwned>(self) -> Result<Option<T>, StoreError> {
        self.rows.into_iter().next().map(parse).transpose()
    }

    /// The one text column of the first row, for statements that answer with one JSON document.
    pub fn document(self) -> Result<String, StoreError> {
        match self.rows.into_iter().next().and_then(|row| row.into_iter().next()) {
            Some((_, Value::String(text))) => Ok(text),
            other => Err(StoreError::Shape(format!("expected one text value, not {:?}", other.map(|(name, _)| name)))),
        }
    }
}

fn parse<T: DeserializeOwned>(row: Row) -> Result<T, StoreError> {
    serde_json::from_value(Value::Object(row)).map_err(|error| StoreError::Shape(error.to_string()))
}

/// Reads a boolean that is stored as 0 or 1.
pub fn integer_bool<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    i64::deserialize(deserializer).map(|number| number != 0)
}

/// The row of a `SELECT count(*) AS total`.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Total {
    pub total: i64,
}
