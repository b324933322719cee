//! Every call of the API, on one screen.

use std::str::FromStr;
use std::sync::Arc;

use casemate_protocol::id::JobId;
use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use serde::de::DeserializeOwned;

use super::appliance::Appliance;
use super::body::whole;
use super::error::ApiError;
use super::server::{Reply, bytes_of, json};
use super::view::{HaltRequest, JobRequest};
use super::{call, file, tpm};
use crate::code;
use crate::identity::Principal;

/// Longest JSON body.
const MAX_JSON: usize = 256 << 10;
/// Longest challenge.
const MAX_CHALLENGE: usize = 4 << 10;
/// Longest bundle.
const MAX_BUNDLE: usize = 4 << 20;

/// Answers one request.
///
/// # Errors
/// [`ApiError`] becomes the answer.
pub async fn answer(
    appliance: Arc<Appliance>,
    principal: Principal,
    request: Request<Incoming>,
) -> Result<Reply, ApiError> {
    let (head, body) = request.into_parts();
    let query = Query::parse(head.uri.query().unwrap_or_default())?;
    let path = head.uri.path().strip_prefix("/v1/").unwrap_or_default();
    let segments: Vec<&str> = path.split('/').collect();
    match head.method {
        Method::GET => get(appliance, &segments, query).await,
        Method::POST => post(appliance, &segments, query, principal.name(), body).await,
        _ => Err(unknown()),
    }
}

async fn get(
    appliance: Arc<Appliance>,
    segments: &[&str],
    mut query: Query<'_>,
) -> Result<Reply, ApiError> {
    let after = query.take("after")?;
    let wait_ms = query.take("wait_ms")?;
    let from = query.take("from")?;
    let job: Option<JobId> = query.take("job")?;
    query.end()?;
    let asked = (
        after.is_some() || wait_ms.is_some(),
        from.is_some(),
        job.is_some(),
    );
    match (segments, asked) {
        (["jobs", job, "events"], (_, false, false)) => {
            let job = id(job, &code::JOB_UNKNOWN)?;
            let (after, wait_ms) = (after.unwrap_or(0), wait_ms.unwrap_or(0));
            Ok(json(&call::events(appliance, job, after, wait_ms).await?))
        }
        (["audit"], (false, _, false)) => {
            blocking(move || Ok(json(&call::audit(&appliance, from.unwrap_or(0))?))).await
        }
        (["artifacts"], (false, false, _)) => {
            let job = job.ok_or_else(|| malformed("the query has no `job`"))?;
            blocking(move || Ok(json(&call::artifacts(&appliance, job)?))).await
        }
        (_, (true, ..) | (_, true, _) | (.., true)) => Err(malformed(
            "the query has a key that this call does not know",
        )),
        (["status"], _) => blocking(move || Ok(json(&call::status(&appliance)?))).await,
        (["tpm"], _) => blocking(move || Ok(json(&tpm::report(&appliance)?))).await,
        (["workflows"], _) => blocking(move || Ok(json(&call::workflows(&appliance)?))).await,
        (["workflows", name], _) => {
            let name = (*name).to_owned();
            blocking(move || Ok(json(&call::workflow(&appliance, &name)?))).await
        }
        (["jobs"], _) => blocking(move || Ok(json(&call::jobs(&appliance)?))).await,
        (["jobs", job], _) => {
            let job = id(job, &code::JOB_UNKNOWN)?;
            blocking(move || Ok(json(&call::job(&appliance, job)?))).await
        }
        (["artifacts", artifact], _) => {
            file::stream(appliance, id(artifact, &code::ARTIFACT_UNKNOWN)?).await
        }
        (["audit", "export"], _) => {
            blocking(move || Ok(bytes_of("application/cbor-seq", call::export(&appliance)?))).await
        }
        (["audit", "verify"], _) => blocking(move || Ok(json(&call::verify(&appliance)?))).await,
        (["enrolment"], _) => {
            blocking(move || Ok(bytes_of("application/cbor", call::enrolment(&appliance)?))).await
        }
        _ => Err(unknown()),
    }
}

async fn post(
    appliance: Arc<Appliance>,
    segments: &[&str],
    mut query: Query<'_>,
    by: String,
    body: Incoming,
) -> Result<Reply, ApiError> {
    let job: Option<JobId> = match segments {
        ["evidence"] => query.take("job")?,
        _ => None,
    };
    query.end()?;
    match segments {
        ["workflows"] => {
            let bundle = whole(body, MAX_BUNDLE).await?;
            blocking(move || Ok(json(&call::add_workflow(&appliance, &bundle, &by)?))).await
        }
        ["workflows", "check"] => {
            let bundle = whole(body, MAX_BUNDLE).await?;
            blocking(move || Ok(json(&call::check_workflow(&appliance, &bundle)?))).await
        }
        ["inputs"] => Ok(json(&file::store_input(appliance, body, by).await?)),
        ["jobs"] => {
            let wanted: JobRequest = parse(&whole(body, MAX_JSON).await?)?;
            blocking(move || Ok(json(&call::submit(&appliance, wanted, by)?))).await
        }
        ["jobs", job, "cancel"] => {
            whole(body, 0).await?;
            let job = id(job, &code::JOB_UNKNOWN)?;
            blocking(move || Ok(json(&call::cancel(&appliance, job, &by)?))).await
        }
        ["evidence"] => {
            let challenge = whole(body, MAX_CHALLENGE).await?;
            blocking(move || {
                let bytes = call::evidence(&appliance, challenge, job, &by)?;
                Ok(bytes_of("application/cbor", bytes))
            })
            .await
        }
        ["halt"] => {
            let wanted: HaltRequest = parse(&whole(body, MAX_JSON).await?)?;
            blocking(move || Ok(json(&call::halt(&appliance, wanted, &by)?))).await
        }
        _ => Err(unknown()),
    }
}

fn unknown() -> ApiError {
    ApiError::absent(
        &code::REQUEST_UNKNOWN,
        "the API has no such path with this method",
    )
}

/// Runs what waits for the disk, the TPM or agentd where it may wait.
pub(super) async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(call).await.unwrap_or_else(|e| {
        Err(ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            &code::INTERNAL,
            e.to_string(),
        ))
    })
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(bytes).map_err(|e| malformed(format!("the JSON body: {e}")))
}

fn id<T: FromStr>(text: &str, unknown: &casemate_protocol::Code) -> Result<T, ApiError> {
    text.parse()
        .map_err(|_| ApiError::absent(unknown, "the path holds no id of 32 hexadecimal digits"))
}

fn malformed(why: impl Into<String>) -> ApiError {
    ApiError::bad(&code::REQUEST_MALFORMED, why)
}

/// The part after the question mark: each key known, at most once, no escapes.
struct Query<'q>(Vec<(&'q str, &'q str)>);

impl<'q> Query<'q> {
    fn parse(text: &'q str) -> Result<Self, ApiError> {
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair
                .split_once('=')
                .ok_or_else(|| malformed("the query has a key without a value"))?;
            if pairs.len() >= 8 || pairs.iter().any(|(known, _)| *known == key) {
                return Err(malformed("the query has a key twice"));
            }
            pairs.push((key, value));
        }
        Ok(Self(pairs))
    }

    fn take<T: FromStr>(&mut self, key: &str) -> Result<Option<T>, ApiError> {
        let Some(at) = self.0.iter().position(|(known, _)| *known == key) else {
            return Ok(None);
        };
        let (_, value) = self.0.remove(at);
        value
            .parse()
            .map(Some)
            .map_err(|_| malformed(format!("the query's `{key}` has no such value")))
    }

    fn end(&self) -> Result<(), ApiError> {
        match self.0.is_empty() {
            true => Ok(()),
            false => Err(malformed("the query has an unknown key")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_holds_known_keys_once() {
        let mut query = Query::parse("after=7&wait_ms=5").unwrap();
        assert_eq!(query.take::<u64>("after").unwrap(), Some(7));
        assert!(query.end().is_err());
        assert_eq!(query.take::<u64>("wait_ms").unwrap(), Some(5));
        assert!(query.end().is_ok());
        assert_eq!(query.take::<u64>("wait_ms").unwrap(), None);
        for bad in ["a=1&a=2", "a", "a&b=1"] {
            assert!(Query::parse(bad).is_err(), "{bad}");
        }
        assert!(
            Query::parse("after=-1")
                .unwrap()
                .take::<u64>("after")
                .is_err()
        );
    }
}
