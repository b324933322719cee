//! Files in and out, piece by piece: no thread and little memory is held while
//! a client takes its time.

use std::sync::Arc;
use std::time::Duration;

use casemate_protocol::id::{ArtifactId, TenantId};
use hyper::StatusCode;
use hyper::body::{Bytes, Incoming};
use tokio::sync::mpsc;

use super::appliance::Appliance;
use super::body::{ReplyBody, next_piece, too_large};
use super::error::ApiError;
use super::route::blocking;
use super::server::{Reply, body_of};
use super::view::InputView;
use crate::artifact::ArtifactWriter;
use crate::code;
use crate::store::entry::Entry;

/// Largest input.
const MAX_INPUT: usize = 256 << 20;
/// How much is gathered before it is written.
const GATHER: usize = 256 << 10;
/// How long an upload may take altogether.
const PATIENCE: Duration = Duration::from_secs(600);

/// Stores an uploaded document.
pub(super) async fn store_input(
    appliance: Arc<Appliance>,
    body: Incoming,
    by: String,
) -> Result<InputView, ApiError> {
    let store = appliance.store.clone();
    let writer = blocking(move || Ok(store.upload_writer(TenantId::SYSTEM)?)).await?;
    let writer = tokio::time::timeout(PATIENCE, receive(body, writer))
        .await
        .map_err(|_| {
            ApiError::new(
                StatusCode::REQUEST_TIMEOUT,
                &code::REQUEST_STALLED,
                format!("the upload took more than {} seconds", PATIENCE.as_secs()),
            )
        })??;
    blocking(move || {
        let artifact = writer.finish()?;
        appliance.store.commit(Entry::InputStored {
            artifact,
            name: String::new(),
            media: "application/octet-stream".to_owned(),
            by,
        })?;
        Ok(InputView {
            artifact: artifact.id.to_string(),
            digest: artifact.digest.to_string(),
            size: artifact.size,
        })
    })
    .await
}

async fn receive(
    mut body: Incoming,
    mut writer: ArtifactWriter,
) -> Result<ArtifactWriter, ApiError> {
    let mut total = 0usize;
    let mut gathered: Vec<u8> = Vec::new();
    loop {
        let piece = next_piece(&mut body).await?;
        if let Some(piece) = &piece {
            total = total.saturating_add(piece.len());
            if total > MAX_INPUT {
                return Err(too_large(MAX_INPUT));
            }
            gathered.extend_from_slice(piece);
        }
        if gathered.len() >= GATHER || (piece.is_none() && !gathered.is_empty()) {
            let bytes = std::mem::take(&mut gathered);
            writer = blocking(move || {
                writer.write(&bytes)?;
                Ok(writer)
            })
            .await?;
        }
        if piece.is_none() {
            return Ok(writer);
        }
    }
}

/// Streams a stored file. Its digest is checked as it is read; a file that
/// turns out damaged breaks the answer off before its announced end.
pub(super) async fn stream(appliance: Arc<Appliance>, id: ArtifactId) -> Result<Reply, ApiError> {
    let store = appliance.store.clone();
    let (size, mut reader, mut chunk) = blocking(move || {
        let row = store
            .index()
            .artifact(id)?
            .filter(|row| row.kind.is_some())
            .ok_or_else(|| {
                ApiError::absent(
                    &code::ARTIFACT_UNKNOWN,
                    format!("there is no artifact {id}"),
                )
            })?;
        let mut reader = store.artifact_reader(row.artifact)?;
        // The first chunk is read before anything is promised.
        let first = reader.next_chunk()?;
        Ok((row.artifact.size, reader, first))
    })
    .await?;
    let (pieces, body) = mpsc::channel(2);
    tokio::spawn(async move {
        while let Some(bytes) = chunk {
            if pieces.send(Ok(Bytes::from(bytes))).await.is_err() {
                return;
            }
            let next = blocking(move || {
                let next = reader.next_chunk()?;
                Ok((reader, next))
            });
            match next.await {
                Ok((back, next)) => (reader, chunk) = (back, next),
                Err(error) => {
                    // Breaks the answer off; the client sees that it is short.
                    let _ = pieces.send(Err(std::io::Error::other(error.message))).await;
                    return;
                }
            }
        }
    });
    Ok(body_of(
        "application/octet-stream",
        ReplyBody::Stream(body, size),
    ))
}
