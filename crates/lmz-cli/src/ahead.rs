//! Reading on while what has come is decoded.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Bytes that are held at most: some blocks of each thread.
const MOST: usize = 16 << 20;

/// A reader of a pipe that never waits for more than what has come, and lets nothing wait in the
/// pipe while the bytes before are worked on. So blocks that have come meanwhile are decoded
/// together.
pub struct Ahead(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    bytes: VecDeque<u8>,
    /// How the pipe ended, if it has: an error is given once.
    end: Option<io::Result<()>>,
    /// Nobody reads any more.
    left: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ahead {
    /// Begins to read. An error if there is no thread for it.
    pub fn new(mut pipe: impl Read + Send + 'static) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let ours = Arc::clone(&shared);
        thread::Builder::new().name("reader".into()).spawn(move || {
            let mut buffer = vec![0; 64 << 10];
            loop {
                let read = pipe.read(&mut buffer);
                let mut state = ours.lock();
                match read {
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Ok(n) if n > 0 => state.bytes.extend(&buffer[..n]),
                    end => state.end = Some(end.map(|_| ())),
                }
                ours.changed.notify_all();
                while state.bytes.len() >= MOST && !state.left {
                    state = ours.wait(state);
                }
                if state.left || state.end.is_some() {
                    return;
                }
            }
        })?;
        Ok(Self(shared))
    }
}

impl Read for Ahead {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut state = self.0.lock();
        while state.bytes.is_empty() && state.end.is_none() {
            state = self.0.wait(state);
        }
        if state.bytes.is_empty() {
            let end = state.end.replace(Ok(()));
            return end.unwrap_or(Ok(())).map(|()| 0);
        }
        let n = out.len().min(state.bytes.len());
        let (first, second) = state.bytes.as_slices();
        let begin = n.min(first.len());
        out[..begin].copy_from_slice(&first[..begin]);
        out[begin..n].copy_from_slice(&second[..n - begin]);
        state.bytes.drain(..n);
        self.0.changed.notify_all();
        Ok(n)
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.0.lock().left = true;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives pieces, then an error.
    struct Broken(u8);

    impl Read for Broken {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            match self.0 {
                1..=3 => {
                    out[..5].fill(self.0);
                    Ok(5)
                }
                4 => Err(ErrorKind::Interrupted.into()),
                _ => Err(ErrorKind::ConnectionReset.into()),
            }
        }
    }

    #[test]
    fn what_comes_is_given_and_then_the_end() {
        let bytes: Vec<u8> =
            (0..MOST as u32 * 3 / 4).flat_map(|i| (i as u16).to_le_bytes()).collect();
        let mut out = Vec::new();
        Ahead::new(io::Cursor::new(bytes.clone())).unwrap().read_to_end(&mut out).unwrap();
        assert!(out == bytes);
        let mut broken = Ahead::new(Broken(0)).unwrap();
        let mut out = Vec::new();
        assert_eq!(broken.read_to_end(&mut out).unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert_eq!(out, [1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3]);
    }
}
