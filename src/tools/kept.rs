//! Figures that this isolate has counted already.
//!
//! Plays change a few times an hour and questions repeat. Must stay true: kept figures are used only after the same
//! request has seen that they still hold: the same version of the user's plays, the same names, and the same first and
//! last play inside the window, and so the very same plays, however far the window has moved since.

use std::sync::{Arc, Mutex, PoisonError};

use super::{figures::Figures, history::Need};
use crate::{
    domain::{
        ids::UserId,
        tally::{IdMap, Tally},
        window::WindowRequest,
    },
    store::{
        askers::Asker,
        catalogue::Catalogue,
        listening::{Counting, Sources, Span},
        possible_gaps::PossibleGap,
    },
};

/// What was asked. A window that moves with the present stays the same question.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    pub user: Option<UserId>,
    pub window: WindowRequest,
    /// The zone asked for; `None` is the user's own, which is part of the asker's row.
    pub zone: Option<String>,
    pub counting: Counting,
    pub need: Need,
}

/// A window's plays, counted.
#[derive(Debug)]
pub struct CountedPlays {
    pub asker: Asker,
    pub span: Option<Span>,
    pub rows: i64,
    pub sources: Sources,
    /// Only with [`Need::coverage`].
    pub possible_gaps: Vec<PossibleGap>,
    pub figures: Figures,
    /// Plays by canonical track, with estimates. Only with [`Need::tracks`].
    pub songs: IdMap<Tally>,
    pub catalogue: Arc<Catalogue>,
}

impl CountedPlays {
    /// Whether counting again would give the same.
    pub fn holds(&self, asker: &Asker, span: Option<Span>) -> bool {
        self.asker == *asker && self.span == span
    }
}

/// Questions whose figures are kept; the oldest gives way.
const MAX_KEPT: usize = 8;
/// Larger ones are not kept: eight of these stay below 16 MB.
const MAX_TRACKS: usize = 30_000;

/// One for each isolate.
#[derive(Default)]
pub struct Kept {
    counted: Mutex<Vec<(Key, Arc<CountedPlays>)>>,
}

impl Kept {
    pub fn find(&self, key: &Key) -> Option<Arc<CountedPlays>> {
        let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.iter().find(|(known, _)| known == key).map(|(_, counted)| Arc::clone(counted))
    }

    pub fn keep(&self, key: Key, counted: &Arc<CountedPlays>) {
        if counted.figures.tracks() > MAX_TRACKS {
            return;
        }
        let mut all = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(known, _)| *known != key);
        if all.len() >= MAX_KEPT {
            all.remove(0);
        }
        all.push((key, Arc::clone(counted)));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use crate::{
        domain::instant::{DAY_MS, Millis},
        testing::{
            TestApp,
            scene::{Scene, ScenePlay, SceneTrack},
            test_app::NOW,
        },
    };

    const TOOLS: [&str; 4] =
        ["history_top_tracks", "history_taste_summary", "history_coverage", "history_listening_heatmap"];

    fn app() -> TestApp {
        let app = TestApp::new();
        let scene = Scene(&app);
        scene.user(1, "Europe/Berlin").artist(5, "Somebody");
        for id in [10, 11] {
            let title = Some(format!("Song {id}"));
            let uri = Some(format!("spotify:track:{id}"));
            scene.track(&SceneTrack { id, uri, title, artists: vec![5], ..SceneTrack::default() });
        }
        for day in 1..40 {
            scene.plays(1, &[ScenePlay::new(NOW.minus_ms(day * DAY_MS), 10, 60_000)]);
        }
        app
    }

    fn ask(app: &TestApp, tool: &str) -> (Value, u64) {
        let before = app.app.db.usage().calls;
        let answer = app.post(&format!("/tools/{tool}"), &json!({"days": 30})).json();
        (answer, app.app.db.usage().calls - before)
    }

    /// The answer of an isolate that has kept nothing.
    fn fresh(app: &TestApp, tool: &str) -> Value {
        let mut cold = app.app.clone();
        cold.kept = Arc::default();
        cold.memory = Arc::default();
        ask(&TestApp { app: cold, ..app.clone() }, tool).0
    }

    #[test]
    fn a_question_asked_again_is_one_small_look_and_the_same_answer() {
        let app = app();
        for tool in TOOLS {
            let first = ask(&app, tool).0;
            let (again, calls) = ask(&app, tool);
            assert_eq!((&again, calls), (&first, 1), "{tool}");
            assert_eq!(again, fresh(&app, tool));
        }
    }

    #[test]
    fn whatever_changes_is_seen_at_once() {
        let app = app();
        let changes: [&dyn Fn(); 5] = [
            &|| app.clock.set(NOW.plus_ms(DAY_MS)),
            &|| app.clock.set(NOW.plus_ms(DAY_MS + 1)),
            &|| {
                Scene(&app).plays(1, &[ScenePlay::new(Millis(NOW.0 - 2 * DAY_MS - 5), 11, 90_000)]);
                app.db.with(|db| db.execute("UPDATE users SET plays_version = plays_version + 1", []).unwrap());
            },
            &|| {
                let sql = "UPDATE users SET timezone = 'Asia/Kathmandu'";
                app.db.with(|db| db.execute(sql, []).unwrap());
            },
            &|| {
                let sql = "UPDATE tracks SET title = 'Renamed'; UPDATE users SET plays_version = plays_version + 1";
                app.db.with(|db| db.execute_batch(sql).unwrap());
            },
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let before: Vec<Value> = TOOLS.iter().map(|tool| ask(&app, tool).0).collect();
            change();
            for (tool, before) in TOOLS.iter().zip(before) {
                let after = ask(&app, tool).0;
                let shows_names = matches!(*tool, "history_top_tracks" | "history_taste_summary");
                assert!(after != before || (index == 4 && !shows_names), "{tool} after change {index}");
                assert_eq!(after, fresh(&app, tool), "{tool} after change {index}");
            }
        }
    }
}
