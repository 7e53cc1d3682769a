//! Files of models, opened with care: a folder from a stranger, or a cache that others write into,
//! can hold anything under any name.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// The most bytes of a model's small files, each some times what the largest published model has.
pub mod most {
    /// `config.json`
    pub const CONFIG: u64 = 4 << 20;
    /// `model.safetensors.index.json`
    pub const INDEX: u64 = 16 << 20;
    /// `vocab.txt`, `tokenizer.json` and the vocabulary of the World models.
    pub const WORDS: u64 = 64 << 20;
    /// `mixer.bin`
    pub const MIXER: u64 = 16 << 20;
}

/// Opens a regular file, also through a link, and says how long it is. Anything else is an error
/// and is not waited for, as a FIFO would be.
pub fn open(path: &Path) -> io::Result<(File, u64)> {
    // Before it is opened, since opening alone does something to some devices.
    regular(&fs::metadata(path)?)?;
    let mut options = File::options();
    options.read(true);
    #[cfg(target_os = "linux")]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    let file = options.open(path)?;
    // And of what was opened, since the name may stand for something else by now.
    let data = file.metadata()?;
    regular(&data)?;
    Ok((file, data.len()))
}

/// The content of a regular file of at most so many bytes.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let (mut file, length) = open(path)?;
    if length > most {
        let what = format!("expected at most {most} bytes, found {length}");
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    whole(&mut file, length)
}

/// The next `length` bytes of a file; memory that is not there is an error.
pub fn whole(file: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let room = usize::try_from(length).ok().and_then(|length| out.try_reserve_exact(length).ok());
    room.ok_or(io::ErrorKind::OutOfMemory)?;
    file.take(length).read_to_end(&mut out)?;
    match out.len() as u64 == length {
        true => Ok(out),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn regular(data: &fs::Metadata) -> io::Result<()> {
    let found = match data.file_type() {
        kind if kind.is_file() => return Ok(()),
        kind if kind.is_dir() => "a folder",
        _ => "a pipe, socket or device",
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("expected a file, found {found}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), b"12345").unwrap();
        assert_eq!(read(&at("file"), 5).unwrap(), b"12345");
        assert!(read(&at("file"), 4).unwrap_err().to_string().contains("at most 4 bytes, found 5"));
        assert!(read(folder.path(), 9).unwrap_err().to_string().contains("found a folder"));
        assert_eq!(read(&at("none"), 9).unwrap_err().kind(), io::ErrorKind::NotFound);
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("file", at("link")).unwrap();
            assert_eq!(read(&at("link"), 5).unwrap(), b"12345");
            let made = std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap();
            assert!(made.success());
            std::os::unix::fs::symlink("pipe", at("to pipe")).unwrap();
            for name in ["pipe", "to pipe"] {
                assert!(read(&at(name), 9).unwrap_err().to_string().contains("found a pipe"));
            }
        }
    }

    #[test]
    fn memory_that_is_not_there_is_an_error() {
        assert_eq!(whole(&mut &b""[..], u64::MAX).unwrap_err().kind(), io::ErrorKind::OutOfMemory);
        assert_eq!(whole(&mut &b"123"[..], 4).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
