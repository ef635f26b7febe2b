//! Whatever comes first, polls or an export: the same plays, each once, with the best values of both.

use listenlog_workbench::{
    fake_spotify::FakeTrack,
    generator::{FieldSet, TruePlay, write_extended},
};
use proptest::prelude::*;

use super::{Household, at};

/// A play as it really was, and who tells of it.
#[derive(Clone, Debug)]
struct Heard {
    minute: i64,
    track: u64,
    ms_played: i64,
    in_export: bool,
    in_api: bool,
}

/// Few tracks, so that one is often heard twice within minutes. Plays that only one of the two tells of are of tracks heard
/// once: where the same track follows at once, what the API says of the one is within reach of the other's beginning.
fn heard() -> impl Strategy<Value = Vec<Heard>> {
    let one = (1..4_i64, 0..4_u64, 31_000..200_000_i64, 0..10_u8);
    prop::collection::vec(one, 1..30).prop_map(|drawn| {
        let mut minute = -240;
        let play = |(gap, track, ms_played, told): (i64, u64, i64, u8)| {
            minute += gap;
            let track = if told > 1 { track } else { u64::try_from(minute + 1_000).unwrap() };
            Heard { minute, track, ms_played, in_export: told != 0, in_api: told != 1 }
        };
        drawn.into_iter().map(play).collect()
    })
}

fn archive(plays: &[Heard]) -> Vec<u8> {
    let told = plays.iter().filter(|play| play.in_export).map(|play| {
        let track = FakeTrack::numbered(play.track);
        // Both clocks tell the end, the export in whole seconds and, as here, a little later than the API.
        let ended_at = at(play.minute).plus_ms(2_000 + play.ms_played % 9_000).0;
        let artist = &track.artists[0].1;
        TruePlay::music(ended_at, play.ms_played, artist, &track.name, Some(&track.uri))
    });
    write_extended(&told.collect::<Vec<_>>(), FieldSet::R4).unwrap()
}

/// What happens, in this order.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// A poll, at a time when so many of the plays were over.
    Poll(usize),
    Import,
}

/// Everything that is stored, but for what depends on the clock.
fn stored(plays: &[Heard], events: &[Event]) -> Vec<Vec<String>> {
    let household =
        Household::with_vars(&["ada"], &[("INITIAL_SYNC_ENABLED", "false"), ("POLL_INTERVAL_MINUTES", "1")]);
    household.app.drain();
    let mut minute = 0;
    let mut listed = 0;
    for event in events {
        minute += 5;
        match event {
            Event::Poll(over) => {
                for play in plays.iter().take(*over).skip(listed).filter(|play| play.in_api) {
                    household.hears("ada", play.minute, play.track);
                }
                listed = listed.max(*over);
                household.at(minute);
            }
            Event::Import => {
                let has_rows = plays.iter().any(|play| play.in_export);
                if has_rows {
                    let id = household.app.upload(1, archive(plays));
                    household.app.drain();
                    assert_eq!(household.app.import_job(id)["status"], "success");
                }
            }
        }
    }
    assert_eq!(household.app.rows("SELECT user_id FROM job_runs WHERE status NOT IN ('success')").len(), 0);
    let told = plays.iter().filter(|play| play.in_api || play.in_export).count();
    assert_eq!(household.count("SELECT total_plays FROM users"), i64::try_from(told).unwrap());
    assert_eq!(household.count("SELECT count(*) FROM plays"), i64::try_from(told).unwrap());
    for play in plays.iter().filter(|play| play.in_api) {
        let row = format!("SELECT count(*) FROM plays WHERE ended_at = {}", at(play.minute).0);
        assert_eq!(household.count(&row), 1, "the API's millisecond is kept: {play:?}");
    }
    [
        "SELECT ended_at, track_id, ordinal, kind, ms_played, extended_offset_ms, reason_end, flags, api_offset_ms, \
         api_track_id, context_uri FROM plays ORDER BY ended_at, track_id",
        "SELECT id, uri, song_id, title, artist_name, isrc, duration_ms FROM tracks ORDER BY id",
        "SELECT track_id, position, artist_id FROM track_artists ORDER BY track_id, position",
    ]
    .map(|sql| household.app.rows(sql))
    .to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn polls_and_imports_in_any_order_end_in_the_same_rows(plays in heard(), cut in 0..30_usize) {
        let (all, some) = (plays.len(), cut.min(plays.len()));
        let expected = stored(&plays, &[Event::Poll(all), Event::Import]);
        for order in [
            &[Event::Import, Event::Poll(all)][..],
            &[Event::Poll(some), Event::Import, Event::Poll(all)],
            &[Event::Poll(some), Event::Poll(all), Event::Import, Event::Import, Event::Poll(all)],
        ] {
            prop_assert_eq!(&stored(&plays, order), &expected, "{:?}", order);
        }
    }
}

/// An import and a poll that write the same user's plays at the same moment: each finds the other's plays in between.
#[test]
fn a_poll_in_the_middle_of_an_import_loses_nothing() {
    let plays: Vec<Heard> = (0..20)
        .map(|play| Heard {
            minute: play * 5 - 240,
            track: play.unsigned_abs() % 3,
            ms_played: 100_000,
            in_export: true,
            in_api: true,
        })
        .collect();
    let household = Household::with_vars(&["ada"], &[("INITIAL_SYNC_ENABLED", "false")]);
    for play in &plays {
        household.hears("ada", play.minute, play.track);
    }
    let import = household.app.upload(1, archive(&plays));
    // Whatever is read before the other's batch is no longer true when it is written.
    for batches in [4, 3, 2] {
        let version = "UPDATE users SET plays_version = plays_version + 1";
        household.app.db.fail_after(batches, crate::testing::sqlite::Failure::Intruder(version));
        household.app.drain();
    }
    household.at(10);
    assert_eq!(household.app.import_job(import)["status"], "success");
    assert_eq!(
        household
            .count("SELECT count(*) FROM plays WHERE api_offset_ms IS NOT NULL AND extended_offset_ms IS NOT NULL"),
        20
    );
    let histogram = household.app.import_job(import);
    assert!(histogram.to_string().contains("end_distances"), "{histogram}");
}
