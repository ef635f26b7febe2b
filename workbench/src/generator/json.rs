//! Writes rows of JSON objects in the layouts that Spotify uses.
//!
//! Must stay true: what is written is valid JSON in UTF-8 without escaping what needs none, as Spotify's is.

use std::io::{self, Write};

/// White space between the parts of a file.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    between_rows: &'static str,
    before_field: &'static str,
    colon: &'static str,
    after_fields: &'static str,
    end: &'static str,
}

impl Layout {
    /// One line, as `endsong_0.json`.
    pub const ONE_LINE: Self = Self { between_rows: "", before_field: "", colon: ":", after_fields: "", end: "" };
    /// Two blanks, as `Streaming_History_Audio_*.json`.
    pub const INDENTED: Self =
        Self { between_rows: "\n  ", before_field: "\n    ", colon: ": ", after_fields: "\n  ", end: "\n" };
    /// Two blanks and one before the colon, as account data.
    pub const ACCOUNT: Self = Self { colon: " : ", ..Self::INDENTED };
}

/// An array of flat objects, written as it grows.
#[derive(Debug)]
pub struct Rows<W> {
    out: W,
    layout: Layout,
    written: usize,
    fields: usize,
}

impl<W: Write> Rows<W> {
    pub fn new(mut out: W, layout: Layout) -> io::Result<Self> {
        out.write_all(b"[")?;
        Ok(Self { out, layout, written: 0, fields: 0 })
    }

    /// One object; `fields` writes its fields.
    pub fn row(&mut self, fields: impl FnOnce(&mut Self) -> io::Result<()>) -> io::Result<()> {
        if self.written > 0 {
            self.out.write_all(b",")?;
        }
        self.written += 1;
        self.fields = 0;
        self.out.write_all(self.layout.between_rows.as_bytes())?;
        self.out.write_all(b"{")?;
        fields(self)?;
        self.out.write_all(self.layout.after_fields.as_bytes())?;
        self.out.write_all(b"}")
    }

    fn key(&mut self, key: &str) -> io::Result<()> {
        if self.fields > 0 {
            self.out.write_all(b",")?;
        }
        self.fields += 1;
        self.out.write_all(self.layout.before_field.as_bytes())?;
        self.out.write_all(b"\"")?;
        self.out.write_all(key.as_bytes())?;
        self.out.write_all(b"\"")?;
        self.out.write_all(self.layout.colon.as_bytes())
    }

    pub fn text(&mut self, key: &str, value: Option<&str>) -> io::Result<()> {
        self.key(key)?;
        match value {
            Some(value) => serde_json::to_writer(&mut self.out, value).map_err(io::Error::from),
            None => self.out.write_all(b"null"),
        }
    }

    pub fn number(&mut self, key: &str, value: Option<i64>) -> io::Result<()> {
        self.key(key)?;
        match value {
            Some(value) => write!(self.out, "{value}"),
            None => self.out.write_all(b"null"),
        }
    }

    pub fn truth(&mut self, key: &str, value: Option<bool>) -> io::Result<()> {
        self.key(key)?;
        self.out.write_all(match value {
            Some(true) => b"true",
            Some(false) => b"false",
            None => b"null",
        })
    }

    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(self.layout.end.as_bytes())?;
        self.out.write_all(b"]")?;
        self.out.flush()?;
        Ok(self.out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(layout: Layout) -> String {
        let mut rows = Rows::new(Vec::new(), layout).unwrap();
        rows.row(|row| row.text("a", Some("\"é\t"))).unwrap();
        rows.row(|row| {
            row.number("b", Some(-1))?;
            row.truth("c", None)
        })
        .unwrap();
        String::from_utf8(rows.finish().unwrap()).unwrap()
    }

    #[test]
    fn layouts_are_spotifys() {
        assert_eq!(written(Layout::ONE_LINE), r#"[{"a":"\"é\t"},{"b":-1,"c":null}]"#);
        assert_eq!(
            written(Layout::ACCOUNT),
            "[\n  {\n    \"a\" : \"\\\"é\\t\"\n  },\n  {\n    \"b\" : -1,\n    \"c\" : null\n  }\n]"
        );
        assert!(written(Layout::INDENTED).contains("\"b\": -1"));
    }
}
