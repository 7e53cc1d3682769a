//! Vocabularies: byte strings, sorted, with the trie that the token walk follows.
//!
//! In a sorted list the tokens that begin with the same bytes stand together, so each node of the
//! trie is a range of tokens, and a model's mass on it a difference of two prefix sums.

use std::sync::LazyLock;

/// An index into a [`Vocabulary`].
pub type Token = u32;

/// The empty string, which begins a document, in models of this project.
pub const START: Token = 0;

/// Why a list of strings is no vocabulary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VocabularyError {}

/// A node of the trie: the tokens that begin with its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// The first of its tokens.
    pub first: Token,
    /// One past the last of its tokens.
    pub end: Token,
    /// Whether its bytes are themselves a token; that token is `first`.
    pub is_token: bool,
    /// Its children, as a range of [`Vocabulary::children`].
    children: (u32, u32),
}

/// Sorted byte strings without duplicates, all 256 single bytes among them.
#[derive(Debug, Clone)]
pub struct Vocabulary {
    tokens: Vec<Box<[u8]>>,
    nodes: Vec<Node>,
    /// Of each child in order: the byte that leads to it, and its node.
    edges: Vec<(u8, u32)>,
}

impl Vocabulary {
    /// The 256 single bytes; token `b` is byte `b`.
    pub fn bytes() -> &'static Self {
        static BYTES: LazyLock<Vocabulary> =
            LazyLock::new(|| Vocabulary::new((0..=255u8).map(|b| Box::from([b])).collect()));
        &BYTES
    }

    /// From strings sorted by bytes, none twice. The empty string may be the first.
    fn new(tokens: Vec<Box<[u8]>>) -> Self {
        let mut out = Self { tokens, nodes: Vec::new(), edges: Vec::new() };
        let skip = Token::from(out.tokens[0].is_empty());
        let end = out.tokens.len() as Token;
        out.nodes.push(Node { first: skip, end, is_token: false, children: (0, 0) });
        out.grow(0, 0);
        out
    }

    /// Makes the children of a node whose strings have `depth` bytes, and theirs.
    fn grow(&mut self, node: usize, depth: usize) {
        let Node { first, end, is_token, .. } = self.nodes[node];
        let begin = self.edges.len() as u32;
        let mut at = first + Token::from(is_token);
        while at < end {
            let byte = self.tokens[at as usize][depth];
            let same = self.tokens[at as usize..end as usize].partition_point(|t| t[depth] == byte);
            let is_token = self.tokens[at as usize].len() == depth + 1;
            self.edges.push((byte, self.nodes.len() as u32));
            let (first, end) = (at, at + same as Token);
            self.nodes.push(Node { first, end, is_token, children: (0, 0) });
            at = end;
        }
        self.nodes[node].children = (begin, self.edges.len() as u32);
        for edge in begin..self.edges.len() as u32 {
            self.grow(self.edges[edge as usize].1 as usize, depth + 1);
        }
    }

    /// How many tokens there are.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Never: there are at least 256.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The bytes of a token.
    pub fn token(&self, token: Token) -> &[u8] {
        &self.tokens[token as usize]
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
}
