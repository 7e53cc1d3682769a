//! What a user of this command can do about an error of the library, whose errors hold the facts
//! alone.

use std::error::Error;

use lmz::error::told;
use lmz::format::{FormatError, HubName, Numerics, Registered};
use lmz::{CodecError, DeviceError, ModelError};

/// An error with its causes, each once, and then what to do about it.
pub fn with_advice(error: &(dyn Error + 'static)) -> String {
    let (told, mut cause) = (told(error), Some(error));
    while let Some(error) = cause {
        if let Some(advice) = advice(error) {
            return format!("{told}; {advice}");
        }
        cause = error.source();
    }
    told
}

/// What to do about an error, if it is one of the library's about which something can be done.
fn advice(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(inside) = error.downcast_ref::<std::io::Error>().and_then(|error| error.get_ref()) {
        return advice(inside);
    }
    if let Some(error) = error.downcast_ref::<lmz::Error>() {
        return of_library(error);
    }
    if let Some(error) = error.downcast_ref::<ModelError>() {
        return of_model(error);
    }
    #[cfg(feature = "hub")]
    if let Some(error) = error
        .downcast_ref::<lmz_hub::HubError>()
        .or_else(|| Some(error.downcast_ref::<Box<lmz_hub::HubError>>()?.as_ref()))
    {
        return of_hub(error);
    }
    if let Some(CodecError::DeviceBound(error)) = error.downcast_ref::<CodecError>() {
        return of_device(error).map(str::to_owned);
    }
    error.downcast_ref::<DeviceError>().and_then(of_device).map(str::to_owned)
}

fn of_library(error: &lmz::Error) -> Option<String> {
    Some(match error {
        lmz::Error::Memory { .. } => {
            "raise the limit on memory if the machine has as much (--memory)".into()
        }
        lmz::Error::Format { source: FormatError::OverLimit { what, .. }, .. } => match *what {
            "bytes of content" => {
                "raise the limit if you trust the archive (--limit-content)".into()
            }
            "bytes to be predicted for each byte of the archive" => {
                "raise the limit if you trust the archive (--limit-expansion)".into()
            }
            _ => return None,
        },
        lmz::Error::NoDictionary { .. } => "give that file (-D FILE)".into(),
        lmz::Error::NoModel { needed, origin, .. } => model(needed, origin.as_deref()),
        lmz::Error::OtherModel { origin, .. } => format!(
            "remove it (lmz model rm {origin}) and get it again, or use the lmz that made the \
            archive"
        ),
        lmz::Error::NoDeviceModel { origin, .. } => device_model(origin.as_deref()),
        lmz::Error::OtherNumbers { made, here, .. } => numbers(made, here).into(),
        lmz::Error::NotReproduced { .. } => "take another device (--device), or context mixing \
            alone (--model none); --no-verify would only hide it"
            .into(),
        lmz::Error::DeviceBound(error) => return of_device(error).map(str::to_owned),
        _ => return None,
    })
}

/// What a command that lacks the hub needs for it.
const WITH_HUB: &str =
    if cfg!(feature = "hub") { "" } else { " (with an lmz that has the feature hub)" };

/// How to get a model that an archive names.
fn model(identity: &[u8], origin: Option<&HubName>) -> String {
    match (Registered::by_identity(identity), origin) {
        (Some(_), _) => "give its folder (--model PATH), or use an lmz that has it built in".into(),
        (_, Some(origin)) => {
            format!("get it: lmz model pull {origin}{WITH_HUB}, or give its folder (--model PATH)")
        }
        (None, None) => {
            "give its folder (--model PATH), or its name on the hub (--model hf:OWNER/NAME)".into()
        }
    }
}

/// How to get a device-bound model that an archive names.
fn device_model(origin: Option<&HubName>) -> String {
    let folder = format!("give its folder (--model PATH){WITH_HUB}");
    match origin {
        Some(origin) => format!("get it: lmz model pull {origin}; or {folder}"),
        None => folder,
    }
}

/// What to do where a device-bound model gives other numbers.
fn numbers(made: &Numerics, here: &Numerics) -> &'static str {
    match () {
        () if made.device != here.device => "decode it on such a device (--device picks one)",
        () if made.backend != here.backend => "decode it with the lmz that made it",
        () => {
            "decode it with the build of lmz that made it, on the same machine if there is no \
            other way"
        }
    }
}

fn of_model(error: &ModelError) -> Option<String> {
    match error {
        ModelError::Memory { .. } => {
            Some("use a smaller model, or allow more (--memory SIZE) to try".into())
        }
        ModelError::Unsupported { .. } => {
            Some("cargo install lmz-cli --features hub installs such a command".into())
        }
        ModelError::DeviceBound(error) => of_device(error).map(str::to_owned),
        _ => None,
    }
}

fn of_device(error: &DeviceError) -> Option<&'static str> {
    match error {
        DeviceError::Memory { .. } => {
            Some("take fewer streams (--streams), a shorter context (--context) or a smaller model")
        }
        _ => None,
    }
}

#[cfg(feature = "hub")]
fn of_hub(error: &lmz_hub::HubError) -> Option<String> {
    use lmz_hub::HubError;
    Some(match error {
        HubError::NoRevision { name } => {
            format!("leave out @{} for the newest", name.revision())
        }
        HubError::Network { .. } => "or use a model that is in the cache (lmz model list)".into(),
        HubError::Offline { name, .. } => {
            format!("without --offline and HF_HUB_OFFLINE: lmz model pull {name}")
        }
        HubError::NotCached { .. } => "lmz model list shows what is".into(),
        HubError::NoVocabulary { .. } => "get one that has it (lmz model pull hf:OWNER/NAME), or \
            put the checkpoint and the vocabulary's file into a folder (--model FOLDER)"
            .into(),
        _ => return None,
    })
}
