//! Small blocks begin with a copy of what the primer leaves in the tables, because reading it takes
//! longer than coding them. Kept from the second block of a size on: a program that codes one block
//! needs no copy.

use std::sync::{Arc, Mutex, PoisonError};

use super::matching::Matches;
use super::table::Table;

/// What reading the primer changes.
pub type Primed = (Table, Matches);

/// Tables larger than 2^this bytes are not kept.
const LARGEST: u32 = 23;

/// log2 of the sizes of table and match model.
type Size = (u32, u32);

enum Kept {
    Wanted(Size),
    Primed(Size, Arc<Primed>),
}

static KEPT: Mutex<Option<Kept>> = Mutex::new(None);

/// What the primer leaves in tables of this size: a copy of what was kept, or made by `read`.
pub fn get(size: Size, read: impl FnOnce() -> Primed) -> Primed {
    if size.0 > LARGEST {
        return read();
    }
    let wanted_before = {
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some(Kept::Primed(s, primed)) if *s == size => {
                let primed = primed.clone();
                drop(kept); // others may copy it at the same time
                return (*primed).clone();
            }
            Some(Kept::Wanted(s)) if *s == size => true,
            _ => {
                *kept = Some(Kept::Wanted(size));
                false
            }
        }
    };
    let primed = read();
    if wanted_before {
        let copy = Arc::new(primed.clone());
        *KEPT.lock().unwrap_or_else(PoisonError::into_inner) = Some(Kept::Primed(size, copy));
    }
    primed
}
