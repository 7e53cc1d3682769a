//! What a prediction may depend on: hashes of what came before, for each stream.
//!
//! Memory is slow, so what is looked up is known early. A context is what came before the last
//! byte, and that byte: two bits before the byte is complete its *early* hash says which lines of
//! the table will be wanted, and they are on their way when it ends. Contexts that differ in these
//! two bits share lines.

/// How many contexts have bit histories.
pub const CONTEXTS: usize = 20;

/// A bit for each context whose being known tells how much is known: orders 1 to 4 and 6, and the
/// word.
pub const TELLING: u32 = 0b11_1111;

/// The contexts that take the next byte with capitals as small letters, and those that do not take
/// it.
const FOLDED: [usize; 5] = [5, 6, 7, 8, 9];
const ASIDE: [usize; 3] = [10, 11, 12];
/// The contexts of the byte above the next.
const ABOVE: [usize; 2] = [13, 14];

/// The last bytes of a stream and what they mean.
pub struct Contexts {
    /// Where the stream begins in the block.
    begin: usize,
    /// The last eight bytes, the latest in the low bits.
    recent: u64,
    /// Hash of the letters of the current word, and of the two words before.
    word: u32,
    previous: u32,
    before: u32,
    /// Where the current line and the one before it begin.
    line: usize,
    line_before: usize,
    /// Hash of the line's first bytes, and how many spaces it begins with.
    first: u32,
    indent: u32,
    /// How many separators the line has had, and a hash of what came since the last.
    field: u32,
    in_field: u32,
    /// Classes of the last bytes, three bits each.
    kinds: u32,
    /// Classes of the last runs of letters or digits and of single other bytes, four bits each.
    shape: u64,
    records: Records,
    /// Where a language model cuts the text into tokens: the token before, and hashes of it and of
    /// the two before, each with the bytes since.
    tokens: Option<Tokens>,
    /// A bit that keeps what it meets in the table apart from what other streams do.
    apart: u32,
    /// What came before the next byte, for each context.
    prefixes: [u32; CONTEXTS],
    /// The byte above the one behind the next: if the next ends the line, and if it does not.
    above: [u32; 2],
    /// The early hash of each context, and the hash.
    early: [u32; CONTEXTS],
    hashes: [u32; CONTEXTS],
}

/// What the tokens say.
#[derive(Default)]
struct Tokens {
    before: u32,
    one: u32,
    two: u32,
}

/// The contexts that are made of tokens where there are any.
const TOKENS: [usize; 2] = [9, 18];

/// Finds the length of records: the distance at which bytes come again.
struct Records {
    /// Where each byte came last, and how far that was from the time before.
    last: [(u32, u32); 256],
    length: usize,
    votes: u32,
}

impl Records {
    const LONGEST: u32 = 4096;
    /// Votes from which on a length is believed.
    const ENOUGH: u32 = 24;

    fn new() -> Self {
        Self { last: [(0, 0); 256], length: 0, votes: 0 }
    }

    fn push(&mut self, byte: u8, at: usize) {
        let (last, distance) = self.last[usize::from(byte)];
        let now = (at as u32).wrapping_sub(last);
        self.last[usize::from(byte)] = (at as u32, now);
        if now != distance || !(2..=Self::LONGEST).contains(&now) {
            return;
        }
        if now as usize == self.length {
            self.votes = (self.votes + 1).min(2 * Self::ENOUGH);
        } else if self.votes > 0 {
            self.votes -= 1;
        } else {
            (self.length, self.votes) = (now as usize, 1);
        }
    }

    /// The length, if there are records.
    fn found(&self) -> Option<usize> {
        (self.votes >= Self::ENOUGH).then_some(self.length)
    }
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
pub fn combine(a: u32, b: u32) -> u32 {
    (a ^ b.wrapping_mul(0x9e37_79b1)).wrapping_mul(0x85eb_ca6b).rotate_left(15)
}

/// What came before, of a context.
#[inline(always)]
fn prefix(context: usize, value: u32, apart: u32) -> u32 {
    combine(value, (context as u32 + 1) << 24 | 0x5bd1 | apart)
}

/// Capital letters as small ones.
#[inline(always)]
fn folded(byte: u32) -> u32 {
    byte | u32::from(byte & 0xe0 == 0x40) << 5
}

impl Contexts {
    /// `tokens`: whether [`end_token`](Self::end_token) will be called.
    pub fn new(begin: usize, tokens: bool) -> Self {
        let mut out = Self {
            begin,
            recent: 0,
            word: 0,
            previous: 0,
            before: 0,
            line: begin,
            line_before: begin,
            first: 0,
            indent: 0,
            field: 0,
            in_field: 0,
            kinds: 0,
            shape: 0,
            records: Records::new(),
            tokens: tokens.then(Tokens::default),
            apart: 0,
            prefixes: [0; CONTEXTS],
            above: [0; 2],
            early: [0; CONTEXTS],
            hashes: [0; CONTEXTS],
        };
        out.prepare(&[], begin);
        out.look_ahead(0);
        out.complete(0);
        out
    }

    /// The contexts of a stream of bytes where a language model reads other streams: the table
    /// keeps them apart.
    pub fn without_model(begin: usize) -> Self {
        let mut out = Self { apart: 1 << 16, ..Self::new(begin, false) };
        out.prepare(&[], begin);
        out.look_ahead(0);
        out.complete(0);
        out
    }

    pub fn begin(&self) -> usize {
        self.begin
    }

    /// The last eight bytes, the latest in the low bits.
    pub fn recent(&self) -> u64 {
        self.recent
    }

    /// A hash of the letters of the current word.
    pub fn word(&self) -> u32 {
        self.word
    }

    /// The classes of the last bytes: letters, digits, spaces and so on.
    #[inline(always)]
    pub fn kind(&self) -> usize {
        (self.kinds & 255) as usize
    }

    /// Learns that `raw[at - 1]` has come; [`look_ahead`](Self::look_ahead) has seen its first six
    /// bits.
    #[inline(always)]
    pub fn push(&mut self, raw: &[u8], at: usize) {
        let byte = raw[at - 1];
        self.complete(byte);
        self.recent = self.recent << 8 | u64::from(byte);
        let kind = u32::from(KINDS[usize::from(byte)]);
        let again = kind == self.kinds & 7 && matches!(kind, 0 | 2 | 5);
        if !again {
            let class = if matches!(kind, 3 | 4 | 7) { u32::from(byte & 7 | 8) } else { kind };
            self.shape = self.shape << 4 | u64::from(class);
        }
        self.kinds = (self.kinds & 31) << 3 | kind;
        if byte.is_ascii_alphabetic() || byte >= 128 {
            self.word = combine(self.word, u32::from(byte.to_ascii_lowercase()) + 1);
        } else if self.word != 0 {
            self.before = self.previous;
            self.previous = self.word;
            self.word = 0;
        }
        self.records.push(byte, at);
        if let Some(t) = &mut self.tokens {
            (t.one, t.two) =
                (combine(t.one, u32::from(byte) + 1), combine(t.two, u32::from(byte) + 1));
        }
        if byte == b'\n' {
            self.line_before = self.line;
            self.line = at;
            (self.first, self.indent, self.field, self.in_field) = (0, 0, 0, 0);
        } else {
            let column = at - 1 - self.line;
            if column < 3 {
                self.first = combine(self.first, u32::from(byte) + 1);
            }
            self.indent += u32::from(byte == b' ' && self.indent as usize == column);
            if matches!(byte, b',' | b'\t' | b';' | b'|' | b':' | b'=' | b'"') {
                self.field += 1;
                self.in_field = 0;
            } else {
                self.in_field = combine(self.in_field, u32::from(byte) + 1);
            }
        }
        self.prepare(raw, at);
    }

    /// The bytes above the one at `at + 1`, if the one at `at` ends the line and if it does not,
    /// and the column of `at`. Where no line has ended for long, records take the place of lines.
    #[inline(always)]
    fn above(&self, raw: &[u8], at: usize) -> ([u8; 2], usize) {
        let column = at - self.line;
        if let Some(length) = self.records.found().filter(|_| column > 255) {
            let above = if at + 1 - self.begin >= length { raw[at + 1 - length] } else { 0 };
            return ([above; 2], (at - self.begin) % length);
        }
        let above = self.line_before + column + 1;
        let first = if column > 0 { raw[self.line] } else { b'\n' };
        ([first, if above < self.line { raw[above] } else { b'\n' }], column.min(255))
    }

    /// What the next byte will complete. `at`: where it will be.
    #[inline(always)]
    fn prepare(&mut self, raw: &[u8], at: usize) {
        let (above, column) = self.above(raw, at);
        self.above = above.map(u32::from);
        let r = self.recent;
        let low = |bytes: u32| (r & ((1u64 << (8 * bytes)) - 1)) as u32;
        let values = [
            0,
            low(1),
            low(2),
            low(3),
            combine(low(4), (r >> 32) as u32 & 0xff),
            self.word,
            combine(self.word, self.previous),
            combine(self.word, self.before),
            combine(self.first, self.word),
            combine(self.previous, low(1)),
            0,
            low(2),
            low(3),
            0,
            combine(self.first, low(1)),
            combine(self.kinds, column as u32),
            combine(self.shape as u32, (self.shape >> 32) as u32),
            combine(self.field, self.in_field),
            combine(self.indent, self.first),
            r as u32 & 0xf0f0_f0f0,
        ];
        self.prefixes = std::array::from_fn(|i| prefix(i, values[i], self.apart));
        self.prepare_tokens();
    }

    #[inline(always)]
    fn prepare_tokens(&mut self) {
        if let Some(t) = &self.tokens {
            for (i, v) in TOKENS.into_iter().zip([t.one, t.two]) {
                self.prefixes[i] = prefix(i, v, self.apart);
            }
        }
    }

    /// Learns that a token ends with the last byte.
    #[inline(always)]
    pub fn end_token(&mut self, token: u32) {
        if let Some(t) = &mut self.tokens {
            *t = Tokens {
                before: token,
                one: combine(token, 0x3d4d),
                two: combine(combine(token, 0x51cb), t.before),
            };
            self.prepare_tokens();
        }
    }

    /// Learns the first six bits of the next byte. Returns the early hashes.
    #[inline(always)]
    pub fn look_ahead(&mut self, six: u32) -> &[u32; CONTEXTS] {
        let mut part = [six + 1; CONTEXTS];
        FOLDED.into_iter().for_each(|i| part[i] = (folded(six << 2) >> 2) + 1);
        ASIDE.into_iter().for_each(|i| part[i] = 0);
        let above = self.above[usize::from(six != u32::from(b'\n') >> 2)];
        ABOVE.into_iter().for_each(|i| part[i] |= above << 8);
        self.early = std::array::from_fn(|i| combine(self.prefixes[i], part[i]));
        &self.early
    }

    /// Learns the rest of a byte.
    #[inline(always)]
    fn complete(&mut self, byte: u8) {
        let mut rest = [u32::from(byte & 3) + 1; CONTEXTS];
        ASIDE.into_iter().for_each(|i| rest[i] = 0);
        self.hashes = std::array::from_fn(|i| combine(self.early[i], rest[i]));
    }

    pub fn early(&self) -> &[u32; CONTEXTS] {
        &self.early
    }

    pub fn hashes(&self) -> &[u32; CONTEXTS] {
        &self.hashes
    }
}
