//! What begins at a place of an archive that may be damaged, and whether it is whole.

use std::io::{Read, Seek, SeekFrom};

use crate::codec::content::Content;
use crate::codec::context::Model;
use crate::codec::decode::RawBlock;
use crate::codec::memory;
use crate::codec::work::Work;
use crate::error::{CodecError, Error, Result};
use crate::format::{
    BlockHead, CHECK, FormatError, FrameHeader, FrameKind, Index, Input, Limits, Method,
    SHORT_CHECK, ShortFrame, TRAILER_BYTES, Trailer, start,
};
use crate::lm::LoadedModel;
use crate::lm::device::DeviceBoundModel;
use crate::lm::ppm;
use crate::lm::rwkv7::{self};
use crate::options::{DecoderOptions, Needs, Resolved, Resolver};
use crate::window::{Window, read_up_to};

/// Reads this much ahead, so that looking at every byte does not mean reading for every byte.
const READ: usize = 1 << 20;

/// A part that is parsed is taken to be no longer than this at first.
const FIRST: usize = 64 << 10;

/// No part that is parsed is longer; an index of so many bytes has ten million blocks.
const LONGEST: u64 = 64 << 20;

/// How often a byte may be part of something that turned out to be nothing.
const OVERLAPS: usize = 16;

/// What turns out to be nothing after so few bytes costs nothing.
const SHORT: u64 = 64;

/// What was found at a place.
pub enum Part {
    /// A header, an index, a trailer or a skippable frame.
    Structure,
    /// A block or short frame whose check fits.
    Content(Content),
    /// Bytes passed over: a block of known raw length whose content is damaged, or anything else.
    Damage {
        raw: u64,
    },
    End,
}

/// Where things end that turned out to be nothing and begin before the current place.
#[derive(Default)]
struct Overlaps(Vec<u64>);

impl Overlaps {
    /// Whether enough has been tried of the bytes at a place.
    fn enough(&mut self, at: u64) -> bool {
        self.0.retain(|end| *end > at);
        self.0.len() >= OVERLAPS
    }

    fn add(&mut self, at: u64, length: u64) {
        if length > SHORT {
            self.0.push(at.saturating_add(length));
        }
    }
}

/// The way through an archive that may be damaged.
pub struct Search<R> {
    inner: R,
    /// Bytes of the archive.
    length: u64,
    resolver: Resolver,
    /// What the blocks behind the last header are decoded with, if there was a header.
    frame: Option<Resolved>,
    /// The most streams of a block whose frame's header is lost.
    rows: u64,
    /// The current place.
    pub at: u64,
    window: Window,
    /// Whether a frame has just ended.
    boundary: bool,
    /// What could not be parsed, and what could not be decoded.
    parsed: Overlaps,
    decoded: Overlaps,
    work: Work,
}

impl<R: Read + Seek> Search<R> {
    /// From the beginning of an archive on.
    pub fn new(mut inner: R, options: &DecoderOptions) -> Result<Self> {
        let length = inner.seek(SeekFrom::End(0))?;
        Ok(Self {
            inner,
            length,
            resolver: Resolver::new(options.clone()),
            frame: None,
            rows: 1,
            at: 0,
            window: Window::new(0, READ),
            boundary: false,
            parsed: Overlaps::default(),
            decoded: Overlaps::default(),
            work: Work::default(),
        })
    }

    /// Reads the part at the current place and moves behind it.
    pub fn part(&mut self) -> Result<Part> {
        self.resolver.go_on()?;
        let bytes = self.window.get(&mut self.inner, self.at, FIRST)?;
        let Some(first) = bytes.first() else { return Ok(Part::End) };
        let behind_frame = std::mem::take(&mut self.boundary);
        if *first == 0 && behind_frame && self.only_zeros()? {
            return Ok(Part::End);
        }
        // Nothing vouches for the head of a skippable frame, so it counts where a frame has to
        // begin and if all of it is there. Else what it claims could hide what is whole.
        let frame_begins = behind_frame || self.at == 0;
        let rest = self.length.saturating_sub(self.at);
        let counts = |found: &Found, n: u64| match found {
            Found::Skippable { skip } => frame_begins && n.saturating_add(*skip) <= rest,
            _ => true,
        };
        match self.find()?.filter(|(found, n)| counts(found, *n)) {
            Some((Found::Header(header), n)) => {
                self.frame = Some(self.resolver.resolve(&Needs::of(&header), self.at)?);
                self.at += n;
                Ok(Part::Structure)
            }
            Some((Found::Index, n)) => {
                self.at += n;
                Ok(Part::Structure)
            }
            Some((Found::Trailer, n)) => self.end_frame(n),
            Some((Found::Skippable { skip }, n)) => self.end_frame(n.saturating_add(skip)),
            Some((Found::Block(head), n)) => self.block(n, &head),
            Some((Found::Short(short), n)) => self.short(n, short),
            None => {
                // On to the next byte that could begin something.
                let bytes = self.window.get(&mut self.inner, self.at, FIRST)?;
                let rest = bytes.get(1..).unwrap_or_default();
                let next = rest.iter().position(|&b| b == 0xeb || b == 0xc3);
                self.at += next.map_or(bytes.len(), |i| i + 1) as u64;
                Ok(Part::Damage { raw: 0 })
            }
        }
    }

    /// Moves behind the end of a frame.
    fn end_frame(&mut self, n: u64) -> Result<Part> {
        self.at = self.at.saturating_add(n);
        self.boundary = true;
        Ok(Part::Structure)
    }

    /// Whether there is nothing but zeros from here on.
    fn only_zeros(&mut self) -> Result<bool> {
        let mut at = self.at;
        loop {
            let bytes = self.window.get(&mut self.inner, at, 1)?;
            if bytes.is_empty() {
                return Ok(true);
            }
            if bytes.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            at += bytes.len() as u64;
        }
    }

    /// What begins here, and its bytes.
    fn find(&mut self) -> Result<Option<(Found, u64)>> {
        if self.parsed.enough(self.at) {
            return Ok(None);
        }
        // Where the header is lost, blocks name the one model of nearly all archives.
        let models = self.frame.as_ref().map_or(1, |frame| frame.models.len());
        let limits = self.resolver.limits();
        let most = LONGEST.min(limits.memory / 16);
        let mut want = FIRST;
        loop {
            let bytes = self.window.get(&mut self.inner, self.at, want)?;
            let all = bytes.len() < want;
            let mut input = Input::new(bytes);
            match Found::read(&mut input, models, limits) {
                Ok(found) => return Ok(Some((found, input.position() as u64))),
                Err(FormatError::Incomplete) if !all && (want as u64) < most => {
                    want = want.saturating_mul(8)
                }
                Err(FormatError::Incomplete) => {
                    let length = bytes.len() as u64;
                    self.parsed.add(self.at, length);
                    return Ok(None);
                }
                Err(_) => {
                    self.parsed.add(self.at, input.position() as u64);
                    return Ok(None);
                }
            }
        }
    }

    fn block(&mut self, n: u64, head: &BlockHead) -> Result<Part> {
        let guess = |model| Resolved { models: vec![model], dictionary: None };
        let tried = match &self.frame {
            Some(frame) => vec![frame.clone()],
            None => self.guesses(head).into_iter().map(guess).collect(),
        };
        let mut found = None;
        for resolved in &tried {
            let needed = memory::decoding(head, &resolved.context(1, None));
            memory::allow("a block", needed, self.resolver.limits().memory)?;
            found = self.decode(n, head, CHECK, resolved)?;
            if found.is_some() {
                break;
            }
        }
        // The head has a check of its own and can be believed, though not that its coded bytes are
        // all there: the next block may begin inside.
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
        let built_in =
            rwkv7::Model::builtin_names().filter_map(|name| LoadedModel::find(name).ok());
        let neural =
            || self.resolver.options.models.iter().cloned().chain(built_in).map(Model::Exact);
        // With what would be computed here, if nothing was said when compressing.
        let device_bound = |model: &DeviceBoundModel| {
            Some(Model::DeviceBound(model.clone(), Box::new(model.0.entry(self.rows).ok()?)))
        };
        match head.method {
            Method::LmCm => neural().collect(),
            Method::DeviceLmCm | Method::DeviceLm => {
                self.resolver.options.device_models.iter().filter_map(device_bound).collect()
            }
            Method::Modelled => std::iter::once(ppm).chain(neural()).collect(),
            _ => vec![ppm],
        }
    }

    fn short(&mut self, n: u64, short: ShortFrame) -> Result<Part> {
        let models = short.models();
        let needs = Needs::of_short(&short, &models);
        // The name of a dictionary is four bytes without a check of their own: as likely damage as
        // a dictionary. So is that of a model; without it nothing can come out.
        let dictionary = self.resolver.dictionary(needs.dictionary, self.at).ok().flatten();
        let dictionary = dictionary.cloned();
        let without = Needs { dictionary: None, ..needs };
        let models = self.resolver.resolve(&without, self.at).unwrap_or_default().models;
        let resolved = Resolved { models, dictionary };
        let head = short.into_head();
        // Nothing vouches for the head, so what it needs is no reason to end.
        let needed = memory::decoding(&head, &resolved.context(1, None));
        let fits = needed <= self.resolver.limits().memory;
        let found = if fits { self.decode(n, &head, SHORT_CHECK, &resolved)? } else { None };
        if found.is_some() {
            self.boundary = true;
        } else {
            self.at += n;
        }
        Ok(found.unwrap_or(Part::Damage { raw: 0 }))
    }

    /// Decodes what follows a head of `n` bytes and moves behind it, if its check fits.
    fn decode(
        &mut self,
        n: u64,
        head: &BlockHead,
        check: usize,
        resolved: &Resolved,
    ) -> Result<Option<Part>> {
        if self.decoded.enough(self.at) {
            return Ok(None);
        }
        let Some(length) =
            head.coded.checked_add(check as u64).and_then(|n| usize::try_from(n).ok())
        else {
            return Ok(None);
        };
        let begin = self.at + n;
        let mut coded = Vec::new();
        if length <= READ {
            let bytes = self.window.get(&mut self.inner, begin, length)?;
            coded.extend_from_slice(&bytes[..length.min(bytes.len())]);
        } else {
            self.inner.seek(SeekFrom::Start(begin))?;
            read_up_to(&mut self.inner, &mut coded, length)?;
        }
        let whole = n + length as u64;
        if coded.len() < length {
            self.decoded.add(self.at, whole);
            return Ok(None);
        }
        let options = &self.resolver.options;
        let context = resolved.context(options.threads, options.cancel.as_ref());
        let format = |source| Error::Format { at: self.at, source };
        self.work.add(head, whole, &context, &options.limits).map_err(format)?;
        match RawBlock::new(head.clone(), coded).decode(&context) {
            Ok(raw) => {
                self.at += whole;
                Ok(Some(Part::Content(raw)))
            }
            Err(CodecError::Cancelled) => Err(Error::Cancelled),
            Err(source @ CodecError::Memory { .. }) => {
                Err(Error::Block { block: 0, at: self.at, raw_at: 0, source })
            }
            Err(_) => {
                self.decoded.add(self.at, whole);
                Ok(None)
            }
        }
    }
}

enum Found {
    Header(FrameHeader),
    Block(BlockHead),
    Short(ShortFrame),
    Index,
    Trailer,
    /// A skippable frame's head, and how many bytes follow it.
    Skippable {
        skip: u64,
    },
}

impl Found {
    /// What begins here, by its first bytes; parts of which no more than the first bytes fit are
    /// not tried.
    fn read(input: &mut Input, models: usize, limits: &Limits) -> Result<Self, FormatError> {
        let from = *input;
        let mut first = from;
        let found = match first.array::<4>()? {
            [0xc3, b'B', ..] => BlockHead::read(input, models, limits).map(Found::Block),
            [0xc3, b'I', ..] => Index::read(input).map(|_| Found::Index),
            [0xeb, b'L', b'Z', _] => FrameHeader::read(input, limits).map(Found::Header),
            [0xeb, b'L', ..] => ShortFrame::read(input).map(Found::Short),
            [0x50..0x60, 0x2a, 0x4d, 0x18] => match input.take(8).and_then(start) {
                Ok(FrameKind::Skippable(skip)) => Ok(Found::Skippable { skip }),
                Ok(_) => Err(FormatError::NotAFrame { found: Vec::new() }),
                Err(error) => Err(error),
            },
            _ => Err(FormatError::NotAFrame { found: Vec::new() }),
        };
        if found.is_ok() {
            return found;
        }
        // A trailer has its mark at its end, and can begin with anything.
        let mut trailer = from;
        if trailer.take(TRAILER_BYTES).is_ok_and(|bytes| bytes.ends_with(b"END")) {
            let mut trailer = from;
            if Trailer::read(&mut trailer).is_ok() {
                *input = trailer;
                return Ok(Found::Trailer);
            }
        }
        found
    }
}
