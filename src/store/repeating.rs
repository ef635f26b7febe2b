//! A database that is asked again when it could not be reached.
//!
//! Must stay true: only what may be repeated goes through here: reads, and batches that assert what they change, so that
//! a second one after a lost answer changes nothing. Large batches are not repeated here, since their text would have to
//! be kept beside them: their job fails, waits, and goes on at its cursor.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;

use super::{Db, Parameter, Rows, Statement, StoreError, Usage};
use crate::app::Clock;

const MAX_REPEATS: u32 = 4;
const FIRST_WAIT_MS: u64 = 50;
/// Text of a batch that is kept for repeating it.
const MAX_KEPT_BYTES: usize = 64 * 1024;

/// Repeats with waits that double and differ from one to the next.
pub struct Repeating {
    inner: Arc<dyn Db>,
    clock: Arc<dyn Clock>,
}

impl Repeating {
    pub fn new(inner: Arc<dyn Db>, clock: Arc<dyn Clock>) -> Self {
        Self { inner, clock }
    }

    /// Between half of the doubled wait and the whole of it.
    fn wait(&self, repeat: u32) -> Duration {
        let longest_ms = FIRST_WAIT_MS << repeat;
        let random = self.clock.random_hex();
        let drawn = random.get(random.len().saturating_sub(4)..).and_then(|hex| u64::from_str_radix(hex, 16).ok());
        Duration::from_millis(longest_ms / 2 + drawn.unwrap_or_default() % (longest_ms / 2 + 1))
    }

    async fn batch_now(&self, statements: Vec<Statement>) -> Result<Vec<Rows>, StoreError> {
        if text_bytes(&statements) > MAX_KEPT_BYTES {
            return self.inner.batch(statements).await;
        }
        let mut repeat = 0;
        loop {
            match self.inner.batch(statements.clone()).await {
                Err(StoreError::Retryable(_)) if repeat < MAX_REPEATS => {
                    self.clock.sleep(self.wait(repeat)).await;
                    repeat += 1;
                }
                answer => return answer,
            }
        }
    }
}

fn text_bytes(statements: &[Statement]) -> usize {
    let parameters = statements.iter().flat_map(|statement| &statement.parameters);
    let bytes = |parameter: &Parameter| match parameter {
        Parameter::Text(text) => text.len(),
        Parameter::Blob(bytes) => bytes.len(),
        Parameter::Null | Parameter::Integer(_) => 0,
    };
    parameters.map(bytes).sum()
}

impl Db for Repeating {
    fn batch(&self, statements: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, StoreError>> {
        Box::pin(self.batch_now(statements))
    }

    fn usage(&self) -> Usage {
        self.inner.usage()
    }
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;

    use super::*;
    use crate::testing::{TestApp, sqlite::Failure};

    fn insert(text: String) -> Statement {
        Statement::new("INSERT INTO artists (id, name) VALUES (1, ?1) ON CONFLICT DO NOTHING").bind(text)
    }

    #[test]
    fn a_lost_connection_is_tried_again_before_and_after_writing() {
        for failure in [Failure::BeforeWriting, Failure::AfterWriting] {
            let app = TestApp::new();
            app.db.fail_after(0, failure);
            block_on(app.app.repeating().db.run(insert("short".to_owned()))).unwrap();
            assert_eq!(app.rows("SELECT count(*) FROM artists"), ["Integer(1)"]);
        }
    }

    #[test]
    fn a_large_batch_and_any_other_error_are_not_repeated() {
        let app = TestApp::new();
        app.db.fail_after(0, Failure::BeforeWriting);
        let long = block_on(app.app.repeating().db.run(insert("x".repeat(MAX_KEPT_BYTES + 1))));
        assert!(matches!(long, Err(StoreError::Retryable(_))));
        let wrong = block_on(app.app.repeating().db.run(Statement::new("SELECT nonsense")));
        assert!(matches!(wrong, Err(StoreError::Failed(_))));
    }

    #[test]
    fn waits_double_and_stay_within_their_bounds() {
        let app = TestApp::new();
        let repeating = Repeating::new(Arc::clone(&app.app.db), Arc::clone(&app.app.clock));
        for repeat in 0..MAX_REPEATS {
            let longest = Duration::from_millis(FIRST_WAIT_MS << repeat);
            for _ in 0..50 {
                let wait = repeating.wait(repeat);
                assert!(wait >= longest / 2 && wait <= longest, "{wait:?}");
            }
        }
    }
}
