//! Lines that read the primer when they are looked at, against the definition.

use super::super::contexts::{CONTEXTS, Contexts};
use super::*;
use crate::exact::fpstate::exact;
use crate::mix::Prior;

/// The definition (docs/MIXING.md, section 6).
fn read_plainly(primer: &[u8], log2: u32) -> Table {
    let mut table = Table::new(log2);
    let mut contexts = Contexts::new(0, false);
    let mut half = |contexts: &Contexts, nibble: u8, high: Option<u8>| {
        let places: [u32; CONTEXTS] = match high {
            None => std::array::from_fn(|i| {
                let h = contexts.early()[i];
                let line = table.line(h);
                table.find(line, h ^ (contexts.recent() as u32 & 3) << 1)
            }),
            Some(high) => std::array::from_fn(|i| {
                let h = contexts.hashes()[i];
                let line = table.line(h).beside(u32::from(high >> 2) + 1);
                table.find(line, h ^ u32::from(high) << 1)
            }),
        };
        for place in places {
            let (slot, mut node) = (table.slot(place), 1);
            for shift in (0..4).rev() {
                let bit = nibble >> shift & 1 == 1;
                slot[node] = Histories::get().after(bit)[usize::from(slot[node])];
                node = node * 2 + usize::from(bit);
            }
        }
    };
    for (i, byte) in primer.iter().enumerate() {
        half(&contexts, byte >> 4, None);
        half(&contexts, byte & 15, Some(byte >> 4));
        contexts.look_ahead(u32::from(byte >> 2));
        contexts.push(primer, i + 1);
    }
    table
}

#[test]
fn lines_read_the_primer_when_they_are_looked_at() {
    let primer = exact(|fp| Prior::get(fp).primer.clone());
    for (log2, primer) in [(23, &primer[..]), (24, &primer[..]), (23, &primer[..100])] {
        let mut plain = read_plainly(primer, log2);
        let mut table = Table::new(log2);
        PrimerLog::new(primer, table.bits()).read_all(table.lines_mut());
        assert!(table.lines_mut() == plain.lines_mut(), "all at once, {log2}");
        let mut table = Table::new(log2);
        let log = Arc::new(PrimerLog::new(primer, table.bits()));
        table.unread = Some(Unread::new(Arc::clone(&log)));
        for i in 0..1u32 << table.bits() {
            // All lines, some of them again, half of them from the states that were made at once.
            if i == 1 << (table.bits() - 1) {
                log.complete();
            }
            let line = table.line((i << (32 - table.bits())).wrapping_mul(0x9e37_79b1));
            table.prepare([line]);
            table.prepare([line]);
            let number = line.number();
            assert!(table.lines_mut()[number] == plain.lines_mut()[number], "{log2} {number}");
        }
        assert!(table.lines_mut() == plain.lines_mut());
        // What was used little is zeros again.
        assert!(!table.unread.take().unwrap().forget(table.lines_mut()), "all were read");
        let mut table = Table::new(log2);
        let log = Arc::new(PrimerLog::new(primer, table.bits()));
        table.unread = Some(Unread::new(log));
        for i in 0..100 {
            let line = table.line(i << 22);
            table.prepare([line]);
        }
        assert!(table.lines_mut().iter().flatten().any(|byte| *byte != 0));
        assert!(table.unread.take().unwrap().forget(table.lines_mut()));
        assert!(table.lines_mut().iter().flatten().all(|byte| *byte == 0));
    }
}
