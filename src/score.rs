//! What a predictor makes of a text: bits per byte, per token and per word, in all and of each
//! part.
//!
//! A compressor is a predictor: what a content takes in an archive is -log2 of the probability that
//! the predictor gave it. [`score`] tells that number for any predictor that compresses, by the
//! step function that compresses. It codes a content as [`compress_with`](crate::compress_with)
//! does, in the same blocks, segments and streams, and adds up -log2 of the probabilities of all
//! decisions in it, so it is the size of the archive without what stands around coded bytes. With
//! [`EncoderOptions::dictionary`](crate::EncoderOptions::dictionary) it is conditional: what the
//! content takes for who knows the dictionary.
//!
//! The names are those of the tools that measure language models. With a model and without context
//! mixing ([`EncoderOptions::mix`](crate::EncoderOptions::mix)) the numbers are those of the model
//! alone; each block and each of its streams begins without what was before it, which figures of a
//! sliding window over one stream do not (`streams(1)` makes one of each block).
//!
//! ```
//! use lmz::score::{Unit, score};
//!
//! let text = b"The cat sat on the mat. The cat sat on the mat.";
//! let scored = score(text, &lmz::EncoderOptions::new())?;
//! assert_eq!((scored.score.bytes, scored.score.words), (47, 12));
//! assert!(scored.score.bits_per_byte() < 3.0);
//! // The second time it is known.
//! let words = scored.by(Unit::Word, text);
//! assert_eq!(words.len(), 12);
//! assert!(words[7].bits < words[1].bits, "cat, and cat again");
//! # Ok::<(), lmz::Error>(())
//! ```

use std::iter::Sum;
use std::ops::{AddAssign, Range};

use crate::codec::context::{BlockContext, Coded, Model};
use crate::codec::encode::{self, Plan};
use crate::codec::memory;
use crate::codec::range::Coder;
use crate::codec::surprisal::Surprisals;
use crate::error::{CodecError, Error, Result};
use crate::exact::fpstate::exact;
use crate::format::{BlockHead, Method, ShortFrame};
use crate::options::EncoderOptions;
use crate::parallel;
use crate::progress::BlockProgress;

/// What a content costs in all. Scores of several contents are added by `+=` or `sum`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct Score {
    /// Bytes of content.
    pub bytes: u64,
    /// Tokens of the language model, and bytes where none reads.
    pub tokens: u64,
    /// What ASCII white space separates, as `split` without arguments gives in most languages.
    pub words: u64,
    /// The ideal code length: the sum of -log2 of the probabilities of all decisions.
    pub bits: f64,
}

impl Score {
    /// Bits for each byte of content; 0 for no content. It is `bits_per_byte` of
    /// lm-evaluation-harness.
    pub fn bits_per_byte(&self) -> f64 {
        ratio(self.bits, self.bytes)
    }

    /// Bits for each token; 0 for no content.
    pub fn bits_per_token(&self) -> f64 {
        ratio(self.bits, self.tokens)
    }

    /// 2 to the power of the bits for each byte. It is `byte_perplexity` of lm-evaluation-harness.
    pub fn byte_perplexity(&self) -> f64 {
        self.bits_per_byte().exp2()
    }

    /// 2 to the power of the bits for each token: the perplexity that papers report, and comparable
    /// between models of one vocabulary only.
    pub fn token_perplexity(&self) -> f64 {
        self.bits_per_token().exp2()
    }

    /// 2 to the power of the bits for each word. It is `word_perplexity` of lm-evaluation-harness,
    /// which counts up to two words more in a document: those without letters before white space
    /// that it begins with, and behind such that it ends with.
    pub fn word_perplexity(&self) -> f64 {
        ratio(self.bits, self.words).exp2()
    }

    /// The natural logarithm of the content's probability, never above 0.
    pub fn log_likelihood(&self) -> f64 {
        0.0 - self.bits * std::f64::consts::LN_2
    }
}

fn ratio(bits: f64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { bits / count as f64 }
}

impl AddAssign for Score {
    fn add_assign(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.tokens += other.tokens;
        self.words += other.words;
        self.bits += other.bits;
    }
}

impl Sum for Score {
    fn sum<I: Iterator<Item = Self>>(scores: I) -> Self {
        scores.fold(Self::default(), |mut sum, score| {
            sum += score;
            sum
        })
    }
}

/// A part of a content and what it costs.
#[derive(Debug, Clone, PartialEq)]
pub struct Surprisal {
    /// Bytes of the content.
    pub range: Range<u64>,
    /// -log2 of the probability that the predictor gave it, behind what is before it.
    pub bits: f64,
}

/// What the costs of tokens are added up for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Each token by itself; each byte where no language model reads.
    Token,
    /// What ASCII white space separates, with the white space before it. White space at the end of
    /// a content is one more.
    Word,
    /// Lines, each with the line feed at its end.
    Line,
    /// All of it.
    Document,
}

/// What a content costs, in all and token by token.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Scored {
    /// The sums.
    pub score: Score,
    /// The tokens in order, and bytes where no language model reads, without a gap.
    pub tokens: Vec<Surprisal>,
}

impl Scored {
    /// The costs added up by unit, in order and without a gap. A token that is part of two words or
    /// lines counts to the one in which it begins. `content` is what was scored.
    pub fn by(&self, unit: Unit, content: &[u8]) -> Vec<Surprisal> {
        let end = |from: u64| {
            let rest = &content[(from as usize).min(content.len())..];
            let length = match unit {
                Unit::Token => 0,
                Unit::Word => {
                    let begin = rest.iter().position(|b| !is_space(*b)).unwrap_or(rest.len());
                    let word = rest[begin..].iter().position(|b| is_space(*b));
                    word.map_or(rest.len(), |length| begin + length)
                }
                Unit::Line => rest.iter().position(|b| *b == b'\n').map_or(rest.len(), |at| at + 1),
                Unit::Document => rest.len(),
            };
            from + length as u64
        };
        let mut out: Vec<Surprisal> = Vec::new();
        let mut unit_ends = 0;
        for token in &self.tokens {
            match out.last_mut() {
                Some(unit) if token.range.start < unit_ends => {
                    unit.range.end = token.range.end;
                    unit.bits += token.bits;
                }
                _ => {
                    unit_ends = end(token.range.start);
                    out.push(token.clone());
                }
            }
        }
        out
    }
}

/// White space of ASCII.
fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

fn words(content: &[u8]) -> u64 {
    content.split(|b| is_space(*b)).filter(|word| !word.is_empty()).count() as u64
}

/// Scores a content by what `options` predict with.
///
/// Its bits are the size of the archive that [`compress_with`](crate::compress_with) makes with the
/// same options, without headers, checks and what the range coder rounds, to 0.1% and 2 bytes a
/// block; unless the archive is of another predictor, as short ones are where naming a model would
/// cost more than it gains. It takes up to twice as long as compressing: first it is decided, as
/// for an archive, how each block is coded. Memory: as compressing, and about 40 bytes a token.
///
/// # Errors
///
/// Where [`compress_with`](crate::compress_with) gives one.
pub fn score(content: &[u8], options: &EncoderOptions) -> Result<Scored> {
    exact(|_| {
        options.check()?;
        let mut table = options.models()?;
        bind(&mut table, content.len(), options)?;
        score_blocks(content, options, &table)
    })
}

/// Scores independent documents, each as [`score`] does. The model is loaded once, and as many
/// documents are scored at once as there are threads and processors.
///
/// # Errors
///
/// Where [`score`] gives one, for the first such document.
pub fn score_many<D: AsRef<[u8]> + Sync>(
    documents: &[D],
    options: &EncoderOptions,
) -> Result<Vec<Scored>> {
    let documents: Vec<&[u8]> = documents.iter().map(AsRef::as_ref).collect();
    exact(|_| {
        options.check()?;
        let options = &options.clone().predictor(options.loaded()?);
        let code = |content: &[u8], threads| score(content, &options.clone().threads(threads));
        if let [document] = documents[..] {
            return Ok(vec![code(document, options.threads)?]);
        }
        let longest = documents.iter().map(|document| document.len()).max().unwrap_or(0);
        let table = options.models()?;
        let block = longest.min(options.get_block_size()) as u64;
        let needed = memory::encoding(block, &context(options, &table, 1), options.streams);
        let fit = usize::try_from(options.memory / needed.max(1)).unwrap_or(usize::MAX).max(1);
        let threads = parallel::at_once(options.threads).min(fit).min(documents.len().max(1));
        parallel::each(&documents, threads, |document| code(document, 1))
    })
}

/// The ideal code length of a content in bits, coded as one stream of what `options` predict with:
/// as [`compress_bare`](crate::compress_bare) codes it, before it is rounded up to bytes. Nothing
/// is tried and chosen, so it takes as long as coding the content once, and also data of which a
/// language model knows nothing is read by it. With a dictionary y it is C(x|y), by which texts are
/// compared and classified.
///
/// ```
/// use lmz::{Dictionary, EncoderOptions, Predictor, score::code_length};
///
/// let alone = EncoderOptions::new().predictor(Predictor::None);
/// let behind = alone.clone().dictionary(Dictionary::new(b"the quick brown fox jumps")?);
/// let text = b"the quick brown fox sleeps";
/// assert!(code_length(text, &behind)? < code_length(text, &alone)?);
/// # Ok::<(), lmz::Error>(())
/// ```
///
/// # Errors
///
/// Where [`compress_bare`](crate::compress_bare) gives one.
pub fn code_length(content: &[u8], options: &EncoderOptions) -> Result<f64> {
    exact(|fp| {
        options.check()?;
        let mut table = options.models()?;
        bind(&mut table, content.len().min(1), options)?;
        let progress = BlockProgress::new(options.progress.as_ref(), content.len() as u64);
        let context = context(options, &table, options.threads);
        memory::allow(
            "the content",
            memory::encoding(content.len() as u64, &context, Some(1)),
            options.memory,
        )?;
        let mut coder = Surprisals::new(fp, None, progress.as_ref());
        encode::bare_by(&mut (&mut coder as &mut dyn Coder), content, &context)
            .map_err(Error::of_message)?;
        progress.iter().for_each(BlockProgress::end);
        Ok(coder.finish().iter().map(|cost| cost.bits).sum())
    })
}

/// Finds out what a device-bound model is here, for a block of so many bytes.
fn bind(table: &mut [Model], length: usize, options: &EncoderOptions) -> Result<()> {
    let length = length.min(options.get_block_size());
    if let Some(Model::DeviceBound(model, entry)) = table.first_mut().filter(|_| length > 0) {
        let streams = options.streams.unwrap_or_else(|| model.streams(length));
        let most = BlockHead::most_streams(length as u64) as usize;
        **entry = model.0.entry(streams.min(most).min(length) as u64)?;
    }
    Ok(())
}

fn context<'a>(
    options: &'a EncoderOptions,
    table: &'a [Model],
    threads: usize,
) -> BlockContext<'a> {
    let (dictionary, mix) = (options.dictionary.as_ref(), options.mix);
    BlockContext { table, dictionary, mix, threads, cancel: None, progress: None }
}

fn score_blocks(content: &[u8], options: &EncoderOptions, table: &[Model]) -> Result<Scored> {
    let blocks: Vec<&[u8]> = content.chunks(options.get_block_size()).collect();
    let longest = blocks.first().map_or(0, |block| block.len());
    let needed = memory::encoding(
        longest as u64,
        &context(options, table, options.threads),
        options.streams,
    );
    memory::allow("a block", needed, options.memory)?;
    let fit = usize::try_from(options.memory / needed.max(1)).unwrap_or(usize::MAX).max(1);
    let at_once = parallel::at_once(options.threads).min(fit);
    // As an encoder has it, which a short frame saves more.
    let short = blocks.len() <= 1 && (content.len() as u64) < ShortFrame::LIMIT;
    let split_overhead = if short { ShortFrame::SAVES } else { 0 };
    let mut out = Scored {
        score: Score { bytes: content.len() as u64, words: words(content), ..Score::default() },
        tokens: Vec::new(),
    };
    let mut at = 0;
    for group in blocks.chunks(at_once) {
        let threads = (options.threads / group.len()).max(1);
        let context = context(options, table, threads);
        let plans = parallel::map(group.to_vec(), |raw| (raw, Plan::of(raw, &context)));
        let code = |(raw, plan): (&[u8], Plan), threads| {
            let progress = BlockProgress::new(options.progress.as_ref(), raw.len() as u64);
            let context = BlockContext { threads, progress: progress.as_ref(), ..context };
            let costs = score_block(raw, plan, &context, options.streams, split_overhead)?;
            progress.iter().for_each(BlockProgress::end);
            Ok((raw.len(), costs))
        };
        let uses = |(_, plan): &(&[u8], Plan)| plan.uses(&context);
        let done = parallel::share(plans, options.threads, uses, code);
        for block in done {
            let (length, costs) = block.map_err(Error::of_message)?;
            for (range, bits) in costs {
                let range = at + u64::from(range.start)..at + u64::from(range.end);
                out.tokens.push(Surprisal { range, bits });
            }
            at += length as u64;
        }
    }
    out.score.tokens = out.tokens.len() as u64;
    out.score.bits = out.tokens.iter().map(|token| token.bits).sum();
    Ok(out)
}

/// What the tokens of a block cost, by their places in it.
fn score_block(
    raw: &[u8],
    plan: Plan,
    context: &BlockContext,
    streams: Option<usize>,
    split_overhead: usize,
) -> Result<Vec<(Range<u32>, f64)>, CodecError> {
    let coded = plan.encode(raw, context, streams, split_overhead)?;
    let Coded { method, ref layout, ref bytes, .. } = coded;
    if matches!(method, Method::Stored | Method::Rle) {
        // The bytes share what is written for them.
        let each = ratio(bytes.len() as f64 * 8.0, raw.len() as u64);
        return Ok((0..raw.len() as u32).map(|at| (at..at + 1, each)).collect());
    }
    // Outside of this the gate is open already: the proof of it is all that is new.
    let costs = exact(|fp| {
        let mut coder = Surprisals::new(fp, context.cancel, context.progress);
        encode::by(&mut (&mut coder as &mut dyn Coder), method, layout, raw, context)?;
        Ok::<_, CodecError>(coder.finish())
    })?;
    Ok(costs.into_iter().map(|cost| (cost.at..cost.at + cost.length, cost.bits)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(range: Range<u64>, bits: f64) -> Surprisal {
        Surprisal { range, bits }
    }

    #[test]
    fn units_have_no_gaps_and_lose_nothing() {
        let content = b" one  two\nthree \n";
        let tokens = vec![
            token(0..4, 1.0),   // " one"
            token(4..6, 2.0),   // two spaces: before the word that follows
            token(6..9, 4.0),   // "two"
            token(9..12, 8.0),  // "\nth": begins in the first line
            token(12..15, 0.5), // "ree"
            token(15..17, 16.0),
        ];
        let scored = Scored { score: Score::default(), tokens: tokens.clone() };
        assert_eq!(scored.by(Unit::Token, content), tokens);
        let words = [token(0..4, 1.0), token(4..9, 6.0), token(9..15, 8.5), token(15..17, 16.0)];
        assert_eq!(scored.by(Unit::Word, content), words);
        assert_eq!(scored.by(Unit::Line, content), [token(0..12, 15.0), token(12..17, 16.5)]);
        assert_eq!(scored.by(Unit::Document, content), [token(0..17, 31.5)]);
        assert_eq!(words_of(content), 3);
        assert!(Scored::default().by(Unit::Word, b"").is_empty());
    }

    fn words_of(content: &[u8]) -> u64 {
        super::words(content)
    }

    #[test]
    fn figures_are_those_of_their_definitions() {
        let score = Score { bytes: 16, tokens: 4, words: 2, bits: 8.0 };
        assert_eq!((score.bits_per_byte(), score.bits_per_token()), (0.5, 2.0));
        assert_eq!((score.token_perplexity(), score.word_perplexity()), (4.0, 16.0));
        assert_eq!(score.byte_perplexity(), 2f64.sqrt());
        assert!((score.log_likelihood() + 8.0 * 2f64.ln()).abs() < 1e-12);
        let sum: Score = [score, score].into_iter().sum();
        assert_eq!(sum, Score { bytes: 32, tokens: 8, words: 4, bits: 16.0 });
        let nothing = Score::default();
        assert_eq!((nothing.bits_per_byte(), nothing.log_likelihood()), (0.0, 0.0));
    }
}
