//! Models that are part of the program (features `base` and `nano`).

use super::model::Files;

#[cfg(any(feature = "base", feature = "nano"))]
macro_rules! files {
    ($package:ident) => {
        Files {
            config: $package::CONFIG,
            vocabulary: $package::VOCABULARY,
            tensors: $package::TENSORS,
            mixer: Some($package::MIXER),
        }
    };
}

static MODELS: &[(&str, Files<'static>)] = &[
    #[cfg(feature = "nano")]
    ("nano", files!(lmz_nano)),
    #[cfg(feature = "base")]
    ("base", files!(lmz_base)),
];

/// Their names.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    MODELS.iter().map(|(name, _)| *name)
}

/// The files of one.
pub(super) fn find(name: &str) -> Option<&'static Files<'static>> {
    MODELS.iter().find(|(found, _)| *found == name).map(|(_, files)| files)
}
