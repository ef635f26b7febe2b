//! How a history question is answered: one batch for the user and the plays of the window, a second one only for names
//! this isolate does not know yet, then plain counting.
//!
//! Must stay true:
//! * a tool's `answer` sees only [`Answering`] and does nothing but compute, so that an answer may be kept for as long as
//!   question, user, `plays_version` and the plays inside the window stay the same;
//! * every answer says its window, what it counted, and what the data does not cover.

use std::sync::Arc;

use jiff::tz::TimeZone;
#[cfg(test)]
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{
    Context,
    figures::Figures,
    kept::{CountedPlays, Key},
    parameters::Arguments,
    question::Question,
    whose::{LISTED_USERS, nobody},
};
use crate::{
    app::App,
    domain::{
        ids::UserId,
        instant::{DAY_MS, Millis},
        local_time::{LocalClock, date_of_day},
        tally::{IdMap, Tally},
        window::{Window, WindowError},
        zones,
    },
    error::AppError,
    store::{
        Rows, Statement, StoreError,
        askers::{self, Asker},
        catalogue::Catalogue,
        listening::{self, Columns, Cut, Listening, Sources, Span},
        possible_gaps,
    },
};

/// What a tool needs to have counted.
#[expect(clippy::struct_excessive_bools, reason = "four independent parts, named where they are used")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// Plays by track, with names.
    pub tracks: bool,
    /// The artists of those tracks.
    pub artists: bool,
    /// Plays by weekday and hour.
    pub calendar: bool,
    /// Sources, and days with and without data.
    pub coverage: bool,
}

/// Everything a tool may look at.
pub struct Answering {
    pub question: Question,
    pub zone: TimeZone,
    pub window: Window,
    pub now: Millis,
    counted: Arc<CountedPlays>,
}

impl std::ops::Deref for Answering {
    type Target = CountedPlays;

    fn deref(&self) -> &CountedPlays {
        &self.counted
    }
}

/// Asks, counts and answers.
pub async fn run<T: Serialize>(
    context: Context,
    arguments: Arguments,
    need: Need,
    answer: impl Fn(&Answering) -> T,
) -> Result<Value, AppError> {
    let question = Question::read(&arguments, context.user)?;
    let answering = ask(&context.app, question, need).await?;
    let value = serde_json::to_value(answer(&answering)).map_err(|_| AppError::Internal("an answer was not JSON"))?;
    let (user_id, rows) = (answering.asker.id.0, answering.rows);
    tracing::info!(user_id, tool = context.tool, rows, "A tool answered");
    Ok(value)
}

/// Names of all artists that a user ever played, most plays first.
///
/// # Errors
/// As a question: no such user, or it cannot be told which.
pub async fn artists_played(app: &App, user: Option<UserId>) -> Result<Vec<String>, AppError> {
    const NEED: Need = Need { tracks: true, artists: true, calendar: false, coverage: false };
    let asked = ask(app, Question::of_all_time(user), NEED).await?;
    let artists = asked.top_artists(&asked.by_artist(), usize::MAX);
    Ok(artists.into_iter().map(|artist| artist.artist_name).collect())
}

async fn ask(app: &App, question: Question, need: Need) -> Result<Answering, AppError> {
    let now = app.now();
    let zone = question.zone.as_ref().map(|zone| zone.iana_name().unwrap_or("UTC").to_owned());
    let key = Key { user: question.user, window: question.window, zone, counting: question.counting, need };
    // Asked before: it may be enough to see that nothing has changed.
    if let Some(counted) = app.kept.find(&key) {
        let looked = look(app, &question, now, |_| Vec::new()).await?;
        if counted.holds(&looked.asker, looked.span) {
            return Ok(Answering { question, zone: looked.zone, window: looked.window, now, counted });
        }
    }
    let columns = Columns { tracks: need.tracks, coverage: need.coverage };
    let scan = |cut: Cut| {
        let question = &question;
        move |window: &Window| {
            let Window { from, to, .. } = *window;
            let scan = listening::scan(question.user, from, to, now, question.counting, columns, cut);
            let gaps = need.coverage.then(|| possible_gaps::select(question.user, from, to));
            [Some(scan), gaps].into_iter().flatten().collect()
        }
    };
    let looked = match look(app, &question, now, scan(Cut::ByWeeks)).await {
        Err(AppError::Store(StoreError::TooBig(_))) => look(app, &question, now, scan(Cut::ByRows)).await?,
        looked => looked?,
    };
    let Looked { asker, zone, window, span, more } = looked;
    let mut more = more.into_iter();
    let listening = Listening::read(more.next().unwrap_or_default(), columns)?;
    let possible_gaps = more.next().unwrap_or_default().all()?;
    let figures = Figures::count(&listening, &zone, need);
    let catalogue = know(app, &asker, &figures, need).await?;
    let songs = if need.tracks { figures.songs(&catalogue) } else { IdMap::default() };
    let sources = if need.coverage { listening.sources() } else { Sources::default() };
    let rows = listening.rows();
    let counted = Arc::new(CountedPlays { asker, span, rows, sources, possible_gaps, figures, songs, catalogue });
    app.kept.keep(key, &counted);
    Ok(Answering { question, zone, window, now, counted })
}

/// Whose history a question is about and how its window lies, with what else was read in the same batch.
struct Looked {
    asker: Asker,
    zone: TimeZone,
    window: Window,
    span: Option<Span>,
    more: Vec<Rows>,
}

/// Reads the user, the ends of the window and `more`. The window's instants may depend on the user's zone, which is
/// known only from the database: what this isolate remembers is taken first, and a second batch follows when it was
/// wrong.
async fn look(
    app: &App,
    question: &Question,
    now: Millis,
    more: impl Fn(&Window) -> Vec<Statement>,
) -> Result<Looked, AppError> {
    let remembered = app.memory.zone(question.user).unwrap_or_else(|| app.config.default_timezone.clone());
    let mut zone = question.zone.clone().unwrap_or_else(|| zone_of(&remembered));
    // An impossible window is an error once the zone is certain; until then nothing is read.
    let nothing = Window { from: now, to: now, shown_to: now, days: 0 };
    for _ in 0..3 {
        let window = question.window.resolve(&zone, now).unwrap_or(nothing);
        let mut statements = vec![
            askers::select(question.user),
            if question.user.is_none() { askers::select_ids(LISTED_USERS) } else { askers::select_ids(0) },
            listening::span(question.user, window.from, window.to),
        ];
        statements.extend(more(&window));
        let mut results = app.db.batch(statements).await?.into_iter();
        let mut next = || results.next().unwrap_or_default();
        let (of_asker, of_ids, of_span) = (next(), next(), next());
        let Some(asker) = askers::read(of_asker)? else {
            let ids = askers::read_ids(of_ids)?;
            return Err(nobody(question.user, &ids));
        };
        app.memory.learn_zone(question.user, &asker.timezone);
        zone = question.zone.clone().unwrap_or_else(|| zone_of(&asker.timezone));
        let certain = question.window.resolve(&zone, now).map_err(no_window)?;
        if certain == window {
            let span = listening::read_span(of_span)?;
            return Ok(Looked { asker, zone, window, span, more: results.collect() });
        }
    }
    Err(AppError::Internal("the user's zone changed while the question was asked"))
}

fn no_window(error: WindowError) -> AppError {
    AppError::invalid("from", error.to_string())
}

/// A stored zone is checked when it is stored; should it be gone from the database of zones, days are UTC's.
fn zone_of(name: &str) -> TimeZone {
    zones::named(name).unwrap_or(TimeZone::UTC)
}

/// The catalogue with everything the figures name.
async fn know(app: &App, asker: &Asker, figures: &Figures, need: Need) -> Result<Arc<Catalogue>, AppError> {
    let mut catalogue = app.memory.catalogue(&asker.generation);
    let unknown: Vec<i64> =
        figures.tracks_to_know().into_iter().filter(|track| !catalogue.knows(*track, need.artists)).collect();
    if !unknown.is_empty() {
        Arc::make_mut(&mut catalogue).load(&*app.db, &unknown, need.artists).await?;
        app.memory.keep_catalogue(&catalogue);
    }
    Ok(catalogue)
}

/// The stretch of time that was looked at.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema), schemars(inline))]
pub struct WindowShown {
    /// The first instant inside.
    pub from: Millis,
    /// The end; an instant given as `to` is no longer inside.
    pub to: Millis,
    /// The days asked for, or the calendar days that the window touches.
    pub days: i64,
    /// The zone of dates, weekdays and hours.
    pub timezone: String,
}

/// What was counted, and how certain the times are.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema), schemars(inline))]
pub struct Counted {
    /// Which plays count, as a sentence.
    pub rule: String,
    /// Plays that count.
    pub plays: i64,
    /// Rows of this kind in the window, those that do not count included.
    pub rows: i64,
    /// The part of the time that is taken from track lengths, for plays of unknown length.
    pub estimated_ms: i64,
    /// That part as a share of all the time, 0 to 1.
    pub estimated_share: f64,
}

/// What every answer carries.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Common {
    pub window: WindowShown,
    pub counted: Counted,
    /// What the data does not cover, as a sentence to repeat; null when there is nothing to say.
    pub coverage_note: Option<String>,
}

impl Answering {
    /// The common part, with the answer's whole time and how much of it is estimated.
    pub fn common(&self, ms_played: i64, estimated_ms: i64) -> Common {
        Common {
            window: WindowShown {
                from: self.window.from,
                to: self.window.shown_to,
                days: self.window.days,
                timezone: self.zone.iana_name().unwrap_or("UTC").to_owned(),
            },
            counted: Counted {
                rule: self.question.rule(),
                plays: self.figures.total.plays,
                rows: self.rows,
                estimated_ms,
                estimated_share: share(estimated_ms, ms_played, 3),
            },
            coverage_note: self.coverage_note(),
        }
    }

    /// The common part of an answer about tracks: time and estimate of all of them.
    pub fn common_of_songs(&self) -> Common {
        let total = self.total_of_songs();
        self.common(total.ms_played(), total.estimated_ms)
    }

    pub fn total_of_songs(&self) -> Tally {
        let mut total = Tally::default();
        self.songs.values().for_each(|tally| total.merge(tally));
        total
    }

    pub fn date(&self, instant: Millis) -> String {
        date_of_day(LocalClock::new(self.zone.clone()).at(instant).day)
    }

    fn coverage_note(&self) -> Option<String> {
        let (Some(first), Some(last)) = (self.asker.first_ever, self.asker.last_ever) else {
            return Some("Nothing has been recorded for this user yet.".to_owned());
        };
        let (begins, ends) = (self.date(first), self.date(last));
        let end = self.window.to.min(self.now);
        if first >= self.window.to {
            Some(format!("The history begins on {begins}, after the window asked about."))
        } else if last < self.window.from {
            Some(format!("The newest data is of {ends}, before the window asked about."))
        } else {
            let late_start = first.since_ms(self.window.from) > DAY_MS;
            let early_end = end.since_ms(last) > 7 * DAY_MS;
            match (late_start, early_end) {
                (true, true) => Some(format!(
                    "The history reaches from {begins} to {ends}; other days of the window are not covered."
                )),
                (true, false) => {
                    Some(format!("The history begins on {begins}; earlier days of the window are not covered."))
                }
                (false, true) => {
                    Some(format!("The newest data is of {ends}; later days of the window are not covered."))
                }
                (false, false) => None,
            }
        }
    }
}

/// `part` of `whole`, rounded; 0 when there is nothing.
#[expect(clippy::cast_precision_loss, reason = "a rounded share")]
pub fn share(part: i64, whole: i64, decimals: i32) -> f64 {
    if whole <= 0 { 0.0 } else { rounded(part as f64 / whole as f64, decimals) }
}

pub fn rounded(number: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (number * scale).round() / scale
}

/// Longer names are cut: an answer has to stay below what an assistant takes.
const MAX_NAME_CHARS: usize = 200;

/// A name as it is shown.
pub fn shown(name: Option<&str>) -> String {
    let Some(name) = name.filter(|name| !name.is_empty()) else { return "Unknown".to_owned() };
    match name.char_indices().nth(MAX_NAME_CHARS) {
        Some((end, _)) => format!("{}…", name.get(..end).unwrap_or_default()),
        None => name.to_owned(),
    }
}
