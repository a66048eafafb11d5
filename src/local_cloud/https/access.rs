//! Who may: shared access signatures of policies on the service side, devices' signatures and certificates on theirs.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::AUTHORIZATION;
use http::{HeaderMap, Request};

use super::Front;
use super::errors::ApiError;
use super::policies::Policy;
use super::server::Caller;
use crate::local_cloud::hub::Signature;

/// Lets those through whose policy reaches the registry.
pub(super) async fn registry(State(front): State<Arc<Front>>, request: Request<Body>, next: Next) -> Response {
    match front.admit_service(request.headers()) {
        Ok(policy) if policy.reaches_registry() => next.run(request).await,
        Ok(policy) => {
            let message = format!("the policy {} may not reach the registry; use iothubowner", policy.name());
            ApiError::unauthorized(message).into_response()
        }
        Err(error) => error.into_response(),
    }
}

/// Lets those through who have a policy's key.
pub(super) async fn service(State(front): State<Arc<Front>>, request: Request<Body>, next: Next) -> Response {
    match front.admit_service(request.headers()) {
        Ok(_) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// The signature in `Authorization`.
fn signature(headers: &HeaderMap) -> Result<Option<Signature<'_>>, ApiError> {
    let Some(value) = headers.get(AUTHORIZATION) else { return Ok(None) };
    let signature = value.to_str().ok().and_then(Signature::parse);
    signature.map(Some).ok_or_else(|| ApiError::unauthorized("Authorization is no shared access signature"))
}

impl Front {
    fn admit_service(&self, headers: &HeaderMap) -> Result<Policy, ApiError> {
        let signature = signature(headers)?.ok_or_else(|| ApiError::unauthorized("Authorization is missing"))?;
        let policy = signature.policy().and_then(Policy::named);
        let policy = policy.ok_or_else(|| ApiError::unauthorized("skn must name iothubowner or service"))?;
        let is_own = |resource: &str| self.is_own_name(resource);
        signature.verify_any(&self.policies.keys(policy), is_own, self.now()).map_err(ApiError::unauthorized)?;
        Ok(policy)
    }

    /// Whether a resource of the service side is this hub: by its name, or by the address it is reached at here.
    fn is_own_name(&self, resource: &str) -> bool {
        let port = self.address.port();
        let (host, its_port) = match resource.rsplit_once(':') {
            Some((host, digits)) if digits.bytes().all(|byte| byte.is_ascii_digit()) => (host, Some(digits)),
            _ => (resource, None),
        };
        let ip = self.address.ip();
        let is_here = host.eq_ignore_ascii_case("localhost")
            || host
                .trim_matches(['[', ']'])
                .parse::<std::net::IpAddr>()
                .is_ok_and(|named| named == ip || ip.is_unspecified() || (named.is_loopback() && ip.is_loopback()));
        (its_port.is_none() || its_port.and_then(|digits| digits.parse().ok()) == Some(port))
            && (is_here || host.eq_ignore_ascii_case(self.hub.host_name()))
    }

    /// Lets a device in by its signature or its certificate.
    pub(super) async fn admit_device(
        &self,
        device_id: &str,
        headers: &HeaderMap,
        caller: &Caller,
    ) -> Result<(), ApiError> {
        let signature = signature(headers)?;
        self.hub.admit_device(device_id, signature.as_ref(), &caller.certificates).await.map_err(ApiError::unauthorized)
    }
}
