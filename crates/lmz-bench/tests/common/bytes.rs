//! Bytes that codecs are tried on.

pub const TEXT: &str = "It is a truth universally acknowledged, that a single man in possession \
    of a good fortune, must be in want of a wife. However little known the feelings or views of \
    such a man may be on his first entering a neighbourhood, this truth is so well fixed in the \
    minds of the surrounding families.\n";

/// Bytes that no codec makes smaller.
pub fn random(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(|_| next()).collect()
}
