//! The command as a user runs it, in a folder of its own.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// Runs the command to its end, without any input.
pub fn lmz(folder: &TempDir, args: &[&str]) -> Output {
    command(folder, args).output().unwrap()
}

pub fn command(folder: &TempDir, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lmz"));
    command.args(args).current_dir(folder).stdin(Stdio::null());
    command
}

/// Runs a line of a shell, in which `$LMZ` is the command.
pub fn shell(folder: &TempDir, line: &str) -> Output {
    let mut command = Command::new("bash");
    command
        .args(["-c", line])
        .env("LMZ", env!("CARGO_BIN_EXE_lmz"))
        .current_dir(folder)
        .stdin(Stdio::null());
    command.output().unwrap()
}

/// Runs the command with something on its standard input.
pub fn piped(folder: &TempDir, args: &[&str], input: &[u8]) -> Output {
    let mut child = command(folder, args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input));
        child.wait_with_output().unwrap()
    })
}

pub fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn ok(output: &Output) {
    assert!(output.status.success(), "{:?}: {}", output.status, told(output));
}

/// Ended with this exit code and a message that holds `words`, in which nothing is said twice.
pub fn ends(output: &Output, code: i32, words: &str) {
    let message = told(output);
    assert_eq!(output.status.code(), Some(code), "{:?}: {message}", output.status);
    assert!(message.contains(words), "expected {words:?} in {message:?}");
    let mut parts: Vec<_> = message.trim().split(": ").collect();
    let count = parts.len();
    parts.sort_unstable();
    parts.dedup();
    assert_eq!(parts.len(), count, "tells something twice: {message:?}");
}

pub fn fails(output: &Output, words: &str) {
    ends(output, 1, words);
}

pub fn folder_with(name: &str, content: &[u8]) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join(name), content).unwrap();
    folder
}

pub fn path(folder: &TempDir, name: &str) -> PathBuf {
    folder.path().join(name)
}

/// What is in a folder, by name.
pub fn names(folder: &TempDir) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

pub fn read(folder: &TempDir, name: &str) -> Vec<u8> {
    fs::read(path(folder, name)).unwrap()
}

/// A text of some length.
pub fn text() -> Vec<u8> {
    (0..3000).flat_map(|i| format!("line {i} of a file, {}\n", i * i).into_bytes()).collect()
}

/// A folder with `a` and its archive `a.lmz`.
pub fn with_archive() -> TempDir {
    let folder = folder_with("a", &text());
    ok(&lmz(&folder, &["-1", "a"]));
    folder
}

#[cfg(unix)]
pub fn mode(folder: &TempDir, name: &str) -> u32 {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path(folder, name)).unwrap().mode() & 0o7777
}

#[cfg(unix)]
pub fn set_mode(folder: &TempDir, name: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path(folder, name), fs::Permissions::from_mode(mode)).unwrap();
}
