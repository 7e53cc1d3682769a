//! A user of the command who knows a hub on loopback.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use lmz::lm::rwkv7::{Model, Oracle};
use tempfile::TempDir;

use crate::hub_server::Server;

/// A user with a home of their own, who knows a hub.
pub struct User<'a> {
    pub home: TempDir,
    server: &'a Server,
}

impl<'a> User<'a> {
    pub fn new(server: &'a Server) -> Self {
        Self { home: TempDir::new().unwrap(), server }
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lmz"));
        for name in
            ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HF_TOKEN_PATH", "HF_HUB_OFFLINE"]
        {
            command.env_remove(name);
        }
        command
            .env("HF_HOME", self.home.path().join("hf"))
            .env("HF_ENDPOINT", &self.server.endpoint);
        command
            .env("NO_PROXY", "127.0.0.1")
            .args(args)
            .current_dir(&self.home)
            .stdin(Stdio::null());
        command
    }

    pub fn lmz(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    pub fn folder(&self, name: &str) -> PathBuf {
        self.home.path().join("hf/hub").join(format!("models--{}", name.replace('/', "--")))
    }

    pub fn write(&self, name: &str, content: &[u8]) {
        fs::write(self.home.path().join(name), content).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.home.path().join(name)).unwrap()
    }
}

pub fn golden(layout: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/checkpoint")).join(layout)
}

pub fn identity(layout: &str) -> String {
    Model::open(&golden(layout)).unwrap().identity().to_string()
}

/// Standard output of a command that went well.
pub fn out(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Fails with this exit code and all these words on standard error.
pub fn fails(output: &Output, code: i32, words: &[&str]) {
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{message}");
    for word in words {
        assert!(message.contains(word), "expected {word:?} in {message:?}");
    }
}

/// What the golden model itself says, in three blocks of 1,000 bytes: of other texts a model of
/// random weights knows so little that it is not used.
pub fn said() -> &'static [u8] {
    static SAID: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let model = Model::open(&golden("reference")).unwrap();
        let (mut out, mut random) = (Vec::new(), 1u64);
        for block in 1..=3 {
            let mut oracle = Oracle::new(model.weights());
            let mut token = 0;
            while out.len() < 1000 * block {
                let logits = oracle.step(token);
                let top = logits.iter().copied().fold(f32::MIN, f32::max);
                let masses = (0..logits.len()).map(|t| match model.has_mass(t as u32) {
                    true => f64::from(logits[t] - top).exp(),
                    false => 0.0,
                });
                let masses: Vec<f64> = masses.collect();
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let mut left =
                    (random >> 11) as f64 / (1u64 << 53) as f64 * masses.iter().sum::<f64>();
                token = masses
                    .iter()
                    .position(|mass| {
                        left -= mass;
                        left < 0.0
                    })
                    .unwrap_or(5) as u32;
                out.extend_from_slice(model.vocabulary().token(token));
            }
            out.truncate(1000 * block);
        }
        out
    });
    &SAID
}
