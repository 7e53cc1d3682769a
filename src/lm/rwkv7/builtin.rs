//! Models that are part of the program (feature `embed`).

/// Their names, the default first.
pub fn names() -> impl Iterator<Item = &'static str> {
    [].into_iter()
}
