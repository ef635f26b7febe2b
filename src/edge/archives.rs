//! Archives in R2.
//!
//! Must stay true: a transfer that ends before its range does is an error; memory holds one window of an archive.

use bytes::Bytes;
use futures_util::{StreamExt, future::BoxFuture, stream};
use worker::{
    Bucket, MultipartUpload, Range, UploadedPart,
    send::{SendFuture, SendWrapper},
};

use crate::{
    app::{ArchiveStream, ArchiveUpload, Archives, StorageError, UPLOAD_PART_BYTES},
    domain::instant::Millis,
};

/// A bucket behind the port. `SendWrapper` says what is true of an isolate: it has one thread.
pub struct R2(SendWrapper<Bucket>);

impl R2 {
    pub fn new(bucket: Bucket) -> Self {
        Self(SendWrapper::new(bucket))
    }
}

fn failed(error: &worker::Error) -> StorageError {
    StorageError::Failed(error.to_string().lines().next().unwrap_or_default().to_owned())
}

impl Archives for R2 {
    fn begin<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Box<dyn ArchiveUpload>, StorageError>> {
        let upload =
            Upload { bucket: SendWrapper::new(self.0.0.clone()), key: key.to_owned(), parts: None, only_part: None };
        Box::pin(std::future::ready(Ok(Box::new(upload) as Box<dyn ArchiveUpload>)))
    }

    fn read<'a>(
        &'a self,
        key: &'a str,
        offset: u64,
        length: u64,
    ) -> BoxFuture<'a, Result<ArchiveStream, StorageError>> {
        Box::pin(SendFuture::new(async move {
            let window = self.window(key, offset, length).await?;
            let rest = (SendWrapper::new(self.0.0.clone()), key.to_owned(), Left::after(&window, offset, length));
            let rest = stream::try_unfold(rest, |(bucket, key, left)| {
                SendFuture::new(async move {
                    if left.length == 0 {
                        return Ok(None);
                    }
                    let archives = Self(bucket);
                    let window = archives.window(&key, left.offset, left.length).await?;
                    let left = Left::after(&window, left.offset, left.length);
                    Ok(Some((window, (archives.0, key, left))))
                })
            });
            Ok(Box::pin(stream::once(std::future::ready(Ok(window))).chain(rest)) as ArchiveStream)
        }))
    }

    fn keys_until(&self, instant: Millis) -> BoxFuture<'_, Result<Vec<String>, StorageError>> {
        Box::pin(SendFuture::new(async move {
            let objects = self.0.list().limit(1_000).execute().await.map_err(|error| failed(&error))?.objects();
            let is_old =
                |object: &worker::Object| i64::try_from(object.uploaded().as_millis()).is_ok_and(|at| at <= instant.0);
            Ok(objects.iter().filter(|object| is_old(object)).map(worker::Object::key).collect())
        }))
    }

    fn keys_under<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StorageError>> {
        Box::pin(SendFuture::new(async move {
            let listed = self.0.list().prefix(prefix).limit(1_000).execute().await.map_err(|error| failed(&error))?;
            Ok(listed.objects().iter().map(worker::Object::key).collect())
        }))
    }

    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), StorageError>> {
        Box::pin(SendFuture::new(async move { self.0.delete(key).await.map_err(|error| failed(&error)) }))
    }
}

/// What is still to be read of a range.
struct Left {
    offset: u64,
    length: u64,
}

impl Left {
    const fn after(window: &Bytes, offset: u64, length: u64) -> Self {
        let read = window.len() as u64;
        Self { offset: offset.saturating_add(read), length: length.saturating_sub(read) }
    }
}

impl R2 {
    /// The first bytes of a range: whole windows but for its last one. A stream of the platform has chunks of 4 KB, and each
    /// costs more than inflating it; nor does one stay open while a slice is written.
    async fn window(&self, key: &str, offset: u64, length: u64) -> Result<Bytes, StorageError> {
        let length = length.min(WINDOW_BYTES);
        let range = Range::OffsetWithLength { offset, length };
        let object = self.0.get(key).range(range).execute().await.map_err(|error| failed(&error))?;
        let body = object.as_ref().and_then(worker::Object::body).ok_or(StorageError::Missing)?;
        let bytes = body.bytes().await.map_err(|error| failed(&error))?;
        if bytes.len() as u64 == length {
            Ok(bytes.into())
        } else {
            Err(StorageError::Failed("the transfer ended early".to_owned()))
        }
    }
}

/// So much of an archive is in memory at once.
const WINDOW_BYTES: u64 = 512 * 1024;

/// One put for what fits in a part, a multipart upload for more.
struct Upload {
    bucket: SendWrapper<Bucket>,
    key: String,
    parts: Option<(SendWrapper<MultipartUpload>, Vec<SendWrapper<UploadedPart>>)>,
    only_part: Option<Bytes>,
}

impl Upload {
    async fn send_part(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        if self.parts.is_none() {
            let upload = self.bucket.create_multipart_upload(&self.key).execute().await;
            self.parts = Some((SendWrapper::new(upload.map_err(|error| failed(&error))?), Vec::new()));
        }
        let Some((upload, parts)) = self.parts.as_mut() else { return Ok(()) };
        let number = u16::try_from(parts.len() + 1).map_err(|_| StorageError::Failed("too many parts".to_owned()))?;
        let part = upload.upload_part(number, Vec::from(bytes)).await.map_err(|error| failed(&error))?;
        parts.push(SendWrapper::new(part));
        Ok(())
    }
}

impl ArchiveUpload for Upload {
    fn part(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), StorageError>> {
        Box::pin(SendFuture::new(async move {
            // Only the last part may be short; one that comes first is the only one, and kept back for a plain put.
            if self.parts.is_none() && bytes.len() < UPLOAD_PART_BYTES {
                self.only_part = Some(bytes);
                return Ok(());
            }
            self.send_part(bytes).await
        }))
    }

    fn complete(mut self: Box<Self>) -> BoxFuture<'static, Result<(), StorageError>> {
        Box::pin(SendFuture::new(async move {
            if let Some((upload, parts)) = self.parts.take() {
                let parts = parts.into_iter().map(|part| part.0);
                return upload.0.complete(parts).await.map(drop).map_err(|error| failed(&error));
            }
            let bytes = Vec::from(self.only_part.take().unwrap_or_default());
            self.bucket.put(&self.key, bytes).execute().await.map(drop).map_err(|error| failed(&error))
        }))
    }

    fn abort(mut self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(SendFuture::new(async move {
            if let Some((upload, _)) = self.parts.take()
                && let Err(error) = upload.abort().await
            {
                tracing::warn!(error = %failed(&error), "An unfinished upload could not be aborted");
            }
        }))
    }
}
