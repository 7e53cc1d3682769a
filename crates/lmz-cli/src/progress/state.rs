//! How far the work on one input is, and how that is written: in a line of a terminal, or in JSON.

use std::time::Duration;

use indicatif::DecimalBytes;
use serde::Serialize;

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    Compress,
    Decompress,
    /// An archive is decoded to see whether that goes well.
    Test,
}

/// How far the work is. The fields and their order are those of a line of JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct State {
    pub file: String,
    /// Which of so many inputs it is, from 1 on.
    pub number: usize,
    pub files: usize,
    pub phase: Phase,
    /// Bytes of content: all, and those that are coded or decoded.
    pub total_bytes: Option<u64>,
    pub done_bytes: u64,
    /// Bytes that have come out.
    pub written_bytes: u64,
    /// Bytes of content a second.
    #[serde(serialize_with = "rounded")]
    pub rate: Option<f64>,
    #[serde(serialize_with = "seconds")]
    pub rest_seconds: Option<Duration>,
    /// Whether this is the last of the file, and whether the file could not be done.
    pub ended: bool,
    pub failed: bool,
}

#[expect(clippy::ref_option, reason = "serde calls it so")]
fn rounded<S: serde::Serializer>(rate: &Option<f64>, to: S) -> Result<S::Ok, S::Error> {
    rate.map(|rate| rate.round() as u64).serialize(to)
}

#[expect(clippy::ref_option, reason = "serde calls it so")]
fn seconds<S: serde::Serializer>(rest: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    rest.map(|rest| (rest.as_secs_f64() * 10.0).round() / 10.0).serialize(to)
}

impl State {
    /// As a line of JSON, in ASCII alone: a name in it does not act on a terminal.
    pub fn json(&self) -> String {
        let line = serde_json::to_string(self).unwrap_or_default();
        let mut out = String::with_capacity(line.len() + 1);
        for c in line.chars() {
            if c.is_ascii() && !c.is_ascii_control() {
                out.push(c);
            } else {
                // Only strings hold others, where they may be written so.
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out += &format!("\\u{unit:04x}");
                }
            }
        }
        out.push('\n');
        out
    }

    /// What stands in a terminal behind the bar, or instead of it.
    pub fn text(&self) -> String {
        let mut parts = Vec::new();
        match self.total_bytes {
            // Rounded down: all is done when it is.
            Some(total) => {
                let done = u128::from(self.done_bytes.min(total)) * 100;
                parts.push(format!("{}%", done.checked_div(total.into()).unwrap_or(0)));
            }
            None => parts.push(DecimalBytes(self.done_bytes).to_string()),
        }
        parts.extend(self.rate.map(|rate| format!("{}/s", DecimalBytes(rate.round() as u64))));
        parts.extend(self.rest_seconds.map(|rest| format!("{} left", clock(rest))));
        parts.join("  ")
    }
}

/// A time as 0:07, 12:34 or 1:02:03.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        State {
            file: "a\u{9b}\u{1b}ä\u{1f600}.txt".into(),
            number: 3,
            files: 12,
            phase: Phase::Compress,
            total_bytes: Some(1000),
            done_bytes: 999,
            written_bytes: 0,
            rate: Some(20_480.4),
            rest_seconds: Some(Duration::from_millis(3_754_440)),
            ended: false,
            failed: false,
        }
    }

    #[test]
    fn lines_of_json() {
        let line = state().json();
        assert!(line.bytes().all(|b| (b' '..0x7f).contains(&b) || b == b'\n'), "{line}");
        let found: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(found["file"], state().file.as_str());
        assert_eq!((&found["phase"], &found["rate"]), (&"compress".into(), &20_480.into()));
        assert_eq!((&found["rest_seconds"], &found["failed"]), (&3754.4.into(), &false.into()));
        let unknown = State { total_bytes: None, rest_seconds: None, rate: None, ..state() };
        let found: serde_json::Value = serde_json::from_str(&unknown.json()).unwrap();
        assert!(["total_bytes", "rest_seconds", "rate"].iter().all(|field| found[field].is_null()));
    }

    #[test]
    fn texts() {
        assert_eq!(state().text(), "99%  20.48 kB/s  1:02:34 left");
        let rest_seconds = Some(Duration::from_millis(6_600));
        assert_eq!(State { rest_seconds, ..state() }.text(), "99%  20.48 kB/s  0:07 left");
        let unknown = State { total_bytes: None, rest_seconds: None, rate: None, ..state() };
        assert_eq!(unknown.text(), "999 B");
        assert!(State { total_bytes: Some(0), ..state() }.text().starts_with("0%"));
    }
}
