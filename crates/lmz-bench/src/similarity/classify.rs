//! Classes of texts by compression: that of the nearest text, or that whose texts help most.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use lmz::Dictionary;
use lmz::parallel;
use lmz::similarity::Measure;

use super::{Ruler, RulerError};

/// A text and its class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labelled {
    /// Where it is from, for messages.
    pub name: String,
    pub class: String,
    pub text: Vec<u8>,
}

/// How a class is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// That of the known text at the least distance (k = 1).
    Neighbour(Measure),
    /// The one whose texts, read before, make the code length least: one primed compressor a class.
    /// Of each class the last so many bytes are read.
    Class { bytes: usize },
}

/// The classes that a text can be of: one, or several between which nothing decides.
pub type Found = BTreeSet<String>;

/// Finds the classes of texts by known ones. `done` is called after each text.
pub fn classify(
    ruler: &Ruler,
    way: Way,
    known: &[Labelled],
    texts: &[Labelled],
    done: impl Fn() + Sync,
) -> Result<Vec<Found>, RulerError> {
    match way {
        Way::Neighbour(measure) => neighbours(ruler, measure, known, texts, done),
        Way::Class { bytes } => classes(ruler, bytes, known, texts, done),
    }
}

fn neighbours(
    ruler: &Ruler,
    measure: Measure,
    known: &[Labelled],
    texts: &[Labelled],
    done: impl Fn() + Sync,
) -> Result<Vec<Found>, RulerError> {
    let own = parallel::each(known, ruler.threads(), |known| ruler.length(&known.text))?;
    parallel::each(texts, ruler.threads(), |text| {
        let length = ruler.length(&text.text)?;
        let mut nearest = Nearest::default();
        for (known, own) in known.iter().zip(&own) {
            let both = ruler.length(&[&known.text[..], &text.text].concat())?;
            nearest.add(&known.class, measure.distance(*own, length, both));
        }
        done();
        Ok(nearest.classes)
    })
}

fn classes(
    ruler: &Ruler,
    bytes: usize,
    known: &[Labelled],
    texts: &[Labelled],
    done: impl Fn() + Sync,
) -> Result<Vec<Found>, RulerError> {
    let mut joined: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    for Labelled { class, text, .. } in known {
        let all = joined.entry(class).or_default();
        all.extend_from_slice(text);
        all.push(b'\n');
    }
    let mut primed = Vec::new();
    for (class, all) in joined {
        let read = all[all.len().saturating_sub(bytes)..].to_vec();
        let failed = |source| RulerError::Text { name: class.to_owned(), source };
        primed.push((class, Dictionary::new(&read).map_err(failed)?, read));
    }
    // Class by class: what has read one is in use until the next is begun.
    let mut nearest: Vec<Nearest> = texts.iter().map(|_| Nearest::default()).collect();
    for (number, (class, dictionary, read)) in primed.iter().enumerate() {
        let last = number + 1 == primed.len();
        let lengths = parallel::each(texts, ruler.threads(), |text| {
            let length = ruler.length_given(&text.text, dictionary, read);
            if last {
                done();
            }
            length
        })?;
        for (nearest, length) in nearest.iter_mut().zip(lengths) {
            nearest.add(class, length);
        }
    }
    Ok(nearest.into_iter().map(|nearest| nearest.classes).collect())
}

/// The classes at the least distance.
struct Nearest {
    least: f64,
    classes: Found,
}

impl Default for Nearest {
    fn default() -> Self {
        Self { least: f64::INFINITY, classes: Found::new() }
    }
}

impl Nearest {
    fn add(&mut self, class: &str, distance: f64) {
        if distance < self.least {
            self.least = distance;
            self.classes.clear();
        }
        if distance <= self.least {
            self.classes.insert(class.to_owned());
        }
    }
}

/// How often classes were found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Texts of which one class was found, and it is theirs.
    pub right: usize,
    /// Texts between whose classes nothing decided, among them theirs: these are not right.
    pub undecided: usize,
    pub wrong: usize,
    /// How many texts of a class were found to be of another, by both; undecided ones are not in
    /// it.
    pub confusion: BTreeMap<(String, String), usize>,
}

impl Outcome {
    /// Holds what was found against the classes of texts.
    pub fn of(texts: &[Labelled], found: &[Found]) -> Self {
        let mut out = Self::default();
        for (text, found) in texts.iter().zip(found) {
            match (found.contains(&text.class), found.len()) {
                (true, 1) => out.right += 1,
                (true, _) => out.undecided += 1,
                (false, _) => out.wrong += 1,
            }
            if let (Some(class), 1) = (found.first(), found.len()) {
                *out.confusion.entry((text.class.clone(), class.clone())).or_default() += 1;
            }
        }
        out
    }

    /// The share of texts that are right; 0 of none.
    pub fn accuracy(&self) -> f64 {
        let all = self.right + self.undecided + self.wrong;
        if all == 0 { 0.0 } else { self.right as f64 / all as f64 }
    }

    /// A table: a line for each class that texts are of, a column for each that was found.
    pub fn table(&self) -> String {
        let of: BTreeSet<&str> = self.confusion.keys().map(|(class, _)| &class[..]).collect();
        let found: BTreeSet<&str> = self.confusion.keys().map(|(_, class)| &class[..]).collect();
        let wide = of.iter().map(|class| class.chars().count()).max().unwrap_or(0).max(8);
        let mut out = format!("{:<wide$}", "is\\found");
        found.iter().for_each(|class| out += &format!("  {class:>6}"));
        out.push('\n');
        for class in of {
            let _ = write!(out, "{class:<wide$}");
            for other in &found {
                let key = (class.to_owned(), (*other).to_owned());
                let count = self.confusion.get(&key).copied().unwrap_or(0);
                let _ = write!(out, "  {count:>width$}", width = other.chars().count().max(6));
            }
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(class: &str, text: &str) -> Labelled {
        let (name, class) = (String::new(), class.to_owned());
        Labelled { name, class, text: text.as_bytes().to_vec() }
    }

    #[test]
    fn texts_are_found_where_they_belong() {
        let words = |words: &[&str]| words.join(" ").repeat(4);
        let known = [
            text("sea", &words(&["waves", "and", "salt", "ships", "on", "the", "open", "water"])),
            text("ore", &words(&["0917", "2338", "5521", "8043", "7712"])),
        ];
        let asked = [
            text("sea", "ships and waves on the open water"),
            text("ore", "5521 0917 8043"),
            text("ore", "the salt water waves"),
        ];
        for (codec, way) in [
            ("lmz-none", Way::Class { bytes: 1000 }),
            ("lmz-ppm", Way::Class { bytes: usize::MAX }),
            ("ppmd", Way::Neighbour(Measure::Ncd)),
        ] {
            let ruler = Ruler::new(codec, 2, None).unwrap();
            let found = classify(&ruler, way, &known, &asked, || ()).unwrap();
            let outcome = Outcome::of(&asked, &found);
            assert_eq!((outcome.right, outcome.undecided, outcome.wrong), (2, 0, 1), "{codec}");
        }
        let ruler = Ruler::new("gzip-9", 1, None).unwrap();
        let refused = classify(&ruler, Way::Class { bytes: 9 }, &known, &asked, || ());
        assert!(matches!(refused, Err(RulerError::NoDictionary { .. })));
    }

    #[test]
    fn undecided_texts_are_not_right() {
        let twice = [text("a", "same text"), text("b", "same text")];
        let ruler = Ruler::new("gzip-9", 1, None).unwrap();
        let way = Way::Neighbour(Measure::Ncd);
        let found = classify(&ruler, way, &twice, &twice, || ()).unwrap();
        let outcome = Outcome::of(&twice, &found);
        assert_eq!((outcome.right, outcome.undecided, outcome.wrong), (0, 2, 0));
        assert_eq!(outcome.accuracy(), 0.0);
        assert!(outcome.confusion.is_empty());
    }

    #[test]
    fn tables_have_a_line_for_each_class() {
        let outcome = Outcome::of(
            &[text("a", ""), text("a", ""), text("bee", "")],
            &["a", "bee", "bee"].map(|class| Found::from([class.to_owned()])),
        );
        assert_eq!(
            outcome.table(),
            "is\\found       a     bee\na              1       1\nbee            0       1\n"
        );
        assert!((outcome.accuracy() - 2.0 / 3.0).abs() < 1e-12);
    }
}
