//! What runs beside the station: sensors, the durable outbox, the link to the hub, the model slot.

pub mod sensors;
