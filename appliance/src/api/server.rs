//! Connections: who is there, how long it may take, how many at once.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use super::appliance::Appliance;
use super::body::ReplyBody;
use super::error::ApiError;
use super::pace::Paced;
use super::route;
use crate::code;
use crate::identity::Principal;

/// Most connections at once; further ones wait in the kernel's backlog.
const CONNECTIONS: usize = 128;
/// How long a client may take to send the head of its request.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// Most bytes of a request's head.
const HEAD_BYTES: usize = 16 << 10;

/// An answer.
pub type Reply = Response<ReplyBody>;

/// Serves the API until the listener fails.
///
/// # Errors
/// The listener's.
pub async fn serve(listener: UnixListener, appliance: Arc<Appliance>) -> io::Result<()> {
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let permit = Arc::clone(&connections)
            .acquire_owned()
            .await
            .map_err(io::Error::other)?;
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(e) if e.kind() == io::ErrorKind::ConnectionAborted => continue,
            // Out of descriptors: others must close some first.
            Err(e) if e.raw_os_error() == Some(nix::libc::EMFILE) => {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
            Err(e) => return Err(e),
        };
        let appliance = Arc::clone(&appliance);
        tokio::spawn(async move {
            connection(stream, appliance).await;
            drop(permit);
        });
    }
}

async fn connection(stream: UnixStream, appliance: Arc<Appliance>) {
    let Ok(peer) = stream.peer_cred() else {
        return;
    };
    let principal = appliance.door.admit(peer.uid(), peer.gid());
    if let Err(stranger) = &principal
        && let Some(entry) = appliance.denied(
            &stranger.to_string(),
            "use the API",
            code::ACCESS_REFUSED.id,
        )
    {
        // Refused either way; nobody waits for the disk here.
        appliance.store.submit(entry, drop);
    }
    let service = service_fn(|request: Request<Incoming>| {
        let appliance = Arc::clone(&appliance);
        let principal = principal.clone();
        async move {
            let reply = match principal {
                Ok(principal) => answer(appliance, principal, request).await,
                Err(stranger) => refusal(&ApiError::new(
                    StatusCode::FORBIDDEN,
                    &code::ACCESS_REFUSED,
                    stranger.to_string(),
                )),
            };
            Ok::<_, Infallible>(reply)
        }
    });
    // One request a connection: nothing of a client lingers, and a client that
    // sends garbage or stalls loses only its own connection.
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_buf_size(HEAD_BYTES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(Paced::new(stream)), service)
        .await;
    // Whatever it was, the client is gone and there is nobody to tell.
    drop(served);
}

async fn answer(
    appliance: Arc<Appliance>,
    principal: Principal,
    request: Request<Incoming>,
) -> Reply {
    match route::answer(appliance, principal, request).await {
        Ok(reply) => reply,
        Err(error) => refusal(&error),
    }
}

fn refusal(error: &ApiError) -> Reply {
    let mut reply = json(&error.refusal());
    *reply.status_mut() = error.status;
    reply
}

/// An answer of JSON.
pub fn json(value: &impl Serialize) -> Reply {
    match serde_json::to_vec(value) {
        Ok(bytes) => bytes_of("application/json", bytes),
        Err(_) => {
            let mut reply = bytes_of("application/json", Vec::new());
            *reply.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            reply
        }
    }
}

/// An answer of bytes.
pub fn bytes_of(media: &'static str, bytes: Vec<u8>) -> Reply {
    body_of(media, ReplyBody::whole(bytes))
}

/// An answer with this body.
pub fn body_of(media: &'static str, body: ReplyBody) -> Reply {
    let mut reply = Response::new(body);
    let media = hyper::header::HeaderValue::from_static(media);
    reply
        .headers_mut()
        .insert(hyper::header::CONTENT_TYPE, media);
    reply
}
