//! Good answers, and all the bad ones.

use listenlog_workbench::fake_spotify::Fault;

use super::*;
use crate::{
    domain::instant::{DAY_MS, HOUR_MS, Millis},
    spotify::{
        error::{Family, Refusal, TransientCause},
        search::{Found, SearchFor, search},
        top::{Ranked, TimeRange, TopOf, top},
    },
};

fn fail(fake: &SharedFake, path: &str, fault: Fault, times: u32) {
    fake.lock().unwrap().fail(path, fault, times);
}

fn blocked_until(error: &SpotifyError) -> Millis {
    match error {
        SpotifyError::Blocked { until, .. } => *until,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_last_plays_come_with_all_that_matching_needs() {
    let (app, _, user) = ada();
    let page = poll(&app, user).unwrap();
    let track = page.items[0].track.clone().unwrap();
    let expected = FakeTrack::numbered(3);
    assert_eq!(page.items.len(), 3);
    assert_eq!(page.items[0].played_at, NOW.minus_ms(400_000));
    assert_eq!((track.uri, track.isrc), (Some(expected.uri), expected.isrc));
    assert_eq!((track.name, track.duration_ms), (Some(expected.name), Some(expected.duration_ms)));
    assert_eq!(track.artists[0].name, Some(expected.artists[0].1.clone()));
    assert_eq!(track.album.unwrap().name, Some(expected.album_name));
    assert!(page.items[0].context_uri.as_deref().unwrap().starts_with("spotify:album:"));
}

#[test]
fn a_good_token_costs_one_question_to_spotify_and_one_reading_of_the_database() {
    let (app, fake, user) = ada();
    let before = app.app.db.usage();
    poll(&app, user).unwrap();
    let after = app.app.db.usage();
    assert_eq!((after.calls - before.calls, after.rows_written - before.rows_written), (1, 0));
    assert_eq!((asked(&fake, RECENT), asked(&fake, TOKEN)), (1, 1));
}

#[test]
fn rankings_and_searches_are_read_and_their_words_escaped() {
    let (app, fake, user) = ada();
    block_on(async {
        let mut session = Session::load(&app.app, user).await.unwrap();
        let ranked = top(&app.app, &mut session, TopOf::Tracks, TimeRange::Short, 2).await.unwrap();
        assert!(matches!(ranked, Ranked::Tracks(tracks) if tracks.len() == 2));
        let ranked = top(&app.app, &mut session, TopOf::Artists, TimeRange::Long, 50).await.unwrap();
        assert!(matches!(ranked, Ranked::Artists(artists) if artists.len() == 3));
        let words = "../me?limit=50&x=#% ö";
        let found = search(&app.app, &mut session, words, SearchFor::Tracks, 10).await.unwrap();
        assert_eq!(found, Found::Tracks(Vec::new()));
        let found = search(&app.app, &mut session, "sessions", SearchFor::Albums, 3).await.unwrap();
        assert!(matches!(found, Found::Albums(albums) if albums.len() == 3));
        let too_many = search(&app.app, &mut session, "a", SearchFor::Artists, 11).await.unwrap_err();
        assert!(matches!(too_many, SpotifyError::Refused { why: Refusal::Status(400), .. }));
    });
    assert_eq!(asked(&fake, "/v1/me"), 1, "by the login alone");
}

#[test]
fn a_rate_limit_is_kept_for_its_family_alone_and_across_restarts() {
    let (app, fake, user) = ada();
    fail(&fake, RECENT, Fault::RateLimited { retry_after: Some("7".to_owned()) }, 1);
    let error = poll(&app, user).unwrap_err();
    assert_eq!((blocked_until(&error), error.class()), (NOW.plus_ms(7_000), "blocked"));
    // A fresh session, and Spotify is left alone all the same.
    assert_eq!(blocked_until(&poll(&app, user).unwrap_err()), NOW.plus_ms(7_000));
    assert_eq!(asked(&fake, RECENT), 1);
    block_on(async {
        let mut session = Session::load(&app.app, user).await.unwrap();
        top(&app.app, &mut session, TopOf::Tracks, TimeRange::Short, 1).await.unwrap();
    });
    app.clock.set(NOW.plus_ms(7_000));
    assert_eq!(poll(&app, user).unwrap().items.len(), 3);
}

#[test]
fn a_quota_holds_for_a_day_for_everyone_who_uses_the_app() {
    let (app, fake, user) = ada();
    fake.lock().unwrap().add_listener(Listener::new("bob", "Bob"));
    let bob = connect(&app, &fake, "bob");
    fail(&fake, RECENT, Fault::QuotaExceeded { retry_after: Some("86207".to_owned()) }, 1);
    assert_eq!(blocked_until(&poll(&app, user).unwrap_err()), NOW.plus_ms(86_207_000));
    assert_eq!(blocked_until(&poll(&app, bob).unwrap_err()), NOW.plus_ms(86_207_000));
    assert_eq!(asked(&fake, RECENT), 1);
    assert_eq!(app.rows("SELECT family, reason FROM spotify_blocks").len(), 1);
}

#[test]
fn retry_after_is_understood_in_every_form_and_never_believed_for_ever() {
    for (fault, wait_ms) in [
        (Fault::RateLimitedUntil { in_seconds: 90 }, 90_000),
        (Fault::RateLimitedUntil { in_seconds: -600 }, 1_000),
        (Fault::RateLimited { retry_after: None }, 30_000),
        (Fault::RateLimited { retry_after: Some("in a while".to_owned()) }, 30_000),
        (Fault::RateLimited { retry_after: Some("0".to_owned()) }, 1_000),
        (Fault::RateLimited { retry_after: Some("99999999999".to_owned()) }, 2 * DAY_MS),
        (Fault::QuotaExceeded { retry_after: None }, HOUR_MS),
    ] {
        let (app, fake, user) = ada();
        fail(&fake, RECENT, fault.clone(), 1);
        assert_eq!(blocked_until(&poll(&app, user).unwrap_err()), NOW.plus_ms(wait_ms), "{fault:?}");
    }
}

#[test]
fn what_is_broken_for_now_is_worth_another_try_and_changes_nothing() {
    for (fault, cause) in [
        (Fault::Status { status: 500 }, TransientCause::ServerError(500)),
        (Fault::Status { status: 503 }, TransientCause::ServerError(503)),
        (Fault::TimesOut, TransientCause::TimedOut),
        (Fault::SlowBody, TransientCause::TimedOut),
        (Fault::Resets, TransientCause::NotReached),
    ] {
        let (app, fake, user) = ada();
        let before = app.rows("SELECT * FROM spotify_tokens");
        fail(&fake, RECENT, fault.clone(), 1);
        match poll(&app, user).unwrap_err() {
            SpotifyError::Transient { cause: found, retry_after_ms } => {
                assert_eq!(found, cause);
                assert!((15_000..=30_000).contains(&retry_after_ms), "{retry_after_ms}");
            }
            other => panic!("{fault:?}: {other:?}"),
        }
        assert_eq!(app.rows("SELECT * FROM spotify_tokens"), before);
        assert_eq!(poll(&app, user).unwrap().items.len(), 3);
    }
}

#[test]
fn an_answer_that_is_no_answer_is_malformed() {
    for fault in [Fault::NotJson, Fault::CutOff, Fault::Status { status: 204 }] {
        let (app, fake, user) = ada();
        fail(&fake, RECENT, fault.clone(), 1);
        assert_eq!(poll(&app, user).unwrap_err().class(), "malformed", "{fault:?}");
    }
}

#[test]
fn a_redirect_is_not_followed_with_a_token() {
    let (app, fake, user) = ada();
    fail(&fake, RECENT, Fault::Redirect { to: "http://127.0.0.1:1/stolen".to_owned() }, 1);
    assert_eq!(poll(&app, user).unwrap_err().class(), "malformed");
    assert_eq!(asked(&fake, "/stolen"), 0);
}

#[test]
fn doubled_items_and_missing_fields_leave_a_readable_list() {
    let (app, fake, user) = ada();
    fail(&fake, RECENT, Fault::Duplicates, 1);
    assert_eq!(poll(&app, user).unwrap().items.len(), 6);
    fail(&fake, RECENT, Fault::MissingFields, 1);
    let page = poll(&app, user).unwrap();
    assert_eq!((page.items.len(), page.unreadable), (2, 1));
    assert_eq!(page.items[1].track, None);
}

/// W1 of the system before this one: a 403 lost the error, and an endpoint that is closed looked like a lost login.
#[test]
fn a_bare_403_is_a_refusal_and_says_nothing_about_the_authorization() {
    let (app, fake, user) = ada();
    fail(&fake, RECENT, Fault::Status { status: 403 }, 1);
    let error = poll(&app, user).unwrap_err();
    assert!(matches!(error, SpotifyError::Refused { family: Family::Player, why: Refusal::Forbidden }), "{error:?}");
    assert_eq!(poll(&app, user).unwrap().items.len(), 3);
    fake.lock().unwrap().listener("ada").unwrap().is_on_allow_list = false;
    let error = poll(&app, user).unwrap_err();
    assert!(matches!(error, SpotifyError::Refused { why: Refusal::NotOnAllowList, .. }), "{error:?}");
}
