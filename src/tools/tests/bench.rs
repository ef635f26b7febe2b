//! How long a question takes at 200,000 plays, beside SQLite's own grouping. Run it alone and in release:
//! `cargo test --profile release-native --lib bench -- --ignored --nocapture`.

use std::time::Duration;

use futures_executor::block_on;
use serde_json::json;

use super::{super::parameters::Arguments, truth::Dice};
use crate::{
    domain::{
        instant::{DAY_MS, Millis},
        role::Role,
    },
    http::auth::Caller,
    testing::{
        TestApp,
        scene::{Scene, ScenePlay, SceneTrack},
        test_app::NOW,
    },
};

const PLAYS: i64 = 200_000;
const TRACKS: i64 = 12_000;
const ARTISTS: i64 = 2_500;

fn scene() -> TestApp {
    let app = TestApp::new();
    let scene = Scene(&app);
    scene.user(1, "Europe/Berlin");
    let mut dice = Dice(3);
    let id = |number: i64| 1_000_000_000_000_000 + number * 300_007_000_003;
    app.db.with(|connection| connection.execute_batch("BEGIN")).unwrap();
    for artist in 0..ARTISTS {
        scene.artist(id(artist), &format!("Artist {artist}"));
    }
    for track in 0..TRACKS {
        let artist = dice.below(ARTISTS).min(dice.below(ARTISTS));
        scene.track(&SceneTrack {
            id: id(track),
            uri: Some(format!("spotify:track:{track:022}")),
            title: Some(format!("Track {track}")),
            artist_name: Some(format!("Artist {artist}")),
            album_name: Some(format!("Album {}", track / 9)),
            duration_ms: Some(200_000),
            canonical_id: None,
            artists: vec![id(artist)],
        });
    }
    app.db.with(|connection| connection.execute_batch("COMMIT")).unwrap();
    let step = 6 * 365 * DAY_MS / PLAYS;
    let plays: Vec<ScenePlay> = (0..PLAYS)
        .map(|number| {
            // Near enough to Zipf: the least of some throws.
            let track = (0..4).map(|_| dice.below(TRACKS)).min().unwrap_or_default();
            let ms = if dice.below(10) == 0 { dice.below(30_000) } else { 30_000 + dice.below(240_000) };
            ScenePlay::new(Millis(NOW.0 - (PLAYS - number) * step + dice.below(step)), id(track), ms)
        })
        .collect();
    scene.plays(1, &plays);
    app
}

#[expect(clippy::disallowed_methods, reason = "a native measurement")]
fn best_of(times: usize, mut work: impl FnMut()) -> Duration {
    let mut once = || {
        let start = std::time::Instant::now();
        work();
        start.elapsed()
    };
    let mut all: Vec<Duration> = (0..times).map(|_| once()).collect();
    all.sort();
    all[times / 2]
}

#[test]
#[ignore = "a measurement"]
fn bench_every_tool() {
    let app = scene();
    let native = "SELECT g.track_id, t.title, g.plays FROM (SELECT track_id, count(*) AS plays, sum(ms_played) AS ms
        FROM plays WHERE user_id = 1 AND ended_at >= ?1 AND kind = 0 AND (ms_played >= 30000 OR ms_played IS NULL)
        GROUP BY track_id ORDER BY plays DESC, ms DESC LIMIT 20) g JOIN tracks t ON t.id = g.track_id";
    for days in [90, 365, 36_500] {
        let grouped = best_of(9, || {
            app.db.with(|connection| {
                let mut statement = connection.prepare_cached(native).unwrap();
                let mut rows = statement.query([NOW.0 - days * DAY_MS]).unwrap();
                while rows.next().unwrap().is_some() {}
            });
        });
        println!("{days:>6} days  SQLite's GROUP BY by track   {grouped:>10.1?}");
        for name in super::history_tools() {
            let tool = super::super::find(name).unwrap();
            let ask = || {
                let arguments = json!({"days": days});
                let arguments = Arguments::from_object(tool.parameters, arguments.as_object().unwrap()).unwrap();
                block_on(tool.call(app.app.clone(), Caller::Admin(Role::Admin), arguments)).unwrap();
            };
            let cold = best_of(3, || {
                app.app.memory.keep_catalogue(&std::sync::Arc::default());
                ask();
            });
            println!("{days:>6} days  {name:<28} {:>10.1?}  first {cold:>10.1?}", best_of(9, ask));
        }
    }
}
