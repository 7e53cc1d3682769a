//! Measuring many codecs on much data: each in a process of its own, and nothing twice.

use super::codec::Codec;
use super::measure::{Measurement, Settings};
use super::sample::{Form, Sample};
use super::state::{Key, State, StateError};
use super::table::Outcome;
use super::worker::{Job, Worker};

/// What measures, and what is known already.
pub struct Runner {
    pub worker: Worker,
    /// Nothing is kept without.
    pub state: Option<State>,
    pub threads: usize,
}

impl Runner {
    /// One codec on pieces of one form, each coded alone, or what is known of that. `chunk`: of how
    /// many bytes the pieces are, if they are cut from something. The error is one of keeping what
    /// was measured.
    pub fn run(
        &mut self,
        codec: &dyn Codec,
        pieces: &[Sample],
        chunk: Option<u64>,
        settings: Settings,
    ) -> Result<Outcome, StateError> {
        // An empty file has no pieces.
        let form = pieces.first().map_or(Form::Bytes, |piece| piece.form);
        if !codec.takes(&form) {
            return Ok(Outcome::NotTaken);
        }
        let job = Job { codec: codec.name().to_owned(), threads: self.threads, settings };
        let key = Key::new(pieces, chunk, &job, codec.version());
        if let Some(known) = self.state.as_ref().and_then(|state| state.get(&key)) {
            return Ok(Outcome::Measured(known.clone()));
        }
        match self.worker.measure(&job, pieces) {
            Ok(measurement) => {
                self.keep(key, &measurement)?;
                Ok(Outcome::Measured(measurement))
            }
            Err(failure) => Ok(Outcome::Failed(failure.to_string())),
        }
    }

    fn keep(&mut self, key: Key, measurement: &Measurement) -> Result<(), StateError> {
        match &mut self.state {
            Some(state) => state.put(key, measurement.clone()),
            None => Ok(()),
        }
    }
}
