//! A server on loopback that speaks Snowflake's wire protocol as its connector uses it, over a model of pipes.
//!
//! It knows exactly the statements that skydeck issues and remembers any other as a fault, which ends the test that asked
//! it. `model` – pipes, files, rights · `statements` – what is answered to each · `jwt` – who may sign in · `wire` – what
//! goes over the line.

#![allow(dead_code, unused_imports, reason = "each test uses a part of it")]

mod jwt;
mod model;
mod statements;
mod wire;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

pub use jwt::{encrypted_key, pkcs1_key, plain_key};
pub use model::{Loaded, Model};

/// What goes wrong next, each once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The session has expired.
    Expired,
    /// HTTP 503.
    Unavailable,
    /// The answer comes by the asynchronous way.
    Asynchronous,
    /// The statement isn't answered until it is aborted.
    Hangs,
    /// The next command is answered once the server is told to go on.
    Waits,
}

/// What the server did.
#[derive(Debug, Default)]
pub struct Seen {
    /// Log-ins accepted.
    pub logins: u32,
    /// Statements, in order.
    pub statements: Vec<String>,
    /// Statements nobody knows.
    pub unknown: Vec<String>,
    /// Requests that were aborted.
    pub aborted: Vec<String>,
    /// Most commands that were under way at once.
    pub at_once: u32,
    /// Times the warehouse was asleep when a statement needed it.
    pub wakes: u32,
    /// What a proxy would have been opened by, of each request that had something.
    pub proxy_keys: Vec<String>,
}

#[derive(Debug, Default)]
pub struct Inner {
    pub model: Model,
    pub seen: Seen,
    faults: VecDeque<Fault>,
    tokens: Vec<String>,
    waiting: BTreeMap<String, Value>,
    chunks: BTreeMap<String, wire::Chunk>,
    next_id: u32,
    aborted: tokio::sync::watch::Sender<u32>,
    go_on: tokio::sync::watch::Sender<bool>,
    at_work: u32,
}

/// The server; ends with its last clone's runtime.
#[derive(Clone, Default)]
pub struct Server {
    inner: Arc<Mutex<Inner>>,
    port: u16,
}

impl Server {
    /// Starts on a free port with the module's three pipes.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let server = Self { inner: Arc::default(), port };
        server.lock().model = Model::of_the_module();
        let router = Router::new()
            .route("/session/v1/login-request", post(login))
            .route("/queries/v1/query-request", post(query))
            .route("/queries/v1/abort-request", post(abort))
            .route("/queries/{id}/result", get(result))
            .route("/chunks/{id}", get(chunk))
            .layer(axum::middleware::from_fn_with_state(server.clone(), dated))
            .with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        server
    }

    /// Where it answers.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Everything in it.
    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What goes wrong with the next statements.
    pub fn fail_with(&self, faults: &[Fault]) {
        self.lock().faults.extend(faults);
    }

    /// What waits is answered.
    pub fn go_on(&self) {
        self.lock().go_on.send_replace(true);
    }

    /// Fails where a statement came that the server doesn't know.
    pub fn assert_all_known(&self) {
        let unknown = self.lock().seen.unknown.clone();
        assert!(unknown.is_empty(), "statements the server doesn't know: {unknown:#?}");
    }

    /// How often a statement with `part` in it came.
    pub fn count(&self, part: &str) -> usize {
        self.lock().seen.statements.iter().filter(|statement| statement.contains(part)).count()
    }
}

/// An answer bears the server's time, not this machine's.
async fn dated(
    State(server): State<Server>,
    request: axum::extract::Request,
    next: axum::middleware::Next,
) -> Response {
    if let Some(key) = request.headers().get(header::PROXY_AUTHORIZATION) {
        let key = key.to_str().unwrap_or_default().to_owned();
        server.lock().seen.proxy_keys.push(key);
    }
    let mut response = next.run(request).await;
    let now = server.lock().model.clock().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    response.headers_mut().insert(header::DATE, now.parse().expect("a header"));
    response
}

type Parameters = Query<BTreeMap<String, String>>;

async fn login(State(server): State<Server>, Query(parameters): Parameters, body: Bytes) -> Response {
    let refused = |why: &str| wire::json(&json!({"success": false, "message": why, "data": null}));
    let Ok(body) = serde_json::from_slice::<Value>(&body) else { return StatusCode::BAD_REQUEST.into_response() };
    let data = &body["data"];
    let mut inner = server.lock();
    for (parameter, wanted) in
        [("databaseName", model::DATABASE), ("schemaName", model::SCHEMA), ("warehouse", model::WAREHOUSE)]
    {
        if parameters.get(parameter).is_some_and(|given| given != wanted) {
            return refused(&format!("{parameter} doesn't exist"));
        }
    }
    let account = data["ACCOUNT_NAME"].as_str().unwrap_or_default();
    let user = data["LOGIN_NAME"].as_str().unwrap_or_default();
    if user != model::USER {
        return refused("Incorrect username or password was specified.");
    }
    let token = data["TOKEN"].as_str().unwrap_or_default();
    let verdict = match data["AUTHENTICATOR"].as_str() {
        Some("SNOWFLAKE_JWT") => jwt::check(token, account, user, inner.model.clock()),
        Some("OAUTH") if token == model::OAUTH_TOKEN => Ok(()),
        None if data["PASSWORD"] == model::PASSWORD => Ok(()),
        _ => Err("Incorrect username or password was specified.".to_owned()),
    };
    if let Err(why) = verdict {
        return refused(&why);
    }
    inner.seen.logins += 1;
    inner.next_id += 1;
    let token = format!("session-{}", inner.next_id);
    inner.tokens.push(token.clone());
    wire::json(&json!({"success": true, "data": {"token": token}}))
}

fn is_signed_in(inner: &Inner, headers: &HeaderMap) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    inner.tokens.iter().any(|token| given == format!("Snowflake Token=\"{token}\""))
}

async fn query(
    State(server): State<Server>,
    Query(parameters): Parameters,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Ok(body) = serde_json::from_slice::<Value>(&body) else { return StatusCode::BAD_REQUEST.into_response() };
    let sql = body["sqlText"].as_str().unwrap_or_default().to_owned();
    let request = parameters.get("requestId").cloned().unwrap_or_default();
    let fault = {
        let mut inner = server.lock();
        if !is_signed_in(&inner, &headers) {
            return wire::json(&expired());
        }
        let is_due = inner.faults.front() != Some(&Fault::Waits) || sql.starts_with("ALTER");
        let fault = if is_due { inner.faults.pop_front() } else { None };
        if fault != Some(Fault::Unavailable) && fault != Some(Fault::Expired) {
            inner.seen.statements.push(sql.clone());
        }
        fault
    };
    let _at_work = sql.starts_with("ALTER").then(|| AtWork::begin(&server));
    match fault {
        Some(Fault::Unavailable) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Some(Fault::Expired) => {
            server.lock().tokens.clear();
            return wire::json(&expired());
        }
        Some(Fault::Hangs) => {
            let mut aborted = server.lock().aborted.subscribe();
            // Whoever gave up may have gone by then.
            drop(tokio::time::timeout(Duration::from_secs(120), aborted.changed()).await);
            return wire::json(&json!({"success": false, "code": "000604", "message": "SQL execution canceled",
                "sqlState": "57014", "data": {"queryId": request}}));
        }
        Some(Fault::Waits) => {
            let mut go_on = server.lock().go_on.subscribe();
            drop(tokio::time::timeout(Duration::from_secs(120), go_on.wait_for(|go_on| *go_on)).await);
        }
        Some(Fault::Asynchronous) | None => {}
    }
    let mut inner = server.lock();
    inner.next_id += 1;
    let id = format!("query-{}", inner.next_id);
    let answer = answer(&mut inner, &server.url(), &id, &sql);
    if fault == Some(Fault::Asynchronous) {
        inner.waiting.insert(id.clone(), answer);
        return wire::json(&json!({"success": true, "code": "333334", "message": null,
            "data": {"queryId": id, "getResultUrl": format!("/queries/{id}/result")}}));
    }
    wire::json(&answer)
}

/// A command that is under way.
struct AtWork(Server);

impl AtWork {
    fn begin(server: &Server) -> Self {
        let mut inner = server.lock();
        inner.at_work += 1;
        inner.seen.at_once = inner.seen.at_once.max(inner.at_work);
        Self(server.clone())
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.lock().at_work -= 1;
    }
}

fn expired() -> Value {
    json!({"success": false, "code": "390112", "message": "Your session has expired. Please login again.", "data": null})
}

fn answer(inner: &mut Inner, url: &str, id: &str, sql: &str) -> Value {
    match statements::carry_out(&mut inner.model, &mut inner.seen, sql) {
        Ok(table) => {
            let (value, chunks) = wire::table(&table, url, id);
            inner.chunks.extend(chunks);
            value
        }
        Err(statements::Refused { code, message }) => json!({"success": false, "code": code, "message": message,
            "sqlState": "42501", "data": {"queryId": id}}),
    }
}

async fn result(State(server): State<Server>, axum::extract::Path(id): axum::extract::Path<String>) -> Response {
    match server.lock().waiting.remove(&id) {
        Some(answer) => wire::json(&answer),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn chunk(State(server): State<Server>, axum::extract::Path(id): axum::extract::Path<String>) -> Response {
    match server.lock().chunks.remove(&id) {
        Some((bytes, true)) => ([(header::CONTENT_ENCODING, "gzip")], bytes).into_response(),
        Some((bytes, false)) => bytes.into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn abort(State(server): State<Server>, headers: HeaderMap, body: Bytes) -> Response {
    let Ok(body) = serde_json::from_slice::<Value>(&body) else { return StatusCode::BAD_REQUEST.into_response() };
    let mut inner = server.lock();
    if !is_signed_in(&inner, &headers) {
        return wire::json(&expired());
    }
    inner.seen.aborted.push(body["requestId"].as_str().unwrap_or_default().to_owned());
    inner.aborted.send_modify(|count| *count += 1);
    wire::json(&json!({"success": true, "code": null, "message": null, "data": null}))
}
