//! Small messages: many at once, and without any frame.

use crate::codec::block::{self, Model, Models};
use crate::encoder::{Options, compress};
use crate::error::{CodecError, Result};
use crate::format::Segment;
use crate::parallel;

/// Compresses independent messages, each into an archive of its own, the same as [`compress`] makes.
///
/// ```
/// let archives = lmz::compress_many(&["first message", "second message"], &lmz::Options::default());
/// assert_eq!(lmz::decompress(&archives[1])?, b"second message");
/// # Ok::<(), lmz::Error>(())
/// ```
pub fn compress_many<M: AsRef<[u8]> + Sync>(messages: &[M], options: &Options) -> Vec<Vec<u8>> {
    let share = messages.len().div_ceil(options.threads.max(1)).max(1);
    // The threads have messages of their own, unless there is only one.
    let threads = if messages.len() > 1 { 1 } else { options.threads };
    let each = Options { threads, ..options.clone() };
    let work = |part: &[M]| part.iter().map(|m| compress(m.as_ref(), &each)).collect::<Vec<_>>();
    parallel::map(messages.chunks(share).collect(), work).concat()
}

/// Compresses a message to its bitstream alone: no magic, no length, no check. For protocols that have
/// these already; [`decompress_bare`] needs the length and the same options. The message is one stream of the options'
/// predictor, even where that makes it larger than it was.
///
/// ```
/// let options = lmz::Options::default();
/// let coded = lmz::compress_bare(b"to be or not to be, or to be not", &options);
/// assert_eq!(lmz::decompress_bare(&coded, 32, &options)?, b"to be or not to be, or to be not");
/// # Ok::<(), lmz::CodecError>(())
/// ```
pub fn compress_bare(message: &[u8], options: &Options) -> Vec<u8> {
    block::bare(message, &with(options, &options.models()))
}

/// Decompresses what [`compress_bare`] made of `length` bytes. Other bytes give an error or, since
/// there is no check, another message.
pub fn decompress_bare(coded: &[u8], length: usize, options: &Options) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::new();
    if length > 0 {
        let table = options.models();
        let models = with(options, &table);
        let (method, model) = block::bare_method(&models);
        let segment = Segment { length: length as u64, model };
        block::decode(method, length as u64, &[segment], &models, coded, &mut out)?;
    }
    Ok(out)
}

fn with<'a>(options: &'a Options, table: &'a [Model]) -> Models<'a> {
    Models { table, dictionary: options.dictionary.as_ref(), threads: options.threads }
}
