//! What every entrance works with: the configuration and the ports to the platform.
//!
//! Must stay true: the platform is behind these traits, so that the same code runs on Workers and in native tests;
//! time and randomness come from here and from nowhere else.

use std::{pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, future::BoxFuture};

use crate::{
    config::Config,
    domain::instant::Millis,
    http::lockout::Lockouts,
    jobs::message::JobMessage,
    outbound::Outbound,
    store::{Db, memory::Memory, repeating::Repeating},
    telemetry,
    tools::kept::Kept,
};

/// Everything a request or a job may use. Cheap to clone; made anew for each event.
#[derive(Clone)]
pub struct App {
    pub config: Arc<Config>,
    pub db: Arc<dyn Db>,
    pub archives: Arc<dyn Archives>,
    pub queue: Arc<dyn JobQueue>,
    pub clock: Arc<dyn Clock>,
    pub outbound: Arc<dyn Outbound>,
    /// Logins that failed, by address.
    pub failed_logins: Arc<dyn RateLimit>,
    /// Addresses that failed too often: the isolate's own, like `memory`.
    pub lockouts: Arc<Lockouts>,
    pub background: Arc<dyn Background>,
    /// The isolate's own: the same for all its events.
    pub memory: Arc<Memory>,
    /// What this isolate has counted already.
    pub kept: Arc<Kept>,
}

impl App {
    pub fn now(&self) -> Millis {
        self.clock.now()
    }

    /// Between the steps of long work: lets others run, and writes log rows that have waited long enough.
    pub async fn breathe(&self) {
        self.clock.breathe().await;
        telemetry::flush_if_due(self).await;
    }

    /// The same, asking the database again when it could not be reached; for work that may be repeated.
    #[must_use]
    pub fn repeating(&self) -> Self {
        let db = Repeating::new(Arc::clone(&self.db), Arc::clone(&self.clock));
        Self { db: Arc::new(db), ..self.clone() }
    }
}

pub trait Clock: Send + Sync {
    fn now(&self) -> Millis;

    /// Lets others run: long work calls it between its steps. The local runtime takes new requests only when all that
    /// goes on inside it waits for something outside, such as a timer.
    fn breathe(&self) -> BoxFuture<'static, ()>;

    /// Waits, as before asking again what could not be reached.
    fn sleep(&self, wait: Duration) -> BoxFuture<'static, ()>;

    /// 128 random bits as 32 hexadecimal digits: ids of requests, leases and objects.
    fn random_hex(&self) -> String;

    /// 256 random bits fit for secrets; `None` when the platform has none, and then nothing secret is made.
    fn secret_bytes(&self) -> Option<[u8; 32]>;
}

/// Where uploaded archives lie until their import is done.
pub trait Archives: Send + Sync {
    /// Begins an upload; nothing can be read under `key` until it is completed.
    fn begin<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Box<dyn ArchiveUpload>, StorageError>>;

    /// The bytes from `offset` on, `length` of them, as they arrive. `length` is never 0.
    fn read<'a>(&'a self, key: &'a str, offset: u64, length: u64)
    -> BoxFuture<'a, Result<ArchiveStream, StorageError>>;

    /// Keys of objects stored at or before `instant`; some of them when there are very many.
    fn keys_until(&self, instant: Millis) -> BoxFuture<'_, Result<Vec<String>, StorageError>>;

    /// Keys that begin with `prefix`; some of them when there are very many.
    fn keys_under<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StorageError>>;

    /// Deletes the object; no error when there is none.
    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), StorageError>>;
}

pub type ArchiveStream = Pin<Box<dyn Stream<Item = Result<Bytes, StorageError>> + Send>>;

/// An upload in parts. Parts are [`UPLOAD_PART_BYTES`] long but for the last; dropping it unfinished leaves no object.
pub trait ArchiveUpload: Send {
    fn part(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), StorageError>>;
    fn complete(self: Box<Self>) -> BoxFuture<'static, Result<(), StorageError>>;
    fn abort(self: Box<Self>) -> BoxFuture<'static, ()>;
}

/// The smallest part R2 takes, but for the last; all must be equal.
/// <https://developers.cloudflare.com/r2/objects/multipart-objects/>
pub const UPLOAD_PART_BYTES: usize = 5 * 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    #[error("the archive is no longer in storage")]
    Missing,
    #[error("the archive storage failed: {0}")]
    Failed(String),
}

/// Sends small messages that start work. A message may be lost, doubled or late: rows are the truth.
pub trait JobQueue: Send + Sync {
    fn send<'a>(&'a self, message: &'a JobMessage) -> BoxFuture<'a, Result<(), QueueError>>;
}

#[derive(Debug, thiserror::Error)]
#[error("the queue did not take the message: {0}")]
pub struct QueueError(pub String);

/// Counts attempts by key, roughly, and apart for each of the platform's places: it damps, it does not account.
pub trait RateLimit: Send + Sync {
    /// Counts one attempt more; `false` when there were too many of late. A limiter that fails lets through.
    fn count<'a>(&'a self, key: &'a str) -> BoxFuture<'a, bool>;
}

/// Work after the answer that nobody may rely on: log rows and kept answers.
pub trait Background: Send + Sync {
    fn wait_until(&self, work: BoxFuture<'static, ()>);
}
