//! The machine's wall clock: what it shows, and when it was set.

use jiff::Timestamp;

/// What the wall clock shows. In debug builds `SKYDECK_TEST_CLOCK` may stand in for setting it.
#[must_use]
pub fn now() -> Timestamp {
    #[cfg(debug_assertions)]
    if let Some(shift) = test_clock::shift() {
        return Timestamp::now().checked_add(shift).unwrap_or(Timestamp::UNIX_EPOCH);
    }
    Timestamp::now()
}

/// The random id of this boot of the machine; absent where the system has none.
#[must_use]
pub fn boot_id() -> Option<String> {
    #[cfg(debug_assertions)]
    if let Some(boot) = test_clock::boot() {
        return Some(boot);
    }
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let id = id.trim();
    (!id.is_empty()).then(|| id.to_owned())
}

/// Nanoseconds since the boot, sleep included; absent where the system doesn't tell.
#[must_use]
pub fn since_boot_ns() -> Option<i64> {
    #[cfg(target_os = "linux")]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Some(time.tv_sec.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec))
    }
    #[cfg(not(target_os = "linux"))]
    None
}

/// Tells when somebody set the wall clock. Asleep until then: no tick.
#[derive(Debug)]
pub struct SetAlarm {
    #[cfg(target_os = "linux")]
    kernel: Option<kernel::Timer>,
}

impl SetAlarm {
    /// To be called inside a runtime.
    #[must_use]
    pub fn new() -> Self {
        Self {
            #[cfg(target_os = "linux")]
            kernel: kernel::Timer::new().ok(),
        }
    }

    /// Waits until the clock is set. Never answers where the system doesn't tell; a wait that is given up loses
    /// nothing.
    pub async fn rung(&mut self) {
        tokio::select! {
            () = self.kernel() => {}
            () = test_clock_moved() => {}
        }
    }

    async fn kernel(&mut self) {
        #[cfg(target_os = "linux")]
        if let Some(timer) = &self.kernel {
            if timer.cancelled().await.is_ok() {
                return;
            }
            self.kernel = None;
        }
        std::future::pending().await
    }
}

impl Default for SetAlarm {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(debug_assertions)]
async fn test_clock_moved() {
    test_clock::moved().await;
}

#[cfg(not(debug_assertions))]
async fn test_clock_moved() {
    std::future::pending().await
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

    /// How far ahead the timer stands, seconds: its time itself is of no interest.
    const FAR: i64 = 10 * 365 * 86_400;

    /// A timer that is cancelled when the wall clock is set.
    #[derive(Debug)]
    pub(super) struct Timer(AsyncFd<OwnedFd>);

    impl Timer {
        pub fn new() -> io::Result<Self> {
            let timer = timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
            arm(&timer)?;
            #[allow(deprecated, reason = "what took its place is unsafe; an owned descriptor is what that asks for")]
            AsyncFd::with_interest(timer, Interest::READABLE).map(Self)
        }

        pub async fn cancelled(&self) -> io::Result<()> {
            loop {
                let mut ready = self.0.readable().await?;
                let taken = ready.try_io(|timer| {
                    let mut strikes = [0; 8];
                    match rustix::io::read(timer.get_ref(), &mut strikes) {
                        Ok(_) | Err(Errno::CANCELED) => arm(timer.get_ref()),
                        Err(error) => Err(error.into()),
                    }
                });
                // Not ready after all: waits on.
                if let Ok(taken) = taken {
                    return taken;
                }
            }
        }
    }

    fn arm(timer: &OwnedFd) -> io::Result<()> {
        let second = |tv_sec| Timespec { tv_sec, tv_nsec: 0 };
        let at = jiff::Timestamp::now().as_second().saturating_add(FAR);
        let once = Itimerspec { it_interval: second(0), it_value: second(at) };
        timerfd_settime(timer, TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET, &once)?;
        Ok(())
    }
}

/// `SKYDECK_TEST_CLOCK=FILE`: the file holds the seconds by which the wall clock is taken to be off, and after a space,
/// where another boot is to be played, that boot's id. It is followed.
#[cfg(debug_assertions)]
mod test_clock {
    use std::path::{Path, PathBuf};
    use std::sync::OnceLock;

    use jiff::SignedDuration;
    use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
    use tokio::sync::watch;

    #[derive(Debug, Clone, Default, PartialEq)]
    struct Played {
        shift: SignedDuration,
        boot: Option<String>,
    }

    struct Follower {
        played: watch::Sender<Played>,
        _watcher: Option<RecommendedWatcher>,
    }

    static FOLLOWER: OnceLock<Option<Follower>> = OnceLock::new();

    fn follower() -> Option<&'static Follower> {
        FOLLOWER.get_or_init(|| std::env::var_os("SKYDECK_TEST_CLOCK").map(|path| follow(PathBuf::from(path)))).as_ref()
    }

    fn follow(path: PathBuf) -> Follower {
        let played = watch::Sender::new(read(&path).unwrap_or_default());
        let (sender, file) = (played.clone(), path.clone());
        let watcher = notify::recommended_watcher(move |_| {
            if let Some(now) = read(&file) {
                sender.send_if_modified(|played| std::mem::replace(played, now.clone()) != now);
            }
        });
        let folder = path.parent().unwrap_or_else(|| Path::new(".")).to_owned();
        let watcher = watcher.and_then(|mut watcher| {
            watcher.watch(&folder, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        Follower { played, _watcher: watcher.ok() }
    }

    fn read(path: &Path) -> Option<Played> {
        let text = std::fs::read_to_string(path).ok()?;
        let mut words = text.split_whitespace();
        let shift = SignedDuration::try_from_secs_f64(words.next()?.parse().ok()?).ok()?;
        Some(Played { shift, boot: words.next().map(str::to_owned) })
    }

    pub(super) fn shift() -> Option<SignedDuration> {
        follower().map(|follower| follower.played.borrow().shift)
    }

    pub(super) fn boot() -> Option<String> {
        follower().and_then(|follower| follower.played.borrow().boot.clone())
    }

    pub(super) async fn moved() {
        let Some(follower) = follower() else { return std::future::pending().await };
        let mut played = follower.played.subscribe();
        played.mark_unchanged();
        // The sender is never dropped.
        drop(played.changed().await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_rings_while_nobody_sets_the_clock() {
        let mut alarm = SetAlarm::new();
        let rung = tokio::time::timeout(std::time::Duration::from_millis(50), alarm.rung()).await;
        assert!(rung.is_err());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_time_since_the_boot_grows_and_the_boot_has_an_id() {
        let before = since_boot_ns().expect("Linux has it");
        assert!(since_boot_ns().expect("Linux has it") >= before && before > 0);
        assert_eq!(boot_id(), boot_id());
        assert!(boot_id().is_some_and(|id| id.len() == 36));
    }
}
