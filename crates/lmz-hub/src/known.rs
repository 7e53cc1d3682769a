//! Well-known models, for whoever does not know which one to get.
//!
//! A table of a few models of each family that the exact engine computes, so that their archives
//! decode wherever the model is. Names, licences and numbers of parameters are those of the
//! repositories on the Hugging Face hub; what is written here is not read by anything but
//! `lmz model list`, and a repository may change or vanish. Sizes of downloads are about two bytes a
//! parameter, as the weights are in bfloat16.

/// A model on the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownModel {
    /// What `lmz model pull` and `--model` take.
    pub name: &'static str,
    /// Trained numbers in millions, as the authors round them.
    pub millions: u32,
    /// About how many megabytes are downloaded.
    pub megabytes: u32,
    /// The licence as the repository names it.
    pub licence: &'static str,
    /// Whether the hub wants an account that has accepted the licence, and its token.
    pub is_gated: bool,
    /// What it was trained for.
    pub good_for: &'static str,
}

const fn open(
    name: &'static str,
    millions: u32,
    megabytes: u32,
    licence: &'static str,
    good_for: &'static str,
) -> KnownModel {
    KnownModel { name, millions, megabytes, licence, is_gated: false, good_for }
}

const fn gated(
    name: &'static str,
    millions: u32,
    megabytes: u32,
    licence: &'static str,
    good_for: &'static str,
) -> KnownModel {
    KnownModel { is_gated: true, ..open(name, millions, megabytes, licence, good_for) }
}

/// The models, by the number of their parameters.
pub const KNOWN: [KnownModel; 11] = [
    open("hf:HuggingFaceTB/SmolLM2-135M", 135, 270, "Apache-2.0", "English, code; the fastest"),
    gated("hf:google/gemma-3-270m", 270, 540, "Gemma", "many languages; a large vocabulary"),
    open("hf:HuggingFaceTB/SmolLM2-360M", 360, 720, "Apache-2.0", "English, code"),
    open("hf:Qwen/Qwen2.5-0.5B", 490, 1000, "Apache-2.0", "many languages, code"),
    open("hf:Qwen/Qwen2.5-Coder-0.5B", 490, 1000, "Apache-2.0", "source code"),
    open("hf:Qwen/Qwen3-0.6B-Base", 600, 1200, "Apache-2.0", "many languages, code"),
    gated("hf:google/gemma-3-1b-pt", 1000, 2000, "Gemma", "many languages"),
    open("hf:TinyLlama/TinyLlama-1.1B-Chat-v1.0", 1100, 2200, "Apache-2.0", "English, code"),
    gated("hf:meta-llama/Llama-3.2-1B", 1240, 2500, "Llama 3.2", "many languages"),
    open("hf:HuggingFaceTB/SmolLM2-1.7B", 1700, 3400, "Apache-2.0", "English, code"),
    open("hf:mistralai/Mistral-7B-v0.3", 7250, 14500, "Apache-2.0", "English and others; slow"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_of_the_hub_and_in_order() {
        assert!(KNOWN.is_sorted_by_key(|model| model.millions));
        for model in KNOWN {
            assert!(crate::hub::parse(model.name).is_ok(), "{}", model.name);
            // Two bytes a parameter, and the vocabulary.
            let about = 2 * model.millions;
            assert!((about..about + about / 20 + 20).contains(&model.megabytes), "{}", model.name);
        }
    }
}
