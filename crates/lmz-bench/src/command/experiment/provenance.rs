//! What an experiment was made with.

use std::ffi::OsString;
use std::time::{SystemTime, UNIX_EPOCH};

use lmz_bench::Codec;
use serde_json::{Value, json};

/// The command line, the versions and the machine.
pub struct Provenance {
    command: String,
    versions: Vec<(String, String)>,
    machine: String,
}

impl Provenance {
    /// `words` are those of the command line behind the program's name.
    pub fn new(words: &[OsString], codecs: &[Box<dyn Codec>]) -> Self {
        let words = words.iter().map(|word| quoted(&word.to_string_lossy()));
        let command = format!("lmz {}", words.collect::<Vec<_>>().join(" "));
        let versions =
            codecs.iter().map(|codec| (codec.name().to_owned(), codec.version())).collect();
        Self { command, versions, machine: machine() }
    }

    pub fn json(&self) -> Value {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let versions: Vec<Value> = self
            .versions
            .iter()
            .map(|(codec, version)| json!({ "codec": codec, "version": version }))
            .collect();
        json!({
            "command": self.command,
            "lmz": env!("CARGO_PKG_VERSION"),
            "codecs": versions,
            "machine": self.machine,
            "unix_seconds": now,
        })
    }

    pub fn markdown(&self) -> String {
        let lines = self.versions.iter().map(|(codec, version)| format!("- {codec}: {version}\n"));
        format!(
            "\n## Made by\n\n```\n{}\n```\n\nlmz {}, {}.\n\n{}",
            self.command,
            env!("CARGO_PKG_VERSION"),
            self.machine,
            lines.collect::<String>()
        )
    }
}

/// The processor, as far as it can be told, and the system.
fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let name =
        name.map_or_else(|| "unknown processor".to_owned(), |(_, name)| name.trim().to_owned());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let s = if cores == 1 { "" } else { "s" };
    format!("{name}, {cores} core{s}, {} {}", std::env::consts::OS, std::env::consts::ARCH)
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,=+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
