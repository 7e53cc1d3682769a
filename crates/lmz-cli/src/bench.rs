//! `lmz -b`: how small files become, and how fast, on this machine.
//!
//! Comes in: files, and the levels or the model to be tried. Each file is compressed and
//! decompressed in memory and compared; nothing is written. A line for each level goes out.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lmz::exact::kernel::Kernel;
use lmz::{DecoderOptions, EncoderOptions, Predictor, compress_with, decompress_with};
use serde::Serialize;

use super::args::{Benchmark, Task};
use super::file::Input;
use super::list::ratio;
use super::progress::{Phase, Watch};
use super::pump::shown;
use super::say::{self, say};
use super::{hub, told};

const HEADING: &str = "level  model    bytes in   bytes out   ratio    bpb  compress  decompress  \
                       CPU s: there     back  kernel   threads";

/// Measures what the task asks for.
pub fn run(task: &Task, benchmark: &Benchmark) -> ExitCode {
    let files = match task.inputs.iter().map(|path| read(path)).collect::<Result<Vec<_>>>() {
        Ok(files) => files,
        Err(error) => {
            say(told(&error));
            return ExitCode::from(1);
        }
    };
    if !benchmark.json
        && let Err(error) = say::print_line(HEADING)
    {
        return say::done(Err(error));
    }
    let count = benchmark.tried.len();
    for (number, (level, model)) in (1..).zip(&benchmark.tried) {
        let predictor = match hub::predictor(model, &task.finder, task.quiet) {
            Ok(predictor) => predictor,
            Err(error) => {
                say::say_lines(format_args!("lmz: {}", hub::message(model, &error)));
                return hub::exit_code(&error);
            }
        };
        let way = Way { level: *level, model, place: (number, count) };
        let measured = way
            .measure(task, benchmark, predictor, &files)
            .with_context(|| format!("{model}: the benchmark could not be finished"));
        let printed = measured.and_then(|row| {
            if benchmark.json {
                let row = serde_json::to_string(&row).context("a line of JSON")?;
                say::print(format_args!("{row}\n"))
            } else {
                say::print_line(row.line())
            }
        });
        if printed.is_err() {
            return say::done(printed);
        }
    }
    ExitCode::SUCCESS
}

/// A file as a whole.
fn read(path: &Path) -> Result<(PathBuf, Vec<u8>)> {
    let mut raw = Vec::new();
    Input::open(path, false)
        .and_then(|mut input| input.reader().read_to_end(&mut raw).context("cannot be read"))
        .with_context(|| shown(path))?;
    Ok((path.to_owned(), raw))
}

/// What is measured.
struct Way<'a> {
    level: Option<usize>,
    model: &'a str,
    /// Which of how many.
    place: (usize, usize),
}

/// What was measured. The fields and their order are those of a line of JSON.
#[derive(Debug, Serialize)]
struct Row {
    /// Null where a model was named.
    level: Option<usize>,
    model: String,
    kernel: &'static str,
    threads: usize,
    files: usize,
    bytes_in: u64,
    bytes_out: u64,
    bits_per_byte: f64,
    /// Bytes in a second, by the fastest of so many runs.
    compress_rate: f64,
    decompress_rate: f64,
    runs: u32,
    compress_seconds: f64,
    compress_cpu_seconds: Option<f64>,
    decompress_seconds: f64,
    decompress_cpu_seconds: Option<f64>,
}

impl Way<'_> {
    fn measure(
        &self,
        task: &Task,
        benchmark: &Benchmark,
        predictor: Predictor,
        files: &[(PathBuf, Vec<u8>)],
    ) -> Result<Row> {
        let bytes_in: u64 = files.iter().map(|(_, raw)| raw.len() as u64).sum();
        ensure!(bytes_in > 0, "expected some content to measure, found 0 bytes; give another file");
        let mut options = task.options.clone();
        if !task.block_given {
            options = options.block_size(match self.level {
                Some(level) => super::args::block_of(level) as usize,
                None => predictor.block_size(),
            });
        }
        let decoding = match predictor.clone() {
            Predictor::Model(model) => task.decoding.clone().model(model),
            Predictor::DeviceBound(model) => task.decoding.clone().device_model(model),
            _ => task.decoding.clone(),
        };
        let options = options.predictor(predictor);
        let name = match self.level {
            Some(level) => format!("-{level} {}", self.model),
            None => self.model.to_owned(),
        };
        let watch = Watch::new(task.progress, Phase::Compress, Path::new(&name), self.place);
        let begin = Instant::now();
        let (mut there, mut back) = (Time::LONGEST, Time::LONGEST);
        let (mut bytes_out, mut runs) = (0, 0);
        while runs == 0 || begin.elapsed() < benchmark.least {
            let archives = there.least(|| compress(files, &options, &watch, bytes_in))?;
            let contents = back.least(|| decompress(&archives, &decoding, &watch, bytes_in))?;
            for ((path, raw), content) in files.iter().zip(&contents) {
                ensure!(
                    content == raw,
                    "{}: what was made of it decodes to other bytes",
                    shown(path)
                );
            }
            bytes_out = archives.iter().map(|archive| archive.len() as u64).sum();
            runs += 1;
        }
        watch.end();
        let rate = |time: &Time| (bytes_in as f64 / time.wall.as_secs_f64()).round();
        Ok(Row {
            level: self.level,
            model: self.model.to_owned(),
            kernel: Kernel::chosen()?.name(),
            threads: options.get_threads(),
            files: files.len(),
            bytes_in,
            bytes_out,
            bits_per_byte: bytes_out as f64 * 8.0 / bytes_in as f64,
            compress_rate: rate(&there),
            decompress_rate: rate(&back),
            runs,
            compress_seconds: there.wall.as_secs_f64(),
            compress_cpu_seconds: there.cpu.map(|cpu| cpu.as_secs_f64()),
            decompress_seconds: back.wall.as_secs_f64(),
            decompress_cpu_seconds: back.cpu.map(|cpu| cpu.as_secs_f64()),
        })
    }
}

fn compress(
    files: &[(PathBuf, Vec<u8>)],
    options: &EncoderOptions,
    watch: &Watch,
    total: u64,
) -> Result<Vec<Vec<u8>>> {
    let options = options.clone().progress(watch.begin(Phase::Compress, Some(total)));
    let each = |(path, raw): &(PathBuf, Vec<u8>)| {
        compress_with(raw, &options).with_context(|| shown(path))
    };
    files.iter().map(each).collect()
}

fn decompress(
    archives: &[Vec<u8>],
    options: &DecoderOptions,
    watch: &Watch,
    total: u64,
) -> Result<Vec<Vec<u8>>> {
    let options = options.clone().progress(watch.begin(Phase::Decompress, Some(total)));
    Ok(archives
        .iter()
        .map(|archive| decompress_with(archive, &options))
        .collect::<Result<_, _>>()?)
}

/// How long something took, and how much time of processors.
struct Time {
    wall: Duration,
    cpu: Option<Duration>,
}

impl Time {
    const LONGEST: Self = Self { wall: Duration::MAX, cpu: None };

    /// Does it, and becomes what that took where it was faster.
    fn least<T>(&mut self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let (begin, cpu) = (Instant::now(), cpu_time());
        let out = work()?;
        let wall = begin.elapsed();
        if wall < self.wall {
            let cpu = cpu_time().zip(cpu).map(|(end, begin)| end.saturating_sub(begin));
            *self = Self { wall, cpu };
        }
        Ok(out)
    }
}

/// The time that processors have spent on this process, where the system tells it.
#[cfg(unix)]
fn cpu_time() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).ok()
}

#[cfg(not(unix))]
fn cpu_time() -> Option<Duration> {
    None
}

impl Row {
    /// As a line below the heading.
    fn line(&self) -> String {
        let level = self.level.map_or_else(|| "-".to_owned(), |level| format!("-{level}"));
        let cpu = |seconds: Option<f64>| seconds.map_or("-".to_owned(), |s| format!("{s:.2}"));
        format!(
            "{level:<5}  {:<6} {:>10}  {:>10}  {:>6}  {:>5.3}  {:>3} kB/s  {:>5} kB/s  {:>13}  \
            {:>7}  {:<7}  {:>7}",
            self.model,
            self.bytes_in,
            self.bytes_out,
            ratio(self.bytes_out, self.bytes_in),
            self.bits_per_byte,
            kilobytes(self.compress_rate),
            kilobytes(self.decompress_rate),
            cpu(self.compress_cpu_seconds),
            cpu(self.decompress_cpu_seconds),
            self.kernel,
            self.threads,
        )
    }
}

/// A rate in kB/s, with a digit behind the point where it is small.
fn kilobytes(rate: f64) -> String {
    let kilobytes = rate / 1000.0;
    if kilobytes < 10.0 { format!("{kilobytes:.1}") } else { format!("{kilobytes:.0}") }
}
