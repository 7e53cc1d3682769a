//! Real archives, changed where it hurts, with checks that fit: every way to read them must say the
//! same, within bounds on memory and time.
#![no_main]

#[path = "../../tests/common/counting.rs"]
mod counting;
#[path = "../../tests/common/structure.rs"]
mod structure;
#[path = "../../tests/common/tiny.rs"]
mod tiny;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| structure::structure(bytes));
