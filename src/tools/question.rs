//! What the history tools have in common: whose history, which window of it, and which plays count.
//!
//! Must stay true: a question is normal, so that two ways of asking the same are one; together with the user's
//! `plays_version` and the present it decides the answer.

use jiff::tz::TimeZone;

use super::parameters::{Arguments, DefaultValue, Parameter, ParameterKind};
use crate::{
    domain::{
        ids::UserId,
        observation::Kind,
        window::{MAX_DAYS, WindowRequest},
    },
    error::AppError,
    store::listening::Counting,
};

pub static USER_ID: Parameter = Parameter {
    name: "user_id",
    description: "Whose history: the number of the user. Leave it out with a credential of one user, or when there is only \
                  one user.",
    kind: ParameterKind::Integer { min: 1, max: 9_007_199_254_740_991 },
    required: false,
    default: None,
};

pub static DAYS: Parameter = Parameter {
    name: "days",
    description: "How many days back from now, each of 24 hours: 7 for a week, 365 for a year, 36500 for everything. \
                  Not together with `from` or `to`.",
    kind: ParameterKind::Integer { min: 1, max: MAX_DAYS },
    required: false,
    default: Some(DefaultValue::Integer(DEFAULT_DAYS)),
};
const DEFAULT_DAYS: i64 = 90;

pub static FROM: Parameter = Parameter {
    name: "from",
    description: "Where the window begins: a date such as 2019-06-21 (its first moment in `timezone`) or an instant such \
                  as 2019-06-21T18:30:00Z. Without `to` it reaches until now.",
    kind: ParameterKind::DateOrInstant,
    required: false,
    default: None,
};

pub static TO: Parameter = Parameter {
    name: "to",
    description: "Where the window ends: a date (that whole day is included) or an instant (no longer included). \
                  Without `from` it reaches back to the beginning of the history.",
    kind: ParameterKind::DateOrInstant,
    required: false,
    default: None,
};

pub static TIMEZONE: Parameter = Parameter {
    name: "timezone",
    description: "IANA time zone for dates, weekdays and hours, such as Europe/Berlin. Default: the user's own.",
    kind: ParameterKind::Zone,
    required: false,
    default: None,
};

pub static MIN_MS_PLAYED: Parameter = Parameter {
    name: "min_ms_played",
    description: "A play counts when it lasted at least this many milliseconds, or when its length is unknown. 0 counts \
                  every row, skipped ones too.",
    kind: ParameterKind::Integer { min: 0, max: 86_400_000 },
    required: false,
    default: Some(DefaultValue::Integer(30_000)),
};

pub static KIND: Parameter = Parameter {
    name: "kind",
    description: "What was played.",
    kind: ParameterKind::OneOf(&["music", "podcast", "audiobook", "local", "video", "all"]),
    required: false,
    default: Some(DefaultValue::Word("music")),
};

pub static LIMIT: Parameter = Parameter {
    name: "limit",
    description: "How many entries the list may have.",
    kind: ParameterKind::Integer { min: 1, max: 100 },
    required: false,
    default: Some(DefaultValue::Integer(20)),
};

/// The arguments of a question without a list.
pub static QUESTION: [&Parameter; 7] = [&USER_ID, &DAYS, &FROM, &TO, &TIMEZONE, &MIN_MS_PLAYED, &KIND];
/// The arguments of a question for a list.
pub static LIST_QUESTION: [&Parameter; 8] = [&USER_ID, &DAYS, &FROM, &TO, &TIMEZONE, &MIN_MS_PLAYED, &KIND, &LIMIT];

/// A question about somebody's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// `None`: the only user there is.
    pub user: Option<UserId>,
    pub window: WindowRequest,
    /// `None`: the user's own.
    pub zone: Option<TimeZone>,
    pub counting: Counting,
    pub limit: usize,
}

impl Question {
    /// # Errors
    /// Arguments that do not go together.
    pub fn read(arguments: &Arguments, user: Option<UserId>) -> Result<Self, AppError> {
        let (from, to) = (arguments.edge("from"), arguments.edge("to"));
        let window = if from.is_none() && to.is_none() {
            WindowRequest::Days(arguments.integer("days").unwrap_or(DEFAULT_DAYS))
        } else if arguments.has("days") {
            return Err(AppError::invalid("days", "must not be given together with `from` or `to`"));
        } else {
            WindowRequest::Between { from, to }
        };
        let kind = arguments.word("kind").unwrap_or("music");
        Ok(Self {
            user,
            window,
            zone: arguments.zone("timezone").cloned(),
            counting: Counting {
                kind: Kind::ALL.into_iter().find(|known| known.name() == kind),
                min_ms_played: arguments.integer("min_ms_played").unwrap_or(30_000),
            },
            limit: arguments.integer("limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(20),
        })
    }

    /// All music, as it counts unless asked otherwise.
    pub const fn of_all_time(user: Option<UserId>) -> Self {
        let counting = Counting { kind: Some(Kind::Music), min_ms_played: 30_000 };
        Self { user, window: WindowRequest::Days(MAX_DAYS), zone: None, counting, limit: 20 }
    }

    /// What counts, as a sentence.
    pub fn rule(&self) -> String {
        let what = self.counting.kind.map_or("of every kind", |kind| match kind {
            Kind::Music => "of music",
            Kind::Podcast => "of podcasts",
            Kind::Audiobook => "of audiobooks",
            Kind::Local => "of local files",
            Kind::Video => "of videos",
        });
        match self.counting.min_ms_played {
            0 => format!("Every row {what} counts, however short."),
            ms if ms % 1_000 == 0 => {
                format!("A play {what} counts when it lasted {} seconds or more, or its length is unknown.", ms / 1_000)
            }
            ms => format!("A play {what} counts when it lasted {ms} ms or more, or its length is unknown."),
        }
    }
}
