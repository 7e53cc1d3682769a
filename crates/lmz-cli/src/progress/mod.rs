//! How far work is, while it goes on: a bar on a terminal, or lines of JSON for programs.
//!
//! Comes in: the counter of the library, which moves inside of blocks. A thread looks at it some
//! times a second and shows it. Where nothing is shown, there is no thread.

mod meter;
mod state;

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use lmz::Progress;
use lmz::format::printable;

use self::meter::Meter;
pub use self::state::Phase;
use self::state::State;

/// How often a bar is drawn, and a line of JSON printed.
const BAR: Duration = Duration::from_millis(100);
const JSON: Duration = Duration::from_millis(500);

/// The value of the option `--progress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// A bar, where standard error is a terminal
    Auto,
    /// Lines of JSON on standard error, for programs
    Json,
    /// Nothing
    Never,
}

impl When {
    /// What is shown. `quiet`: no bar.
    pub fn shown(self, quiet: bool) -> Shown {
        match self {
            Self::Json => Shown::Json,
            Self::Auto if !quiet && io::stderr().is_terminal() => Shown::Bar,
            _ => Shown::Nothing,
        }
    }
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    Nothing,
    Bar,
    Json,
}

/// The bar of a download, or none.
pub fn bar(quiet: bool, name: &str, length: Option<u64>) -> ProgressBar {
    if quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = match length {
        Some(_) => "{prefix} {bar:30} {percent}% {bytes_per_sec} {msg} {eta}",
        None => "{prefix} {bytes} {bytes_per_sec} {msg}",
    };
    let bar = length.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    bar.with_style(style(template)).with_prefix(printable(name).to_string())
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Shows how far the work on one input is, until it is dropped.
pub struct Watch {
    looking: Arc<Looking>,
    /// The thread that shows it, which ends when nobody can send any more.
    thread: Option<(Sender<()>, JoinHandle<()>)>,
    ended: bool,
}

/// What is looked at, and where it is shown.
struct Looking {
    shown: Shown,
    file: String,
    number: usize,
    files: usize,
    bar: ProgressBar,
    written: AtomicU64,
    work: Mutex<Work>,
}

/// One pass over the content.
struct Work {
    phase: Phase,
    total: Option<u64>,
    progress: Progress,
    /// Whether all of it was done at once.
    whole: bool,
    begin: Instant,
    meter: Meter,
}

impl Work {
    fn new(phase: Phase, total: Option<u64>) -> Self {
        let (progress, meter) = (Progress::default(), Meter::default());
        Self { phase, total, progress, whole: false, begin: Instant::now(), meter }
    }
}

impl Watch {
    /// Begins to show the work on a file, which is that number of so many, from 1 on.
    pub fn new(shown: Shown, phase: Phase, file: &Path, (number, files): (usize, usize)) -> Self {
        let name = file.file_name().unwrap_or(file.as_os_str()).display().to_string();
        let which = if files > 1 { format!("{number}/{files} ") } else { String::new() };
        let bar = match shown {
            Shown::Bar => ProgressBar::new_spinner()
                .with_style(style("{prefix}  {msg}"))
                .with_prefix(format!("{which}{}", printable(&name))),
            _ => ProgressBar::hidden(),
        };
        let looking = Arc::new(Looking {
            shown,
            file: file.display().to_string(),
            number,
            files,
            bar,
            written: AtomicU64::new(0),
            work: Mutex::new(Work::new(phase, None)),
        });
        let each = match shown {
            Shown::Nothing => return Self { looking, thread: None, ended: false },
            Shown::Bar => BAR,
            Shown::Json => JSON,
        };
        let (sender, receiver) = mpsc::channel();
        let looks = Arc::clone(&looking);
        let look = move || {
            while let Err(RecvTimeoutError::Timeout) = receiver.recv_timeout(each) {
                looks.show();
            }
        };
        // Without a thread nothing is shown before the end, and the work is done all the same.
        let thread = thread::Builder::new().name("progress".into()).spawn(look);
        Self { looking, thread: thread.ok().map(|thread| (sender, thread)), ended: false }
    }

    /// Whether anything is shown: if not, nothing has to be found out for it.
    pub fn is_shown(&self) -> bool {
        self.looking.shown != Shown::Nothing
    }

    /// Another pass over the content begins, with what it is to be counted by. `total`: bytes of
    /// content, if they are known.
    pub fn begin(&self, phase: Phase, total: Option<u64>) -> Progress {
        let work = Work::new(phase, total);
        let progress = work.progress.clone();
        *self.looking.work() = work;
        progress
    }

    /// All of this pass has been done, before it began.
    pub fn whole(&self) {
        self.looking.work().whole = true;
    }

    /// So many bytes have come out.
    pub fn written(&self, bytes: u64) {
        self.looking.written.store(bytes, Ordering::Relaxed);
    }

    /// What prints something else without it getting into the bar.
    pub fn aside(&self) -> impl Fn(&mut dyn FnMut()) + Send + 'static {
        let bar = self.looking.bar.clone();
        move |print| bar.suspend(print)
    }

    /// The work on the file has ended well.
    pub fn end(mut self) {
        self.stop(false);
    }

    fn stop(&mut self, failed: bool) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        if let Some((sender, thread)) = self.thread.take() {
            drop(sender);
            let _ = thread.join();
        }
        self.looking.bar.finish_and_clear();
        if self.looking.shown == Shown::Json {
            print(&State { ended: true, failed, ..self.looking.last() });
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop(true);
    }
}

impl Looking {
    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far the work is now.
    fn state(&self) -> State {
        let mut work = self.work();
        let whole = work.total.filter(|_| work.whole);
        let (at, done) = (work.begin.elapsed(), whole.unwrap_or_else(|| work.progress.done()));
        work.meter.see(at, done);
        State {
            file: self.file.clone(),
            number: self.number,
            files: self.files,
            phase: work.phase,
            total_bytes: work.total,
            done_bytes: done,
            written_bytes: self.written.load(Ordering::Relaxed),
            rate: work.meter.rate().filter(|_| !work.whole),
            rest_seconds: work.total.and_then(|total| work.meter.rest(total)),
            ended: false,
            failed: false,
        }
    }

    /// The state at the end, when the rate is that of all.
    fn last(&self) -> State {
        let (took, whole) = {
            let work = self.work();
            (work.begin.elapsed().as_secs_f64(), work.whole)
        };
        let state = self.state();
        let rate = (took > 0.0 && !whole).then(|| state.done_bytes as f64 / took);
        State { rate, ..state }
    }

    fn show(&self) {
        let state = self.state();
        if self.shown == Shown::Json {
            return print(&state);
        }
        if let Some(total) = state.total_bytes {
            if self.bar.length() != Some(total) {
                self.bar.set_style(style("{prefix}  {bar:30}  {msg}"));
                self.bar.set_length(total);
            }
            self.bar.set_position(state.done_bytes);
        }
        self.bar.set_message(state.text());
    }
}

/// Prints a line of JSON on standard error. Where it cannot be printed, it is lost.
fn print(state: &State) {
    let _ = io::stderr().write_all(state.json().as_bytes());
}
