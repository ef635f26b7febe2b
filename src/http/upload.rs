//! An upload on its way into storage: the archive, or one of its files by itself.
//!
//! Must stay true: never more than one part in memory, whatever is sent; what is too large, broken off or neither ZIP nor
//! JSON is refused as early as it can be told, and leaves no object behind; the digest is of all its bytes.

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, header},
};
use futures_util::StreamExt;
use multer::{Constraints, Multipart};
use sha2::{Digest, Sha256};

use crate::{
    app::{App, ArchiveUpload, UPLOAD_PART_BYTES},
    domain::hexadecimal,
    error::AppError,
    store::import_jobs::ArchiveForm,
};

/// An upload that lies in storage.
#[derive(Debug, PartialEq, Eq)]
pub struct Uploaded {
    pub key: String,
    pub bytes: u64,
    pub form: ArchiveForm,
    /// In hexadecimal.
    pub sha256: String,
    pub filename: Option<String>,
}

/// What a form may add to its file, generously.
const FORM_BYTES: u64 = 64 * 1024;

/// Content types of a raw body. Its first bytes say what it is.
const RAW_TYPES: [&str; 7] = [
    "application/zip",
    "application/x-zip-compressed",
    "application/octet-stream",
    "application/json",
    "application/x-ndjson",
    "application/gzip",
    "application/x-gzip",
];

/// Receives the upload: the raw body, or the field `file` of a form.
pub async fn receive(
    app: &App,
    key: String,
    named: Option<String>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Uploaded, AppError> {
    let length = content_length(headers);
    if length.is_some_and(|length| length > app.config.import_max_zip_bytes.saturating_add(FORM_BYTES)) {
        return Err(too_large(app));
    }
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let mut sink = Sink::begin(app, key).await?;
    let received = match kind.as_str() {
        "multipart/form-data" => from_form(&mut sink, content_type, body).await,
        raw if RAW_TYPES.contains(&raw) => from_body(&mut sink, body, length).await.map(|()| None),
        _ => Err(AppError::invalid(
            "Content-Type",
            "must be application/zip with the archive as the body (or application/json or application/gzip with one of \
             its files), or multipart/form-data with a field `file`",
        )),
    };
    match received {
        Ok(filename) => {
            let filename = named.or(filename).as_deref().and_then(plain_filename);
            sink.complete().await.map(|uploaded| Uploaded { filename, ..uploaded })
        }
        Err(error) => {
            sink.upload.abort().await;
            Err(error)
        }
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large(app: &App) -> AppError {
    let megabytes = app.config.import_max_zip_bytes / (1024 * 1024);
    AppError::TooLarge(format!("The archive may have at most {megabytes} MB (IMPORT_MAX_ZIP_SIZE_MB)."))
}

async fn from_body(sink: &mut Sink, body: Body, length: Option<u64>) -> Result<(), AppError> {
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        sink.take(chunk.map_err(|_| broken_off())?).await?;
    }
    // A cut transfer can look like a complete one; only the count tells.
    if length.is_some_and(|length| length != sink.bytes) { Err(broken_off()) } else { Ok(()) }
}

async fn from_form(sink: &mut Sink, content_type: &str, body: Body) -> Result<Option<String>, AppError> {
    let boundary = multer::parse_boundary(content_type)
        .map_err(|_| AppError::invalid("Content-Type", "multipart/form-data must name its boundary"))?;
    let constraints = Constraints::new().allowed_fields(vec!["file"]);
    let mut form = Multipart::with_constraints(body.into_data_stream(), boundary, constraints);
    let missing = || AppError::invalid("file", "is required: the ZIP archive, as a file field of the form");
    let mut field = form.next_field().await.map_err(|error| form_error(&error))?.ok_or_else(missing)?;
    let filename = field.file_name().map(str::to_owned);
    while let Some(chunk) = field.chunk().await.map_err(|error| form_error(&error))? {
        sink.take(chunk).await?;
    }
    drop(field);
    match form.next_field().await {
        Ok(None) => Ok(filename),
        Ok(Some(_)) => Err(AppError::invalid("file", "must be given once")),
        Err(error) => Err(form_error(&error)),
    }
}

fn form_error(error: &multer::Error) -> AppError {
    match error {
        multer::Error::UnknownField { field_name } => {
            let name = field_name.as_deref().unwrap_or_default().chars().take(40).collect::<String>();
            AppError::invalid(name, "is not a field of this form; the archive goes into `file`")
        }
        multer::Error::IncompleteFieldData { .. }
        | multer::Error::IncompleteHeaders
        | multer::Error::IncompleteStream
        | multer::Error::StreamReadFailed(_) => broken_off(),
        _ => AppError::Malformed("The form could not be read.".to_owned()),
    }
}

fn broken_off() -> AppError {
    AppError::Malformed("The upload broke off before it was complete; nothing was kept. Send it again.".to_owned())
}

/// The name to show: its last part, without control characters, at most 200 characters.
pub fn plain_filename(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain: String = last.chars().filter(|letter| !letter.is_control()).take(200).collect();
    (!plain.trim().is_empty()).then_some(plain)
}

/// Collects chunks into parts of one size and counts.
struct Sink {
    app: App,
    key: String,
    upload: Box<dyn ArchiveUpload>,
    part: Vec<u8>,
    bytes: u64,
    digest: Sha256,
    form: Option<ArchiveForm>,
}

impl Sink {
    async fn begin(app: &App, key: String) -> Result<Self, AppError> {
        let upload = app.archives.begin(&key).await?;
        Ok(Self { app: app.clone(), key, upload, part: Vec::new(), bytes: 0, digest: Sha256::new(), form: None })
    }

    async fn take(&mut self, mut chunk: Bytes) -> Result<(), AppError> {
        self.bytes += chunk.len() as u64;
        if self.bytes > self.app.config.import_max_zip_bytes {
            return Err(too_large(&self.app));
        }
        self.digest.update(&chunk);
        while !chunk.is_empty() {
            if self.part.capacity() == 0 {
                // At its full length from the start: growing would leave its halves behind in memory that never shrinks.
                self.part = Vec::with_capacity(UPLOAD_PART_BYTES);
            }
            let room = UPLOAD_PART_BYTES - self.part.len();
            self.part.extend_from_slice(&chunk.split_to(room.min(chunk.len())));
            self.know_form(false)?;
            if self.part.len() == UPLOAD_PART_BYTES {
                self.upload.part(std::mem::take(&mut self.part).into()).await?;
            }
        }
        Ok(())
    }

    /// Tells by the first bytes what it is, as soon as there are enough of them.
    fn know_form(&mut self, is_whole: bool) -> Result<(), AppError> {
        if self.form.is_none() {
            self.form = form(&self.part, is_whole).ok_or_else(no_known_form)?;
        }
        Ok(())
    }

    async fn complete(mut self) -> Result<Uploaded, AppError> {
        if let Err(error) = self.know_form(true) {
            self.upload.abort().await;
            return Err(error);
        }
        if !self.part.is_empty() {
            let part = std::mem::take(&mut self.part);
            self.upload.part(part.into()).await?;
        }
        self.upload.complete().await?;
        let form = self.form.ok_or_else(no_known_form)?;
        let sha256 = hexadecimal::digits(&self.digest.finalize());
        Ok(Uploaded { key: self.key, bytes: self.bytes, form, sha256, filename: None })
    }
}

/// What begins like this. The outer `None`: nothing that is taken; the inner: more bytes must come first.
///
/// A ZIP begins with `PK` and one of three pairs: a file, an empty archive's end, or a split archive's mark.
#[expect(clippy::option_option, reason = "both are told apart by every caller")]
fn form(beginning: &[u8], is_whole: bool) -> Option<Option<ArchiveForm>> {
    const BYTE_ORDER_MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];
    const MAX_BLANKS: usize = 4_096;
    match beginning {
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] | [b'P', b'K', 7, 8, ..] => {
            return Some(Some(ArchiveForm::Zip));
        }
        [0x1F, 0x8B, ..] => return Some(Some(ArchiveForm::JsonGz)),
        [b'P' | 0x1F] | [b'P', b'K'] | [b'P', b'K', _] if !is_whole => return Some(None),
        _ => {}
    }
    let text = beginning.strip_prefix(&BYTE_ORDER_MARK).unwrap_or(beginning);
    match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'[' | b'{') => Some(Some(ArchiveForm::Json)),
        Some(0xEF | 0xBB | 0xBF) if text.len() < BYTE_ORDER_MARK.len() && !is_whole => Some(None),
        None if text.len() < MAX_BLANKS && !is_whole => Some(None),
        _ => None,
    }
}

fn no_known_form() -> AppError {
    AppError::invalid(
        "file",
        "is not a ZIP archive, nor one of its JSON files, plain or as .json.gz; send the file as Spotify handed it out",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_what_it_is() {
        for (bytes, expected) in [
            (&b"PK\x03\x04"[..], Some(Some(ArchiveForm::Zip))),
            (b"PK\x05\x06", Some(Some(ArchiveForm::Zip))),
            (b"\x1f\x8b\x08", Some(Some(ArchiveForm::JsonGz))),
            (b" \r\n[", Some(Some(ArchiveForm::Json))),
            (b"\xEF\xBB\xBF{", Some(Some(ArchiveForm::Json))),
            (b"", Some(None)),
            (b"P", Some(None)),
            (b"PK\x03", Some(None)),
            (b"\xEF\xBB", Some(None)),
            (b"   ", Some(None)),
            (b"PK\x01\x02", None),
            (b"<html>", None),
            (b"7", None),
        ] {
            assert_eq!(form(bytes, false), expected, "{bytes:?}");
            assert_eq!(form(bytes, true), expected.filter(Option::is_some), "{bytes:?} and nothing behind it");
        }
        assert_eq!(form(&[b' '; 5_000], false), None);
    }
}
