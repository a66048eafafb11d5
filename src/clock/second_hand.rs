//! The second hand: strikes at the wall clock's whole seconds, for whoever shows or checks what changes with time.
//!
//! On Linux it is a timer of the kernel's, which wakes once a second. The runtime's own timers lie in a wheel and
//! wake two or three times on their way to one that is a second ahead. All hands strike together, so that what
//! several do each second is one wake-up of the thread they share.

use std::time::Duration;

use jiff::Timestamp;

/// A second hand; each waiter has its own.
#[derive(Debug)]
pub struct SecondHand {
    /// `None` where there is no such timer: then the runtime's serve.
    #[cfg(target_os = "linux")]
    kernel: Option<kernel::Timer>,
}

impl SecondHand {
    /// A hand that strikes from the next whole second on. To be called inside a runtime.
    #[must_use]
    pub fn new() -> Self {
        Self {
            #[cfg(target_os = "linux")]
            kernel: kernel::Timer::new().ok(),
        }
    }

    /// Waits for the next strike; a strike that nobody waited for is answered at once. A wait that is given up
    /// loses nothing.
    pub async fn strike(&mut self) {
        #[cfg(target_os = "linux")]
        if let Some(timer) = &self.kernel {
            if timer.strike().await.is_ok() {
                return;
            }
            self.kernel = None;
        }
        tokio::time::sleep(to_next_second(Timestamp::now())).await;
    }
}

impl Default for SecondHand {
    fn default() -> Self {
        Self::new()
    }
}

/// Until the next whole second, rounded up to a millisecond, as the runtime's timers are.
fn to_next_second(now: Timestamp) -> Duration {
    let past = u64::try_from(now.subsec_millisecond()).unwrap_or(0);
    Duration::from_millis(1001_u64.saturating_sub(past))
}

#[cfg(target_os = "linux")]
mod kernel {
    use std::io;
    use std::os::fd::OwnedFd;

    use rustix::io::Errno;
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
    };
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    /// A timer on the wall clock, at each whole second.
    #[derive(Debug)]
    pub(super) struct Timer(AsyncFd<OwnedFd>);

    impl Timer {
        pub fn new() -> io::Result<Self> {
            let timer = timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
            set(&timer)?;
            #[allow(deprecated, reason = "what took its place is unsafe; an owned descriptor is what that asks for")]
            AsyncFd::with_interest(timer, Interest::READABLE).map(Self)
        }

        /// Waits for a whole second. A clock that was set strikes too.
        pub async fn strike(&self) -> io::Result<()> {
            loop {
                let mut ready = self.0.readable().await?;
                let taken = ready.try_io(|timer| {
                    let mut seconds = [0; 8];
                    match rustix::io::read(timer.get_ref(), &mut seconds) {
                        Err(Errno::CANCELED) => set(timer.get_ref()),
                        read => read.map(drop).map_err(io::Error::from),
                    }
                });
                // Not ready after all: waits on.
                if let Ok(taken) = taken {
                    return taken;
                }
            }
        }
    }

    /// From the next whole second on. Were it not told of a clock that is set back, it would be silent for as long.
    fn set(timer: &OwnedFd) -> io::Result<()> {
        let next = jiff::Timestamp::now().as_second() + 1;
        let second = |tv_sec| Timespec { tv_sec, tv_nsec: 0 };
        let each = Itimerspec { it_interval: second(1), it_value: second(next) };
        timerfd_settime(timer, TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET, &each)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_strikes_at_whole_seconds_and_never_twice_in_one() {
        let mut hand = SecondHand::new();
        let mut struck = Vec::new();
        for _ in 0..3 {
            hand.strike().await;
            struck.push(Timestamp::now());
        }
        assert!(struck.windows(2).all(|pair| pair[0].as_second() < pair[1].as_second()), "{struck:?}");
        // A loaded machine may be late now and then.
        assert!(struck.iter().any(|at| at.subsec_millisecond() < 300), "{struck:?}");
    }

    #[tokio::test]
    async fn a_wait_that_is_given_up_loses_no_strike() {
        let mut hand = SecondHand::new();
        hand.strike().await;
        for _ in 0..3 {
            assert!(tokio::time::timeout(Duration::from_millis(20), hand.strike()).await.is_err());
        }
        tokio::time::timeout(Duration::from_secs(3), hand.strike()).await.expect("it strikes");
    }

    #[test]
    fn without_the_kernels_timer_the_sleep_ends_past_the_second() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        assert_eq!(to_next_second(at("2026-01-01T00:00:00.250Z")), Duration::from_millis(751));
        assert_eq!(to_next_second(at("2026-01-01T00:00:00.999999Z")), Duration::from_millis(2));
    }
}
