//! What a prediction may depend on: hashes of what came before, for each stream.

/// How many contexts have bit histories.
pub const CONTEXTS: usize = 13;

/// The last bytes of a stream and what they mean.
pub struct Contexts {
    /// Where the stream begins in the block.
    begin: usize,
    /// The last eight bytes, the latest in the low bits.
    recent: u64,
    /// Hash of the letters of the current word, and of the word before.
    word: u32,
    previous: u32,
    before: u32,
    /// Where the current line and the one before it begin.
    line: usize,
    line_before: usize,
    /// The byte above the next, in the line before.
    above: u8,
    /// Hash of the line's first bytes.
    first: u32,
    /// Classes of the last bytes, three bits each.
    kinds: u32,
    hashes: [u32; CONTEXTS],
}

/// Letters, digits, spaces and so on: eight classes.
static KINDS: [u8; 256] = {
    let mut out = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        out[byte] = match byte as u8 {
            b'a'..=b'z' => 0,
            b'A'..=b'Z' => 1,
            b'0'..=b'9' => 2,
            b' ' | b'\t' => 3,
            b'\n' | b'\r' => 4,
            128.. => 5,
            0..=31 => 6,
            _ => 7,
        };
        byte += 1;
    }
    out
};

#[inline(always)]
fn combine(a: u32, b: u32) -> u32 {
    (a ^ b.wrapping_mul(0x9e37_79b1)).wrapping_mul(0x85eb_ca6b).rotate_left(15)
}

impl Contexts {
    pub fn new(begin: usize) -> Self {
        let mut out = Self {
            begin,
            recent: 0,
            word: 0,
            previous: 0,
            before: 0,
            line: begin,
            line_before: begin,
            above: 0,
            first: 0,
            kinds: 0,
            hashes: [0; CONTEXTS],
        };
        out.renew();
        out
    }

    pub fn begin(&self) -> usize {
        self.begin
    }

    /// The last eight bytes, the latest in the low bits.
    pub fn recent(&self) -> u64 {
        self.recent
    }

    /// The classes of the last bytes: letters, digits, spaces and so on.
    #[inline(always)]
    pub fn kind(&self) -> usize {
        (self.kinds & 255) as usize
    }

    /// Learns that `raw[at - 1]` has come.
    pub fn push(&mut self, raw: &[u8], at: usize) {
        let byte = raw[at - 1];
        self.recent = self.recent << 8 | u64::from(byte);
        let kind = u32::from(KINDS[usize::from(byte)]);
        self.kinds = (self.kinds & 31) << 3 | kind;
        if byte.is_ascii_alphabetic() || byte >= 128 {
            self.word = combine(self.word, u32::from(byte.to_ascii_lowercase()) + 1);
        } else if self.word != 0 {
            self.before = self.previous;
            self.previous = self.word;
            self.word = 0;
        }
        if byte == b'\n' {
            self.line_before = self.line;
            self.line = at;
            self.first = 0;
        } else if at - self.line <= 3 {
            self.first = combine(self.first, u32::from(byte) + 1);
        }
        let above = self.line_before + (at - self.line);
        self.above = if above < self.line { raw[above] } else { b'\n' };
        self.renew();
    }

    fn renew(&mut self) {
        let r = self.recent;
        let low = |bytes: u32| r & ((1u64 << (8 * bytes)) - 1);
        let fold = |x: u64| combine(x as u32, (x >> 32) as u32 + 1);
        let c1 = low(1) as u32;
        let values = [
            c1,
            low(2) as u32,
            low(3) as u32,
            low(4) as u32,
            fold(low(5)),
            fold(low(6)),
            combine(self.word, c1),
            combine(combine(self.word, self.previous), c1),
            combine(u32::from(self.above), c1),
            (r >> 8 & 0xffff) as u32,
            combine(self.first, combine(self.above.into(), low(2) as u32)),
            combine(combine(self.word, self.before), 77),
            0,
        ];
        for (i, v) in values.into_iter().enumerate() {
            self.hashes[i] = combine(v, (i as u32 + 1) << 24 | 0x5bd1);
        }
    }

    /// The hashes of all contexts for a half byte: `partial` is 0 for the high one. The upper 32 bits are
    /// the same for both, the lower ones not.
    #[inline(always)]
    pub fn hashes(&self, partial: u32) -> [u64; CONTEXTS] {
        let spread = partial.wrapping_mul(0x3d4d_51cb);
        self.hashes.map(|h| u64::from(h) << 32 | u64::from((h ^ spread).wrapping_mul(0xc2b2_ae35)))
    }
}
