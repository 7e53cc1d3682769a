//! From costs to what a page shows: rows of text, and cells in them.
//!
//! A cell is a token, or as many as share a character: a character of several bytes may be coded in
//! several tokens, and cannot be shown in parts. Places in the text are in units of UTF-16, as
//! scripts count them.

use std::ops::Range;

use lmz::Explanation;
use lmz::explain::TokenCost;
use lmz::vocab::Token;

/// Rows are broken here, so that a file without line ends can be shown.
const LONGEST_ROW: usize = 1000;

/// What is shown as one.
#[derive(Debug, Default, PartialEq)]
pub struct Cell {
    /// Bytes of the content.
    pub range: Range<usize>,
    /// UTF-16 units of the shown text, line ends among them.
    pub units: usize,
    /// How many tokens it is made of.
    pub tokens: usize,
    /// What it costs in the archive.
    pub bits: f64,
    /// What it costs by the model's own probabilities, where one reads.
    pub model: Option<f64>,
    /// What it costs in an archive by context mixing alone, where that was made.
    pub contexts: Option<f64>,
    /// What the model expected in the place of the first token, with probabilities.
    pub guesses: Vec<(Token, f32)>,
}

/// How a row ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The line goes on in the next row, or the text ends.
    Open,
    Lf,
    CrLf,
}

/// A line or, of a long line, a part.
#[derive(Debug, PartialEq)]
pub struct Row {
    /// The text as it is shown, without the line end.
    pub text: String,
    pub end: End,
    /// The number of the line that begins here, from 1; 0 where a line goes on.
    pub line: usize,
    /// Bytes of the content.
    pub range: Range<usize>,
    /// What the tokens cost that begin in it.
    pub bits: f64,
}

/// A text as it is shown.
#[derive(Debug, PartialEq)]
pub struct Shown {
    pub rows: Vec<Row>,
    pub cells: Vec<Cell>,
    /// Where in the shown text something stands for bytes that cannot be shown as they are.
    pub escapes: Vec<usize>,
}

/// A character of the content, or a byte that is none.
struct Piece<'a> {
    bytes: usize,
    char: Option<char>,
    raw: &'a [u8],
}

fn pieces(raw: &[u8]) -> impl Iterator<Item = Piece<'_>> {
    raw.utf8_chunks().flat_map(|chunk| {
        let (valid, invalid) = (chunk.valid(), chunk.invalid());
        let chars = valid.char_indices().map(|(at, c)| {
            let raw = &valid.as_bytes()[at..at + c.len_utf8()];
            Piece { bytes: raw.len(), char: Some(c), raw }
        });
        chars.chain(invalid.chunks(1).map(|raw| Piece { bytes: 1, char: None, raw }))
    })
}

impl Piece<'_> {
    /// What stands for it, if it cannot be shown as it is.
    fn escape(&self) -> Option<String> {
        let Some(c) = self.char else {
            return Some(self.raw.iter().map(|b| format!("\\x{b:02x}")).collect());
        };
        match c {
            '\t' => None,
            '\r' => Some("\\r".into()),
            '\0'..='\x1f' | '\x7f' => Some(format!("\\x{:02x}", u32::from(c))),
            // Other controls, and what has no width or changes the direction of the text around it.
            '\u{80}'..='\u{9f}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}' => Some(format!("\\u{{{:x}}}", u32::from(c))),
            _ => None,
        }
    }
}

/// Bytes as a line of text: of a token, a name.
pub fn visible(raw: &[u8]) -> String {
    let shown = |piece: Piece| match piece.char {
        Some('\n') => "\u{21b5}".to_owned(),
        _ => piece.escape().or_else(|| piece.char.map(String::from)).unwrap_or_default(),
    };
    pieces(raw).map(shown).collect()
}

impl Shown {
    /// What is explained of a content. `contexts`: the same, by context mixing alone, byte by byte.
    pub fn new(raw: &[u8], explanation: &Explanation, contexts: Option<&Explanation>) -> Self {
        let tokens = &explanation.tokens;
        let raw = &raw[..tokens.last().map_or(0, |t| t.range.end as usize).min(raw.len())];
        let mut contexts = contexts.map(|e| e.tokens.iter().peekable());
        let mut out = Self { rows: Vec::new(), cells: Vec::new(), escapes: Vec::new() };
        let mut pieces = pieces(raw).peekable();
        let mut tokens = tokens.iter();
        let (mut at, mut unit, mut line) = (0, 0, 1);
        let open =
            |at, line| Row { text: String::new(), end: End::Open, line, range: at..at, bits: 0.0 };
        let mut row = open(0, line);
        let mut row_units = 0;
        while let Some(first) = tokens.next() {
            let mut cell = Cell { range: at..at, ..Cell::default() };
            cell.add(first);
            row.bits += first.bits;
            while at < cell.range.end {
                let Some(piece) = pieces.next() else { break };
                let next = pieces.peek().and_then(|p| p.char);
                at += piece.bytes;
                // A token that ends inside of the character is joined with the next.
                while at > cell.range.end {
                    let Some(token) = tokens.next() else { break };
                    cell.add(token);
                    row.bits += token.bits;
                }
                let before = row.text.len();
                let units = match piece.char {
                    Some('\n') => 1,
                    Some('\r') if next == Some('\n') => 2,
                    char => {
                        match (piece.escape(), char) {
                            (Some(escape), _) => {
                                out.escapes.push(unit);
                                row.text.push_str(&escape);
                            }
                            (None, Some(c)) => row.text.push(c),
                            (None, None) => {}
                        }
                        row.text[before..].encode_utf16().count()
                    }
                };
                unit += units;
                cell.units += units;
                row_units += units;
                row.range.end = at;
                match piece.char {
                    Some('\n') => line += 1,
                    Some('\r') if next == Some('\n') => row.end = End::CrLf,
                    _ if row_units >= LONGEST_ROW => {}
                    _ => continue,
                }
                let ends = piece.char == Some('\n');
                if row.end != End::CrLf || ends {
                    row.end = if ends && row.end == End::Open { End::Lf } else { row.end };
                    out.rows
                        .push(std::mem::replace(&mut row, open(at, if ends { line } else { 0 })));
                    row_units = 0;
                }
            }
            let own = |token: &&TokenCost| (token.range.start as usize) < cell.range.end;
            cell.contexts = contexts.as_mut().map(|all| {
                std::iter::from_fn(|| all.next_if(|token| own(token))).map(|token| token.bits).sum()
            });
            out.cells.push(cell);
        }
        if row.range.end > row.range.start {
            out.rows.push(row);
        }
        out
    }

    /// Bytes of the content that are shown.
    pub fn bytes(&self) -> usize {
        self.cells.last().map_or(0, |cell| cell.range.end)
    }
}

impl Cell {
    fn add(&mut self, token: &TokenCost) {
        self.range.end = token.range.end as usize;
        self.bits += token.bits;
        let said = token.said.as_ref();
        if self.tokens == 0 {
            self.model = said.map(|s| s.bits);
            self.guesses = said.map_or_else(Vec::new, |s| s.guesses.clone());
        } else {
            self.model = self.model.zip(said).map(|(sum, s)| sum + s.bits);
        }
        self.tokens += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tokens of these lengths, of 1 bit each.
    fn shown(raw: &[u8], lengths: &[u64]) -> Shown {
        let mut at = 0;
        let mut token = |length: &u64| {
            at += length;
            TokenCost { range: at - length..at, bits: 1.0, said: None }
        };
        let tokens = lengths.iter().map(&mut token).collect();
        Shown::new(raw, &Explanation { tokens, ..Explanation::default() }, None)
    }

    fn rows(shown: &Shown) -> Vec<(&str, End, usize, f64)> {
        shown.rows.iter().map(|r| (r.text.as_str(), r.end, r.line, r.bits)).collect()
    }

    #[test]
    fn lines_and_their_ends() {
        let found = shown(b"a\r\nb\n\nc\rd", &[1, 3, 2, 1, 1, 1]);
        let expected = [
            ("a", End::CrLf, 1, 2.0),
            ("b", End::Lf, 2, 1.0),
            ("", End::Lf, 3, 0.0),
            ("c\\rd", End::Open, 4, 3.0),
        ];
        assert_eq!(rows(&found), expected);
        assert_eq!(found.cells.iter().map(|c| c.units).collect::<Vec<_>>(), [1, 4, 2, 1, 2, 1]);
        assert_eq!(found.escapes, [8]);
        assert_eq!(rows(&shown(b"", &[])), []);
        assert_eq!(rows(&shown(b"\n", &[1])), [("", End::Lf, 1, 1.0)]);
        assert_eq!(rows(&shown(b"\r", &[1])), [("\\r", End::Open, 1, 1.0)]);
    }

    #[test]
    fn tokens_that_share_a_character_are_one_cell() {
        let found = shown("\u{e9}\u{1f600}x\u{e9}".as_bytes(), &[1, 2, 3, 1, 1, 1]);
        let cells: Vec<_> =
            found.cells.iter().map(|c| (c.range.clone(), c.units, c.tokens, c.bits)).collect();
        assert_eq!(cells, [(0..6, 3, 3, 3.0), (6..7, 1, 1, 1.0), (7..9, 1, 2, 2.0)]);
    }

    #[test]
    fn what_cannot_be_shown_is_escaped() {
        let found = shown(b"\0\xff\xe2\x80\xae\t\xe2\x80", &[1, 1, 3, 1, 2]);
        assert_eq!(found.rows[0].text, "\\x00\\xff\\u{202e}\t\\xe2\\x80");
        assert_eq!(found.escapes, [0, 4, 8, 17, 21]);
        assert_eq!(found.cells.iter().map(|c| c.units).sum::<usize>(), 25);
        assert_eq!(visible(b"a\r\n\xff"), "a\\r\u{21b5}\\xff");
    }

    #[test]
    fn long_lines_are_broken() {
        let found = shown(&[b'x'; 2500], &[1000, 1000, 500]);
        let rows: Vec<_> = found.rows.iter().map(|r| (r.text.len(), r.line, r.end)).collect();
        assert_eq!(rows, [(1000, 1, End::Open), (1000, 0, End::Open), (500, 0, End::Open)]);
    }
}
