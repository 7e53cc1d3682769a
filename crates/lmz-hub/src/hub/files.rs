//! Which files of a repository a model takes.

use super::Hub;
use super::fetch::Fetch;
use crate::HubError;
use crate::architecture::{self, Engine};
use lmz::format::{HubName, is_part};
use lmz::lm::file::{self, most};
use lmz::lm::rwkv7::ModelError;
use lmz::lm::rwkv7::checkpoint::{BYTE_LEVEL, INDEX, TENSORS, WORLD, parts};

const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";

impl Hub {
    /// Gets the files of a model out of those that are there: the small ones first, so that what
    /// cannot be used is refused before it is downloaded.
    pub(super) fn choose(
        &self,
        name: &HubName,
        there: &[String],
        fetch: &mut Fetch,
    ) -> Result<(), HubError> {
        let has = |file: &str| there.iter().any(|other| other == file);
        let refused = |source| HubError::Model { name: name.clone(), source: Box::new(source) };
        let mut files = None;
        if has(CONFIG) && name.file().is_none() {
            let config = read(fetch.get(CONFIG, most::CONFIG)?)?;
            if architecture::of(&config).map_err(refused)? != Engine::Exact && !has(TOKENIZER) {
                let advice = "a model of this architecture has it beside its config.json".into();
                return Err(HubError::NoFile {
                    name: name.clone(),
                    file: TOKENIZER.into(),
                    advice,
                });
            }
            if has(INDEX) && !has(TENSORS) {
                fetch.get(INDEX, most::INDEX)?;
            }
            let index =
                |file: &str| fetch.path(file).and_then(|path| file::read(&path, most::INDEX).ok());
            files = weights(name, there, index)?;
        }
        let files =
            match files {
                Some(files) => files,
                None => {
                    match single(name, there)? {
                        Some(file) => vec![file],
                        None => {
                            let advice = match name.file() {
                        Some(_) => {
                            format!("the name without it tells what is there: \
                                {}{}", HubName::PREFIX, name.repository())
                        }
                        None => "a model has config.json with model.safetensors or its index, or \
                            one .pth or .gguf file".into(),
                    };
                            let file = name.file().unwrap_or(TENSORS).to_owned();
                            return Err(HubError::NoFile { name: name.clone(), file, advice });
                        }
                    }
                }
            };
        // A GGUF file has its vocabulary in it.
        let whole = files.iter().all(|file| file.ends_with(".gguf"));
        match words(there).filter(|_| !whole) {
            Some(file) => drop(fetch.get(file, most::WORDS)?),
            None if !whole && self.world(None).is_none() => {
                return Err(HubError::NoVocabulary { name: name.clone() });
            }
            None => {}
        }
        if has("mixer.bin") {
            fetch.get("mixer.bin", most::MIXER)?;
        }
        for file in files {
            if !has(&file) {
                let advice = format!("{INDEX} names it: the repository is incomplete");
                return Err(HubError::NoFile { name: name.clone(), file, advice });
            }
            fetch.get(&file, u64::MAX)?;
        }
        Ok(())
    }
}

/// The files with the tensors, if they are in the format of safetensors. `read` gives the content
/// of the index.
pub(super) fn weights(
    name: &HubName,
    there: &[String],
    read: impl Fn(&str) -> Option<Vec<u8>>,
) -> Result<Option<Vec<String>>, HubError> {
    if there.iter().any(|file| file == TENSORS) {
        return Ok(Some(vec![TENSORS.to_owned()]));
    }
    let Some(index) = there.iter().find(|file| *file == INDEX).and_then(|file| read(file)) else {
        return Ok(None);
    };
    let refused = |source: ModelError| HubError::Model {
        name: name.clone(),
        source: Box::new(source.into()),
    };
    let files = parts(&index).map_err(refused)?;
    match files.iter().find(|file| !is_part(file)) {
        Some(file) => Err(refused(ModelError::Container(format!(
            "{INDEX}: expected names of files, found {file:?}"
        )))),
        None => Ok(Some(files)),
    }
}

/// The file that holds a whole model: the one that is named, or the only one, of PyTorch's before
/// GGUF.
pub(super) fn single(name: &HubName, there: &[String]) -> Result<Option<String>, HubError> {
    if let Some(file) = name.file() {
        return Ok(there.iter().find(|other| *other == file).cloned());
    }
    let ending = |end: &str| {
        let files = there.iter().filter(|file| file.ends_with(end) && is_part(file));
        files.collect::<Vec<_>>()
    };
    let files = match ending(".pth") {
        none if none.is_empty() => ending(".gguf"),
        files => files,
    };
    match files[..] {
        [] => Ok(None),
        [file] => Ok(Some(file.clone())),
        _ => {
            let names = files.iter().filter_map(|file| name.with_file(file)).collect();
            Err(HubError::Several { name: name.clone(), names })
        }
    }
}

/// The file of the vocabulary.
pub(super) fn words(there: &[String]) -> Option<&'static str> {
    let known = ["vocab.txt", WORLD].into_iter().chain(BYTE_LEVEL);
    known.into_iter().find(|file| there.iter().any(|other| other == file))
}

fn read(path: std::path::PathBuf) -> Result<Vec<u8>, HubError> {
    file::read(&path, most::CONFIG).map_err(|source| HubError::Cache { path, source })
}
