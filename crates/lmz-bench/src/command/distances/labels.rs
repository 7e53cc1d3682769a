//! Classes of texts, and whether their nearest neighbours are of the same.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use lmz::similarity::Distances;

/// The class of each name, of a file of two columns. A file is found by its name, by the last part
/// of it, or by that without what follows its last point.
pub fn read(path: &Path, names: &[String]) -> Result<Vec<String>> {
    let shown = path.display();
    let text = fs::read_to_string(path).with_context(|| format!("{shown}: cannot be read"))?;
    let mut classes = HashMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.is_empty() {
            continue;
        }
        let (name, class) = line.split_once('\t').with_context(|| {
            format!("{shown}: line {number}: expected a name, a tab and a class, found no tab")
        })?;
        classes.insert(name, class);
    }
    let class = |name: &String| {
        let last = Path::new(name).file_name().and_then(|part| part.to_str()).unwrap_or(name);
        let stem = Path::new(last).file_stem().and_then(|part| part.to_str()).unwrap_or(last);
        let found = [&name[..], last, stem].iter().find_map(|name| classes.get(name).copied());
        found.map(str::to_owned).with_context(|| {
            format!("{shown}: expected a line of {name}, or of {stem}, found none; add one")
        })
    };
    names.iter().map(class).collect()
}

/// Of how many texts the nearest one is of their class, in words. Where several are equally near
/// and not all of the class, the text is not counted.
pub fn neighbours(distances: &Distances, names: &[String], classes: &[String]) -> String {
    let (mut right, mut ties, mut wrong) = (0, 0, Vec::new());
    for x in 0..distances.count() {
        let nearest = distances.nearest(x);
        let same = nearest.iter().filter(|y| classes[**y] == classes[x]).count();
        match same {
            0 => {
                let near = nearest.first().map_or("nothing", |y| &names[*y]);
                wrong.push(format!("{} (nearest: {near})", names[x]));
            }
            _ if same < nearest.len() => ties += 1,
            _ => right += 1,
        }
    }
    let wrong = match wrong.is_empty() {
        true => String::new(),
        false => format!("; another: {}", wrong.join(", ")),
    };
    format!(
        "nearest file of the same class: {right} of {}, {ties} undecided{wrong}",
        distances.count()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_are_not_right() {
        let values = [[0.0, 0.1, 0.1, 0.5], [0.1, 0.0, 0.4, 0.5], [0.1, 0.4, 0.0, 0.5], [0.5; 4]];
        let distances = Distances::new(4, values.concat()).unwrap();
        let own = |names: [&str; 4]| names.map(str::to_owned);
        let (names, classes) = (own(["a", "b", "c", "d"]), own(["X", "X", "Y", "Z"]));
        assert_eq!(
            neighbours(&distances, &names, &classes),
            "nearest file of the same class: 1 of 4, 1 undecided; another: c (nearest: a), \
            d (nearest: a)"
        );
    }
}
