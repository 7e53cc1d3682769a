//! What shows whether two devices give the same numbers.

use super::network::LockStep;
use lmz::format::DeviceBoundEntry as Entry;
use lmz::lm::device::DeviceError;
use lmz::vocab::{Token, Vocabulary};

/// The beginning of a hash of the frequencies that fixed tokens give, in every way in which a block
/// computes: at a document's beginning, at the last positions of the context, in the pass with
/// which streams begin anew, and behind it. What lies between is not computed: the cache holds
/// zeros there, which the kernels treat as they treat everything. Where a network cannot jump the
/// last positions are left out, since all before them would have to be read.
pub fn probe(
    rows: &mut LockStep,
    entry: &Entry,
    vocabulary: &Vocabulary,
    jumps: bool,
) -> Result<[u8; 16], DeviceError> {
    let (batch, limit, keep) = (entry.batch as usize, entry.limit as usize, entry.keep as usize);
    let mut state = 1u32;
    let mut ids = |count: usize| -> Vec<u32> {
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let token = ((u64::from(state) * (vocabulary.len() as u64 - 1)) >> 32) as Token + 1;
            rows.id(token)
        };
        (0..count).map(|_| next()).collect()
    };
    let mut passes = vec![(Some(1), 0), (None, 1), (None, 2), (None, 3)];
    if limit > 0 {
        passes.extend(jumps.then_some((None, limit - 1)));
        passes.extend([(Some(keep), 0), (None, keep)]);
    }
    let passes: Vec<_> = passes
        .into_iter()
        .map(|(prime, at)| (prime, at, ids(batch * prime.unwrap_or(1))))
        .collect();
    let (mut hasher, mut sums) = (blake3::Hasher::new(), Vec::new());
    for (prime, position, ids) in passes.iter().filter(|(_, at, _)| limit == 0 || *at < limit) {
        match prime {
            Some(_) => rows.prime_with(ids)?,
            None => rows.step_at(ids, *position)?,
        }
        for row in 0..batch {
            rows.sums_of(&mut [(row, &mut sums)], batch)?;
            for sum in &sums {
                hasher.update(&sum.to_le_bytes());
            }
        }
    }
    let mut out = [0; 16];
    out.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    Ok(out)
}
