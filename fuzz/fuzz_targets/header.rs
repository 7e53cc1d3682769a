//! Any bytes as each of the small parts of the format. What parses must be written back as it was.
#![no_main]

#[expect(dead_code, reason = "the other targets")]
#[path = "../../tests/common/fuzz.rs"]
mod fuzz;
#[expect(dead_code, reason = "frames are not needed here")]
#[path = "../../tests/common/tiny.rs"]
mod tiny;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::header(bytes));
