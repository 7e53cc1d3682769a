//! Small messages: many at once, and without any frame.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::codec::block::{self, Model, Models};
use crate::codec::many::Batch;
use crate::codec::memory;
use crate::encoder::{compress, compress_made};
use crate::error::{CodecError, Result};
use crate::exact::fpstate::exact;
use crate::format::{BlockHead, Layout, ShortFrame};
use crate::options::Options;
use crate::parallel;
use crate::predictor::Predictor;

/// Compresses independent messages, each into an archive of its own, the same as [`compress`]
/// makes. With a neural model it takes much less time than one by one: it reads up to 16 of them at
/// once. Memory: for each thread and processor about 0.5 GiB, and together no more than
/// [`Options::memory`]: threads and messages at once become fewer until they fit.
///
/// ```
/// let archives = lmz::compress_many(&["first message", "second message"], &lmz::Options::default());
/// assert_eq!(lmz::decompress(&archives[1])?, b"second message");
/// # Ok::<(), lmz::Error>(())
/// ```
///
/// # Panics
///
/// Where [`compress`] does.
pub fn compress_many<M: AsRef<[u8]> + Sync>(messages: &[M], options: &Options) -> Vec<Vec<u8>> {
    let messages: Vec<&[u8]> = messages.iter().map(AsRef::as_ref).collect();
    exact(|_| compress_all(&messages, options))
}

fn compress_all(messages: &[&[u8]], options: &Options) -> Vec<Vec<u8>> {
    if let [message] = messages {
        return vec![compress(message, options)];
    }
    // The threads have messages of their own.
    let longest = messages.iter().map(|message| message.len()).max().unwrap_or(0);
    let table = options.models();
    let needed = memory::encoding(
        longest.min(options.block) as u64,
        &with(options, &table),
        options.streams,
    );
    let fit = usize::try_from(options.memory / needed.max(1)).unwrap_or(usize::MAX).max(1);
    let threads = parallel::at_once(options.threads).min(fit).min(messages.len().max(1));
    let each = Options { threads: 1, memory: options.memory / threads as u64, ..options.clone() };
    let (batched, singly): (Vec<usize>, Vec<usize>) =
        (0..messages.len()).partition(|number| fits_batch(messages[*number], options));
    let [next_batched, next_singly] = [&batched, &singly].map(|numbers| {
        let next = AtomicUsize::new(0);
        move || numbers.get(next.fetch_add(1, Ordering::Relaxed)).map(|n| (*n, messages[*n]))
    });
    let work = |()| {
        let mut archives = Vec::new();
        if let Predictor::Model(model) = &options.predictor {
            let rows = batched.len().div_ceil(threads);
            let batch =
                Batch { model, dictionary: options.dictionary.as_ref(), rows, memory: each.memory };
            batch.encode(&next_batched, |number, made| {
                archives.push((number, compress_made(messages[number], &made, &each)));
            });
        }
        archives.extend(
            std::iter::from_fn(&next_singly).map(|(number, raw)| (number, compress(raw, &each))),
        );
        archives
    };
    let mut archives = parallel::map(vec![(); threads], work).concat();
    archives.sort_unstable_by_key(|(number, _)| *number);
    archives.into_iter().map(|(_, archive)| archive).collect()
}

/// Whether a message becomes one stream of a short frame that the model is tried on.
fn fits_batch(raw: &[u8], options: &Options) -> bool {
    let short = (raw.len() as u64) < ShortFrame::LIMIT && raw.len() <= options.block;
    let joint = options.mix && matches!(options.predictor, Predictor::Model(_));
    let one = short && joint && options.streams.is_none_or(|n| n <= 1);
    // Empty ones and those that repeat one byte have methods of their own.
    one && raw.iter().any(|b| *b != raw[0])
}

/// Compresses a message to its bitstream alone: no magic, no length, no check. For protocols that
/// have these already; [`decompress_bare`] needs the length and the same options. The message is
/// one stream of the options' predictor, even where that makes it larger than it was. With a
/// device-bound model nothing says whether the other side's gives the same numbers: that is for the
/// protocol to know.
///
/// ```
/// let options = lmz::Options::default();
/// let coded = lmz::compress_bare(b"to be or not to be, or to be not", &options);
/// assert_eq!(lmz::decompress_bare(&coded, 32, &options)?, b"to be or not to be, or to be not");
/// # Ok::<(), lmz::CodecError>(())
/// ```
pub fn compress_bare(message: &[u8], options: &Options) -> Vec<u8> {
    exact(|_| {
        let table = table(options).expect("the model can be computed");
        block::bare(message, &with(options, &table))
    })
}

/// Decompresses what [`compress_bare`] made of `length` bytes. Other bytes give an error or, since
/// there is no check, another message.
pub fn decompress_bare(
    coded: &[u8],
    length: usize,
    options: &Options,
) -> Result<Vec<u8>, CodecError> {
    exact(|_| decode_bare(coded, length, options))
}

fn decode_bare(coded: &[u8], length: usize, options: &Options) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::new();
    if length > 0 {
        let table = table(options)?;
        let models = with(options, &table);
        let (method, model) = block::bare_method(&models);
        let layout = Layout::whole(length as u64, model);
        let (raw, coded_length) = (length as u64, coded.len() as u64);
        // By models that give every byte some mass, few coded bytes cannot be many: nothing is
        // begun for them.
        let certain = matches!(models.table, [] | [Model::Ppm { .. }, ..]);
        if certain && raw > method.most_raw(coded_length) {
            return Err(CodecError::TooShort);
        }
        let head = BlockHead { last: true, method, raw, coded: coded_length, layout };
        let needed = memory::decoding(&head, &models);
        if needed > options.memory {
            return Err(CodecError::MemoryLimit { needed, limit: options.memory });
        }
        memory::available(needed)?;
        let layout = head.layout;
        block::decode(method, length as u64, &layout, &models, coded, &mut out)?;
    }
    Ok(out)
}

/// The models; of a device-bound one what is to be known for one stream.
fn table(options: &Options) -> Result<Vec<Model>, CodecError> {
    let mut table = options.models();
    for model in &mut table {
        if let Model::Bound(model, entry) = model {
            **entry = model.0.entry(1)?;
        }
    }
    Ok(table)
}

fn with<'a>(options: &'a Options, table: &'a [Model]) -> Models<'a> {
    let Options { dictionary, mix, threads, .. } = options;
    Models {
        table,
        dictionary: dictionary.as_ref(),
        mix: *mix,
        made: None,
        threads: *threads,
        cancel: None,
    }
}
