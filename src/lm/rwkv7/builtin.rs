//! Models that are part of the program (feature `embed`).

use super::model::Files;

#[cfg(feature = "embed")]
macro_rules! folder {
    ($name:literal) => {
        (
            $name,
            Files {
                config: include_bytes!(concat!("../../../models/", $name, "/config.json")),
                vocabulary: include_bytes!(concat!("../../../models/", $name, "/vocab.txt")),
                tensors: include_bytes!(concat!("../../../models/", $name, "/model.safetensors")),
                mixer: Some(include_bytes!(concat!("../../../models/", $name, "/mixer.bin"))),
            },
        )
    };
}

#[cfg(feature = "embed")]
static MODELS: [(&str, Files<'static>); 2] = [folder!("nano"), folder!("base")];
#[cfg(not(feature = "embed"))]
static MODELS: [(&str, Files<'static>); 0] = [];

/// Their names.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    MODELS.iter().map(|(name, _)| *name)
}

/// The files of one.
pub(super) fn find(name: &str) -> Option<&'static Files<'static>> {
    MODELS.iter().find(|(found, _)| *found == name).map(|(_, files)| files)
}
