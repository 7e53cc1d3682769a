//! How a block is cut into streams. A matter of the encoder alone: their lengths are stored.

use crate::lm::rwkv7::Config;

/// Bytes of a block for each of its streams, and the most streams. More streams are faster, but each of them starts cold,
/// and what the context models learnt last is further away.
const EACH: usize = 64 << 10;
const MOST: usize = 16;
/// Of a model whose weights do not stay in a processor's cache: what it costs to read them is shared by more streams.
const MOST_LARGE: usize = 64;

/// A cut goes back to the end of a line if there is one so near.
const NEAR: usize = 1 << 10;

/// The number of streams of a block that a language model predicts. Below 128 KiB it is one, so whatever is short enough
/// fits a short frame.
pub fn count(length: usize, config: &Config) -> usize {
    (length / EACH).clamp(1, if config.is_large() { MOST_LARGE } else { MOST })
}

/// Lengths of streams, about equal, none empty, cut behind line ends where there are any.
pub fn cut(raw: &[u8], streams: usize) -> Vec<usize> {
    let streams = streams.clamp(1, raw.len().max(1));
    // Of small streams it must not be too much.
    let near = (raw.len() / streams / 2).min(NEAR);
    let mut lengths = Vec::with_capacity(streams);
    let mut begin = 0;
    for i in 1..=streams {
        let mut end = raw.len() * i / streams;
        if i < streams {
            // At least one byte is left to this stream.
            let from = (end - near).max(begin + 1);
            let line = raw.get(from - 1..end).and_then(|part| part.iter().rposition(|&b| b == b'\n'));
            end = line.map_or(end, |at| from + at);
        }
        lengths.push(end - begin);
        begin = end;
    }
    lengths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        let small = Config::new(8, 256, 8192);
        let lengths = [0, 1, 64 << 10, (128 << 10) - 1, 128 << 10, 1 << 20, 4 << 20, 1 << 30];
        assert_eq!(lengths.map(|length| count(length, &small)), [1, 1, 1, 1, 2, 16, 16, 16]);
        let large = Config::new(12, 768, 65_529);
        assert_eq!(lengths.map(|length| count(length, &large)), [1, 1, 1, 1, 2, 16, 64, 64]);
    }

    #[test]
    fn streams_are_never_empty_and_make_up_the_block() {
        for raw in [&b"a"[..], b"\n\n\n\n\n", b"ab\ncd\n\nef", &[b'x'; 100], &b"line\n".repeat(50)] {
            for streams in 1..=raw.len() + 2 {
                let lengths = cut(raw, streams);
                assert_eq!(lengths.len(), streams.min(raw.len()), "{raw:?}");
                assert!(lengths.iter().all(|length| *length > 0), "{raw:?} {lengths:?}");
                assert_eq!(lengths.iter().sum::<usize>(), raw.len());
            }
        }
        assert_eq!(cut(b"", 3), [0]);
    }

    #[test]
    fn cuts_are_behind_the_nearest_line_end() {
        let raw = [&[b'a'; 5000][..], b"\n", &[b'b'; 4999], &[b'c'; 10_000]].concat();
        assert_eq!(cut(&raw, 2), [10_000, 10_000], "a line end too far away");
        assert_eq!(cut(&raw, 4), [5000, 5000, 5000, 5000], "the next line end is behind the cut");
        let raw = [&[b'a'; 9500][..], b"\n", &[b'b'; 300], b"\n", &[b'c'; 10_198]].concat();
        assert_eq!(cut(&raw, 2), [9802, 10_198]);
        let raw = [&[b'a'; 9999][..], b"\n", &[b'c'; 10_000]].concat();
        assert_eq!(cut(&raw, 2), [10_000, 10_000], "a line that ends at the cut");
    }
}
