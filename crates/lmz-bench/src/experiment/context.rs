//! Bits a byte by its place in a piece: what context is worth.

use serde_json::json;

use super::explained::{Explained, range};
use super::{
    Bench, ExperimentError, Record, Report, csv, markdown, round, rows, set_json, set_line,
};
use crate::data::DataSet;
use crate::plot::{Chart, Series};

/// What the experiment is done on and with.
pub struct Context {
    pub set: DataSet,
    /// Names of lmz with its predictors.
    pub codecs: Vec<String>,
}

impl Context {
    /// Measures everything: all pieces are coded, each alone.
    pub fn run(&self, bench: &mut Bench) -> Result<Report, ExperimentError> {
        let mut all = Vec::new();
        for codec in &self.codecs {
            all.push((codec, bench.explain(codec, &self.set, &self.set.pieces)?));
        }
        let places = |(codec, explained): &(&String, Explained)| {
            let record = |(place, (bits, bytes)): (usize, &(f64, u64))| -> Record {
                vec![
                    ("codec", json!(codec)),
                    ("from", json!(range(place).start)),
                    ("to", json!(range(place).end)),
                    ("bytes", json!(bytes)),
                    ("bits_per_byte", json!(round(bits / (*bytes).max(1) as f64, 4))),
                ]
            };
            explained.places.iter().enumerate().map(record).collect::<Vec<_>>()
        };
        let records: Vec<Record> = all.iter().flat_map(places).collect();
        Ok(Report {
            csv: csv(&records),
            json: json!({ "set": set_json(&self.set), "rows": rows(&records) }),
            markdown: self.markdown(&all),
            plots: vec![("", self.chart(&all))],
            failures: Vec::new(),
        })
    }

    fn chart(&self, all: &[(&String, Explained)]) -> String {
        let series = all.iter().map(|(codec, explained)| {
            let points = explained.places.iter().enumerate().map(|(place, (bits, bytes))| {
                // The middle of the range on a logarithmic axis.
                let range = range(place);
                let middle = (range.start.max(8) as f64 * range.end as f64).sqrt();
                (middle, bits / (*bytes).max(1) as f64)
            });
            let points: Vec<_> = points.collect();
            Series { name: (*codec).clone(), measured: points.len(), points }
        });
        let most = all.iter().map(|(_, explained)| explained.places.len()).max().unwrap_or(1);
        let marks = (0..=most).map(|n| (8 << n) as f64).map(|at| (at, at.to_string()));
        Chart {
            title: format!("Bits a byte by place in a piece ({})", self.set.name),
            about: "bits a byte, mean over all pieces; the head of an archive is not counted"
                .to_owned(),
            across: "place in the piece, in bytes".to_owned(),
            marks: marks.collect(),
            log: false,
            unit: "",
            series: series.collect(),
        }
        .draw()
    }

    fn markdown(&self, all: &[(&String, Explained)]) -> String {
        let mut out = "## Bits a byte by place in a piece\n\nPieces of 2,048 bytes, each coded \
            alone; the mean of all pieces. Costs are ideal code lengths of the decisions in \
            archives that were decoded; heads are not in them. The bytes of a token share its \
            cost.\n\n"
            .to_owned();
        let heads =
            ["bytes".to_owned()].into_iter().chain(all.iter().map(|(codec, _)| (*codec).clone()));
        let most = all.iter().map(|(_, explained)| explained.places.len()).max().unwrap_or(0);
        let cell = |sum: Option<&(f64, u64)>| match sum {
            Some((bits, bytes)) if *bytes > 0 => format!("{:.3}", bits / *bytes as f64),
            _ => "-".to_owned(),
        };
        let mut lines: Vec<Vec<String>> = Vec::new();
        for place in 0..most {
            let range = range(place);
            let cells = all.iter().map(|(_, explained)| cell(explained.places.get(place)));
            lines.push(
                [format!("{}..{}", range.start, range.end)].into_iter().chain(cells).collect(),
            );
        }
        let sums = all.iter().map(|(_, explained)| {
            let sum = explained
                .places
                .iter()
                .fold((0.0, 0), |sum, place| (sum.0 + place.0, sum.1 + place.1));
            cell(Some(&sum))
        });
        lines.push(["all".to_owned()].into_iter().chain(sums).collect());
        out += &markdown(&heads.collect::<Vec<_>>(), 1, &lines);
        out + "\n## Data\n\n" + &set_line(&self.set)
    }
}
