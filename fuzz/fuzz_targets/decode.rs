//! Any bytes as an archive: read as a stream, seeked in, recovered. All that comes out well must
//! agree.
#![no_main]

#[expect(dead_code, reason = "the other targets")]
#[path = "../../tests/common/fuzz.rs"]
mod fuzz;
#[expect(dead_code, reason = "frames are not needed here")]
#[path = "../../tests/common/tiny.rs"]
mod tiny;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::decode(bytes));
