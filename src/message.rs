//! Small messages: many at once, and without any frame.

use crate::codec::context::{BlockContext, Model, bare_method};
use crate::codec::{decode, encode, memory};
use crate::copy::compress_with;
use crate::error::{CodecError, Error, Result};
use crate::exact::fpstate::exact;
use crate::format::{BlockHead, Layout};
use crate::options::EncoderOptions;
use crate::parallel;
use crate::progress::BlockProgress;

/// Compresses independent messages, each into an archive of its own, the same as
/// [`compress_with`] makes. The model is loaded once, and as many messages are coded at once as
/// there are threads and processors. Memory: for each of them 50 to 70 MiB with a built-in model,
/// and together no more than [`EncoderOptions::memory`]: threads become fewer until they fit.
///
/// ```
/// let messages = ["first message", "second message"];
/// let archives = lmz::compress_many(&messages, &lmz::EncoderOptions::new())?;
/// assert_eq!(lmz::decompress(&archives[1])?, b"second message");
/// # Ok::<(), lmz::Error>(())
/// ```
///
/// # Errors
///
/// Where [`compress_with`] gives one, for the first such message.
pub fn compress_many<M: AsRef<[u8]> + Sync>(
    messages: &[M],
    options: &EncoderOptions,
) -> Result<Vec<Vec<u8>>> {
    let messages: Vec<&[u8]> = messages.iter().map(AsRef::as_ref).collect();
    exact(|_| compress_all(&messages, options))
}

fn compress_all(messages: &[&[u8]], options: &EncoderOptions) -> Result<Vec<Vec<u8>>> {
    options.check()?;
    if let [message] = messages {
        return Ok(vec![compress_with(message, options)?]);
    }
    let predictor = options.loaded()?;
    let options = &options.clone().predictor(predictor);
    // The threads have messages of their own.
    let longest = messages.iter().map(|message| message.len()).max().unwrap_or(0);
    let table = options.models()?;
    let needed = memory::encoding(
        longest.min(options.get_block_size()) as u64,
        &context(options, &table),
        options.streams,
    );
    let fit = usize::try_from(options.memory / needed.max(1)).unwrap_or(usize::MAX).max(1);
    let threads = parallel::at_once(options.threads).min(fit).min(messages.len().max(1));
    let each = options.clone().threads(1).memory(options.memory / threads as u64);
    parallel::each(messages, threads, |message| compress_with(message, &each))
}

/// Compresses a message to its bitstream alone: no magic, no length, no check. For protocols that
/// have these already; [`decompress_bare`] needs the length and the same options. The message is
/// one stream of the options' predictor, even where that makes it larger than it was. With a
/// device-bound model nothing says whether the other side's gives the same numbers: that is for the
/// protocol to know.
///
/// ```
/// let options = lmz::EncoderOptions::new();
/// let coded = lmz::compress_bare(b"to be or not to be, or to be not", &options)?;
/// assert_eq!(lmz::decompress_bare(&coded, 32, &options)?, b"to be or not to be, or to be not");
/// # Ok::<(), lmz::Error>(())
/// ```
///
/// # Errors
///
/// If an option has a value that cannot be, or if the model cannot be loaded or computed.
pub fn compress_bare(message: &[u8], options: &EncoderOptions) -> Result<Vec<u8>> {
    exact(|_| {
        let table = table(options)?;
        let progress = BlockProgress::new(options.progress.as_ref(), message.len() as u64);
        let context = BlockContext { progress: progress.as_ref(), ..context(options, &table) };
        let coded = encode::bare(message, &context).map_err(Error::of_message)?;
        progress.iter().for_each(BlockProgress::end);
        Ok(coded)
    })
}

/// Decompresses what [`compress_bare`] made of `length` bytes. Other bytes give an error or, since
/// there is no check, another message.
///
/// # Errors
///
/// If an encoder does not write such bytes, if decoding them needs more memory than the options
/// allow, and where `compress_bare` gives one.
pub fn decompress_bare(coded: &[u8], length: usize, options: &EncoderOptions) -> Result<Vec<u8>> {
    exact(|_| decode_bare(coded, length, options))
}

fn decode_bare(coded: &[u8], length: usize, options: &EncoderOptions) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    if length > 0 {
        let table = table(options)?;
        let progress = BlockProgress::new(options.progress.as_ref(), length as u64);
        let context = BlockContext { progress: progress.as_ref(), ..context(options, &table) };
        let (method, model) = bare_method(&context);
        let layout = Layout::whole(length as u64, model);
        let (raw, coded_length) = (length as u64, coded.len() as u64);
        // By models that give every byte some mass, few coded bytes cannot be many: nothing is
        // begun for them.
        let certain = matches!(context.table, [] | [Model::Ppm { .. }, ..]);
        if certain && raw > method.most_raw(coded_length) {
            return Err(Error::of_message(CodecError::TooShort));
        }
        let head = BlockHead { last: true, method, raw, coded: coded_length, layout };
        let needed = memory::decoding(&head, &context);
        memory::allow("the message", needed, options.memory)?;
        memory::available(needed).map_err(Error::of_message)?;
        decode::decode(&head, &context, coded, &mut out).map_err(Error::of_message)?;
        progress.iter().for_each(BlockProgress::end);
    }
    Ok(out)
}

/// The models, each device-bound one with what is to be known of it for one stream.
fn table(options: &EncoderOptions) -> Result<Vec<Model>> {
    options.check()?;
    let mut table = options.models()?;
    for model in &mut table {
        if let Model::DeviceBound(model, entry) = model {
            **entry = model.0.entry(1)?;
        }
    }
    Ok(table)
}

fn context<'a>(options: &'a EncoderOptions, table: &'a [Model]) -> BlockContext<'a> {
    let EncoderOptions { dictionary, mix, threads, .. } = options;
    let dictionary = dictionary.as_ref();
    BlockContext { table, dictionary, mix: *mix, threads: *threads, cancel: None, progress: None }
}
