//! Pulses on a GPIO line, by the kernel's character device.

use std::future::Future;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use gpiocdev::Request;
use gpiocdev::line::{self, EdgeDetection};
use tokio::io::unix::AsyncFd;

use super::intake::Rate;
use crate::settings::sensors::model::{Bias, Edge, PulseSettings};
use crate::station::text::printable;

/// Pulses a second beyond which it is no sensor that gives them: 115 m/s of wind are some 170.
const MAX_RATE: usize = 2000;

/// A line whose pulses can be waited for. The kernel's is one; tests have another.
pub(super) trait Pulses: Send {
    /// When the next pulse was, nanoseconds on the line's own clock. May be dropped while it waits.
    fn next(&mut self) -> impl Future<Output = Result<u64, String>> + Send;
}

/// A line of the kernel's.
#[derive(Debug)]
pub(super) struct GpioLine {
    request: AsyncFd<Request>,
}

impl GpioLine {
    pub fn open(settings: &PulseSettings) -> Result<Self, String> {
        let shown = printable(&settings.chip.display().to_string());
        let failed = |error: String| {
            format!(
                "{shown}, line {}: {}; does it exist, is it free, may skydeck's user use it?",
                settings.line,
                printable(&error)
            )
        };
        let mut request = Request::builder();
        request.on_chip(&settings.chip).with_consumer("skydeck").with_line(settings.line);
        request.with_edge_detection(match settings.edge {
            Edge::Falling => EdgeDetection::FallingEdge,
            Edge::Rising => EdgeDetection::RisingEdge,
        });
        match settings.bias {
            Bias::PullUp => request.with_bias(line::Bias::PullUp),
            Bias::PullDown => request.with_bias(line::Bias::PullDown),
            Bias::AsIs => &mut request,
        };
        let request = request.request().map_err(|error| failed(error.to_string()))?;
        let request = waited_for(request).map_err(|error| failed(error.to_string()))?;
        Ok(Self { request })
    }
}

impl Pulses for GpioLine {
    async fn next(&mut self) -> Result<u64, String> {
        loop {
            let mut ready = self.request.readable().await.map_err(|error| error.to_string())?;
            let request = ready.get_inner();
            if request.has_edge_event().map_err(|error| error.to_string())? {
                return request.read_edge_event().map(|event| event.timestamp_ns).map_err(|error| error.to_string());
            }
            ready.clear_ready();
        }
    }
}

/// Pulses without their bounces.
#[derive(Debug)]
pub(super) struct Debounced<P> {
    pulses: P,
    apart_ns: u64,
    last_ns: Option<u64>,
    rate: Rate,
}

impl<P: Pulses> Debounced<P> {
    pub fn new(pulses: P, debounce_ms: u32) -> Self {
        Self { pulses, apart_ns: u64::from(debounce_ms) * 1_000_000, last_ns: None, rate: Rate::new(MAX_RATE) }
    }

    /// Waits for the next pulse that is none of the last one's bounces. Too many of either are an error: they are no
    /// sensor's.
    pub async fn next(&mut self) -> Result<(), String> {
        loop {
            let at_ns = self.pulses.next().await?;
            if self.rate.count(1).is_some() {
                return Err(format!(
                    "floods: more than {MAX_RATE} pulses in a second; check the line's resistor and its cable"
                ));
            }
            // Before 5.7 the kernel timed them by a clock that can be set back.
            let is_bounce = self.last_ns.is_some_and(|last| at_ns >= last && at_ns - last < self.apart_ns);
            if !is_bounce {
                self.last_ns = Some(at_ns);
                return Ok(());
            }
        }
    }
}

/// Registers what keeps its descriptor for as long as it lives with the runtime.
pub(super) fn waited_for<T: AsFd + AsRawFd>(owner: T) -> std::io::Result<AsyncFd<T>> {
    // What supersedes it is unsafe, for owners whose descriptor changes under way. These own theirs.
    #[allow(deprecated, reason = "an owned descriptor stays the same")]
    AsyncFd::new(owner)
}

/// Least time between two savings of a count.
pub(super) const SAVE_AFTER: Duration = Duration::from_secs(1);

#[cfg(test)]
pub(super) mod tests {
    use tokio::sync::mpsc;

    use super::*;

    /// A line whose pulses a test gives.
    pub struct Given(pub mpsc::UnboundedReceiver<u64>);

    impl Pulses for Given {
        async fn next(&mut self) -> Result<u64, String> {
            self.0.recv().await.ok_or_else(|| "the line is gone".to_owned())
        }
    }

    #[tokio::test]
    async fn bounces_are_one_pulse_and_a_flood_is_none() {
        let (give, given) = mpsc::unbounded_channel();
        let mut line = Debounced::new(Given(given), 100);
        for ms in [1000, 1001, 1040, 1099, 1100, 1150, 2000, 500, 550, 601] {
            give.send(ms * 1_000_000).expect("taken");
        }
        drop(give);
        let mut count = 0;
        let end = loop {
            match line.next().await {
                Ok(()) => count += 1,
                Err(words) => break words,
            }
        };
        // 1000, 1100, 2000, and after the clock was set back 500 and 601.
        assert_eq!((count, end.as_str()), (5, "the line is gone"));

        let (give, given) = mpsc::unbounded_channel();
        let mut line = Debounced::new(Given(given), 100);
        for at in 0..3000 {
            give.send(at).expect("taken");
        }
        line.next().await.expect("the first");
        assert!(line.next().await.expect_err("a flood").starts_with("floods: more than 2000 pulses in a second"));
    }

    #[test]
    fn a_line_that_is_not_there_is_said_in_words() {
        let settings = PulseSettings {
            chip: "/nowhere/gpiochip0".into(),
            line: 17,
            edge: Edge::Falling,
            bias: Bias::PullUp,
            debounce_ms: 1,
        };
        let words = GpioLine::open(&settings).map(drop).expect_err("nothing there");
        assert!(words.starts_with("/nowhere/gpiochip0, line 17: "), "{words}");
    }
}
