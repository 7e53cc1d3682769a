//! The adjusted rate against the size of the data: from how much on a model is worth its own bytes.

use serde_json::json;

use super::{
    Bench, ExperimentError, Record, Report, adjusted, csv, markdown, round, rows, set_json,
    set_line,
};
use crate::cost::Counting;
use crate::data::DataSet;
use crate::plot::{Chart, Series};
use crate::table::Outcome;
use crate::{Codec, Sample, Settings};

/// The least data that is measured, in bytes.
const LEAST: u64 = 1 << 10;
/// So far it is extrapolated.
const FURTHEST: f64 = 1e12;

/// What the experiment is done on and with.
pub struct Scaling {
    /// Its first bytes are coded as a whole: 1 KiB, twice as many, and so on, and all.
    pub set: DataSet,
    pub codecs: Vec<Box<dyn Codec>>,
}

/// A codec at one size.
struct Point {
    codec: usize,
    raw: f64,
    /// None where it is extrapolated.
    coded: Option<u64>,
    /// In percent.
    rate: f64,
}

impl Scaling {
    /// Measures everything.
    pub fn run(&self, bench: &mut Bench) -> Result<Report, ExperimentError> {
        let whole = self.set.whole();
        let length = whole.bytes.len() as u64;
        let mut sizes: Vec<u64> =
            (0..63).map(|n| LEAST << n).take_while(|size| *size < length).collect();
        sizes.push(length);
        let (mut points, mut failures) = (Vec::new(), Vec::new());
        for (number, codec) in self.codecs.iter().enumerate() {
            let mut last = None;
            for size in &sizes {
                (bench.progress)(&format!("{} on {size} bytes", codec.name()));
                let sample =
                    Sample { bytes: whole.bytes[..*size as usize].to_vec(), ..whole.clone() };
                match bench.runner.run(&**codec, &[sample], None, Settings::default())? {
                    Outcome::Measured(m) => {
                        let rate = 100.0 * m.coded as f64 / m.raw.max(1) as f64;
                        points.push(Point {
                            codec: number,
                            raw: m.raw as f64,
                            coded: Some(m.coded),
                            rate,
                        });
                        last = Some(rate);
                    }
                    Outcome::Failed(why) => failures.push(format!("{size} bytes: {why}")),
                    Outcome::NotTaken => {}
                }
            }
            if let Some(rate) = last {
                // Half decades from the next on.
                let further = (0..)
                    .map(|n| 10f64.powf(f64::from(n) / 2.0))
                    .take_while(|raw| *raw <= FURTHEST * 1.001);
                let further = further.filter(|raw| *raw > length as f64);
                points.extend(further.map(|raw| Point { codec: number, raw, coded: None, rate }));
            }
        }
        let records: Vec<Record> = points.iter().map(|point| self.record(point)).collect();
        Ok(Report {
            csv: csv(&records),
            json: json!({ "set": set_json(&self.set), "rows": rows(&records) }),
            markdown: self.markdown(&points),
            plots: vec![
                ("-paper", self.chart(&points, Counting::Paper)),
                ("-stored", self.chart(&points, Counting::Stored)),
            ],
            failures,
        })
    }

    /// In percent, with the model over the data.
    fn adjusted(&self, point: &Point, counting: Counting) -> f64 {
        adjusted(point.rate, self.codecs[point.codec].model(), counting, point.raw.round() as u64)
    }

    fn record(&self, point: &Point) -> Record {
        let codec = &self.codecs[point.codec];
        let model = codec.model();
        vec![
            ("codec", json!(codec.name())),
            ("raw_bytes", json!(point.raw.round() as u64)),
            ("extrapolated", json!(point.coded.is_none())),
            ("coded_bytes", json!(point.coded)),
            ("rate_percent", json!(round(point.rate, 3))),
            ("parameters", json!(model.map(|model| model.parameters))),
            ("stored_bytes", json!(model.map(|model| model.stored))),
            ("adjusted_paper_percent", json!(round(self.adjusted(point, Counting::Paper), 3))),
            ("adjusted_stored_percent", json!(round(self.adjusted(point, Counting::Stored), 3))),
            ("version", json!(codec.version())),
        ]
    }

    fn chart(&self, points: &[Point], counting: Counting) -> String {
        let series = self.codecs.iter().enumerate().map(|(number, codec)| {
            let own: Vec<&Point> = points.iter().filter(|point| point.codec == number).collect();
            let measured = own.iter().filter(|point| point.coded.is_some()).count();
            let points =
                own.iter().map(|point| (point.raw, self.adjusted(point, counting))).collect();
            Series { name: codec.name().to_owned(), points, measured }
        });
        let marks = (3..=12).map(|power| {
            let unit = ["kB", "MB", "GB", "TB"][(power as usize / 3 - 1).min(3)];
            (10f64.powi(power), format!("{} {unit}", 10_u64.pow(power as u32 % 3)))
        });
        let way = match counting {
            Counting::Paper => "at 2 bytes a parameter, as in the paper",
            Counting::Stored => "by the bytes of its files",
        };
        Chart {
            title: format!("Adjusted rate against the size of the data ({})", self.set.name),
            about: format!(
                "coded bytes and the model ({way}) in percent of raw bytes; programs are not \
                counted"
            ),
            across: "raw bytes; dashed: extrapolated with the last measured raw rate".to_owned(),
            marks: marks.collect(),
            log: true,
            unit: " %",
            series: series.collect(),
        }
        .draw()
    }

    fn markdown(&self, points: &[Point]) -> String {
        let mut out = "## Adjusted rate against the size of the data\n\nThe first bytes of the \
            data, coded as a whole. Adjusted: coded bytes and the model in percent of raw bytes; 2 \
            B a parameter as in the paper, or the bytes of the model's files. Programs are counted \
            for nobody. Sizes marked ~ are EXTRAPOLATED with the last measured raw rate (larger \
            data would be coded better by codecs that learn from it).\n\n"
            .to_owned();
        let mut sizes: Vec<f64> = Vec::new();
        for point in
            points.iter().filter(|point| point.coded.is_some() || point.raw.log10().fract() < 1e-9)
        {
            if !sizes.contains(&point.raw) {
                sizes.push(point.raw);
            }
        }
        sizes.sort_by(f64::total_cmp);
        let heads: Vec<String> = ["bytes".to_owned()]
            .into_iter()
            .chain(self.codecs.iter().map(|codec| codec.name().to_owned()))
            .collect();
        for (title, counting) in [
            ("Raw rate %", None),
            ("Adjusted rate %, 2 bytes a parameter", Some(Counting::Paper)),
            ("Adjusted rate %, bytes of the model's files", Some(Counting::Stored)),
        ] {
            let lines = sizes.iter().map(|size| {
                let same: Vec<&Point> = points.iter().filter(|point| point.raw == *size).collect();
                let bytes = crate::table::grouped(size.round() as u64);
                let guessed = same.iter().any(|point| point.coded.is_none());
                let cell = |codec| match same.iter().find(|point| point.codec == codec) {
                    Some(point) => {
                        format!(
                            "{:.2}",
                            counting.map_or(point.rate, |counting| self.adjusted(point, counting))
                        )
                    }
                    None => "-".to_owned(),
                };
                let cells = (0..self.codecs.len()).map(cell);
                [if guessed { format!("~ {bytes}") } else { bytes }]
                    .into_iter()
                    .chain(cells)
                    .collect()
            });
            out += &format!("{title}:\n\n{}\n", markdown(&heads, 0, &lines.collect::<Vec<_>>()));
        }
        for codec in &self.codecs {
            if let Some(model) = codec.model() {
                let [parameters, stored] =
                    [model.parameters, model.stored].map(crate::table::grouped);
                out += &format!(
                    "- {}: {parameters} parameters, {stored} bytes of files\n",
                    codec.name()
                );
            }
        }
        out + "\n## Data\n\n" + &set_line(&self.set)
    }
}
