//! What a life to be invented should look like.
//!
//! Must stay true: a plan is all that decides the plays and the bytes; nothing else (clock, machine, environment) does.

use super::{
    archive::{self, ArchiveError},
    life,
    play::TruePlay,
};

/// Which fields a row of an extended history has, by the age of the export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldSet {
    /// 2021 to 2024: with user name, IP address and user agent.
    R1,
    /// In between: user name and IP address.
    R2,
    /// From late 2024: IP address.
    R3,
    /// From 2025: IP address and audiobooks.
    R4,
}

impl FieldSet {
    pub const ALL: [Self; 4] = [Self::R1, Self::R2, Self::R3, Self::R4];

    pub const fn has_audiobooks(self) -> bool {
        matches!(self, Self::R4)
    }
}

/// The shape of account data: `MyData/StreamingHistory0.json` or `Spotify Account Data/StreamingHistory_music_0.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountLayout {
    Old,
    New,
}

/// What kind of archive to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Extended(FieldSet),
    /// `MyData/endsong_0.json`, with the fields of [`FieldSet::R1`].
    Endsong,
    /// The last twelve months.
    Account(AccountLayout),
    /// Extended history and account data of the last twelve months in one archive.
    Mixed(FieldSet, AccountLayout),
}

/// How many rows of a thousand are of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharesPerMille {
    pub podcast: u32,
    pub audiobook: u32,
    pub video: u32,
    pub local: u32,
    /// Skipped before 30 s.
    pub skip: u32,
    /// In a private session.
    pub incognito: u32,
    /// A URI without names.
    pub names_withheld: u32,
    /// Played offline and reported together at a later sync.
    pub offline: u32,
}

impl SharesPerMille {
    /// What exports of ordinary listeners look like.
    pub const ORDINARY: Self = Self {
        podcast: 18,
        audiobook: 4,
        video: 6,
        local: 5,
        skip: 190,
        incognito: 12,
        names_withheld: 4,
        offline: 25,
    };
    /// Nothing but music that was played and reported as it should be.
    pub const NONE: Self =
        Self { podcast: 0, audiobook: 0, video: 0, local: 0, skip: 0, incognito: 0, names_withheld: 0, offline: 0 };
}

/// A seeded life of a listener. The same plan always gives the same plays and the same bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportPlan {
    pub seed: u64,
    /// Rows, of all kinds together; met exactly.
    pub plays: usize,
    /// First instant, Unix milliseconds.
    pub from_ms: i64,
    /// Every play ends before it.
    pub to_ms: i64,
    pub tracks: usize,
    pub artists: usize,
    /// The zone whose mornings and evenings the listener keeps (IANA). An unknown name means UTC.
    pub listening_zone: String,
    pub shares: SharesPerMille,
    pub format: Format,
}

/// 2019-01-01T00:00:00Z
const YEAR_2019_MS: i64 = 1_546_300_800_000;
/// 2025-01-01T00:00:00Z
const YEAR_2025_MS: i64 = 1_735_689_600_000;

impl ExportPlan {
    /// About 20,000 plays of 2019 to 2024, heard in Berlin.
    pub fn demo() -> Self {
        Self { seed: 20_190_621, plays: 20_000, tracks: 2_400, artists: 420, ..Self::bench(0) }
    }

    /// `rows` rows over the years 2019 to 2024, over 12,000 tracks of 2,500 artists.
    pub fn bench(rows: usize) -> Self {
        Self {
            seed: 6,
            plays: rows,
            from_ms: YEAR_2019_MS,
            to_ms: YEAR_2025_MS,
            tracks: 12_000,
            artists: 2_500,
            listening_zone: "Europe/Berlin".to_owned(),
            shares: SharesPerMille::ORDINARY,
            format: Format::Extended(FieldSet::R4),
        }
    }

    /// 300 to 2,000 plays within one year, with more oddities than a real one; for tests.
    pub fn small(seed: u64) -> Self {
        Self {
            seed,
            plays: 300 + usize::try_from(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) % 1_701).unwrap_or(0),
            from_ms: YEAR_2019_MS + 4 * 31_536_000_000,
            to_ms: YEAR_2019_MS + 5 * 31_536_000_000,
            tracks: 180,
            artists: 40,
            shares: SharesPerMille {
                podcast: 30,
                audiobook: 15,
                video: 15,
                local: 15,
                skip: 200,
                incognito: 20,
                names_withheld: 20,
                offline: 60,
            },
            ..Self::bench(0)
        }
    }

    /// The plays, in the order in which they ended.
    pub fn live(&self) -> Vec<TruePlay> {
        life::live(self)
    }

    /// The archive of `plays` in the plan's format.
    ///
    /// # Errors
    /// When the ZIP cannot be written, which in memory means that it outgrew the format.
    pub fn write(&self, plays: &[TruePlay]) -> Result<Vec<u8>, ArchiveError> {
        let last_year = archive::last_twelve_months(plays);
        match self.format {
            Format::Extended(fields) => archive::write_extended(plays, fields),
            Format::Endsong => archive::write_endsong(plays),
            Format::Account(layout) => archive::write_account(plays, layout, last_year),
            Format::Mixed(fields, layout) => archive::write_mixed(plays, fields, layout, last_year),
        }
    }
}
