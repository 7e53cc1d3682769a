//! `lmz compare --total`: archives with the program that decodes them, and from which size of data
//! on which codec wins.

use std::path::Path;

use anyhow::{Context, Result};
use lmz_bench::cost::{BreakEven, Cost, winners};
use lmz_bench::table::{Comparison, Row, grouped};

use super::args::CompareArgs;

/// What the report says of decoders that are not counted.
const NOT_COUNTED: &str = "not counted";

/// The costs of all codecs that have every file, the least total first, and the names of the
/// others.
pub fn costs(
    args: &CompareArgs,
    comparison: &Comparison,
    program: &Path,
) -> Result<(Vec<Cost>, Vec<String>)> {
    let executable = program.metadata().context("cannot read the size of this program")?.len();
    let (complete, others): (Vec<Row>, Vec<Row>) =
        comparison.totals().into_iter().partition(|row| row.files == comparison.files());
    let mut costs: Vec<Cost> =
        complete.iter().filter_map(|row| cost(args, comparison, row, executable)).collect();
    costs.sort_by_key(Cost::total);
    Ok((costs, others.into_iter().map(|row| row.codec).collect()))
}

fn cost(args: &CompareArgs, comparison: &Comparison, row: &Row, executable: u64) -> Option<Cost> {
    let measured = row.outcome.measured()?;
    let given = args.decoder_size.iter().find(|(codec, _)| *codec == row.codec);
    let (decoder, counted) = match (given, row.model) {
        (Some((_, bytes)), _) => (Some(*bytes), "as given".to_owned()),
        (None, Some(model)) if !model.built_in => {
            (Some(executable + model.stored), "this executable and the model's files".to_owned())
        }
        (None, _) if row.codec.starts_with("lmz") => {
            (Some(executable), "this executable".to_owned())
        }
        _ => (None, NOT_COUNTED.to_owned()),
    };
    let (raw, coded) = (measured.raw, comparison.size(measured));
    Some(Cost { codec: row.codec.clone(), raw, coded, decoder, counted })
}

/// The report: totals, winners by size, and break-even points. `markdown`: as tables of it, else
/// for a terminal.
pub fn report(costs: &[Cost], left_out: &[String], markdown: bool) -> String {
    let raw = costs.first().map_or(0, |cost| cost.raw);
    let mut out = format!("\nArchives with their decoder, {} raw bytes:\n\n", grouped(raw));
    let rows = costs.iter().map(|cost| {
        let decoder = cost.decoder.map_or_else(|| "-".to_owned(), grouped);
        [
            cost.codec.clone(),
            grouped(cost.coded),
            decoder,
            grouped(cost.total()),
            cost.counted.clone(),
        ]
    });
    out += &table(["codec", "archives", "decoder", "total", "decoder is"], rows, markdown);
    out += "\nThis executable holds the built-in models and, since it compares, the other codecs \
        too. A decoder that is not\n\
        counted adds nothing to a total, so those are too small; --decoder-size CODEC=SIZE counts \
        it. The C library and the\n\
        operating system are counted nowhere.\n";
    if !left_out.is_empty() {
        out += &format!("Left out, since they do not have all files: {}.\n", left_out.join(", "));
    }
    out += "\nThe least total by size of the data, if rates stay what they are here:\n\n";
    let rows = winners(costs).into_iter().map(|(from, cost)| [bytes(from), cost.codec.clone()]);
    out += &table(["from", "codec"], rows, markdown);
    out += "\nThe size of the data from which on a codec wins against another (<=: or fewer, the \
        other's decoder is not counted;\n\
        >=: or more, its own is not; pairs of which neither is counted are left out):\n\n";
    let pairs = costs.iter().flat_map(|a| costs.iter().map(move |b| (a, b)));
    let rows = pairs.filter_map(|(a, b)| {
        let from = match a.wins_from(b)? {
            BreakEven::Always => "always".to_owned(),
            BreakEven::From(n) => bytes(n),
            BreakEven::AtMost(n) => format!("<= {}", bytes(n)),
            BreakEven::AtLeast(n) => format!(">= {}", bytes(n)),
            BreakEven::Unknown => return None,
        };
        Some([a.codec.clone(), b.codec.clone(), from])
    });
    out += &table(["codec", "against", "from"], rows, markdown);
    out
}

/// The report as JSON, for programs.
pub fn json(costs: &[Cost]) -> serde_json::Value {
    let cost = |c: &Cost| {
        serde_json::json!({
            "codec": c.codec,
            "raw_bytes": c.raw,
            "coded_bytes": c.coded,
            "decoder_bytes": c.decoder,
            "total_bytes": c.total(),
            "decoder_is": c.counted,
        })
    };
    let pairs = costs.iter().flat_map(|a| costs.iter().map(move |b| (a, b)));
    let pair = |(a, b): (&Cost, &Cost)| {
        let (bound, from) = match a.wins_from(b)? {
            BreakEven::Always => ("exact", 0.0),
            BreakEven::From(n) => ("exact", n),
            BreakEven::AtMost(n) => ("at most", n),
            BreakEven::AtLeast(n) => ("at least", n),
            BreakEven::Unknown => return None,
        };
        Some(serde_json::json!({
            "codec": a.codec,
            "against": b.codec,
            "from_bytes": from.ceil(),
            "bound": bound,
        }))
    };
    serde_json::json!({
        "costs": costs.iter().map(cost).collect::<Vec<_>>(),
        "break_even": pairs.filter_map(pair).collect::<Vec<_>>(),
    })
}

/// A number of bytes with three digits or more.
fn bytes(number: f64) -> String {
    match number.ceil() {
        n if n < 1e4 => format!("{n} B"),
        n if n < 1e7 => format!("{:.0} kB", n / 1e3),
        n if n < 1e10 => format!("{:.0} MB", n / 1e6),
        n => format!("{:.0} GB", n / 1e9),
    }
}

/// A small table; the first column and texts to the left, numbers to the right.
fn table<const N: usize>(
    heads: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
    markdown: bool,
) -> String {
    let rows: Vec<[String; N]> = rows.collect();
    let left = |i: usize| !["archives", "decoder", "total", "from"].contains(&heads[i]);
    if markdown {
        let mut out = format!("| {} |\n|", heads.join(" | "));
        (0..N).for_each(|i| out += if left(i) { "---|" } else { "---:|" });
        out += "\n";
        rows.iter().for_each(|row| {
            out += &format!("| {} |\n", row.join(" | ").replace("<=", "&le;").replace(">=", "&ge;"))
        });
        return out;
    }
    let width = |i: usize| {
        rows.iter().map(|row| row[i].chars().count()).chain([heads[i].len()]).max().unwrap_or(0)
    };
    let line = |cells: [&str; N]| {
        let cell = |i: usize| {
            if left(i) {
                format!("{:<w$}", cells[i], w = width(i))
            } else {
                format!("{:>w$}", cells[i], w = width(i))
            }
        };
        format!("  {}", (0..N).map(cell).collect::<Vec<_>>().join("  ")).trim_end().to_owned()
            + "\n"
    };
    line(heads)
        + &rows.iter().map(|row| line(std::array::from_fn(|i| &row[i][..]))).collect::<String>()
}
