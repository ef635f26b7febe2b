//! What comes of asking Spotify, against its stand-in.

mod answers;
mod tokens;

use futures_executor::block_on;
use listenlog_workbench::fake_spotify::{FakeSpotify, FakeTrack, Listener};

use super::{
    error::SpotifyError,
    player::{RecentlyPlayed, recently_played},
    session::Session,
};
use crate::{
    domain::ids::UserId,
    testing::{
        TestApp,
        fake_spotify::{SharedFake, app_with, connect},
        test_app::NOW,
    },
};

const RECENT: &str = "/v1/me/player/recently-played";
const TOKEN: &str = "/api/token";

/// Ada, who heard three tracks and is connected as the first user.
fn ada() -> (TestApp, SharedFake, UserId) {
    let mut listener = Listener::new("ada", "Ada");
    for number in 1..=3 {
        listener.play(NOW.0 - 1_000_000 + number * 200_000, FakeTrack::numbered(number.unsigned_abs()));
    }
    let (app, fake) = app_with(FakeSpotify::with(vec![listener]));
    let user = connect(&app, &fake, "ada");
    (app, fake, user)
}

/// One question about the last plays, in a fresh session: as after a restart.
fn poll(app: &TestApp, user: UserId) -> Result<RecentlyPlayed, SpotifyError> {
    block_on(async {
        let mut session = Session::load(&app.app, user).await?;
        recently_played(&app.app, &mut session, None).await
    })
}

fn asked(fake: &SharedFake, path: &str) -> u64 {
    fake.lock().unwrap().asked(path)
}
