//! The primer's way into the table, made where it is needed.
//!
//! Every block begins with tables that have read the primer, 42 KB of text: 1.7 million updates of
//! bit histories, while a message of 100 bytes looks at 4,000 of the table's 131,072 lines. Updates
//! of a line do not depend on any other line. So what comes in is the primer, what goes out a
//! [`PrimerLog`]: all updates sorted by lines, those of a line in the order in which they happen. A
//! line is brought to its state by its own updates when it is looked at first. The result is that
//! of reading the primer (docs/MIXING.md, section 6), bit for bit.

mod sort;
#[cfg(test)]
mod tests;

use std::mem;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::history::Histories;
use super::kernel;
use super::matching::{Matcher, Matches};
use super::table::{LINE, Table};
use crate::exact::fpstate::Exact;
use sort::Sort;

/// Where a field of an update begins: bit 0 says whether the update before it belongs to the same
/// half byte; then come the half byte and the check without its lowest bit, which is always 1.
const NIBBLE: u32 = 1;
const CHECK: u32 = 5;

/// The updates of the table by a primer.
pub struct PrimerLog {
    /// log2 of the lines of the table.
    bits: u32,
    /// Where the updates of each line begin, and the end.
    starts: Vec<u32>,
    updates: Vec<u16>,
    /// The lines of many updates in order, and their states once they were looked at.
    long: Vec<(u32, OnceLock<[u8; LINE]>)>,
    /// The states of all lines, once it has paid to make them.
    all: OnceLock<Vec<[u8; LINE]>>,
}

/// Updates from which on the state of a line is kept for the next block: one line in 40 has so
/// many, together they have a third of all, and most texts look at them.
const LONG: usize = 48;

/// The block, of those that begin with the same log, from which on the states of all lines are
/// there: making them takes as long as what one or two short blocks look at. A process that codes
/// one message has no third block.
const MANY: u32 = 3;

impl PrimerLog {
    /// Of a table with 2^`bits` lines.
    fn new(primer: &[u8], bits: u32) -> Self {
        kernel::run(Sort { primer, bits })
    }

    /// The state of a line that has its updates behind it.
    fn read(&self, number: usize) -> [u8; LINE] {
        if let Some(all) = self.all.get() {
            return all[number];
        }
        let range = self.starts[number] as usize..self.starts[number + 1] as usize;
        let updates = &self.updates[range];
        if updates.len() >= LONG
            && let Ok(at) = self.long.binary_search_by_key(&(number as u32), |(line, _)| *line)
        {
            return *self.long[at].1.get_or_init(|| Self::state(updates));
        }
        Self::state(updates)
    }

    /// Makes the states of all lines.
    fn complete(&self) {
        self.all.get_or_init(|| {
            let mut lines = vec![[0; LINE]; 1 << self.bits];
            self.read_all(&mut lines);
            lines
        });
    }

    /// Brings all lines to their states.
    fn read_all(&self, lines: &mut [[u8; LINE]]) {
        for (line, starts) in lines.iter_mut().zip(self.starts.windows(2)) {
            *line = Self::state(&self.updates[starts[0] as usize..starts[1] as usize]);
        }
    }

    /// What updates make of a line.
    fn state(updates: &[u16]) -> [u8; LINE] {
        let (histories, mut line) = (Histories::get(), [0; LINE]);
        let mut at = 0;
        while at < updates.len() {
            let nibble = usize::from(updates[at] >> NIBBLE & 15);
            let slot = find(&mut line, updates[at]);
            at += 1;
            if updates.get(at).is_none_or(|next| next & 1 == 0) {
                learn(histories, &mut line, slot, nibble);
                continue;
            }
            // All slots of a half byte are found before any learns.
            let mut slots = vec![slot];
            while let Some(update) = updates.get(at).filter(|next| *next & 1 == 1) {
                slots.push(find(&mut line, *update));
                at += 1;
            }
            slots.into_iter().for_each(|slot| learn(histories, &mut line, slot, nibble));
        }
        line
    }
}

/// Finds a slot as [`find`](super::table::find) does, but that a slot which was there is only read:
/// bytes that were just written would be waited for to be read as a word.
#[inline(always)]
fn find(line: &mut [u8; LINE], update: u16) -> usize {
    let check = (update >> CHECK << 1) as u8 | 1;
    let slots = line.as_chunks_mut::<16>().0;
    let same = |i: usize| u32::from(slots[i][0] == check) << i;
    let found = same(0) | same(1) | same(2) | same(3);
    if found != 0 {
        return found.trailing_zeros() as usize & 3;
    }
    let seen = |i: usize| usize::from(slots[i][1]) << 2 | i;
    let least = seen(0).min(seen(1)).min(seen(2).min(seen(3))) & 3;
    slots[least] = [check, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    least
}

/// The histories of the nodes that a half byte goes through learn its bits.
#[inline(always)]
fn learn(histories: &Histories, line: &mut [u8; LINE], slot: usize, nibble: usize) {
    let mut step = |node: usize, bit: usize| {
        let state = &mut line[slot * 16 + node];
        *state = histories.after(bit == 1)[usize::from(*state)];
    };
    step(1, nibble >> 3);
    step(2 | nibble >> 3, nibble >> 2 & 1);
    step(4 | nibble >> 2, nibble >> 1 & 1);
    step(8 | nibble >> 1, nibble & 1);
}

/// What a table has not read of the primer yet.
pub struct Unread {
    log: Arc<PrimerLog>,
    /// The lines that it has read.
    read: Vec<u32>,
}

impl Unread {
    pub fn new(log: Arc<PrimerLog>) -> Self {
        Self { log, read: Vec::new() }
    }

    /// Brings a line that is to be looked at to its state.
    #[inline(always)]
    pub fn read(&mut self, lines: &mut [[u8; LINE]], number: usize) {
        #[cold]
        fn read(unread: &mut Unread, number: usize, line: &mut [u8; LINE]) {
            *line = unread.log.read(number);
            unread.read.push(number as u32);
        }
        let line = &mut lines[number];
        // The slot that is made first in a line is its first, and no check is 0.
        if line[0] == 0 {
            read(self, number, line);
        }
    }

    /// Makes the lines that were read zeros again, if that is less than making a table.
    pub fn forget(&mut self, lines: &mut [[u8; LINE]]) -> bool {
        let few = self.read.len() < lines.len() / 4;
        if few {
            self.read.drain(..).for_each(|number| lines[number as usize] = [0; LINE]);
        }
        few
    }
}

/// What reading the primer changes.
pub type Primed = (Table, Matches);

/// What was made last, for the next block.
struct Kept {
    primer: Vec<u8>,
    log: Arc<PrimerLog>,
    /// Blocks that began with it.
    blocks: u32,
    matches: Option<Matches>,
}

static KEPT: Mutex<Option<Kept>> = Mutex::new(None);

/// Tables of 2^[`SMALLEST`] bytes that are zeros again: small blocks use little of one, and getting
/// 8 MiB of the system takes longer than coding them.
static TABLES: Mutex<Vec<Table>> = Mutex::new(Vec::new());
/// log2 of the bytes of tables that are kept, and how many.
const SMALLEST: u32 = 23;
const TABLES_KEPT: usize = 2;

/// The smallest table, of zeros.
fn empty() -> Table {
    let kept = TABLES.lock().unwrap_or_else(PoisonError::into_inner).pop();
    kept.unwrap_or_else(|| Table::new(SMALLEST))
}

/// log2 of the bytes of a table from which on a block takes so much that what is kept for small
/// ones should go first, and so long that making it again does not count.
const LARGE: u32 = 26;

/// Gives up what is kept for the next small block.
fn forget() {
    // Not while the locks are held: a table that goes looks whether it is to be kept.
    let tables = mem::take(&mut *TABLES.lock().unwrap_or_else(PoisonError::into_inner));
    let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner).take();
    drop((tables, kept));
}

impl Drop for Table {
    /// Keeps the memory for the next block, where it is zeros again with little to do.
    fn drop(&mut self) {
        let Some(mut unread) = self.unread.take() else { return };
        let mut tables = TABLES.lock().unwrap_or_else(PoisonError::into_inner);
        if tables.len() < TABLES_KEPT && unread.forget(self.lines_mut()) {
            tables.push(self.take());
        }
    }
}

/// Tables of 2^`table` bytes and 2^`places` places that have read a primer.
pub fn primed(fp: Exact, (table, places): (u32, u32), primer: &[u8]) -> Primed {
    if primer.is_empty() {
        return (Table::new(table), Matches::new(fp, places));
    }
    if table > SMALLEST {
        // A block that looks at most of the lines. The log goes before the rest of what it needs
        // comes.
        if table >= LARGE {
            forget();
        }
        let mut out = Table::new(table);
        PrimerLog::new(primer, out.bits()).read_all(out.lines_mut());
        return (out, read_matches(fp, places, primer));
    }
    let mut out = empty();
    let bits = out.bits();
    // Who comes at the same time waits, rather than doing the same.
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let fits = |kept: &Kept| kept.log.bits == bits && kept.primer == primer;
    let now = match kept.take().filter(fits) {
        Some(now) => now,
        None => Kept {
            primer: primer.to_vec(),
            log: Arc::new(PrimerLog::new(primer, bits)),
            blocks: 0,
            matches: None,
        },
    };
    let now = kept.insert(now);
    now.blocks = now.blocks.saturating_add(1);
    if now.blocks >= MANY {
        now.log.complete();
    }
    let matches = match now.matches.take().filter(|matches| matches.bits() == places) {
        Some(matches) => matches,
        None => read_matches(fp, places, primer),
    };
    out.unread = Some(Unread::new(Arc::clone(&now.log)));
    (out, now.matches.insert(matches).clone())
}

/// The match model behind a primer.
fn read_matches(fp: Exact, places: u32, primer: &[u8]) -> Matches {
    let mut matches = Matches::new(fp, places);
    let (mut matcher, mut recent) = (Matcher::default(), 0);
    for (i, byte) in primer.iter().enumerate() {
        recent = recent << 8 | u64::from(*byte);
        matcher.push(&mut matches, primer, i + 1, 0, recent);
    }
    matches
}
