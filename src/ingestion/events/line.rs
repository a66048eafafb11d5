//! One AMQP connection to the endpoint: opened, given its rights, asked about its partitions.

use std::time::Duration;

use fe2o3_amqp::connection::{ConnectionHandle, OpenError};
use fe2o3_amqp::link::{ReceiverAttachError, SenderAttachError};
use fe2o3_amqp::sasl_profile::SaslProfile;
use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp::types::messaging::{AmqpValue, ApplicationProperties, Body, Message, MessageId, Properties};
use fe2o3_amqp::types::primitives::{SimpleValue, Value};
use fe2o3_amqp::{Connection, Receiver, Sender, Session};
use jiff::Timestamp;
use secrecy::ExposeSecret as _;

use super::dial::{Stream, Way, dial};
use super::error::{EventsError, Fault, short};
use super::place::Place;
use super::token::Token;

/// How long the endpoint may take for one answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// After how long of silence the endpoint is asked whether it is there, ms.
const IDLE_MS: u32 = 60_000;

/// A connection, and the two conversations that are held on it beside the reading.
pub(super) struct Line {
    pub(super) connection: ConnectionHandle<()>,
    rights: Exchange,
    management: Option<Exchange>,
    words: String,
    entity: String,
    audience: String,
}

/// A partition as the endpoint describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PartitionFacts {
    /// The number of its newest message; -1 where it never had one.
    pub(super) last_sequence: i64,
}

/// A conversation: a question goes out on one link, its answer comes in on another.
struct Exchange {
    // Dropping it would end the links.
    _session: SessionHandle<()>,
    sender: Sender,
    receiver: Receiver,
    reply_to: String,
    next: u64,
    words: String,
}

struct Answer {
    status: i64,
    description: String,
    body: Value,
}

/// Opens AMQP on a stream.
pub(super) async fn open(
    stream: Box<dyn Stream>,
    host: &str,
    sasl: SaslProfile,
    words: &str,
) -> Result<ConnectionHandle<()>, EventsError> {
    let opening = Connection::builder()
        .container_id(format!("skydeck-{}", uuid::Uuid::now_v7().simple()))
        .hostname(host)
        .sasl_hostname(host)
        .scheme("amqp")
        .sasl_profile(sasl)
        .idle_time_out(IDLE_MS)
        .open_with_stream(stream);
    in_time(words, opening).await?.map_err(|error| match error {
        OpenError::RemoteClosedWithError(error) => EventsError::said(words, &error),
        OpenError::SaslError { .. } => EventsError::refused(words, "SASL"),
        other => lost(words, &other.to_string()),
    })
}

impl Line {
    /// A connection to `place` with the rights that `token` gives.
    pub(super) async fn open(place: &Place, way: &Way, token: &Token) -> Result<Self, EventsError> {
        let words = place.words();
        let stream = dial(&place.host, place.port, way).await?;
        let mut connection = open(stream, &place.host, SaslProfile::Anonymous, &words).await?;
        let rights = Exchange::open(&mut connection, "$cbs", &words).await?;
        let mut line = Self {
            connection,
            rights,
            management: None,
            words,
            entity: place.entity.clone(),
            audience: place.audience(),
        };
        line.authorise(token).await?;
        line.management = Some(Exchange::open(&mut line.connection, "$management", &line.words).await?);
        Ok(line)
    }

    /// Gives the endpoint a token: at the start, and each time before the one before ends.
    pub(super) async fn authorise(&mut self, token: &Token) -> Result<(), EventsError> {
        let properties = ApplicationProperties::builder()
            .insert("operation", "put-token")
            .insert("type", token.kind)
            .insert("name", self.audience.clone())
            .insert("expiration", fe2o3_amqp::types::primitives::Timestamp::from(token.ends_at.as_millisecond()))
            .build();
        let answer = self.rights.ask(properties, Value::String(token.text.expose_secret().to_owned())).await?;
        match answer.status {
            200 | 202 => Ok(()),
            503 => Err(busy(&self.words, &answer)),
            status => Err(EventsError::refused(&self.words, &format!("{status} {}", answer.description))),
        }
    }

    /// The partitions' names, as the endpoint lists them now.
    pub(super) async fn partitions(&mut self) -> Result<Vec<String>, EventsError> {
        let body = self.read("com.microsoft:eventhub", None).await?;
        let names = match field(&body, "partition_ids") {
            Some(Value::Array(names)) => names.0.iter().filter_map(text).collect(),
            Some(Value::List(names)) => names.iter().filter_map(text).collect(),
            _ => Vec::new(),
        };
        let names: Vec<String> = names;
        if names.is_empty() {
            return Err(lost(&self.words, "it lists no partitions"));
        }
        Ok(names)
    }

    /// What the endpoint says of one partition.
    pub(super) async fn partition(&mut self, partition: &str) -> Result<PartitionFacts, EventsError> {
        let body = self.read("com.microsoft:partition", Some(partition)).await?;
        let last_sequence = field(&body, "last_enqueued_sequence_number").and_then(whole).unwrap_or(-1);
        Ok(PartitionFacts { last_sequence })
    }

    async fn read(&mut self, kind: &str, partition: Option<&str>) -> Result<Value, EventsError> {
        let mut properties = ApplicationProperties::builder()
            .insert("operation", "READ")
            .insert("type", kind)
            .insert("name", self.entity.clone());
        if let Some(partition) = partition {
            properties = properties.insert("partition", partition);
        }
        let management = self.management.as_mut().ok_or_else(|| lost(&self.words, "its management isn't open"))?;
        let answer = management.ask(properties.build(), Value::Null).await?;
        match answer.status {
            200 | 202 => Ok(answer.body),
            401 | 403 => Err(EventsError::refused(&self.words, &answer.description)),
            404 => Err(EventsError::new(
                Fault::Settings,
                format!(
                    "{}: not found ({}); check the endpoint's name against `terraform output iothub_feed`",
                    self.words, answer.description
                ),
            )),
            503 => Err(busy(&self.words, &answer)),
            status => Err(lost(&self.words, &format!("{status} {}", answer.description))),
        }
    }
}

impl Exchange {
    async fn open(connection: &mut ConnectionHandle<()>, node: &str, words: &str) -> Result<Self, EventsError> {
        let mut session = session(connection, words).await?;
        let reply_to = format!("skydeck-{}", uuid::Uuid::now_v7().simple());
        let sender = in_time(words, Sender::attach(&mut session, format!("{reply_to}-out"), node)).await?;
        let sender = sender.map_err(|error| match error {
            SenderAttachError::RemoteClosedWithError(error) => EventsError::said(words, &error),
            other => lost(words, &other.to_string()),
        })?;
        let receiver = Receiver::builder()
            .name(format!("{reply_to}-in"))
            .source(node)
            .target(reply_to.as_str())
            .auto_accept(true)
            .attach(&mut session);
        let receiver = in_time(words, receiver).await?.map_err(|error| attach(words, error))?;
        Ok(Self { _session: session, sender, receiver, reply_to, next: 1, words: words.to_owned() })
    }

    async fn ask(&mut self, properties: ApplicationProperties, body: Value) -> Result<Answer, EventsError> {
        let id = self.next;
        self.next += 1;
        let question = Message::builder()
            .properties(Properties::builder().message_id(id).reply_to(self.reply_to.as_str()).build())
            .application_properties(properties)
            .body(AmqpValue(body))
            .build();
        in_time(&self.words, self.sender.send(question))
            .await?
            .map_err(|error| lost(&self.words, &error.to_string()))?;
        loop {
            let answer = in_time(&self.words, self.receiver.recv::<Body<Value>>()).await?;
            let answer = answer.map_err(|error| lost(&self.words, &error.to_string()))?.into_message();
            let to = answer.properties.as_ref().and_then(|properties| properties.correlation_id.as_ref());
            // One that came too late for the question before.
            if to.is_some_and(|to| *to != MessageId::Ulong(id)) {
                continue;
            }
            let said = answer.application_properties.unwrap_or_default();
            // Event Hubs writes them with a dash for rights and in camel case for management.
            let found = |names: [&str; 2]| names.into_iter().find_map(|name| said.get(name));
            let status = found(["status-code", "statusCode"]).and_then(simple_whole).unwrap_or(0);
            let description = match found(["status-description", "statusDescription"]) {
                Some(SimpleValue::String(text)) => short(text),
                _ => String::new(),
            };
            let body = match answer.body {
                Body::Value(AmqpValue(value)) => value,
                _ => Value::Null,
            };
            return Ok(Answer { status, description, body });
        }
    }
}

/// A session on a connection.
pub(super) async fn session(
    connection: &mut ConnectionHandle<()>,
    words: &str,
) -> Result<SessionHandle<()>, EventsError> {
    in_time(words, Session::begin(connection)).await?.map_err(|error| lost(words, &error.to_string()))
}

/// What a link that wasn't attached means.
pub(super) fn attach(words: &str, error: ReceiverAttachError) -> EventsError {
    match error {
        ReceiverAttachError::RemoteClosedWithError(error) => EventsError::said(words, &error),
        other => lost(words, &other.to_string()),
    }
}

pub(super) fn lost(words: &str, reason: &str) -> EventsError {
    EventsError::new(Fault::Lost, format!("{words}: the connection ended ({}); tried again", short(reason)))
}

fn busy(words: &str, answer: &Answer) -> EventsError {
    EventsError::new(
        Fault::Busy,
        format!("{words}: throttled by the hub ({}); it is asked again, later", answer.description),
    )
}

/// Waits for the endpoint, not for good.
pub(super) async fn in_time<T>(words: &str, work: impl Future<Output = T>) -> Result<T, EventsError> {
    tokio::time::timeout(PATIENCE, work)
        .await
        .map_err(|_| lost(words, &format!("no answer in {} s", PATIENCE.as_secs())))
}

fn field<'v>(body: &'v Value, name: &str) -> Option<&'v Value> {
    let Value::Map(map) = body else { return None };
    map.iter().find(|(key, _)| matches!(key, Value::String(key) if key == name)).map(|(_, value)| value)
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(short(text)),
        _ => None,
    }
}

/// A whole number, whatever its width.
pub(super) fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Long(number) => Some(*number),
        Value::Int(number) => Some(i64::from(*number)),
        Value::Short(number) => Some(i64::from(*number)),
        Value::Byte(number) => Some(i64::from(*number)),
        Value::Ulong(number) => i64::try_from(*number).ok(),
        Value::Uint(number) => Some(i64::from(*number)),
        Value::Ushort(number) => Some(i64::from(*number)),
        Value::Ubyte(number) => Some(i64::from(*number)),
        _ => None,
    }
}

fn simple_whole(value: &SimpleValue) -> Option<i64> {
    whole(&Value::from(value.clone()))
}

/// An instant of AMQP's.
pub(super) fn instant(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Timestamp(at) => Timestamp::from_millisecond(at.milliseconds()).ok(),
        _ => None,
    }
}
