//! Large pieces of memory.

/// Bytes of a large page, where the system has them.
const PAGE: usize = 2 << 20;
/// Bytes of a cache line.
const LINE: usize = 64;

/// At least `length` zeros, and where the first of `length` is that begins a cache line; or a large
/// page, if they are more than one. The system gives memory as zeros, and is asked for large pages:
/// then there is little to do before it is used, and places all over it are found soon.
pub fn zeros<T: Copy + Default>(length: usize) -> (Vec<T>, usize) {
    let size = size_of::<T>();
    let align = if length * size > PAGE { PAGE } else { LINE };
    let mut memory = vec![T::default(); length + align / size];
    let begin = memory.as_ptr().align_offset(align);
    if align == PAGE {
        large_pages(&mut memory[begin..begin + length]);
    }
    (memory, begin)
}

/// Asks for large pages for memory that begins at one.
#[cfg(target_os = "linux")]
fn large_pages<T>(memory: &mut [T]) {
    let length = size_of_val(memory) / PAGE * PAGE;
    // SAFETY: the range is whole pages inside of memory that is ours; the advice does not change
    // it. Whether the system follows it does not matter.
    unsafe { libc::madvise(memory.as_mut_ptr().cast(), length, libc::MADV_HUGEPAGE) };
}

#[cfg(not(target_os = "linux"))]
fn large_pages<T>(_: &mut [T]) {}
