//! Measuring in a process of its own, whose peak memory then says what the codec takes.
//!
//! The parent starts the same program again ([`Worker::new`]), writes a [`Job`] and the samples'
//! bytes to its standard input, and reads one line back. A codec that panics or runs out of memory
//! ends that process alone.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::codecs;
use super::measure::{Failure, Measurement, Settings, measure};
use super::sample::{Form, Sample};

/// What to measure.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Job {
    /// A name that [`codecs::find`] knows.
    pub codec: String,
    /// Threads for codecs that can use more than one.
    pub threads: usize,
    pub settings: Settings,
}

/// A job and what its samples are, on one line of JSON; their bytes follow.
#[derive(Serialize, Deserialize)]
struct Request {
    job: Job,
    /// What each sample is called where there is one; many are numbered.
    name: String,
    /// How many samples, of which form, of how many bytes each: like neighbours are counted
    /// together.
    samples: Vec<(u64, Form, u64)>,
}

/// What comes back, on one line of JSON.
#[derive(Serialize, Deserialize)]
enum Answer {
    Measured(Measurement),
    Failed(String),
}

/// A program that measures what it is told to, when it is run with these arguments ([`serve`]).
#[derive(Debug, Clone)]
pub struct Worker {
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl Worker {
    /// The program and the arguments that make it call [`serve`].
    pub fn new(program: PathBuf, arguments: Vec<OsString>) -> Self {
        Self { program, arguments }
    }

    /// Measures a codec on samples whose forms it takes, as [`measure()`] does, and tells peak
    /// memory.
    pub fn measure(&self, job: &Job, samples: &[Sample]) -> Result<Measurement, Failure> {
        let fail = |message: String| Failure::Process { codec: job.codec.clone(), message };
        let mut shapes: Vec<(u64, Form, u64)> = Vec::new();
        for sample in samples {
            match shapes.last_mut() {
                Some((count, form, length))
                    if (*form, *length) == (sample.form, sample.bytes.len() as u64) =>
                {
                    *count += 1
                }
                _ => shapes.push((1, sample.form, sample.bytes.len() as u64)),
            }
        }
        let name = samples.first().map_or_else(String::new, |s| s.name.clone());
        let request = Request { job: job.clone(), name, samples: shapes };
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| {
                fail(format!("{} cannot be started: {error}", self.program.display()))
            })?;
        if let Some(mut input) = child.stdin.take() {
            let sent = serde_json::to_writer(&mut input, &request)
                .map_err(io::Error::from)
                .and_then(|()| input.write_all(b"\n"))
                .and_then(|()| samples.iter().try_for_each(|s| input.write_all(&s.bytes)));
            // One that has ended says why itself.
            if let Err(error) = sent
                && error.kind() != io::ErrorKind::BrokenPipe
            {
                return Err(fail(format!("its process cannot be written to: {error}")));
            }
        }
        let output = child
            .wait_with_output()
            .map_err(|error| fail(format!("its process is lost: {error}")))?;
        match serde_json::from_slice(&output.stdout) {
            Ok(Answer::Measured(measurement)) => Ok(measurement),
            Ok(Answer::Failed(message)) => Err(Failure::Reported(message)),
            Err(_) => {
                let words = String::from_utf8_lossy(&output.stderr);
                Err(fail(format!("its process ended with {}: {}", output.status, words.trim())))
            }
        }
    }
}

/// Does the job that comes in, and writes what came of it. The error is one of reading or writing.
pub fn serve(input: impl Read, mut output: impl Write) -> io::Result<()> {
    let answer = match answer(BufReader::new(input))? {
        Ok(measurement) => Answer::Measured(Measurement { memory: peak_memory(), ..measurement }),
        Err(message) => Answer::Failed(message),
    };
    serde_json::to_writer(&mut output, &answer)?;
    output.write_all(b"\n")
}

fn answer(mut input: impl BufRead) -> io::Result<Result<Measurement, String>> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    let Request { job, name, samples: shapes } = serde_json::from_str(&line)?;
    let many = shapes.iter().map(|(count, ..)| count).sum::<u64>() > 1;
    let mut samples = Vec::new();
    for (count, form, length) in shapes {
        for _ in 0..count {
            let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
            input.read_exact(&mut bytes)?;
            let name =
                if many { format!("{name} (sample {})", samples.len()) } else { name.clone() };
            samples.push(Sample { name, form, bytes });
        }
    }
    let codec = match codecs::find(&job.codec, job.threads) {
        Ok(codec) => codec,
        Err(error) => return Ok(Err(error.to_string())),
    };
    Ok(measure(&*codec, &samples, job.settings).map_err(|failure| failure.to_string()))
}

/// The most memory that this process has had at once, in bytes.
///
/// The kernel's own count for the running program (VmHWM). What `wait4` tells a parent is the
/// larger of this and the parent's own peak at the start, which a child inherits.
#[cfg(target_os = "linux")]
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

#[cfg(not(target_os = "linux"))]
fn peak_memory() -> Option<u64> {
    None
}
