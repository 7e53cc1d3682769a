//! Models that an archive names and that the caller did not give.

use std::error::Error;
use std::fmt;

use crate::format::HubName;
use crate::lm::device::DeviceBoundModel;
use crate::predictor::Predictor;

/// Finds models by the name that an archive has for where they were got.
///
/// A decoder asks it only for models that the archive needs and that are neither built in nor
/// given, and uses what it gives only if its identity is the one that the archive names. Without a
/// provider an archive makes nothing be loaded.
pub trait ModelProvider: fmt::Debug + Send + Sync {
    /// The model of a name, or nothing if there is none at hand.
    ///
    /// # Errors
    ///
    /// If there is one and it cannot be loaded.
    fn model(&self, name: &HubName) -> Result<Option<Predictor>, Box<dyn Error + Send + Sync>>;

    /// The device-bound model of an identity, if it is one that the provider knows of or that was
    /// got from `origin`. By default it is what [`model`](Self::model) gives for the origin.
    ///
    /// An archive can name one that today is computed exactly, and that was not when it was made.
    ///
    /// # Errors
    ///
    /// If there is one and it cannot be loaded.
    fn device_bound(
        &self,
        identity: &[u8; 32],
        origin: Option<&HubName>,
    ) -> Result<Option<DeviceBoundModel>, Box<dyn Error + Send + Sync>> {
        let _ = identity;
        let found = origin.map(|origin| self.model(origin)).transpose()?.flatten();
        Ok(match found {
            Some(Predictor::DeviceBound(model)) => Some(model),
            _ => None,
        })
    }
}
