//! Names and extra fields of entries, well made and otherwise.

use super::{
    hand_made::{File, UTF8_FLAG, assert_every_entry_holds_its_name, concat, crc32, extra_field, names, plain, zip64},
    *,
};
use crate::export::samples::directory;

fn name_of(file: File<'_>) -> String {
    let entries = directory(&plain(&[file], b"")).unwrap().entries;
    assert_eq!(entries.len(), 1);
    entries[0].name.clone()
}

fn unicode_path(version: u8, of: &[u8], path: &[u8]) -> Vec<u8> {
    extra_field(0x7075, &concat(&[&[version], &crc32(of).to_le_bytes(), path]))
}

#[test]
fn names_not_said_to_be_utf8_are_of_code_page_437() {
    let upper_half: Vec<u8> = (128..=255).collect();
    let expected = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀\
                    αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";
    assert_eq!(name_of(File { name: &upper_half, ..File::default() }), expected);
    let lower_half: Vec<u8> = (0..128).collect();
    assert_eq!(name_of(File { name: &lower_half, ..File::default() }).as_bytes(), lower_half);

    let bytes = plain(&[File { name: &upper_half, ..File::default() }], b"");
    let mut read_by_zip = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    assert_eq!(read_by_zip.by_index_raw(0).unwrap().name().unwrap(), expected);
}

#[test]
fn names_said_to_be_utf8_are() {
    let utf8 = |name| name_of(File { name, flags: UTF8_FLAG, ..File::default() });
    assert_eq!(utf8("Große Hörer/日本.json".as_bytes()), "Große Hörer/日本.json");
    assert_eq!(utf8(b"a\xFFb.json"), "a\u{FFFD}b.json");
    assert_eq!(utf8(b""), "");
}

#[test]
fn a_unicode_path_counts_if_it_was_made_for_this_name() {
    let name = b"H_rer.json";
    let path = "Hörer.json".as_bytes();
    let with_extra = |extra: &[u8]| name_of(File { name, extra, ..File::default() });
    assert_eq!(with_extra(&unicode_path(1, name, path)), "Hörer.json");
    let behind_another = concat(&[&extra_field(0x5455, b"\x01time"), &unicode_path(1, name, path)]);
    assert_eq!(with_extra(&behind_another), "Hörer.json");
    for other in [
        unicode_path(1, b"another.json", path),
        unicode_path(2, name, path),
        unicode_path(1, name, b"\xFF.json"),
        unicode_path(1, name, b""),
        extra_field(0x7075, b"\x01\x02"),
        extra_field(0x7075, b""),
    ] {
        assert_eq!(with_extra(&other), "H_rer.json");
    }
}

#[test]
fn a_malformed_extra_field_costs_its_entry_nothing_else() {
    let too_long = [0x75, 0x70, 0xFF, 0xFF, 1];
    let cut_off = concat(&[&extra_field(0x5455, b"time"), &[0x01, 0x00, 0x08]]);
    let too_short_for_zip64 = extra_field(0x0001, b"abc");
    let malformed: [&[u8]; 4] = [&too_long, &cut_off, &too_short_for_zip64, b"\0"];
    for extra in malformed {
        let files = [
            File { name: b"a.json", ..File::default() },
            File { name: b"b.json", extra, ..File::default() },
            File { name: b"c.json", extra, is_zip64: true, ..File::default() },
        ];
        for bytes in [plain(&files, b""), zip64(&files, b"")] {
            let found = directory(&bytes).unwrap();
            assert_eq!(names(&found), ["a.json", "b.json", "c.json"]);
            assert_every_entry_holds_its_name(&bytes, &found);
        }
    }
}

#[test]
fn an_entry_without_the_zip64_field_it_needs_is_misplaced_alone() {
    let files =
        [File { name: b"a.json", ..File::default() }, File { name: b"b.json", is_zip64: true, ..File::default() }];
    let mut bytes = plain(&files, b"");
    let field_at = bytes.windows(4).rposition(|window| window == b"\x01\0\x18\0").unwrap();
    // With the field short of one byte the sizes are still there, and the offset is not.
    for (kind, sizes) in [([0x01, 0, 0x17], (6, 6)), ([0x02, 0, 0x18], (u64::from(u32::MAX), u64::from(u32::MAX)))] {
        bytes[field_at..field_at + 3].copy_from_slice(&kind);
        let found = directory(&bytes).unwrap();
        assert_eq!(names(&found), ["a.json", "b.json"]);
        assert_eq!(found.entries[0].fault, None);
        assert_eq!(found.entries[1].fault, Some(EntryFault::Misplaced));
        assert_eq!((found.entries[1].compressed_bytes, found.entries[1].uncompressed_bytes), sizes);
    }
}

#[test]
fn a_comment_behind_a_header_is_passed_over() {
    let files = [File { name: b"a.json", ..File::default() }, File { name: b"b.json", ..File::default() }];
    let mut bytes = plain(&files, b"");
    let header_at = bytes.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    bytes.splice(header_at + 52..header_at + 52, *b"PK\x01\x02");
    bytes[header_at + 32] = 4;
    let end_at = bytes.len() - 22;
    bytes[end_at + 12] += 4;
    assert_eq!(names(&directory(&bytes).unwrap()), ["a.json", "b.json"]);
}
