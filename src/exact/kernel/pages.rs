//! Large pieces of memory.

use std::ops::{Deref, DerefMut};

/// Bytes of a large page, where the system has them.
const PAGE: usize = 2 << 20;
/// Bytes of a cache line.
const LINE: usize = 64;

/// Memory that begins a cache line, or a large page if it is more than one.
#[derive(Debug)]
pub struct Memory<T> {
    room: Vec<T>,
    begin: usize,
    length: usize,
}

impl<T: Copy + Default> Memory<T> {
    /// So many zeros.
    pub fn zeros(length: usize) -> Self {
        let (room, begin) = zeros(length);
        Self { room, begin, length }
    }
}

impl<T> Deref for Memory<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.room[self.begin..][..self.length]
    }
}

impl<T> DerefMut for Memory<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.room[self.begin..][..self.length]
    }
}

impl<T: Copy + Default> Clone for Memory<T> {
    /// The copy begins where it does by itself.
    fn clone(&self) -> Self {
        let mut new = Self::zeros(self.length);
        new.copy_from_slice(self);
        new
    }
}

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
