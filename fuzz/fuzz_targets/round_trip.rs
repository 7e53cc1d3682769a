//! Any bytes with any options come back, written in pieces, with flushes, decoded with threads or
//! not.
#![no_main]

#[expect(dead_code, reason = "the other targets")]
#[path = "../../tests/common/fuzz.rs"]
mod fuzz;
#[expect(dead_code, reason = "frames are not needed here")]
#[path = "../../tests/common/tiny.rs"]
mod tiny;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::round_trip(bytes));
