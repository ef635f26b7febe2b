//! A clock that is set, storage in memory, a queue that is drained by hand.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::http::{Request, Response};
use bytes::Bytes;
use futures_util::{
    FutureExt,
    future::{BoxFuture, ready},
    stream,
};
use sha2::{Digest, Sha256};

use crate::{
    app::{ArchiveStream, ArchiveUpload, Archives, Background, Clock, JobQueue, QueueError, RateLimit, StorageError},
    domain::instant::Millis,
    jobs::message::JobMessage,
    outbound::{Outbound, OutboundError, OutboundLimits},
};

/// Stands still until it is told.
pub struct SetClock {
    now_ms: AtomicI64,
    drawn: AtomicU64,
}

impl SetClock {
    pub const fn at(now: Millis) -> Self {
        Self { now_ms: AtomicI64::new(now.0), drawn: AtomicU64::new(0) }
    }

    pub fn set(&self, now: Millis) {
        self.now_ms.store(now.0, Ordering::Relaxed);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Millis {
        Millis(self.now_ms.load(Ordering::Relaxed))
    }

    fn breathe(&self) -> BoxFuture<'static, ()> {
        Box::pin(ready(()))
    }

    /// As long as it takes nobody to look.
    fn sleep(&self, _wait: Duration) -> BoxFuture<'static, ()> {
        Box::pin(ready(()))
    }

    fn random_hex(&self) -> String {
        format!("{:032x}", self.drawn.fetch_add(1, Ordering::Relaxed))
    }

    fn secret_bytes(&self) -> Option<[u8; 32]> {
        Some(Sha256::digest(self.drawn.fetch_add(1, Ordering::Relaxed).to_be_bytes()).into())
    }
}

/// Faults to come at a port: after some calls, once or from then on.
#[derive(Default)]
pub struct Faults(Mutex<Option<Fault>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Calls that are let through first.
    pub after_calls: u64,
    /// Whether what was asked for is done all the same, and only the answer is lost.
    pub is_done: bool,
    pub is_lasting: bool,
}

impl Faults {
    pub fn expect(&self, fault: Fault) {
        *self.0.lock().unwrap() = Some(fault);
    }

    /// Lets everything through again. Tells whether the fault had come.
    pub fn heal(&self) -> bool {
        self.0.lock().unwrap().take().is_none_or(|fault| fault.is_lasting && fault.after_calls == 0)
    }

    /// Counts a call, and tells whether it fails; if so, whether what it asks for is done.
    fn at_call(&self) -> Option<bool> {
        let mut due = self.0.lock().unwrap();
        let fault = due.as_mut()?;
        if fault.after_calls > 0 {
            fault.after_calls -= 1;
            return None;
        }
        let is_done = fault.is_done;
        if !fault.is_lasting {
            *due = None;
        }
        Some(is_done)
    }

    /// Does `call`, or not, and fails, or not.
    fn around<T, E: 'static>(&self, error: impl FnOnce() -> E, call: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        match self.at_call() {
            None => call(),
            Some(true) => call().and_then(|_| Err(error())),
            Some(false) => Err(error()),
        }
    }
}

fn archive_fault() -> StorageError {
    StorageError::Failed("it was told to fail".to_owned())
}

/// Objects by key.
#[derive(Default)]
pub struct MemoryArchives {
    objects: Arc<Mutex<HashMap<String, Bytes>>>,
    pub faults: Arc<Faults>,
}

impl MemoryArchives {
    pub fn keys(&self) -> Vec<String> {
        self.objects.lock().unwrap().keys().cloned().collect()
    }

    pub fn put(&self, key: &str, bytes: Bytes) {
        self.objects.lock().unwrap().insert(key.to_owned(), bytes);
    }
}

struct MemoryUpload {
    key: String,
    bytes: Vec<u8>,
    objects: Arc<Mutex<HashMap<String, Bytes>>>,
    faults: Arc<Faults>,
}

impl ArchiveUpload for MemoryUpload {
    fn part(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), StorageError>> {
        let took = self.faults.around(archive_fault, || {
            self.bytes.extend_from_slice(&bytes);
            Ok(())
        });
        Box::pin(ready(took))
    }

    fn complete(self: Box<Self>) -> BoxFuture<'static, Result<(), StorageError>> {
        let Self { key, bytes, objects, faults } = *self;
        let completed = faults.around(archive_fault, || {
            objects.lock().unwrap().insert(key, Bytes::from(bytes));
            Ok(())
        });
        Box::pin(ready(completed))
    }

    fn abort(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(ready(()))
    }
}

impl Archives for MemoryArchives {
    fn begin<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Box<dyn ArchiveUpload>, StorageError>> {
        let (objects, faults) = (Arc::clone(&self.objects), Arc::clone(&self.faults));
        let upload = MemoryUpload { key: key.to_owned(), bytes: Vec::new(), objects, faults };
        let begun = self.faults.around(archive_fault, || Ok(Box::new(upload) as Box<dyn ArchiveUpload>));
        Box::pin(ready(begun))
    }

    fn read<'a>(
        &'a self,
        key: &'a str,
        offset: u64,
        length: u64,
    ) -> BoxFuture<'a, Result<ArchiveStream, StorageError>> {
        assert!(length > 0, "R2 refuses a range without length");
        let object = self.objects.lock().unwrap().get(key).cloned();
        let range = object.ok_or(StorageError::Missing).and_then(|object| {
            let from = usize::try_from(offset).unwrap();
            let to = (from + usize::try_from(length).unwrap()).min(object.len());
            if from >= object.len() {
                return Err(StorageError::Failed("range not satisfiable".to_owned()));
            }
            // R2 streams 4 KiB chunks.
            let chunks: Vec<_> =
                object.slice(from..to).chunks(4096).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
            Ok(Box::pin(stream::iter(chunks)) as ArchiveStream)
        });
        Box::pin(ready(self.faults.around(archive_fault, || range)))
    }

    /// Everything here is as old as can be.
    fn keys_until(&self, _instant: Millis) -> BoxFuture<'_, Result<Vec<String>, StorageError>> {
        Box::pin(ready(self.faults.around(archive_fault, || Ok(self.keys()))))
    }

    fn keys_under<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StorageError>> {
        let keys = self.keys().into_iter().filter(|key| key.starts_with(prefix));
        Box::pin(ready(self.faults.around(archive_fault, || Ok(keys.collect()))))
    }

    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), StorageError>> {
        let deleted = self.faults.around(archive_fault, || {
            self.objects.lock().unwrap().remove(key);
            Ok(())
        });
        Box::pin(ready(deleted))
    }
}

/// Counts as the platform's limiter does, but for good; without a limit until a test sets one.
pub struct MemoryRateLimit {
    limit: AtomicU64,
    counts: Mutex<HashMap<String, u64>>,
}

impl Default for MemoryRateLimit {
    fn default() -> Self {
        Self { limit: AtomicU64::new(u64::MAX), counts: Mutex::default() }
    }
}

impl MemoryRateLimit {
    pub fn allow(&self, limit: u64) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    pub fn keys(&self) -> Vec<String> {
        self.counts.lock().unwrap().keys().cloned().collect()
    }
}

impl RateLimit for MemoryRateLimit {
    fn count<'a>(&'a self, key: &'a str) -> BoxFuture<'a, bool> {
        let mut counts = self.counts.lock().unwrap();
        let count = counts.entry(key.to_owned()).or_default();
        *count += 1;
        Box::pin(ready(*count <= self.limit.load(Ordering::Relaxed)))
    }
}

/// Messages in order of sending.
#[derive(Default)]
pub struct MemoryQueue {
    messages: Mutex<VecDeque<JobMessage>>,
    pub faults: Faults,
}

impl MemoryQueue {
    pub fn take(&self) -> Option<JobMessage> {
        self.messages.lock().unwrap().pop_front()
    }

    pub fn len(&self) -> usize {
        self.messages.lock().unwrap().len()
    }
}

impl JobQueue for MemoryQueue {
    fn send<'a>(&'a self, message: &'a JobMessage) -> BoxFuture<'a, Result<(), QueueError>> {
        let sent = self.faults.around(
            || QueueError("it was told to fail".to_owned()),
            || {
                self.messages.lock().unwrap().push_back(*message);
                Ok(())
            },
        );
        Box::pin(ready(sent))
    }
}

/// Does the work at once: native ports never wait.
pub struct AtOnce;

impl Background for AtOnce {
    fn wait_until(&self, work: BoxFuture<'static, ()>) {
        work.now_or_never().expect("native ports answer at once");
    }
}

type Answering = Box<dyn FnMut(Request<Bytes>) -> Result<Response<Bytes>, OutboundError> + Send>;

/// Other servers, as a test plays them. Until it does, nobody is there.
#[derive(Default)]
pub struct PlayedServers {
    answering: Mutex<Option<Answering>>,
}

impl PlayedServers {
    /// From now on, `answering` is asked for every answer.
    pub fn play(
        &self,
        answering: impl FnMut(Request<Bytes>) -> Result<Response<Bytes>, OutboundError> + Send + 'static,
    ) {
        *self.answering.lock().unwrap() = Some(Box::new(answering));
    }
}

impl Outbound for PlayedServers {
    fn send(
        &self,
        request: Request<Bytes>,
        limits: OutboundLimits,
    ) -> BoxFuture<'_, Result<Response<Bytes>, OutboundError>> {
        let mut answering = self.answering.lock().unwrap();
        let answer = match answering.as_mut() {
            Some(answering) => answering(request),
            None => Err(OutboundError::NotReached("nobody is there".to_owned())),
        };
        let fits = |answer: Response<Bytes>| {
            if answer.body().len() > limits.max_bytes {
                Err(OutboundError::TooLarge(limits.max_bytes))
            } else {
                Ok(answer)
            }
        };
        Box::pin(ready(answer.and_then(fits)))
    }
}
