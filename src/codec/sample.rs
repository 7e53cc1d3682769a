//! Whether a block is worth the time of a model: a question for blocks that are not small and look
//! random.

use super::context::{BlockContext, Model};
use super::encode;

/// Blocks below this are coded without asking.
const SMALL: usize = 16 << 10;
/// Pieces that are coded to find out.
const PIECES: usize = 4;
const PIECE: usize = 4 << 10;

/// False if the block's bytes are equally frequent, nothing in it repeats, and the model cannot
/// make pieces of it smaller.
pub fn looks_compressible(raw: &[u8], context: &BlockContext) -> bool {
    raw.len() < SMALL || skewed(raw) || repeats(raw) || pieces_shrink(raw, context)
}

/// Whether the order-0 entropy is visibly below eight bits.
fn skewed(raw: &[u8]) -> bool {
    let mut counts = [0u64; 256];
    raw.iter().for_each(|&b| counts[usize::from(b)] += 1);
    // Of n random bytes the sum of squared counts is n^2 / 256 + n on average; 1% more is far
    // outside its spread (a deviation of 23 n) for the sizes that come here.
    let squares: u128 = counts.iter().map(|&c| u128::from(c) * u128::from(c)).sum();
    let n = raw.len() as u128;
    squares * 256 * 100 > (n * n + 256 * n) * 101
}

/// Whether strings of 16 bytes come again, at any distance. One place in 64 is looked at, chosen by
/// its content, so that both copies choose the same places.
fn repeats(raw: &[u8]) -> bool {
    let mut table = vec![u64::MAX; 1 << 16];
    let (mut looked, mut found) = (0u32, 0u32);
    for window in raw.windows(16) {
        let low = u64::from_le_bytes(window[..8].try_into().expect("eight of sixteen"));
        let hash = low.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        if hash >> 58 != 0 {
            continue;
        }
        let high = u64::from_le_bytes(window[8..].try_into().expect("eight of sixteen"));
        let key = (hash ^ high).wrapping_mul(0xd6e8_feb8_6659_fd93);
        let slot = &mut table[(key >> 48) as usize];
        looked += 1;
        found += u32::from(*slot == key);
        *slot = key;
    }
    found * 100 > looked
}

fn pieces_shrink(raw: &[u8], context: &BlockContext) -> bool {
    // What a language model knows is not flat.
    let table = match context.table {
        [Model::Exact(_) | Model::DeviceBound(..), ..] => &[],
        table => table,
    };
    let context = BlockContext { table, progress: None, ..*context };
    let stride = (raw.len() - PIECE) / (PIECES - 1);
    let pieces: Vec<&[u8]> = (0..PIECES).map(|i| &raw[i * stride..][..PIECE]).collect();
    let pieces = pieces.concat();
    // What cannot fail: context models and PPM.
    encode::bare(&pieces, &context).map_or(pieces.len(), |coded| coded.len()) < pieces.len()
}
