//! Vocabularies: byte strings, with the trie that the token walk follows and greedy segmentation.
//!
//! In a sorted list the tokens that begin with the same bytes stand together, so each node of the
//! trie is a range of tokens, and a model's mass on it a difference of two prefix sums. A token's
//! place in the sorted list is its *rank*; its *id* is its place in the model. They are the same
//! where a vocabulary is written down sorted, as this project's own are.

mod byte_level;
mod file;
mod segment;
mod world;

use std::sync::LazyLock;

use segment::Automaton;

/// A token's id: an index into a [`Vocabulary`].
pub type Token = u32;

/// The empty string, which begins a document, in models of this project.
pub const START: Token = 0;

/// Most tokens: with frequencies of up to 2^30 + 1 the total stays below 2^48.
pub const MOST_TOKENS: usize = (1 << 18) - 1;
/// Longest token, in bytes.
pub const LONGEST_TOKEN: usize = 1024;
/// Most bytes of all tokens together.
pub const MOST_BYTES: usize = 4 << 20;

/// Cuts texts as a model was trained to read them.
pub trait Segmenter: std::fmt::Debug + Send + Sync {
    /// Tokens of a text: their bytes, joined, are the text.
    fn segment(&self, text: &[u8]) -> Vec<Token>;
}

/// Why a list of strings is no vocabulary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VocabularyError {
    /// Too few strings or too many.
    #[error("expected 256 to {MOST_TOKENS} tokens, found {found}")]
    Count { found: usize },
    /// A string is too long.
    #[error("expected tokens of at most {LONGEST_TOKEN} bytes, found token {token} of {found}")]
    TokenLength { token: usize, found: usize },
    /// The strings are too long.
    #[error("expected at most {MOST_BYTES} bytes in all tokens together, found {found}")]
    Length { found: usize },
    /// A single byte is no token, so that not every input could be written in tokens.
    #[error("expected all 256 single bytes among the tokens, {byte:#04x} is missing")]
    MissingByte { byte: u8 },
    /// A line of a vocabulary file does not parse.
    #[error("line {line}: expected {expected}, found {found}")]
    Line { line: usize, expected: &'static str, found: String },
    /// A `tokenizer.json` that is not what was expected.
    #[error("tokenizer.json: expected {expected}, found {found}")]
    Tokenizer { expected: &'static str, found: String },
}

/// A node of the trie: the tokens that begin with its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// Rank of the first of its tokens.
    pub first: u32,
    /// One past the rank of the last of its tokens.
    pub end: u32,
    /// How many tokens have exactly its bytes: the first of them. One or none where no two tokens
    /// are equal; none at the root, whose tokens (the empty ones) are not in the trie.
    pub own: u32,
    /// Its children, as a range of [`Vocabulary::children`].
    children: (u32, u32),
}

/// Byte strings, all 256 single bytes among them.
///
/// Some may be empty: they stand for what is not text (the beginning of a document, padding), are
/// never met in segmentation and get no probability mass. Some may be equal: they share a node, and
/// the one with the lowest id stands for all.
#[derive(Debug, Clone)]
pub struct Vocabulary {
    /// All strings, one after the other, by id.
    bytes: Vec<u8>,
    /// Where each begins, and the end: `[V + 1]`.
    starts: Vec<u32>,
    /// The id of the token at each rank.
    ids: Vec<Token>,
    nodes: Vec<Node>,
    /// For each child in order, the byte that leads to it and the number of its node.
    edges: Vec<(u8, u32)>,
    automaton: Automaton,
}

impl Vocabulary {
    /// The 256 single bytes; token `b` is byte `b`.
    pub fn bytes() -> &'static Self {
        static BYTES: LazyLock<Vocabulary> = LazyLock::new(|| {
            Vocabulary::new((0..=255u8).map(|b| [b])).expect("all single bytes are there")
        });
        &BYTES
    }

    /// From strings, whose ids are their numbers. Up to [`MOST_TOKENS`] of up to [`LONGEST_TOKEN`]
    /// bytes, up to [`MOST_BYTES`] together, all single bytes among them; anything else is an
    /// error.
    pub fn new<T: AsRef<[u8]>>(
        tokens: impl IntoIterator<Item = T>,
    ) -> Result<Self, VocabularyError> {
        let (mut bytes, mut starts) = (Vec::new(), vec![0]);
        for (number, token) in tokens.into_iter().enumerate() {
            let token = token.as_ref();
            if number == MOST_TOKENS {
                return Err(VocabularyError::Count { found: number + 1 });
            }
            if token.len() > LONGEST_TOKEN {
                return Err(VocabularyError::TokenLength { token: number, found: token.len() });
            }
            bytes.extend_from_slice(token);
            if bytes.len() > MOST_BYTES {
                return Err(VocabularyError::Length { found: bytes.len() });
            }
            starts.push(bytes.len() as u32);
        }
        let mut out = Self {
            bytes,
            ids: (0..starts.len() as Token - 1).collect(),
            starts,
            nodes: Vec::new(),
            edges: Vec::new(),
            automaton: Automaton::default(),
        };
        let mut ids = std::mem::take(&mut out.ids);
        ids.sort_by_key(|id| out.token(*id)); // stable: of equal strings the lowest id is first
        out.ids = ids;
        out.grow();
        let bytes = out
            .children(out.root())
            .iter()
            .filter(|(_, node)| out.node(*node).own > 0)
            .map(|(byte, _)| *byte);
        let there: Vec<u8> = bytes.collect();
        if let Some(byte) = (0..=255).find(|byte| there.binary_search(byte).is_err()) {
            return Err(VocabularyError::MissingByte { byte });
        }
        out.automaton = Automaton::new(&out);
        Ok(out)
    }

    /// Makes the nodes, those of few bytes first.
    fn grow(&mut self) {
        let empty = self.ids.partition_point(|id| self.token(*id).is_empty()) as u32;
        self.nodes.push(Node {
            first: empty,
            end: self.ids.len() as u32,
            own: 0,
            children: (0, 0),
        });
        let mut depths = vec![0];
        let mut node = 0;
        while let Some(&Node { first, end, own, .. }) = self.nodes.get(node) {
            let depth = depths[node];
            let begin = self.edges.len() as u32;
            let mut at = first + own;
            while at < end {
                let string = |rank: u32| self.token(self.ids[rank as usize]);
                let byte = string(at)[depth];
                let rest = &self.ids[at as usize..end as usize];
                let next = at + rest.partition_point(|id| self.token(*id)[depth] == byte) as u32;
                let rest = &self.ids[at as usize..next as usize];
                let own = rest.partition_point(|id| self.token(*id).len() == depth + 1) as u32;
                self.edges.push((byte, self.nodes.len() as u32));
                self.nodes.push(Node { first: at, end: next, own, children: (0, 0) });
                depths.push(depth + 1);
                at = next;
            }
            self.nodes[node].children = (begin, self.edges.len() as u32);
            node += 1;
        }
    }

    /// How many tokens there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Never: there are at least 256.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The bytes of a token.
    pub fn token(&self, token: Token) -> &[u8] {
        let at = token as usize;
        &self.bytes[self.starts[at] as usize..self.starts[at + 1] as usize]
    }

    /// The ids of all tokens, sorted by their bytes: index is rank.
    pub fn sorted(&self) -> &[Token] {
        &self.ids
    }

    /// The node of the empty string, where every walk begins.
    pub fn root(&self) -> Node {
        self.nodes[0]
    }

    /// The children of a node, sorted by the byte that leads to them.
    pub fn children(&self, node: Node) -> &[(u8, u32)] {
        &self.edges[node.children.0 as usize..node.children.1 as usize]
    }

    /// The node that an entry of [`children`](Self::children) leads to.
    pub fn node(&self, index: u32) -> Node {
        self.nodes[index as usize]
    }

    /// The longest token that `text` begins with, and its length; the lowest of equal ids.
    ///
    /// # Panics
    ///
    /// If `text` is empty.
    pub fn longest(&self, text: &[u8]) -> (Token, usize) {
        self.automaton.longest(text)
    }

    /// Segments a text greedily, longest token first. The tokens' bytes, joined, are the text.
    ///
    /// ```
    /// use lmz::vocab::Vocabulary;
    ///
    /// let bytes = Vocabulary::bytes();
    /// assert!(bytes.segment(b"abc").eq([97, 98, 99]));
    /// ```
    pub fn segment<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = Token> + 'a {
        let mut rest = text;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let (token, length) = self.longest(rest);
            rest = &rest[length..];
            Some(token)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The single bytes, in an order of their own, and other strings among them.
    fn vocabulary(others: &[Vec<u8>]) -> (Vec<Vec<u8>>, Vocabulary) {
        let mut tokens: Vec<Vec<u8>> = (0..=255u8).map(|b| vec![b.wrapping_mul(77)]).collect();
        for (i, other) in others.iter().enumerate() {
            tokens.insert(i * 31 % tokens.len(), other.clone());
        }
        let vocabulary = Vocabulary::new(&tokens).unwrap();
        (tokens, vocabulary)
    }

    /// The definition of greedy segmentation.
    fn naive(tokens: &[Vec<u8>], mut text: &[u8]) -> Vec<Token> {
        let mut out = Vec::new();
        while !text.is_empty() {
            let fits = |t: &&Vec<u8>| !t.is_empty() && text.starts_with(t);
            let longest = tokens.iter().filter(fits).map(Vec::len).max().unwrap();
            out.push(tokens.iter().position(|t| *t == text[..longest]).unwrap() as Token);
            text = &text[longest..];
        }
        out
    }

    proptest! {
        #[test]
        fn segmentation_is_the_longest_match(
            // Few different bytes, so that tokens nest, repeat and are met; some are empty.
            others in prop::collection::vec(prop::collection::vec(0u8..3, 0..6), 0..60),
            text in prop::collection::vec(0u8..3, 0..200),
            noise in prop::collection::vec(any::<u8>(), 0..50),
        ) {
            let (tokens, vocabulary) = vocabulary(&others);
            let text = [text, noise].concat();
            let found: Vec<Token> = vocabulary.segment(&text).collect();
            prop_assert_eq!(&found, &naive(&tokens, &text));
            let bytes = found.iter().flat_map(|t| vocabulary.token(*t)).copied();
            prop_assert_eq!(bytes.collect::<Vec<u8>>(), text);
        }

        /// Every node is the range of ranks of the tokens that begin with its bytes.
        #[test]
        fn nodes_are_ranges(
            others in prop::collection::vec(prop::collection::vec(0u8..3, 0..6), 0..60),
        ) {
            let (tokens, vocabulary) = vocabulary(&others);
            let sorted = vocabulary.sorted().iter().map(|id| vocabulary.token(*id));
            let sorted: Vec<&[u8]> = sorted.collect();
            prop_assert!(sorted.is_sorted());
            let mut met = 0;
            let mut open = vec![(vocabulary.root(), Vec::new())];
            while let Some((node, string)) = open.pop() {
                let begins = |t: &[u8]| !t.is_empty() && t.starts_with(&string);
                let count = tokens.iter().filter(|t| begins(t)).count();
                prop_assert_eq!(count as u32, node.end - node.first);
                let range = node.first as usize..node.end as usize;
                prop_assert!(sorted[range].iter().all(|t| begins(t)));
                let equal = tokens.iter().filter(|t| **t == string).count();
                let own = if string.is_empty() { 0 } else { equal };
                prop_assert_eq!(own as u32, node.own);
                met += node.own;
                for (byte, child) in vocabulary.children(node) {
                    open.push((vocabulary.node(*child), [&string[..], &[*byte]].concat()));
                }
            }
            prop_assert_eq!(met as usize, tokens.iter().filter(|t| !t.is_empty()).count());
        }
    }

    #[test]
    fn what_is_no_vocabulary_is_refused() {
        let singles = || (0..=255u8).map(|b| vec![b]);
        let refused = |tokens: Vec<Vec<u8>>| Vocabulary::new(tokens).unwrap_err();
        assert_eq!(refused(vec![]), VocabularyError::MissingByte { byte: 0 });
        // "AB" makes a node of "A", but no token.
        let no_a = singles().map(|t| if t == b"A" { b"AB".to_vec() } else { t });
        assert_eq!(refused(no_a.collect()), VocabularyError::MissingByte { byte: b'A' });
        let long = singles().chain([vec![b'x'; LONGEST_TOKEN + 1]]);
        assert_eq!(
            refused(long.collect()),
            VocabularyError::TokenLength { token: 256, found: LONGEST_TOKEN + 1 }
        );
        let many = singles().chain(std::iter::repeat_n(vec![], MOST_TOKENS));
        assert_eq!(refused(many.collect()), VocabularyError::Count { found: MOST_TOKENS + 1 });
        let all = singles()
            .chain(std::iter::repeat_n(vec![b'x'; LONGEST_TOKEN], MOST_BYTES / LONGEST_TOKEN));
        assert!(matches!(refused(all.collect()), VocabularyError::Length { .. }));
    }
}
