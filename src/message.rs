//! Small messages: many at once, and without any frame.

use crate::codec::block::{self, Models};
use crate::encoder::{Options, compress};
use crate::error::{CodecError, Result};
use crate::format::{Method, Segment};
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
    let work = |part: &[M]| part.iter().map(|m| compress(m.as_ref(), options)).collect::<Vec<_>>();
    parallel::map(messages.chunks(share).collect(), work).concat()
}

/// Compresses a message to its bitstream alone: no magic, no length, no check. For protocols that have
/// these already; [`decompress_bare`] needs the length and the same options.
///
/// ```
/// let options = lmz::Options::default();
/// let coded = lmz::compress_bare(b"to be or not to be, or to be not", &options);
/// assert_eq!(lmz::decompress_bare(&coded, 32, &options)?, b"to be or not to be, or to be not");
/// # Ok::<(), lmz::CodecError>(())
/// ```
pub fn compress_bare(message: &[u8], options: &Options) -> Vec<u8> {
    let models = Models { table: &options.table(), dictionary: options.dictionary.as_ref() };
    block::bare(message, &models, &[message.len()])
}

/// Decompresses what [`compress_bare`] made of `length` bytes. Other bytes give an error or, since
/// there is no check, another message.
pub fn decompress_bare(coded: &[u8], length: usize, options: &Options) -> Result<Vec<u8>, CodecError> {
    let table = options.table();
    let (method, model) = if table.is_empty() { (Method::Mixed, None) } else { (Method::Coded, Some(0)) };
    let segment = Segment { length: length as u64, model };
    let mut out = Vec::new();
    let models = Models { table: &table, dictionary: options.dictionary.as_ref() };
    block::decode(method, length as u64, &[segment], &models, coded, &mut out)?;
    Ok(out)
}
