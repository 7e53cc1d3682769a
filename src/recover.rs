//! What can still be read of a damaged archive.
//!
//! Every place that could begin a frame or a block is tried: a header gives the models for the blocks
//! behind it, a block or short frame counts if its content check fits. Nothing else is trusted, so the
//! result holds no wrong byte; what lies between is a hole.

use std::io::{Read, Seek, SeekFrom};

use crate::codec::block::{self, Model, Models};
use crate::dictionary::Dictionary;
use crate::error::{Error, Result};
use crate::exact::fpstate::{Host, exact, host};
use crate::format::{
    BlockHead, FormatError, FrameHeader, Index, Input, Limits, Method, Origins, ShortFrame, Start, Trailer, start,
};
use crate::lm::bound::Bound;
use crate::lm::ppm;
use crate::lm::rwkv7::{self, Ready};
use crate::options::DecodeOptions;

/// A part of an archive that could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hole {
    /// Where it begins in the archive.
    pub at: u64,
    /// Bytes of the archive.
    pub bytes: u64,
    /// Bytes of content that came out before it.
    pub raw_at: u64,
    /// Raw bytes missing, as far as the heads of damaged blocks that can be read say.
    pub raw_known: u64,
}

/// What [`recover`] found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovered {
    /// Raw bytes written.
    pub raw: u64,
    /// Blocks and short frames that were whole.
    pub blocks: u64,
    pub holes: Vec<Hole>,
}

/// Reads this much ahead, so that looking at every byte does not mean reading for every byte.
const READ: u64 = 16 << 20;

/// Writes everything in an archive whose check fits, in order, and says what is missing.
///
/// Memory: the largest block, coded and raw, within the limits. A frame that names a dictionary or model
/// which is not there is an error: give it, or what needs it would count as damaged.
pub fn recover<R: Read + Seek>(
    inner: R,
    options: &DecodeOptions,
    mut write: impl FnMut(&[u8]) -> std::io::Result<()>,
) -> Result<Recovered> {
    exact(|_| search(Host::new(inner), options, |bytes| host(|| write(bytes))))
}

fn search<R: Read + Seek>(
    inner: R,
    options: &DecodeOptions,
    mut write: impl FnMut(&[u8]) -> std::io::Result<()>,
) -> Result<Recovered> {
    let mut search = Search {
        inner,
        options: options.clone(),
        models: None,
        dictionary: None,
        rows: 1,
        at: 0,
        window: Vec::new(),
        window_at: 0,
        ends: false,
    };
    let mut out = Recovered::default();
    let mut hole: Option<Hole> = None;
    loop {
        let begin = search.at;
        match search.part()? {
            Part::End => break,
            Part::Structure => {}
            Part::Content(raw) => {
                write(&raw)?;
                out.raw += raw.len() as u64;
                out.blocks += 1;
            }
            Part::Damage { raw } => {
                let hole = hole.get_or_insert(Hole { at: begin, bytes: 0, raw_at: out.raw, raw_known: 0 });
                hole.raw_known += raw;
                hole.bytes = search.at - hole.at;
                continue;
            }
        }
        out.holes.extend(hole.take());
    }
    out.holes.extend(hole);
    Ok(out)
}

enum Part {
    /// A header, an index, a trailer or a skippable frame.
    Structure,
    /// A block or short frame whose check fits.
    Content(Vec<u8>),
    /// Bytes passed over: a block of known raw length whose content is damaged, or anything else.
    Damage {
        raw: u64,
    },
    End,
}

struct Search<R> {
    inner: R,
    options: DecodeOptions,
    /// Those of the last header, if there was one.
    models: Option<Vec<Model>>,
    dictionary: Option<Dictionary>,
    /// The most streams of a block whose frame's header is lost.
    rows: u64,
    at: u64,
    /// Bytes of the archive from `window_at` on.
    window: Vec<u8>,
    window_at: u64,
    /// Whether the window reaches to the end of the archive.
    ends: bool,
}

impl<R: Read + Seek> Search<R> {
    /// The bytes at the current place, `n` or more unless the archive ends.
    fn bytes(&mut self, n: u64) -> Result<&[u8]> {
        let have = (self.window_at + self.window.len() as u64).saturating_sub(self.at);
        if have < n && !self.ends {
            self.inner.seek(SeekFrom::Start(self.at))?;
            self.window.clear();
            let found = (&mut self.inner).take(n + READ).read_to_end(&mut self.window)?;
            self.ends = (found as u64) < n + READ;
            self.window_at = self.at;
        }
        let at = (self.at - self.window_at).min(self.window.len() as u64);
        Ok(&self.window[at as usize..])
    }

    /// Reads the part at the current place and moves behind it.
    fn part(&mut self) -> Result<Part> {
        let limits = self.options.limits.clone();
        let limits = &limits;
        let most = (BlockHead::longest(limits) as u64).max(FrameHeader::longest(limits));
        // Where the header is lost, blocks name the one model of nearly all archives.
        let models = self.models.as_ref().map_or(1, Vec::len);
        let bytes = self.bytes(most)?;
        if bytes.is_empty() {
            return Ok(Part::End);
        }
        let parse = |n: &mut usize, bytes| -> Option<Found> {
            let mut input = Input::new(bytes);
            let found = Found::read(&mut input, models, limits).ok()?;
            *n = input.position();
            Some(found)
        };
        let mut n = 0;
        match parse(&mut n, bytes) {
            Some(Found::Header(header)) => {
                self.dictionary = self.find(header.dictionary.as_ref().map(|h| &h[..]))?;
                self.options.look_up(&header.models, &header.origins, self.at)?;
                self.models = Some(self.options.models(&header.models, &header.origins, self.at)?);
                self.at += n as u64;
                Ok(Part::Structure)
            }
            Some(Found::Structure { skip }) => {
                self.at += n as u64 + skip;
                Ok(Part::Structure)
            }
            Some(Found::Block(head)) => self.content(n as u64, &head),
            Some(Found::Short(short)) => self.short(n as u64, short),
            None => {
                // On to the next byte that could begin something.
                let skip = bytes[1..].iter().position(|&b| b == 0xeb || b == 0xc3).map_or(bytes.len(), |i| i + 1);
                self.at += skip as u64;
                Ok(Part::Damage { raw: 0 })
            }
        }
    }

    fn find(&self, dictionary: Option<&[u8]>) -> Result<Option<Dictionary>> {
        Ok(self.options.dictionary(dictionary, self.at)?.cloned())
    }

    fn content(&mut self, n: u64, head: &BlockHead) -> Result<Part> {
        let tables = match &self.models {
            Some(models) => vec![models.clone()],
            None => self.guesses(head).into_iter().map(|model| vec![model]).collect(),
        };
        let dictionary = self.dictionary.clone();
        let mut found = None;
        for table in &tables {
            let models = Models::to_decode(table, dictionary.as_ref(), self.options.threads);
            found = self.decode(n, head, 8, &models)?;
            if found.is_some() {
                break;
            }
        }
        // The head has a check of its own and can be believed, though not that its coded bytes are all
        // there: the next block may begin inside.
        Ok(found.unwrap_or_else(|| {
            self.at += n;
            Part::Damage { raw: head.raw }
        }))
    }

    /// Models to try for a block whose frame's header is lost.
    fn guesses(&mut self, head: &BlockHead) -> Vec<Model> {
        // All blocks of a frame were computed with as many rows as the longest has streams.
        self.rows = self.rows.max(head.layout.streams);
        let ppm = Model::Ppm { order: ppm::ORDER, memory: ppm::MEMORY_LOG2 };
        let built_in = rwkv7::Model::builtin_names().filter_map(|name| Ready::find(name).ok());
        let neural = || self.options.models.iter().cloned().chain(built_in).map(Model::Rwkv7);
        // With what would be computed here, if nothing was said when compressing.
        let bound = |model: &Bound| Some(Model::Bound(model.clone(), Box::new(model.0.entry(self.rows).ok()?)));
        match head.method {
            Method::Joint => neural().collect(),
            Method::Bound | Method::BoundAlone => self.options.bound.iter().filter_map(bound).collect(),
            Method::Coded => std::iter::once(ppm).chain(neural()).collect(),
            _ => vec![ppm],
        }
    }

    fn short(&mut self, n: u64, short: ShortFrame) -> Result<Part> {
        let dictionary = match self.find(short.dictionary.as_ref().map(|d| &d[..])) {
            // Four bytes without a check of their own: as likely damage as a dictionary.
            Err(Error::NoDictionary { .. }) => None,
            found => found?,
        };
        // As for the dictionary; without its model nothing can come out.
        let table = self.options.models(&short.models(), &Origins::new(), self.at).unwrap_or_default();
        let models = Models::to_decode(&table, dictionary.as_ref(), self.options.threads);
        let found = self.decode(n, &short.into_head(), 4, &models)?;
        Ok(found.unwrap_or_else(|| {
            self.at += n; // nothing vouches for the head
            Part::Damage { raw: 0 }
        }))
    }

    /// Decodes what follows a head of `n` bytes and moves behind it, if its check fits.
    fn decode(&mut self, n: u64, head: &BlockHead, check: usize, models: &Models) -> Result<Option<Part>> {
        let Some(whole) = head.coded.checked_add(n + check as u64) else { return Ok(None) };
        let bytes = self.bytes(whole)?;
        let (begin, end) = (n as usize, (n + head.coded) as usize);
        let (Some(coded), Some(check)) = (bytes.get(begin..end), bytes.get(end..end + check)) else { return Ok(None) };
        match block::decode_checked(head.method, head.raw, &head.layout, models, coded, check) {
            Ok(raw) => {
                self.at += whole;
                Ok(Some(Part::Content(raw)))
            }
            Err(_) => Ok(None),
        }
    }
}

enum Found {
    Header(FrameHeader),
    Block(BlockHead),
    Short(ShortFrame),
    /// An index or trailer, or a skippable frame's head and how many bytes follow it.
    Structure {
        skip: u64,
    },
}

impl Found {
    fn read<'a>(input: &mut Input<'a>, models: usize, limits: &Limits) -> Result<Self, FormatError> {
        let from = *input;
        if let Ok(head) = BlockHead::read(input, models, limits) {
            return Ok(Found::Block(head));
        }
        *input = from;
        if let Ok(header) = FrameHeader::read(input, limits) {
            return Ok(Found::Header(header));
        }
        *input = from;
        if let Ok(short) = ShortFrame::read(input) {
            return Ok(Found::Short(short));
        }
        *input = from;
        if Index::read(input).is_ok() {
            return Ok(Found::Structure { skip: 0 });
        }
        *input = from;
        let head = input.take(8)?;
        if let Ok(Start::Skippable(skip)) = start(head) {
            return Ok(Found::Structure { skip });
        }
        *input = from;
        Trailer::read(input).map(|_| Found::Structure { skip: 0 })
    }
}
