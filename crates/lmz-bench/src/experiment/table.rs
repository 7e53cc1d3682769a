//! The paper's Table 1: codecs on data sets, in pieces and whole.

use serde_json::json;

use super::{
    Bench, ExperimentError, Record, Report, adjusted, csv, markdown, round, rows, set_json,
    set_line,
};
use crate::cost::Counting;
use crate::data::seven::{SUFFIX, Seven};
use crate::data::{DataSet, PIECE};
use crate::table::{Columns, Comparison, Outcome, Row};
use crate::{Codec, Settings, paper};

/// How a set is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// All pieces as one.
    Whole,
    /// Each piece alone.
    Pieces,
    /// Each picture or file of sound alone.
    Files,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Pieces => "2048",
            Self::Files => "files",
        }
    }

    /// What is added to a file's name for its drawing.
    fn ending(self) -> &'static str {
        match self {
            Self::Whole => "-whole",
            Self::Pieces => "-2048",
            Self::Files => "-files",
        }
    }
}

/// A measurement, or why there is none.
struct Entry {
    set: String,
    way: Way,
    row: Row,
}

/// What the paper's way with 7 bits makes of a set.
struct SevenEntry {
    set: String,
    codec: String,
    coded: u64,
    lost: u64,
    rate: f64,
    bound: f64,
    /// The rate of the same codec without loss.
    lossless: Option<f64>,
}

/// What the experiment is done on and with.
pub struct Table {
    /// Sets of pieces: coded in pieces, and whole.
    pub sets: Vec<DataSet>,
    /// Whether sets are coded whole too.
    pub whole: bool,
    /// Sets whose members are coded each alone.
    pub members: Vec<DataSet>,
    pub codecs: Vec<Box<dyn Codec>>,
    /// Codecs that are measured in the paper's way with 7 bits too
    /// ([`seven`](crate::data::seven)), on sets of pieces.
    pub sevens: Vec<Box<dyn Codec>>,
    /// Bytes that a model is spread over in the adjusted rate.
    pub over: u64,
}

impl Table {
    /// The ways in which sets are coded.
    fn ways(&self) -> impl DoubleEndedIterator<Item = Way> {
        [Way::Pieces, Way::Whole].into_iter().take(1 + usize::from(self.whole))
    }

    /// Measures everything.
    pub fn run(&self, bench: &mut Bench) -> Result<Report, ExperimentError> {
        let mut entries: Vec<Entry> = Vec::new();
        for set in &self.sets {
            let whole = [set.whole()];
            for way in self.ways() {
                let pieces = if way == Way::Whole { &whole } else { &set.pieces[..] };
                for codec in &self.codecs {
                    (bench.progress)(&format!("{} on {}, {}", codec.name(), set.name, way.name()));
                    let header = way == Way::Pieces;
                    let chunk = header.then_some(PIECE as u64);
                    let outcome = bench.runner.run(
                        &**codec,
                        pieces,
                        chunk,
                        Settings { repeat: 1, header },
                    )?;
                    entries.push(Entry {
                        set: set.name.clone(),
                        way,
                        row: row(&set.name, &**codec, outcome),
                    });
                }
            }
        }
        let mut members = Vec::new();
        for set in &self.members {
            for codec in &self.codecs {
                (bench.progress)(&format!("{} on {}", codec.name(), set.name));
                let mut each = Comparison::default();
                for piece in &set.pieces {
                    let pieces = std::slice::from_ref(piece);
                    let outcome = bench.runner.run(&**codec, pieces, None, Settings::default())?;
                    each.rows.push(row(&piece.name, &**codec, outcome));
                }
                // A codec that does not have all has no rate of the set.
                let bad = each
                    .rows
                    .iter()
                    .find(|row| row.outcome.measured().is_none())
                    .map(|row| row.outcome.clone());
                let sum = each.totals().pop().map_or(Outcome::NotTaken, |total| total.outcome);
                members.push(Entry {
                    set: set.name.clone(),
                    way: Way::Files,
                    row: row(&set.name, &**codec, bad.unwrap_or(sum)),
                });
            }
        }
        let sevens = self.sevens(bench, &entries)?;
        entries.extend(members);
        Ok(self.report(&entries, &sevens))
    }

    /// The paper's way with 7 bits, on pieces.
    fn sevens(
        &self,
        bench: &mut Bench,
        entries: &[Entry],
    ) -> Result<Vec<SevenEntry>, ExperimentError> {
        let mut out = Vec::new();
        for codec in &self.sevens {
            for set in &self.sets {
                (bench.progress)(&format!("{}{SUFFIX} on {}", codec.name(), set.name));
                let text = ["enwik", "text"].contains(&set.name.as_str());
                let seven = Seven::new(set, text);
                let settings = Settings { repeat: 1, header: true };
                let outcome =
                    bench.runner.run(&**codec, &seven.pieces, Some(PIECE as u64), settings)?;
                let Some(m) = outcome.measured() else { continue };
                let same = |entry: &&Entry| {
                    entry.set == set.name
                        && entry.way == Way::Pieces
                        && entry.row.codec == codec.name()
                };
                out.push(SevenEntry {
                    set: set.name.clone(),
                    codec: codec.name().to_owned(),
                    coded: m.header_once,
                    lost: seven.lost,
                    rate: 100.0 * seven.rate(m.header_once),
                    bound: 100.0 * seven.bound(m.header_once),
                    lossless: entries.iter().find(same).and_then(rate),
                });
            }
        }
        Ok(out)
    }

    fn report(&self, entries: &[Entry], sevens: &[SevenEntry]) -> Report {
        let mut records: Vec<Record> = entries.iter().map(|entry| self.record(entry)).collect();
        records.extend(sevens.iter().map(|seven| {
            let set = self.sets.iter().find(|set| set.name == seven.set);
            vec![
                ("set", json!(seven.set)),
                ("way", json!(Way::Pieces.name())),
                ("codec", json!(format!("{}{SUFFIX}", seven.codec))),
                ("lossless", json!(false)),
                ("pieces", json!(set.map(|set| set.pieces.len()))),
                ("raw_bytes", json!(set.map(DataSet::raw))),
                ("coded_bytes", json!(null)),
                ("header_bytes", json!(null)),
                ("header_once_bytes", json!(seven.coded)),
                ("lost_bits", json!(seven.lost)),
                ("rate_percent", json!(round(seven.rate, 2))),
                ("upper_bound_percent", json!(round(seven.bound, 2))),
                ("adjusted_paper_percent", json!(null)),
                ("adjusted_stored_percent", json!(null)),
                ("failure", json!(null)),
                ("version", json!(null)),
            ]
        }));
        let failed = entries.iter().filter_map(|entry| match &entry.row.outcome {
            Outcome::Failed(why) => Some(format!("{}: {why}", entry.set)),
            _ => None,
        });
        let sets = self.sets.iter().chain(&self.members);
        Report {
            csv: csv(&records),
            json: json!({
                "sets": sets.map(set_json).collect::<Vec<_>>(),
                "over_bytes": self.over,
                "rows": rows(&records),
                "quoted": paper::TABLE.map(|line| json!({
                    "compressor": line.compressor,
                    "chunked": line.chunked,
                    "sets": paper::SETS,
                    "rate_percent": line.rates,
                })),
                "quoted_notes": paper::NOTES,
            }),
            markdown: self.markdown(entries, sevens),
            plots: self.ways().map(|way| (way.ending(), plot(entries, way))).collect(),
            failures: failed.collect(),
        }
    }

    fn record(&self, entry: &Entry) -> Record {
        let m = entry.row.outcome.measured();
        let rate = rate(entry);
        let adjusted = |counting| {
            rate.map(|rate| round(adjusted(rate, entry.row.model, counting, self.over), 2))
        };
        let failure = match &entry.row.outcome {
            Outcome::Failed(why) => Some(why.clone()),
            Outcome::NotTaken => Some("does not take this form".to_owned()),
            Outcome::Measured(_) => None,
        };
        vec![
            ("set", json!(entry.set)),
            ("way", json!(entry.way.name())),
            ("codec", json!(entry.row.codec)),
            ("lossless", json!(m.map(|_| true))),
            ("pieces", json!(m.map(|m| m.pieces))),
            ("raw_bytes", json!(m.map(|m| m.raw))),
            ("coded_bytes", json!(m.map(|m| m.coded))),
            ("header_bytes", json!(m.and_then(|m| m.header))),
            ("header_once_bytes", json!(m.map(|m| m.header_once))),
            ("lost_bits", json!(m.map(|_| 0))),
            ("rate_percent", json!(rate.map(|rate| round(rate, 2)))),
            ("upper_bound_percent", json!(null)),
            ("adjusted_paper_percent", json!(adjusted(Counting::Paper))),
            ("adjusted_stored_percent", json!(adjusted(Counting::Stored))),
            ("failure", json!(failure)),
            ("version", json!(entry.row.version)),
        ]
    }

    fn markdown(&self, entries: &[Entry], sevens: &[SevenEntry]) -> String {
        let over = crate::table::grouped(self.over);
        let one =
            |rate: Option<f64>| rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.1}"));
        let names: Vec<String> = self.sets.iter().map(|set| set.name.clone()).collect();
        let heads = |left: [&str; 2]| {
            left.map(str::to_owned).into_iter().chain(names.clone()).collect::<Vec<_>>()
        };
        let of = |way, codec: &str, set: &str| {
            entries.iter().find(|e| e.way == way && e.set == set && e.row.codec == codec)
        };
        let lines =
            |value: &dyn Fn(&Entry) -> Option<f64>, quoted: bool| {
                let mut lines = Vec::new();
                for way in self.ways().rev() {
                    for codec in &self.codecs {
                        let cells: Vec<Option<f64>> = names
                            .iter()
                            .map(|set| of(way, codec.name(), set).and_then(value))
                            .collect();
                        if cells.iter().any(Option::is_some) {
                            let mut line = vec![way.name().to_owned(), codec.name().to_owned()];
                            line.extend(cells.into_iter().map(one));
                            lines.push(line);
                        }
                    }
                    for line in paper::TABLE
                        .iter()
                        .filter(|line| quoted && line.chunked == (way == Way::Pieces))
                    {
                        let rate = |set: &String| {
                            let place = ["enwik", "image", "audio", "random"]
                                .iter()
                                .position(|name| name == set)?;
                            line.rates[place]
                        };
                        let mut cells =
                            vec![way.name().to_owned(), format!("*quoted: {}*", line.compressor)];
                        cells.extend(names.iter().map(|set| {
                            rate(set).map_or_else(String::new, |r| format!("*{r:.1}*"))
                        }));
                        lines.push(cells);
                    }
                }
                lines
            };
        let mut out = "## Raw rate\n\nCoded bytes in percent of raw ones. 2048: pieces of 2,048 \
            bytes, each coded alone; as in the paper a codec's header (what one zero byte is coded \
            to) is counted once. Everything measured here was decoded and is the same bytes. \
            *Quoted* lines are the paper's, of its enwik9, ImageNet, LibriSpeech and random \
            bytes.\n\n"
            .to_owned();
        out += &markdown(&heads(["chunk", "codec"]), 2, &lines(&|entry| rate(entry), true));
        out += &format!("\n{}\n", paper::NOTES);
        out += &format!(
            "\n## Adjusted rate\n\nThe raw rate plus the model at 2 bytes a parameter over {over} \
            bytes, the size of the paper's sets (those measured here are smaller). Codecs without \
            a model stay as they are.\n\n"
        );
        let model = |entry: &Entry| entry.row.model.and(rate(entry));
        let paper = |entry: &Entry| {
            Some(adjusted(model(entry)?, entry.row.model, Counting::Paper, self.over))
        };
        out += &markdown(&heads(["chunk", "codec"]), 2, &lines(&paper, false));
        out += "\n## Pieces with every header\n\nThe same pieces with each piece's own header \
            counted: what files of 2,048 bytes really take.\n\n";
        let every = |entry: &Entry| {
            let m =
                entry.row.outcome.measured().filter(|m| entry.way == Way::Pieces && m.raw > 0)?;
            Some(100.0 * m.coded as f64 / m.raw as f64)
        };
        out += &markdown(&heads(["chunk", "codec"]), 2, &lines(&every, false));
        if !self.members.is_empty() {
            out += "\n## Pictures and sound in their own form\n\nRaw rate of 24-bit pictures and \
                16-bit sound, each coded alone with all its headers.\n\n";
            let sets: Vec<String> = self.members.iter().map(|set| set.name.clone()).collect();
            let heads: Vec<String> = ["codec".to_owned()].into_iter().chain(sets.clone()).collect();
            let lines = self.codecs.iter().filter_map(|codec| {
                let cells: Vec<_> = sets
                    .iter()
                    .map(|set| of(Way::Files, codec.name(), set).and_then(rate))
                    .collect();
                let any = cells.iter().any(Option::is_some);
                any.then(|| {
                    [codec.name().to_owned()]
                        .into_iter()
                        .chain(cells.into_iter().map(one))
                        .collect()
                })
            });
            out += &markdown(&heads, 1, &lines.collect::<Vec<_>>());
        }
        if !sevens.is_empty() {
            out += "\n## The paper's way with 7 bits: NOT LOSSLESS\n\nText loses the top bit of \
                bytes of 128 and above, everything else is shifted right by one bit. What is coded \
                are the 7 bits that are left (these were decoded and compared); their length is \
                multiplied by all bits over kept ones (8/7 where each byte lost one), as in the \
                paper. Upper bound: the dropped bit of each byte sent as it is, which makes it \
                lossless.\n\n";
            let heads = [
                "codec",
                "set",
                "lost bits",
                "paper's way %",
                "upper bound %",
                "lossless, 8 bits %",
            ];
            let lines = sevens.iter().map(|seven| {
                vec![
                    format!("{}{SUFFIX}", seven.codec),
                    seven.set.clone(),
                    crate::table::grouped(seven.lost),
                    format!("{:.1}", seven.rate),
                    format!("{:.1}", seven.bound),
                    one(seven.lossless),
                ]
            });
            out += &markdown(&heads.map(str::to_owned), 2, &lines.collect::<Vec<_>>());
        }
        out += "\n## Data\n\n";
        self.sets.iter().chain(&self.members).for_each(|set| out += &set_line(set));
        out
    }
}

fn row(file: &str, codec: &dyn Codec, outcome: Outcome) -> Row {
    let (codec, version, model) = (codec.name().to_owned(), codec.version(), codec.model());
    Row { file: file.to_owned(), codec, version, model, outcome, files: 1 }
}

/// The raw rate in percent: the header counted once over pieces.
fn rate(entry: &Entry) -> Option<f64> {
    let m = entry.row.outcome.measured().filter(|m| m.raw > 0)?;
    Some(100.0 * m.header_once as f64 / m.raw as f64)
}

/// A bar for each codec, a chart for each set.
fn plot(entries: &[Entry], way: Way) -> String {
    let name = match way {
        Way::Pieces => "in pieces",
        Way::Whole => "whole",
        Way::Files => "each file",
    };
    let of = |entry: &&Entry| entry.way == way && entry.row.outcome.measured().is_some();
    let row = |entry: &Entry| Row { file: format!("{} {name}", entry.set), ..entry.row.clone() };
    let rows = entries.iter().filter(of).map(row).collect();
    let columns = Columns { header_once: true, ..Columns::default() };
    Comparison { rows, columns }.plot_bars_apart()
}
