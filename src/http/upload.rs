//! An uploaded archive on its way into storage.
//!
//! Must stay true: never more than two parts in memory, whatever is sent; what is too large, broken off or no ZIP is
//! refused as early as it can be told, and leaves no object behind.

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, Uri, header},
};
use futures_util::StreamExt;
use multer::{Constraints, Multipart};

use super::query::Query;
use crate::{
    app::{App, ArchiveUpload, UPLOAD_PART_BYTES},
    error::AppError,
};

/// An archive that lies in storage.
#[derive(Debug, PartialEq, Eq)]
pub struct Uploaded {
    pub key: String,
    pub bytes: u64,
    pub filename: Option<String>,
}

/// What a form may add to its file, generously.
const FORM_BYTES: u64 = 64 * 1024;

/// Receives the archive: the raw body (`application/zip`), or the field `file` of a form.
pub async fn receive(app: &App, key: String, uri: &Uri, headers: &HeaderMap, body: Body) -> Result<Uploaded, AppError> {
    let query = Query::parse(uri, &["filename"])?;
    let named = query.get("filename").map(str::to_owned);
    let length = content_length(headers);
    if length.is_some_and(|length| length > app.config.import_max_zip_bytes.saturating_add(FORM_BYTES)) {
        return Err(too_large(app));
    }
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let mut sink = Sink::begin(app, key).await?;
    let received = match kind.as_str() {
        "multipart/form-data" => from_form(&mut sink, content_type, body).await,
        "application/zip" | "application/x-zip-compressed" | "application/octet-stream" => {
            from_body(&mut sink, body, length).await.map(|()| None)
        }
        _ => Err(AppError::invalid(
            "Content-Type",
            "must be application/zip with the archive as the body, or multipart/form-data with a field `file`",
        )),
    };
    match received {
        Ok(filename) => {
            let (key, bytes) = sink.complete().await?;
            Ok(Uploaded { key, bytes, filename: named.or(filename).as_deref().and_then(plain_filename) })
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
fn plain_filename(name: &str) -> Option<String> {
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
}

impl Sink {
    async fn begin(app: &App, key: String) -> Result<Self, AppError> {
        let upload = app.archives.begin(&key).await?;
        Ok(Self { app: app.clone(), key, upload, part: Vec::new(), bytes: 0 })
    }

    async fn take(&mut self, mut chunk: Bytes) -> Result<(), AppError> {
        self.bytes += chunk.len() as u64;
        if self.bytes > self.app.config.import_max_zip_bytes {
            return Err(too_large(&self.app));
        }
        while !chunk.is_empty() {
            let room = UPLOAD_PART_BYTES - self.part.len();
            self.part.extend_from_slice(&chunk.split_to(room.min(chunk.len())));
            self.refuse_other_formats()?;
            if self.part.len() == UPLOAD_PART_BYTES {
                let part = std::mem::replace(&mut self.part, Vec::with_capacity(UPLOAD_PART_BYTES));
                self.upload.part(part.into()).await?;
            }
        }
        Ok(())
    }

    /// A ZIP begins with `PK` and one of three pairs: a file, an empty archive's end, or a split archive's mark.
    fn refuse_other_formats(&self) -> Result<(), AppError> {
        let is_first_part = self.bytes <= UPLOAD_PART_BYTES as u64;
        let Some(magic) = self.part.get(..4).filter(|_| is_first_part) else { return Ok(()) };
        if matches!(magic, b"PK\x03\x04" | b"PK\x05\x06" | b"PK\x07\x08") {
            return Ok(());
        }
        Err(not_a_zip())
    }

    async fn complete(mut self) -> Result<(String, u64), AppError> {
        if self.bytes < 4 {
            self.upload.abort().await;
            return Err(not_a_zip());
        }
        if !self.part.is_empty() {
            let part = std::mem::take(&mut self.part);
            self.upload.part(part.into()).await?;
        }
        self.upload.complete().await?;
        Ok((self.key, self.bytes))
    }
}

fn not_a_zip() -> AppError {
    AppError::invalid("file", "is not a ZIP archive; send the file as Spotify handed it out")
}
