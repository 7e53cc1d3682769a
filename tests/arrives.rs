//! A decoder delivers what has arrived before it asks for more: who sends a message waits for its
//! answer.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::rc::Rc;

use lmz::read::Decoder;
use lmz::write::Encoder;
use lmz::{DecoderOptions, EncoderOptions, Predictor};

/// Gives an archive up to a place, as many bytes at a time as asked for; being asked beyond it is a
/// failure.
struct UpTo {
    archive: Vec<u8>,
    at: usize,
    arrived: Rc<Cell<usize>>,
    step: usize,
}

impl Read for UpTo {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        assert!(
            self.at < self.arrived.get(),
            "asked for more than {} bytes, which are enough",
            self.at
        );
        let n = (self.arrived.get() - self.at).min(out.len()).min(self.step);
        out[..n].copy_from_slice(&self.archive[self.at..][..n]);
        self.at += n;
        Ok(n)
    }
}

/// Tells how much has been written.
struct Counted(Vec<u8>, Rc<Cell<usize>>);
impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend(bytes);
        self.1.set(self.0.len());
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An archive, and after how many bytes of it how much of its content is there.
fn flushed(messages: &[Vec<u8>], options: &EncoderOptions) -> (Vec<u8>, Vec<(usize, usize)>) {
    let (mut content, mut places) = (0, Vec::new());
    let shared = Rc::new(Cell::new(0));
    let mut encoder =
        Encoder::with_options(Counted(Vec::new(), Rc::clone(&shared)), options.clone()).unwrap();
    for message in messages {
        encoder.write_all(message).unwrap();
        encoder.flush().unwrap();
        content += message.len();
        places.push((shared.get(), content));
    }
    (encoder.finish().unwrap().0, places)
}

fn check(archive: Vec<u8>, places: &[(usize, usize)], threads: usize, step: usize) {
    let arrived = Rc::new(Cell::new(0));
    let reader = UpTo { archive, at: 0, arrived: Rc::clone(&arrived), step };
    let mut decoder = Decoder::with_options(reader, DecoderOptions::new().threads(threads));
    let mut had = 0;
    for (bytes, content) in places {
        arrived.set(*bytes);
        decoder.read_exact(&mut vec![0; content - had]).unwrap();
        had = *content;
    }
}

#[test]
fn blocks_that_were_flushed() {
    let messages: Vec<Vec<u8>> = [9usize, 3000, 200, 1, 70_000, 30]
        .map(|n| (0..n).map(|i| (i * i % 91) as u8 + 32).collect())
        .to_vec();
    let options = EncoderOptions::new().predictor(Predictor::None).block_size(50_000);
    let (archive, places) = flushed(&messages, &options);
    for threads in [1, 2, 4] {
        for step in [1, 100, usize::MAX] {
            check(archive.clone(), &places, threads, step);
        }
    }
}

#[test]
fn frames_one_after_the_other() {
    let options = EncoderOptions::new().predictor(Predictor::None).block_size(100);
    let (mut archive, mut places, mut content) = (Vec::new(), Vec::new(), 0);
    for i in 0..6 {
        let message = format!("message {i}\n").repeat(1 + i % 3 * 20);
        archive.extend(lmz::compress_with(message.as_bytes(), &options).unwrap());
        content += message.len();
        places.push((archive.len(), content));
    }
    for threads in [1, 2] {
        for step in [1, 7, usize::MAX] {
            check(archive.clone(), &places, threads, step);
        }
    }
}
