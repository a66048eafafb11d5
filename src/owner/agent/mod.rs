//! The edge agent as an owner sees it: its report in words, and the agent that runs alone.

#[cfg(feature = "agent")]
mod alone;
#[cfg(feature = "diag")]
mod bundle;
#[cfg(any(feature = "agent", feature = "diag"))]
mod desk;
#[cfg(any(feature = "agent", feature = "local"))]
mod diagnoser;
mod diagnosis;
mod findings;
#[cfg(test)]
pub mod fixture;
mod hardware;
#[cfg(any(feature = "agent", feature = "local"))]
mod host;
mod words;

#[cfg(feature = "agent")]
pub use self::alone::{AgentAlone, AloneEnd, AloneError, start};
#[cfg(any(feature = "agent", feature = "diag"))]
pub use self::desk::{DeviceDesk, Starting};
#[cfg(any(feature = "agent", feature = "local"))]
pub(super) use self::diagnoser::Diagnoser;
pub use self::diagnosis::Diagnosis;
pub use self::findings::{Beside, DeviceFinding, agent_troubles, device_findings};
pub use self::hardware::{Gauge, GaugeKind, gauges, machine_facts};
#[cfg(any(feature = "agent", feature = "local"))]
pub(super) use self::host::host;
pub use self::words::{Fact, NO_CAMERA, agent_facts};
#[cfg(feature = "local")]
pub(super) use self::words::{is_quota_spent, is_spent};
