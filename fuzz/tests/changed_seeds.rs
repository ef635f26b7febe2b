//! The targets on their seeds and on changed ones: blind to coverage, the same on every run, and quick.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test's helpers fail as the test does")]

use listenlog_fuzz::{seeds, targets};

/// Changed versions of each seed.
const CHANGES: usize = 150;

/// Xorshift: the same numbers on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (bound.max(1) as u64)).unwrap()
    }
}

/// What text and archives are sensitive to.
const PIECES: [&[u8]; 14] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"\\u0000",
    b"1e999",
    b"null",
    b"-",
    b"\xff\xfe",
    b"PK\x05\x06",
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
    b"\"ts\":",
];

fn changed(seed: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len() + 1);
        let piece = PIECES[random.below(PIECES.len())];
        match random.below(6) {
            0 if !bytes.is_empty() => {
                let at = at.min(bytes.len() - 1);
                bytes[at] = u8::try_from(random.below(256)).unwrap();
            }
            1 => drop(bytes.splice(at..at, piece.iter().copied())),
            2 => {
                let to = (at + piece.len()).min(bytes.len());
                bytes.splice(at..to, piece.iter().copied());
            }
            3 => {
                let to = (at + random.below(40)).min(bytes.len());
                bytes.drain(at..to);
            }
            4 => bytes.truncate(at),
            _ => {
                let to = (at + random.below(400)).min(bytes.len());
                let again = bytes[at..to].to_vec();
                bytes.splice(at..at, again);
            }
        }
    }
    bytes
}

#[test]
fn nothing_that_is_promised_breaks_on_changed_exports() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for seed in seeds::all().unwrap() {
        let target = match seed.target {
            "archive" => targets::archive,
            "history" => targets::history,
            _ => targets::slice,
        };
        target(&seed.bytes);
        for _ in 0..CHANGES {
            target(&changed(&seed.bytes, &mut random));
        }
    }
}
