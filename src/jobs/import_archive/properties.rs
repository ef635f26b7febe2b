//! However a history is cut into archives, in whatever order and by whichever way they come, and whatever dies meanwhile:
//! the plays are those of one straight run.

use std::{collections::BTreeSet, sync::Arc};

use listenlog_workbench::generator::{AccountLayout, ExportPlan, FieldSet, TruePlay, write_account, write_extended};
use proptest::prelude::*;
use serde_json::json;

use crate::{
    domain::instant::MINUTE_MS,
    jobs,
    testing::{TestApp, row_sender::RowSender, sqlite::Failure},
};

const PLAYS: &str = "SELECT user_id, ended_at, track_id, ordinal, kind, ms_played, extended_offset_ms, \
    extended_elapsed_ms, reason_start, reason_end, flags, account_offset_ms, account_ms_played, account_track_id, \
    api_offset_ms, api_track_id, context_uri FROM plays ORDER BY 1, 2, 3, 4";
const TRACKS: &str = "SELECT * FROM tracks ORDER BY id";
const ARTISTS: &str = "SELECT * FROM artists ORDER BY id";
const COUNTED: &str = "SELECT total_plays = (SELECT count(*) FROM plays) FROM users";

/// Plays of the life that is cut up: enough for many groups of partners, few enough for many cases.
const PLAYS_OF_LIFE: usize = 150;
const MAX_ARCHIVES: usize = 4;

/// One archive of the cut, and how it comes.
#[derive(Clone, Debug)]
struct Delivery {
    /// Account data instead of the extended history.
    is_account: bool,
    /// Of four parts of the life, those that are in it. Archives overlap as they like.
    parts: BTreeSet<usize>,
    /// Rows of a slice, when it is unpacked by its sender; otherwise it is uploaded.
    sent_in_slices_of: Option<usize>,
    /// How it is disturbed: after so many calls of the database.
    disturbances: Vec<(u64, Failure)>,
}

fn failures() -> impl Strategy<Value = Failure> {
    prop_oneof![
        Just(Failure::BeforeWriting),
        Just(Failure::AfterWriting),
        Just(Failure::Gone),
        Just(Failure::Intruder("UPDATE users SET plays_version = plays_version + 1")),
    ]
}

fn deliveries() -> impl Strategy<Value = Vec<Delivery>> {
    let delivery = (
        any::<bool>(),
        prop::collection::btree_set(0..4_usize, 1..=4),
        prop::option::of(3..60_usize),
        prop::collection::vec((0..12_u64, failures()), 0..4),
    );
    let delivery = delivery.prop_map(|(is_account, parts, sent_in_slices_of, disturbances)| Delivery {
        is_account,
        parts,
        sent_in_slices_of,
        disturbances,
    });
    prop::collection::vec(delivery, 1..=MAX_ARCHIVES)
}

/// The program with slices so short that a small file has many.
fn app_with_user(slice_rows: u64) -> TestApp {
    let mut app = TestApp::new();
    let config = Arc::get_mut(&mut app.app.config).unwrap();
    config.import_limits.slice_rows = slice_rows;
    assert_eq!(app.post("/admin/users", &json!({"display_name": "Ada"})).status, 201);
    app
}

/// The part of the life that a play belongs to. Plays of one minute stay together: equal account rows of a minute are told
/// apart by their number in the file alone.
fn part(play: &TruePlay) -> usize {
    usize::try_from(play.reported_at_ms.div_euclid(MINUTE_MS).wrapping_mul(7).rem_euclid(4)).unwrap()
}

fn archive(life: &[TruePlay], is_account: bool, parts: &BTreeSet<usize>) -> Vec<u8> {
    let plays: Vec<TruePlay> = life.iter().filter(|play| parts.contains(&part(play))).cloned().collect();
    if is_account {
        write_account(&plays, AccountLayout::New, i64::MIN..i64::MAX).unwrap()
    } else {
        write_extended(&plays, FieldSet::R4).unwrap()
    }
}

fn deliver(app: &TestApp, bytes: &[u8], delivery: &Delivery) {
    let mut disturbances = delivery.disturbances.iter();
    let mut disturb = || {
        if let Some((calls, failure)) = disturbances.next() {
            app.db.fail_after(*calls, *failure);
        }
    };
    if let Some(rows_at_once) = delivery.sent_in_slices_of {
        let mut sender = RowSender::open(app, 1, bytes);
        disturb();
        let job = sender.send_all(bytes, rows_at_once);
        app.db.heal();
        assert_eq!(job["status"], "success", "{job}");
        return;
    }
    let id = app.upload(1, bytes.to_vec());
    for _ in 0..=delivery.disturbances.len() {
        disturb();
        work_and_lose_what_fails(app);
        app.db.heal();
        // Whatever died left a lease behind; the sweep takes it back.
        for _ in 0..3 {
            app.clock.set(app.app.now().plus_ms(3 * MINUTE_MS));
            app.sweep();
        }
    }
    app.drain();
    assert_eq!(app.import_job(id)["status"], "success", "{}", app.import_job(id));
}

/// Works the queue off. A message that is not done is lost, as with a worker that was killed: only the sweep helps.
fn work_and_lose_what_fails(app: &TestApp) {
    while let Some(message) = app.queue.take() {
        let body = serde_json::to_string(&message).unwrap();
        _ = futures_executor::block_on(jobs::handle(&app.app, &body));
    }
}

fn assert_same(left: &TestApp, right: &TestApp) {
    for sql in [PLAYS, TRACKS, ARTISTS, COUNTED] {
        let (left, right) = (left.rows(sql), right.rows(sql));
        for (left, right) in left.iter().zip(&right) {
            assert_eq!(left, right, "{sql}");
        }
        assert_eq!(left.len(), right.len(), "{sql}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_cut_into_archives_in_any_order_with_any_faults_gives_the_plays_of_one_straight_run(
        seed in 0..64_u64,
        slice_rows in 5..80_u64,
        deliveries in deliveries(),
    ) {
        let life: Vec<TruePlay> = ExportPlan::small(seed).live().into_iter().take(PLAYS_OF_LIFE).collect();
        let parts = |is_account: bool| -> BTreeSet<usize> {
            deliveries.iter().filter(|one| one.is_account == is_account).flat_map(|one| one.parts.clone()).collect()
        };
        let straight = app_with_user(10_000);
        for is_account in [false, true] {
            let parts = parts(is_account);
            if parts.is_empty() {
                continue;
            }
            let id = straight.upload(1, archive(&life, is_account, &parts));
            straight.drain();
            let job = straight.import_job(id);
            prop_assert_eq!(&job["status"], "success", "{}", job);
        }
        let cut = app_with_user(slice_rows);
        for delivery in &deliveries {
            deliver(&cut, &archive(&life, delivery.is_account, &delivery.parts), delivery);
        }
        assert_same(&cut, &straight);
    }
}
