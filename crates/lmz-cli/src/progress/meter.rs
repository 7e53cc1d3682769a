//! How fast work goes, and how long the rest of it takes: from what was done at which time.

use std::collections::VecDeque;
use std::time::Duration;

/// The rate is that of so long.
const RATE: Duration = Duration::from_secs(5);
/// The rest is reckoned by so long: an encoder that codes a block a second time comes no further
/// meanwhile, and what such waits take of the time has to be part of it.
const REST: Duration = Duration::from_secs(60);
/// What is known after less than this says nothing.
const LEAST: Duration = Duration::from_millis(500);

/// What was done at which time, of the last [`REST`].
#[derive(Debug)]
pub struct Meter {
    /// Times since the beginning, and bytes done by then, in order; never none.
    seen: VecDeque<(Duration, u64)>,
}

impl Default for Meter {
    /// Nothing is done when the work begins.
    fn default() -> Self {
        Self { seen: VecDeque::from([(Duration::ZERO, 0)]) }
    }
}

impl Meter {
    /// By this time since the beginning so many bytes were done.
    pub fn see(&mut self, at: Duration, done: u64) {
        self.seen.push_back((at, done));
        // The last of those that are as old as that is where the time begins.
        while self.seen.get(1).is_some_and(|(old, _)| *old + REST <= at) {
            self.seen.pop_front();
        }
    }

    /// Bytes a second over the last seconds; nothing as long as that is not known.
    pub fn rate(&self) -> Option<f64> {
        self.over(RATE)
    }

    /// How long the rest of so many bytes takes; nothing as long as that is not known.
    pub fn rest(&self, total: u64) -> Option<Duration> {
        let left = total.saturating_sub(self.seen.back()?.1);
        if left == 0 {
            return Some(Duration::ZERO);
        }
        let rate = self.over(REST).filter(|rate| *rate > 0.0)?;
        Duration::try_from_secs_f64(left as f64 / rate).ok()
    }

    /// Bytes a second over all that was seen.
    fn over(&self, long: Duration) -> Option<f64> {
        let (now, done) = *self.seen.back()?;
        let old = self.seen.iter().rev().find(|(at, _)| *at + long <= now);
        let (then, before) = *old.or(self.seen.front())?;
        let took = now.saturating_sub(then);
        (took >= LEAST).then(|| done.saturating_sub(before) as f64 / took.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sees what was done at each second.
    fn seconds(done: impl IntoIterator<Item = u64>) -> Meter {
        let mut meter = Meter::default();
        for (second, done) in (1..).zip(done) {
            meter.see(Duration::from_secs(second), done);
        }
        meter
    }

    #[test]
    fn nothing_is_known_at_the_beginning() {
        let mut meter = Meter::default();
        assert_eq!((meter.rate(), meter.rest(9)), (None, None));
        meter.see(Duration::from_millis(400), 50);
        assert_eq!((meter.rate(), meter.rest(100)), (None, None));
        meter.see(Duration::from_millis(600), 60);
        assert_eq!(meter.rate(), Some(100.0));
        assert_eq!(meter.rest(160), Some(Duration::from_secs(1)));
    }

    #[test]
    fn steady_work() {
        let meter = seconds((1..=300).map(|second| second * 20));
        assert_eq!(meter.rate(), Some(20.0));
        assert_eq!(meter.rest(6000), Some(Duration::ZERO));
        assert_eq!(meter.rest(8000), Some(Duration::from_secs(100)));
        assert!(meter.seen.len() <= 62, "{} are kept", meter.seen.len());
    }

    /// The rate is that of now; the rest also knows what was before.
    #[test]
    fn work_that_waits() {
        let waits = seconds((1..=10).map(|second| second * 100).chain([1000; 10]));
        assert_eq!(waits.rate(), Some(0.0));
        assert_eq!(waits.rest(2000), Some(Duration::from_secs(20)));
        let began_late = seconds([0; 5].into_iter().chain((1..=5).map(|second| second * 100)));
        assert_eq!(began_late.rate(), Some(100.0));
        assert_eq!(began_late.rest(1000), Some(Duration::from_secs(10)));
    }

    #[test]
    fn work_that_does_not_come_on() {
        assert_eq!(seconds([0; 90]).rest(10), None);
        assert_eq!(seconds([0; 90]).rate(), Some(0.0));
        assert_eq!(seconds([0; 90]).rest(0), Some(Duration::ZERO));
        // More than was said to be there.
        assert_eq!(seconds([5, 20]).rest(10), Some(Duration::ZERO));
    }

    /// What was long ago does not count any more.
    #[test]
    fn work_that_has_become_faster() {
        let meter = seconds((1..=100).chain((1..=60).map(|second| 100 + second * 50)));
        assert_eq!(meter.rest(3100 + 500), Some(Duration::from_secs(10)));
    }
}
