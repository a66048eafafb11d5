//! The protocol's service: which call is answered by what.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::server::{Grpc, UnaryService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use super::provider::{Kind, Plan, Provider, Refusal, Settings};
use super::value::{Type, Value};
use super::wire::{self, Diagnostic, DynamicValue};

/// Bytes a message may have; Terraform's own bound.
const MAX_MESSAGE: usize = 64 * 1024 * 1024;

/// One connection of Terraform's: a configuration of the provider.
#[derive(Debug, Clone)]
pub struct Connection {
    provider: Arc<Provider>,
    settings: Arc<Mutex<Arc<Settings>>>,
    /// Terraform has been interrupted: for good, since it configures anew on another connection.
    stopped: CancellationToken,
}

/// A call as a service of tonic's.
struct Call<Q, A>(Connection, fn(Connection, Q) -> BoxFuture<'static, A>);

impl<Q: Send + 'static, A: Send + 'static> tower_service::Service<Request<Q>> for Call<Q, A> {
    type Response = Response<A>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Response<A>, Status>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Status>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let answer = (self.1)(self.0.clone(), request.into_inner());
        Box::pin(async move { Ok(Response::new(answer.await)) })
    }
}

async fn unary<Q, A>(
    connection: Connection,
    request: http::Request<Incoming>,
    run: fn(Connection, Q) -> BoxFuture<'static, A>,
) -> http::Response<Body>
where
    Q: prost::Message + Default + Send + 'static,
    A: prost::Message + Send + 'static,
    Call<Q, A>: UnaryService<Q, Response = A>,
{
    Grpc::new(ProstCodec::<A, Q>::default())
        .max_decoding_message_size(MAX_MESSAGE)
        .max_encoding_message_size(MAX_MESSAGE)
        .unary(Call(connection, run), request)
        .await
}

impl Connection {
    /// A new one, with the settings of a provider that isn't configured.
    #[must_use]
    pub fn new(provider: Arc<Provider>) -> Self {
        Self { provider, settings: Arc::default(), stopped: CancellationToken::new() }
    }

    /// Answers one call. What the protocol has and this provider doesn't is answered as unimplemented.
    pub async fn answer(self, request: http::Request<Incoming>) -> Result<http::Response<Body>, Infallible> {
        let path = request.uri().path().to_owned();
        Ok(match path.strip_prefix("/tfplugin6.Provider/") {
            Some("GetProviderSchema") => unary(self, request, |c, q| Box::pin(c.schemas(q))).await,
            Some("ValidateProviderConfig") => unary(self, request, |c, q| Box::pin(c.validate_provider(q))).await,
            Some("ConfigureProvider") => unary(self, request, |c, q| Box::pin(c.configure(q))).await,
            Some("ValidateResourceConfig") => unary(self, request, |c, q| Box::pin(c.validate_resource(q))).await,
            Some("ValidateDataResourceConfig") => unary(self, request, |c, q| Box::pin(c.validate_data(q))).await,
            Some("UpgradeResourceState") => unary(self, request, |c, q| Box::pin(c.upgrade(q))).await,
            Some("ReadResource") => unary(self, request, |c, q| Box::pin(c.read(q))).await,
            Some("PlanResourceChange") => unary(self, request, |c, q| Box::pin(c.plan(q))).await,
            Some("ApplyResourceChange") => unary(self, request, |c, q| Box::pin(c.apply(q))).await,
            Some("ImportResourceState") => unary(self, request, |c, q| Box::pin(c.import(q))).await,
            Some("ReadDataSource") => unary(self, request, |c, q| Box::pin(c.read_data(q))).await,
            Some("StopProvider") => unary(self, request, |c, q| Box::pin(c.stop(q))).await,
            _ => Status::unimplemented(format!("{path}: not part of the emulated provider")).into_http(),
        })
    }

    fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn schemas(self, _: wire::Empty) -> wire::Schemas {
        let schema = &self.provider.schema;
        let all = |schemas: &std::collections::BTreeMap<String, super::schema::Schema>| {
            schemas.iter().map(|(name, schema)| (name.clone(), schema.to_wire())).collect()
        };
        wire::Schemas {
            provider: Some(schema.provider.to_wire()),
            resources: all(&schema.resources),
            data_sources: all(&schema.data_sources),
            diagnostics: Vec::new(),
            capabilities: Some(wire::Capabilities { plan_destroy: false, schema_optional: false }),
        }
    }

    async fn validate_provider(self, request: wire::ProviderConfig) -> wire::ValidatedProvider {
        let config = self.provider_config(request.config.as_ref());
        wire::ValidatedProvider { diagnostics: diagnostics(config.err()) }
    }

    async fn configure(self, request: wire::ConfigureRequest) -> wire::Validated {
        let refusal = match self.provider_config(request.config.as_ref()) {
            Ok(config) => {
                let settings = Arc::new(Settings::from_config(&config));
                *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = settings;
                None
            }
            Err(refusal) => Some(refusal),
        };
        wire::Validated { diagnostics: diagnostics(refusal) }
    }

    fn provider_config(&self, config: Option<&DynamicValue>) -> Result<Value, Refusal> {
        let ty = self.provider.schema.provider.block.value_type();
        read(config, &ty).map_err(|error| Refusal::Value { kind: format!("provider {}", self.provider.name), error })
    }

    async fn validate_resource(self, request: wire::Validate) -> wire::Validated {
        let checked = self.provider.kind(&request.type_name).and_then(|kind| checked(kind, request.config.as_ref()));
        wire::Validated { diagnostics: all(checked) }
    }

    async fn validate_data(self, request: wire::Validate) -> wire::Validated {
        let checked = self.provider.data(&request.type_name).and_then(|kind| checked(kind, request.config.as_ref()));
        wire::Validated { diagnostics: all(checked) }
    }

    async fn upgrade(self, request: wire::UpgradeRequest) -> wire::UpgradeAnswer {
        let upgraded = self.provider.kind(&request.type_name).and_then(|kind| {
            let json = request.raw_state.as_ref().map_or(b"null".as_slice(), |state| &state.json);
            write(kind, &kind.upgrade(json)?)
        });
        let (upgraded_state, diagnostics) = told(upgraded);
        wire::UpgradeAnswer { upgraded_state, diagnostics }
    }

    async fn read(self, request: wire::ReadRequest) -> wire::ReadAnswer {
        let now = async {
            let kind = self.provider.kind(&request.type_name)?;
            let state = given(kind, request.current_state.as_ref())?;
            write(kind, &self.provider.read(kind, &state).await?)
        };
        let (new_state, diagnostics) = told(now.await);
        wire::ReadAnswer { new_state, diagnostics, private: request.private }
    }

    async fn plan(self, request: wire::PlanRequest) -> wire::PlanAnswer {
        let planned = self.provider.kind(&request.type_name).and_then(|kind| {
            let prior = given(kind, request.prior_state.as_ref())?;
            let proposed = given(kind, request.proposed_new_state.as_ref())?;
            let config = given(kind, request.config.as_ref())?;
            let Plan { planned, replace } = kind.plan(&prior, proposed, &config, &self.settings())?;
            Ok((write(kind, &planned)?, replace.iter().map(super::value::Path::to_wire).collect()))
        });
        let (planned, requires_replace) = match planned {
            Ok((planned, replace)) => (Ok(planned), replace),
            Err(refusal) => (Err(refusal), Vec::new()),
        };
        let (planned_state, diagnostics) = told(planned);
        wire::PlanAnswer {
            planned_state,
            requires_replace,
            planned_private: request.prior_private,
            diagnostics,
            legacy_type_system: true,
        }
    }

    async fn apply(self, request: wire::ApplyRequest) -> wire::ApplyAnswer {
        let settings = self.settings();
        let applied = async {
            let kind = self.provider.kind(&request.type_name)?;
            let prior = given(kind, request.prior_state.as_ref())?;
            let planned = given(kind, request.planned_state.as_ref())?;
            let config = given(kind, request.config.as_ref())?;
            write(kind, &self.provider.apply(kind, &prior, planned, &config, &settings, &self.stopped).await?)
        };
        let (new_state, diagnostics) = told(applied.await);
        // What failed is as it was.
        let new_state = new_state.or(request.prior_state);
        wire::ApplyAnswer { new_state, private: request.planned_private, diagnostics, legacy_type_system: true }
    }

    async fn import(self, request: wire::Import) -> wire::ImportAnswer {
        let found = async {
            let kind = self.provider.kind(&request.type_name)?;
            write(kind, &self.provider.import(kind, &request.id).await?)
        };
        let (state, diagnostics) = told(found.await);
        let imported = state.map(|state| wire::Imported {
            type_name: request.type_name.clone(),
            state: Some(state),
            private: Vec::new(),
        });
        wire::ImportAnswer { imported: imported.into_iter().collect(), diagnostics }
    }

    async fn read_data(self, request: wire::DataRequest) -> wire::DataState {
        let settings = self.settings();
        let said = self.provider.data(&request.type_name).and_then(|kind| {
            let config = given(kind, request.config.as_ref())?;
            write(kind, &kind.say(config, &settings))
        });
        let (state, diagnostics) = told(said);
        wire::DataState { state, diagnostics }
    }

    async fn stop(self, _: wire::Empty) -> wire::Stopped {
        self.stopped.cancel();
        wire::Stopped::default()
    }
}

fn read(value: Option<&DynamicValue>, ty: &Type) -> Result<Value, super::value::ValueError> {
    match value {
        None => Ok(Value::Null),
        Some(DynamicValue { msgpack, json }) if msgpack.is_empty() => match serde_json::from_slice(json) {
            Ok(json) => Value::from_json(&json, ty),
            Err(error) => Err(super::value::ValueError::new(format!("not JSON: {error}"))),
        },
        Some(DynamicValue { msgpack, .. }) => Value::from_msgpack(msgpack, ty),
    }
}

fn given(kind: Kind<'_>, value: Option<&DynamicValue>) -> Result<Value, Refusal> {
    read(value, &kind.value_type()).map_err(|error| kind.unreadable(error))
}

fn write(kind: Kind<'_>, value: &Value) -> Result<DynamicValue, Refusal> {
    let msgpack = value.to_msgpack(&kind.value_type()).map_err(|error| kind.unreadable(error))?;
    Ok(DynamicValue { msgpack, json: Vec::new() })
}

fn checked(kind: Kind<'_>, config: Option<&DynamicValue>) -> Result<Vec<Refusal>, Refusal> {
    Ok(kind.breaches(&given(kind, config)?))
}

fn all(checked: Result<Vec<Refusal>, Refusal>) -> Vec<Diagnostic> {
    checked.unwrap_or_else(|refusal| vec![refusal]).iter().map(Refusal::diagnostic).collect()
}

fn diagnostics(refusal: Option<Refusal>) -> Vec<Diagnostic> {
    refusal.iter().map(Refusal::diagnostic).collect()
}

fn told(outcome: Result<DynamicValue, Refusal>) -> (Option<DynamicValue>, Vec<Diagnostic>) {
    match outcome {
        Ok(value) => (Some(value), Vec::new()),
        Err(refusal) => (None, vec![refusal.diagnostic()]),
    }
}
