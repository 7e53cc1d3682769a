//! In which parts a block is coded, and which of them in turn.

use super::bytes::{Input, put_varint};
use super::{FormatError, Limits, within};
use std::ops::Range;

/// A part of a block that is coded in one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Raw bytes.
    pub length: u64,
    /// Index into the frame's table of models; `None`: no model.
    pub model: Option<usize>,
}

/// The parts of a block, and how its streams go through them.
///
/// The segments that a model reads, or all if none has one, are cut into *stripes*. Each stream
/// begins with a stripe and takes the next that nobody has when its own has ended, so that all of
/// them stay near each other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Layout {
    /// In order. None in a block that nothing predicts.
    pub segments: Vec<Segment>,
    /// How many streams advance in lock step.
    pub streams: u64,
    /// Bytes of a stripe, the last of a segment being what is left; 0: each segment is one.
    pub stripe: u64,
}

impl Layout {
    const WHAT: &str = "block head";

    /// One stream of one segment.
    pub fn whole(length: u64, model: Option<usize>) -> Self {
        Self::of(vec![Segment { length, model }])
    }

    /// Segments, one stream after the other.
    pub fn of(segments: Vec<Segment>) -> Self {
        Self { segments, streams: 1, stripe: 0 }
    }

    /// The segments, and whether the streams go through them.
    fn parts(&self) -> impl Iterator<Item = (&Segment, bool)> {
        let bare = self.segments.iter().all(|s| s.model.is_none());
        self.segments.iter().map(move |s| (s, bare || s.model.is_some()))
    }

    /// The stripes as bytes of the block, in order.
    pub fn stripes(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        let mut end = 0;
        self.parts().flat_map(move |(segment, read)| {
            let begin = end;
            end += segment.length as usize;
            let end = end;
            let stripe = if self.stripe == 0 { segment.length.max(1) } else { self.stripe };
            let stripe = usize::try_from(stripe).unwrap_or(usize::MAX);
            let range = begin..if read { end } else { begin };
            range.step_by(stripe).map(move |at| at..end.min(at.saturating_add(stripe)))
        })
    }

    /// How many stripes there are, whatever the lengths claim.
    fn count(&self) -> u64 {
        let count = |s: &Segment| {
            if self.stripe == 0 { s.length.min(1) } else { s.length.div_ceil(self.stripe) }
        };
        self.parts().filter(|part| part.1).map(|part| count(part.0)).fold(0, u64::saturating_add)
    }

    /// Bytes that the streams read.
    pub fn read(&self) -> u64 {
        self.parts().filter(|part| part.1).map(|part| part.0.length).sum()
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        put_varint(out, self.segments.len() as u64);
        for s in &self.segments {
            put_varint(out, s.length);
            put_varint(out, s.model.map_or(0, |m| m as u64 + 1));
        }
        put_varint(out, self.streams);
        put_varint(out, self.stripe);
    }

    /// Reads what nothing has been checked of.
    pub(super) fn parse(input: &mut Input, limits: &Limits) -> Result<Self, FormatError> {
        let count = within("segments of a block", input.varint(Self::WHAT)?, limits.segments)?;
        let mut segments = Vec::new();
        for left in (0..count).rev() {
            // Two integers for each segment, two more, and the check.
            input.followed_by(left.saturating_mul(2).saturating_add(6));
            let (length, model) = (input.varint(Self::WHAT)?, input.varint(Self::WHAT)?);
            segments.push(Segment { length, model: (model > 0).then(|| (model - 1) as usize) });
        }
        input.followed_by(4);
        Ok(Self { segments, streams: input.varint(Self::WHAT)?, stripe: input.varint(Self::WHAT)? })
    }

    /// The error of a layout that is none for so many bytes, in a frame with so many models.
    pub(super) fn validate(
        &self,
        raw: u64,
        models: usize,
        limits: &Limits,
    ) -> Result<(), FormatError> {
        let wrong = |found| Err(FormatError::Malformed { what: Self::WHAT, found });
        if self.segments.iter().any(|s| s.model.is_some_and(|m| m >= models)) {
            return wrong("a model that is not in the frame's table");
        }
        if self.segments.iter().try_fold(0u64, |sum, s| sum.checked_add(s.length)) != Some(raw) {
            return wrong("segments that do not add up to the block");
        }
        within("streams of a block", self.streams, limits.segments)?;
        match self.streams {
            0 => wrong("no stream"),
            n if n > self.count() => wrong("a stream without bytes"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(segments: &[(u64, bool)], streams: u64, stripe: u64) -> Layout {
        let segment = |&(length, read): &(u64, bool)| Segment { length, model: read.then_some(0) };
        Layout { segments: segments.iter().map(segment).collect(), streams, stripe }
    }

    #[test]
    fn stripes_are_those_of_what_is_read() {
        let of = |segments: &[(u64, bool)], stripe| {
            let layout = layout(segments, 1, stripe);
            let found: Vec<_> = layout.stripes().collect();
            assert_eq!(
                (found.len() as u64, found.iter().map(|r| r.len() as u64).sum()),
                (layout.count(), layout.read())
            );
            found
        };
        assert_eq!(of(&[(10, true)], 4), [0..4, 4..8, 8..10]);
        assert_eq!(of(&[(10, false)], 4), [0..4, 4..8, 8..10]);
        assert_eq!(of(&[(3, false), (5, true), (2, false), (4, true)], 4), [3..7, 7..8, 10..14]);
        assert_eq!(of(&[(3, true), (5, true), (2, false)], 0), [0..3, 3..8]);
        assert_eq!(of(&[(3, false), (0, false), (2, false)], 0), [0..3, 3..5]);
        assert_eq!(
            (of(&[(3, true)], u64::MAX)[0].clone(), of(&[(3, true)], u64::MAX).len()),
            (0..3, 1)
        );
        assert!(of(&[], 0).is_empty() && of(&[(0, false)], 0).is_empty());
    }

    #[test]
    fn layouts_that_cannot_be() {
        let valid = |segments: &[(u64, bool)], streams, stripe| {
            layout(segments, streams, stripe).validate(10, 1, &Limits::default()).is_ok()
        };
        assert!(
            valid(&[(10, true)], 1, 0)
                && valid(&[(10, true)], 3, 4)
                && valid(&[(10, false)], 10, 1)
        );
        assert!(valid(&[(2, false), (8, true)], 2, 4) && valid(&[(2, true), (8, true)], 2, 0));
        for (segments, streams, stripe) in [
            (&[(10, true)][..], 0, 0),
            (&[(10, true)], 2, 0),
            (&[(10, true)], 4, 4),
            (&[(2, false), (8, true)], 3, 4),
            (&[(2, true), (8, true)], 3, 0),
            (&[(9, true)], 1, 0),
            (&[(u64::MAX, true), (11, true)], 1, 0),
            (&[], 1, 0),
            (&[(10, false), (0, true)], 1, 0),
        ] {
            assert!(!valid(segments, streams, stripe), "{segments:?} {streams} {stripe}");
        }
        assert!(layout(&[(10, true)], 1, 0).validate(10, 0, &Limits::default()).is_err());
        assert!(layout(&[(5000, true)], 1025, 1).validate(5000, 1, &Limits::default()).is_err());
    }
}
