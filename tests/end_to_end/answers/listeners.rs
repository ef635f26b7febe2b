//! The listeners that are asked about: what went into the Worker for each, and what it can know of them since.

use std::{ops::Range, sync::OnceLock};

use listenlog_workbench::{
    client::Client,
    generator::{
        AccountLayout, ExportPlan, FieldSet, Kind, TruePlay, last_twelve_months, seen_by_account, seen_by_extended,
        write_account, write_extended, write_mixed,
    },
};

use crate::worker::Worker;

const DAY_MS: i64 = 86_400_000;

/// Somebody with a history.
pub struct Listener {
    pub user: i64,
    pub name: &'static str,
    /// What the user's row says.
    pub timezone: &'static str,
    /// The plays as the uploaded archive tells them.
    pub plays: Vec<TruePlay>,
    pub in_extended: bool,
    /// Ends that account data covers.
    pub account_range_ms: Option<Range<i64>>,
    /// Where clocks change in this life, as dates around the days in Berlin and in St John's.
    pub clock_changes: [[&'static str; 2]; 2],
}

impl Listener {
    pub fn is_in_account_data(&self, play: &TruePlay) -> bool {
        let is_covered = self.account_range_ms.as_ref().is_some_and(|range| range.contains(&play.ended_at_ms));
        is_covered && play.kind != Kind::Audiobook
    }
}

pub struct Scene {
    pub worker: Worker,
    pub listeners: Vec<Listener>,
}

impl Scene {
    /// The one scene of all tests. Its Worker ends with the test program.
    pub fn shared() -> &'static Self {
        static SCENE: OnceLock<Scene> = OnceLock::new();
        SCENE.get_or_init(Self::set)
    }

    pub fn admin(&self) -> Client {
        self.worker.admin()
    }

    /// The listener of about 10,000 rows.
    pub fn long_life(&self) -> &Listener {
        self.listeners.iter().find(|listener| listener.name == "six years").unwrap()
    }

    fn set() -> Self {
        let mut scene = Self { worker: Worker::start(), listeners: Vec::new() };
        scene.extended("a year in UTC", "UTC", &ExportPlan::small(31));
        scene.extended("a year in St John's", "America/St_Johns", &ExportPlan::small(32));
        scene.extended("a year in Berlin", "Europe/Berlin", &ExportPlan::small(33));
        scene.extended("six years", "Europe/Berlin", &ExportPlan { plays: 10_000, seed: 34, ..ExportPlan::demo() });
        scene.account("account data", "Europe/Berlin", &two_years(35));
        scene.mixed("both in one archive", "America/St_Johns", &two_years(36));
        scene
    }

    fn extended(&mut self, name: &'static str, timezone: &'static str, plan: &ExportPlan) {
        let plays = plan.live();
        let archive = write_extended(&plays, FieldSet::R4).unwrap();
        self.move_in(name, timezone, &archive, seen_by_extended(&plays, FieldSet::R4), true, None);
    }

    fn account(&mut self, name: &'static str, timezone: &'static str, plan: &ExportPlan) {
        let plays = plan.live();
        let range = last_twelve_months(&plays);
        let archive = write_account(&plays, AccountLayout::New, range.clone()).unwrap();
        let covered: Vec<TruePlay> = plays.into_iter().filter(|play| range.contains(&play.reported_at_ms)).collect();
        let seen = seen_by_account(&covered, AccountLayout::New);
        // Every play of it is in it, whatever its minute was rounded to.
        self.move_in(name, timezone, &archive, seen, false, Some(i64::MIN..i64::MAX));
    }

    fn mixed(&mut self, name: &'static str, timezone: &'static str, plan: &ExportPlan) {
        let plays = plan.live();
        let range = last_twelve_months(&plays);
        let archive = write_mixed(&plays, FieldSet::R4, AccountLayout::New, range.clone()).unwrap();
        self.move_in(name, timezone, &archive, seen_by_extended(&plays, FieldSet::R4), true, Some(range));
    }

    fn move_in(
        &mut self,
        name: &'static str,
        timezone: &'static str,
        archive: &[u8],
        plays: Vec<TruePlay>,
        in_extended: bool,
        account_range_ms: Option<Range<i64>>,
    ) {
        let user = self.worker.user(timezone);
        let job = self.worker.import(user, archive);
        assert_eq!(job["status"], "success", "{name}: {job}");
        let clock_changes = match name {
            "six years" => [["2021-03-12", "2021-03-29"], ["2021-10-29", "2021-11-08"]],
            _ => [["2023-03-10", "2023-03-27"], ["2023-10-27", "2023-11-06"]],
        };
        self.listeners.push(Listener { user, name, timezone, plays, in_extended, account_range_ms, clock_changes });
    }
}

/// The oddities of a small life, over more time than account data covers.
pub fn two_years(seed: u64) -> ExportPlan {
    let small = ExportPlan::small(seed);
    ExportPlan { plays: 1_500, from_ms: small.from_ms - 300 * DAY_MS, ..small }
}
