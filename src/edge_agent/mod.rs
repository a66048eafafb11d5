//! What runs beside the station: sensors, the durable outbox, the link to the hub, the model slot.

pub mod outbox; // what was measured and the hub hasn't acknowledged yet
pub mod uplink; // the IoT Hub device client: from the outbox over MQTT and TLS
