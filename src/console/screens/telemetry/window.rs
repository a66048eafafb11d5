//! Which stretch of time the charts show, and the cursor they share.

use jiff::{SignedDuration, Timestamp};

use crate::console::widgets::chart::time_axis::TimeScale;

/// Lengths of the window, minutes: 5 min to 7 d.
const LENGTHS_MIN: [i64; 10] = [5, 15, 30, 60, 180, 360, 720, 1440, 2880, 10_080];

/// The steps of the cursor across a window.
const CURSOR_STEPS: i32 = 120;

/// A window on the stored history, and the cursor in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    length: usize,
    /// Its right edge; absent follows the present.
    end: Option<Timestamp>,
    /// The shared cursor.
    pub cursor: Option<Timestamp>,
}

impl Default for Window {
    /// The last six hours.
    fn default() -> Self {
        Self { length: 5, end: None, cursor: None }
    }
}

impl Window {
    /// Its length.
    #[must_use]
    pub fn length(&self) -> SignedDuration {
        SignedDuration::from_mins(LENGTHS_MIN[self.length])
    }

    /// Its length for people: `6 h`.
    #[must_use]
    pub fn length_label(&self) -> String {
        match LENGTHS_MIN[self.length] {
            minutes @ 0..60 => format!("{minutes} min"),
            minutes @ 60..2880 => format!("{} h", minutes / 60),
            minutes => format!("{} d", minutes / 1440),
        }
    }

    /// Whether it follows the present.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.end.is_none()
    }

    /// The time axis at pipeline time `now`. A live window moves on in steps of its 120th part and not less than
    /// ten seconds, so that an idle screen isn't drawn for nothing.
    #[must_use]
    pub fn scale(&self, now: Timestamp) -> TimeScale {
        let end = self.end.unwrap_or_else(|| {
            let step = (self.length().as_secs() / 120).max(10);
            let seconds = now.as_second().div_euclid(step).saturating_add(1).saturating_mul(step);
            Timestamp::from_second(seconds).unwrap_or(now)
        });
        TimeScale::new(before(end, self.length()), end)
    }

    /// Shows a shorter stretch, around the cursor where there is one; `false` at the shortest.
    pub fn zoom_in(&mut self, now: Timestamp) -> bool {
        self.zoom(self.length.checked_sub(1), now)
    }

    /// Shows a longer stretch; `false` at the longest.
    pub fn zoom_out(&mut self, now: Timestamp) -> bool {
        self.zoom(Some(self.length + 1).filter(|length| *length < LENGTHS_MIN.len()), now)
    }

    fn zoom(&mut self, length: Option<usize>, now: Timestamp) -> bool {
        let Some(length) = length else { return false };
        self.length = length;
        if let Some(cursor) = self.cursor {
            self.show_until(after(cursor, self.length() / 2), now);
        }
        true
    }

    /// A quarter of the window back in time; the cursor keeps its place on the screen.
    pub fn back(&mut self, now: Timestamp) {
        let end = self.end.unwrap_or(now);
        self.end = Some(before(end, self.length() / 4));
        self.take_cursor_along(end, now);
    }

    /// A quarter of the window forward, to the present at the end.
    pub fn forward(&mut self, now: Timestamp) {
        if let Some(end) = self.end {
            self.show_until(after(end, self.length() / 4), now);
            self.take_cursor_along(end, now);
        }
    }

    fn take_cursor_along(&mut self, from: Timestamp, now: Timestamp) {
        let moved = self.end.unwrap_or(now).duration_since(from);
        self.cursor = self.cursor.map(|cursor| after(cursor, moved));
    }

    /// To the present, without cursor.
    pub const fn follow(&mut self) {
        self.end = None;
        self.cursor = None;
    }

    fn show_until(&mut self, end: Timestamp, now: Timestamp) {
        self.end = (end < now).then_some(end);
    }

    /// Moves the cursor by `steps` of the window's 120; it appears at the present, or at the window's right edge.
    pub fn move_cursor(&mut self, steps: i32, now: Timestamp) {
        let scale = self.scale(now);
        let start = self.cursor.filter(|at| scale.fraction(*at).is_some()).unwrap_or_else(|| scale.to.min(now));
        let moved = after(start, self.length() / CURSOR_STEPS * steps);
        self.cursor = Some(moved.clamp(scale.from, scale.to));
    }
}

fn before(at: Timestamp, length: SignedDuration) -> Timestamp {
    at.checked_sub(length).unwrap_or(Timestamp::MIN)
}

fn after(at: Timestamp, length: SignedDuration) -> Timestamp {
    at.checked_add(length).unwrap_or(if length.is_negative() { Timestamp::MIN } else { Timestamp::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2016-06-09T14:05:12Z".parse().expect("an instant")
    }

    fn minutes(from: Timestamp, to: Timestamp) -> i64 {
        to.duration_since(from).as_mins()
    }

    #[test]
    fn a_live_window_holds_the_present_and_moves_in_steps() {
        let window = Window::default();
        let scale = window.scale(now());
        // Six hours in steps of 180 s: 14:05:12 lies in the step that ends at 14:06.
        assert_eq!(scale.to, "2016-06-09T14:06:00Z".parse().expect("an instant"));
        assert_eq!(minutes(scale.from, scale.to), 360);
        assert_eq!(window.scale(now() + SignedDuration::from_secs(30)), scale);
    }

    #[test]
    fn scrolling_back_and_forward_returns_to_the_present() {
        let mut window = Window::default();
        window.back(now());
        assert!(!window.is_live());
        assert_eq!(minutes(window.scale(now()).to, now()), 90);
        window.forward(now());
        assert!(window.is_live());
    }

    #[test]
    fn zoom_has_ends_and_keeps_the_cursor_in_the_middle() {
        let mut window = Window::default();
        while window.zoom_out(now()) {}
        assert_eq!(window.length_label(), "7 d");
        window.move_cursor(-60, now());
        let cursor = window.cursor.expect("it appeared");
        while window.zoom_in(now()) {}
        assert_eq!(window.length_label(), "5 min");
        let scale = window.scale(now());
        assert_eq!(scale.fraction(cursor), Some(0.5));
        window.follow();
        assert!(window.is_live() && window.cursor.is_none());
    }

    #[test]
    fn the_cursor_stays_in_the_window() {
        let mut window = Window::default();
        window.move_cursor(-1, now());
        assert_eq!(window.cursor, Some(now() - SignedDuration::from_secs(180)));
        window.move_cursor(1000, now());
        assert_eq!(window.cursor, Some(window.scale(now()).to));
    }
}
