//! What an isolate remembers between requests, to spare a question its second trip to the database.
//!
//! Must stay true: nothing here is believed without a check in the same request. A catalogue is good for one generation
//! of the database (see [`super::askers`]), a zone is compared with the user's row; a fresh isolate gives the same answers.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::catalogue::Catalogue;
use crate::domain::ids::UserId;

/// Users whose zone is remembered; beyond that all are forgotten.
const MAX_ZONES: usize = 1_000;
/// A larger catalogue is used once and not kept: about 10 MB of the isolate's 128.
const MAX_TRACKS: usize = 30_000;

/// One for each isolate, shared by its requests.
#[derive(Default)]
pub struct Memory {
    zones: Mutex<HashMap<Option<UserId>, String>>,
    catalogue: Mutex<Arc<Catalogue>>,
    /// Log rows that could not be written, and that no row tells of yet.
    lost_log_rows: AtomicUsize,
}

impl Memory {
    /// The zone this user had when last seen; `None` asks for the only user there is.
    pub fn zone(&self, user: Option<UserId>) -> Option<String> {
        self.zones.lock().unwrap_or_else(PoisonError::into_inner).get(&user).cloned()
    }

    pub fn learn_zone(&self, user: Option<UserId>, zone: &str) {
        let mut zones = self.zones.lock().unwrap_or_else(PoisonError::into_inner);
        if zones.len() >= MAX_ZONES {
            zones.clear();
        }
        zones.insert(user, zone.to_owned());
    }

    /// What is known of tracks and artists, if it is of this generation; else an empty catalogue.
    pub fn catalogue(&self, generation: &str) -> Arc<Catalogue> {
        let kept = Arc::clone(&self.catalogue.lock().unwrap_or_else(PoisonError::into_inner));
        if kept.generation() == generation { kept } else { Arc::new(Catalogue::new(generation)) }
    }

    pub fn keep_catalogue(&self, catalogue: &Arc<Catalogue>) {
        if catalogue.len() <= MAX_TRACKS {
            *self.catalogue.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(catalogue);
        }
    }

    pub fn lost_log_rows(&self) -> usize {
        self.lost_log_rows.load(Ordering::Relaxed)
    }

    pub fn lose_log_rows(&self, count: usize) {
        self.lost_log_rows.fetch_add(count, Ordering::Relaxed);
    }

    /// A row tells of `count` lost ones; others may have been lost meanwhile.
    pub fn told_lost_log_rows(&self, count: usize) {
        self.lost_log_rows.fetch_sub(count, Ordering::Relaxed);
    }
}
