//! What the name of a file hints at.
//!
//! Must stay true: a name is only a hint. It orders and pre-selects, and tells a video file from an audio file; what a
//! file holds is decided by its content ([`super::Format`]).

use serde::{Deserialize, Serialize};

/// What a file probably is, by its name alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileHint {
    /// `Streaming_History_Audio_*`, `Streaming_History_Video_*`, `endsong_N`, `endvideo_N`.
    Extended { video: bool },
    /// `StreamingHistoryN`, `StreamingHistory_music_N`.
    AccountMusic,
    /// `StreamingHistory_podcast_N`.
    AccountPodcast,
    /// `StreamingHistory_audiobook_N`.
    AccountAudiobook,
    /// Some other JSON file: history only if its content says so.
    UnknownJson,
    /// A folder, a picture, a resource fork: nothing to read.
    NotHistory,
}

impl FileHint {
    /// The hint of a path inside an archive, or of a plain file's name.
    pub fn from_name(path: &str) -> Self {
        let path = path.to_ascii_lowercase();
        let mut folders: Vec<&str> = path.split(['/', '\\']).collect();
        let file = folders.pop().unwrap_or_default();
        if file.starts_with("._") || folders.contains(&"__macosx") {
            return Self::NotHistory;
        }
        let Some(stem) = file.strip_suffix(".json") else { return Self::NotHistory };
        Self::from_stem(stem)
    }

    /// Whether the name alone is reason to expect plays.
    pub const fn is_history(self) -> bool {
        !matches!(self, Self::UnknownJson | Self::NotHistory)
    }

    fn from_stem(stem: &str) -> Self {
        // The longer words come first: `streaminghistory` begins three others. Behind the word may stand years, an
        // index, or what a browser or a file manager adds to a copy, but no further letter.
        const WORDS: [(&str, FileHint); 8] = [
            ("streaming_history_audio", FileHint::Extended { video: false }),
            ("streaming_history_video", FileHint::Extended { video: true }),
            ("endsong", FileHint::Extended { video: false }),
            ("endvideo", FileHint::Extended { video: true }),
            ("streaminghistory_music", FileHint::AccountMusic),
            ("streaminghistory_podcast", FileHint::AccountPodcast),
            ("streaminghistory_audiobook", FileHint::AccountAudiobook),
            ("streaminghistory", FileHint::AccountMusic),
        ];
        let found = WORDS.into_iter().find(|(word, _)| {
            stem.strip_prefix(word).is_some_and(|rest| {
                let rest = rest.strip_prefix('_').unwrap_or(rest);
                !rest.starts_with(|first: char| first.is_alphabetic())
            })
        });
        found.map_or(Self::UnknownJson, |(_, hint)| hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUDIO: FileHint = FileHint::Extended { video: false };
    const VIDEO: FileHint = FileHint::Extended { video: true };

    #[test]
    fn every_known_name_is_recognised_in_any_folder_and_case() {
        for (name, hint) in [
            ("Spotify Extended Streaming History/Streaming_History_Audio_2013-2019_0.json", AUDIO),
            ("Streaming_History_Audio_2015.json", AUDIO),
            ("a\\b\\Streaming_History_Video_2016-2024.json", VIDEO),
            ("Streaming_History_Video_2016-2024_0.JSON", VIDEO),
            ("MyData/endsong_0.json", AUDIO),
            ("endsong.json", AUDIO),
            ("EndSong_12.json", AUDIO),
            ("endsong_0 (1).json", AUDIO),
            ("endvideo_0.json", VIDEO),
            ("MyData/StreamingHistory0.json", FileHint::AccountMusic),
            ("StreamingHistory.json", FileHint::AccountMusic),
            ("Spotify Account Data/StreamingHistory_music_10.json", FileHint::AccountMusic),
            ("StreamingHistory_music_0.json.json", FileHint::AccountMusic),
            ("StreamingHistory_podcast_0.json", FileHint::AccountPodcast),
            ("StreamingHistory_audiobook_0.json", FileHint::AccountAudiobook),
        ] {
            assert_eq!(FileHint::from_name(name), hint, "{name}");
            assert!(hint.is_history());
        }
    }

    #[test]
    fn other_json_is_left_to_its_content() {
        for name in ["Playlist1.json", "Userdata.json", "endsongs.json", "StreamingHistoryNotes.json", ".json"] {
            assert_eq!(FileHint::from_name(name), FileHint::UnknownJson, "{name}");
        }
    }

    #[test]
    fn folders_forks_and_other_files_are_no_history() {
        for name in [
            "",
            "MyData/",
            "MyData\\",
            "endsong_0.json/",
            "__MACOSX/MyData/._endsong_0.json",
            "__macosx/endsong_0.json",
            "MyData/._endsong_0.json",
            "Read_Me_First.pdf",
            "endsong_0.json.txt",
        ] {
            assert_eq!(FileHint::from_name(name), FileHint::NotHistory, "{name}");
        }
    }
}
