//! Lives the plan: day by day, session by session, one play after another.
//!
//! Must stay true: plays never overlap and every one takes at least a second of the clock, so that no two rows of an
//! export are equal unless offline plays were reported together; all end before the plan does.

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{
    calendar::{self, Day},
    catalogue::{Catalogue, Track},
    plan::ExportPlan,
    play::{Kind, TruePlay, whole},
    random::{Dice, Ranks},
    taste::{Choice, Taste},
};

/// The weight of each hour on working days: before work, a little at work, the evening.
const WORKING_DAY: [u64; 24] = [2, 1, 0, 0, 0, 1, 6, 22, 26, 12, 7, 6, 8, 7, 6, 7, 10, 22, 26, 24, 22, 18, 10, 5];
const WEEKEND: [u64; 24] = [6, 4, 2, 1, 0, 0, 0, 2, 6, 14, 18, 18, 14, 12, 12, 14, 14, 14, 16, 18, 20, 22, 18, 12];

const PLATFORMS: [&str; 6] = [
    "Android OS 9 API 28 (samsung, SM-G960F)",
    "ios",
    "windows",
    "web_player linux undefined;firefox 121.0;desktop",
    "Partner sonos_ppc Sonos;Play5",
    "Linux [x86-64 0]",
];

struct Life<'plan> {
    plan: &'plan ExportPlan,
    zone: TimeZone,
    taste: Taste<'plan>,
    dice: Dice,
    plays: Vec<TruePlay>,
    /// No play starts before it.
    free_from_ms: i64,
    hours: [Ranks; 2],
    last_reason: &'static str,
}

/// What holds for a whole session.
struct Session {
    start_ms: i64,
    plays: usize,
    offline: bool,
    incognito: bool,
    platform: &'static str,
}

pub fn live(plan: &ExportPlan) -> Vec<TruePlay> {
    let days = calendar::days(plan);
    let catalogue = Catalogue::new(plan, length_percent(plan, &days));
    let mut life = Life {
        plan,
        zone: calendar::zone(plan),
        taste: Taste::new(plan, &catalogue),
        dice: Dice::new(plan.seed, 3),
        plays: Vec::with_capacity(plan.plays),
        free_from_ms: plan.from_ms,
        hours: [Ranks::of(WORKING_DAY), Ranks::of(WEEKEND)],
        last_reason: "appload",
    };
    for day in days {
        life.spend(day);
    }
    life.plays
}

/// How much everything has to be shortened for the plays to fill no more than half of the days with music.
fn length_percent(plan: &ExportPlan, days: &[Day]) -> i64 {
    let shares = plan.shares;
    let spoken = i64::from(shares.podcast + shares.audiobook).min(1_000);
    let one_play_ms = 190_000 + 1_400_000 * spoken / 1_000;
    let room_ms = whole_number(days.len()).saturating_mul(43_200_000);
    let needed_ms = whole_number(plan.plays).saturating_mul(one_play_ms).max(1);
    (room_ms.saturating_mul(100) / needed_ms).clamp(10, 100)
}

fn whole_number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl Life<'_> {
    fn spend(&mut self, day: Day) {
        self.taste.turn_to(day.date);
        let weekend = day.date.weekday().to_monday_zero_offset() >= 5;
        let count = (day.plays / 14 + 1).clamp(1, 9);
        let mut starts: Vec<i64> = (0..count).map(|_| self.start_of_session(day.date, weekend)).collect();
        starts.sort_unstable();
        let mut left = day.plays;
        for (position, start_ms) in starts.into_iter().enumerate() {
            let remaining = count - position;
            let fair = left / remaining;
            let plays = if remaining == 1 { left } else { (fair / 2 + self.dice.below(fair + 1)).min(left) };
            left -= plays;
            let session = Session {
                start_ms,
                plays,
                offline: self.dice.chance(self.plan.shares.offline),
                incognito: self.dice.chance(self.plan.shares.incognito),
                platform: self.dice.pick(&PLATFORMS, "ios"),
            };
            self.listen(&session);
        }
    }

    fn start_of_session(&mut self, date: Date, weekend: bool) -> i64 {
        let hour = self.hours.get(usize::from(weekend)).map_or(12, |hours| hours.draw(&mut self.dice));
        let time = date.at(i8::try_from(hour).unwrap_or(12), i8::try_from(self.dice.between(0, 59)).unwrap_or(0), 0, 0);
        let start = self.zone.to_timestamp(time).unwrap_or(Timestamp::UNIX_EPOCH);
        start.as_millisecond() + self.dice.between(0, 59_999)
    }

    fn listen(&mut self, session: &Session) {
        let first = self.plays.len();
        self.free_from_ms = self.free_from_ms.max(session.start_ms);
        self.last_reason = if self.dice.chance(600) { "clickrow" } else { "appload" };
        self.taste.sit_down(&mut self.dice);
        for _ in 0..session.plays {
            let Some(choice) = self.taste.choose(&mut self.dice) else { return };
            self.play(session, choice);
        }
        if session.offline {
            let synced_ms = whole(self.free_from_ms + self.dice.between(60_000, 5_400_000), 1_000);
            for play in self.plays.iter_mut().skip(first) {
                play.reported_at_ms = synced_ms.min(whole(self.plan.to_ms - 1, 1_000));
            }
        }
    }

    fn play(&mut self, session: &Session, choice: Choice<'_>) {
        let (ms_played, reason_end) = self.length_heard(choice.track);
        let started_at_ms = self.free_from_ms + self.dice.between(0, 900);
        let pause_ms = if self.dice.chance(12) { self.dice.between(5_000, 1_200_000) } else { 0 };
        // Even a skip on the spot takes a moment.
        let ended_at_ms = started_at_ms + (ms_played + pause_ms).max(self.dice.between(1_000, 2_500));
        self.free_from_ms = ended_at_ms;
        let track = choice.track;
        let (album, uri) = match &track.single {
            Some((album, uri)) if choice.as_single => (Some(album.clone()), uri.clone()),
            _ => (track.album.clone(), track.uri.clone()),
        };
        let music = track.kind == Kind::Music;
        let skipped = reason_end == "fwdbtn" || reason_end == "backbtn";
        // Rows of the first year say it only now and then.
        let knows_skips = ended_at_ms - self.plan.from_ms > 31_536_000_000;
        self.plays.push(TruePlay {
            started_at_ms,
            ended_at_ms,
            reported_at_ms: whole(ended_at_ms, 1_000),
            ms_played,
            kind: track.kind,
            artist: Some(track.artist.clone()),
            title: Some(track.title.clone()),
            album,
            uri: Some(uri),
            book_uri: track.book_uri.clone(),
            names_withheld: music && self.dice.chance(self.plan.shares.names_withheld),
            with_picture: track.kind == Kind::Video || track.kind == Kind::Podcast && self.dice.chance(200),
            reason_start: self.last_reason,
            reason_end,
            shuffle: choice.shuffle,
            skipped: (knows_skips || self.dice.chance(300)).then_some(skipped),
            offline: session.offline,
            incognito: session.incognito,
            platform: session.platform,
            country: if self.dice.chance(8) { "ZZ" } else { "DE" },
        });
        self.last_reason = reason_end;
        if skipped {
            self.taste.was_skipped();
        }
    }

    /// Milliseconds heard, and why it ended.
    fn length_heard(&mut self, track: &Track) -> (i64, &'static str) {
        let length_ms = track.length_ms;
        if self.dice.chance(self.plan.shares.skip) {
            let ms = match self.dice.below(40) {
                0..=2 => 0,
                // The last millisecond that does not count.
                3 => 29_999,
                _ => self.dice.between(1, 29_998),
            };
            return (ms, if self.dice.chance(60) { "backbtn" } else { "fwdbtn" });
        }
        match self.dice.below(100) {
            // The first millisecond that counts.
            0 => (30_000, "fwdbtn"),
            1..=5 => (self.dice.between(30_001, length_ms - 1), "fwdbtn"),
            6 | 7 => (self.dice.between(30_001, length_ms - 1), "endplay"),
            8 => (self.dice.between(30_001, length_ms - 1), "logout"),
            _ => (length_ms, "trackdone"),
        }
    }
}
