//! MQTT or WebSocket: which way the next attempt goes.

use super::status::Transport;
use crate::settings::LinkTransport;

/// Attempts in a row that can't reach the MQTT port before WebSocket is tried.
const TRIES: u32 = 2;

/// How an attempt ended, as far as the way is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reached {
    /// The hub accepted the connection.
    Accepted,
    /// Nobody was reached: refused, unreachable, silent, cut off before an answer.
    Nobody,
    /// Somebody answered, but not with a connection: wrong credentials, wrong certificate.
    Refusal,
}

/// Which way is taken.
#[derive(Debug)]
pub(super) struct Way {
    current: Transport,
    /// Attempts in a row by which the current way led nowhere.
    nowhere: u32,
}

impl Default for Way {
    fn default() -> Self {
        Self { current: Transport::Mqtt, nowhere: 0 }
    }
}

impl Way {
    /// The way of the next attempt.
    pub(super) const fn next(&self, allowed: LinkTransport) -> Transport {
        match allowed {
            LinkTransport::Auto => self.current,
            LinkTransport::Mqtt => Transport::Mqtt,
            LinkTransport::Websocket => Transport::Websocket,
        }
    }

    /// After an attempt.
    pub(super) fn tried(&mut self, reached: Reached) {
        match (self.current, reached) {
            (_, Reached::Accepted) => self.nowhere = 0,
            (_, Reached::Refusal) => {}
            (Transport::Mqtt, Reached::Nobody) => {
                self.nowhere += 1;
                if self.nowhere >= TRIES {
                    *self = Self { current: Transport::Websocket, nowhere: 0 };
                }
            }
            // Neither led anywhere: by turns.
            (Transport::Websocket, Reached::Nobody) => self.look_at_mqtt(),
        }
    }

    /// After a connection over WebSocket has been renewed: MQTT gets one attempt, then it is WebSocket again.
    pub(super) const fn look_at_mqtt(&mut self) {
        self.current = Transport::Mqtt;
        self.nowhere = TRIES - 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn websocket_is_taken_where_mqtt_leads_nowhere_and_left_again() {
        let mut way = Way::default();
        let mut attempt = |reached| {
            let taken = way.next(LinkTransport::Auto);
            match reached {
                Some(reached) => way.tried(reached),
                None => way.look_at_mqtt(),
            }
            taken
        };
        use Reached::{Accepted, Nobody, Refusal};
        use Transport::{Mqtt, Websocket};
        for (reached, taken) in [
            (Some(Nobody), Mqtt),
            (Some(Accepted), Mqtt),
            (Some(Nobody), Mqtt),
            (Some(Refusal), Mqtt), // wrong credentials are wrong by any way
            (Some(Nobody), Mqtt),
            (Some(Refusal), Websocket),
            (Some(Accepted), Websocket),
            (None, Websocket), // renewed
            (Some(Nobody), Mqtt),
            (Some(Nobody), Websocket),
            (Some(Nobody), Mqtt),
            (Some(Accepted), Websocket),
            (None, Websocket),
            (Some(Accepted), Mqtt),
            (Some(Nobody), Mqtt),
            (Some(Accepted), Mqtt),
        ] {
            assert_eq!(attempt(reached), taken);
        }
        assert_eq!(way.next(LinkTransport::Websocket), Websocket);
        assert_eq!(Way { current: Websocket, nowhere: 0 }.next(LinkTransport::Mqtt), Mqtt);
    }
}
