//! Numbers of bytes and ranges, as they are given on a command line.

use std::ops::Range;

/// A number of bytes: 4096, 64KiB, 5MB, 1g (powers of 1024 unless the unit ends in a plain B).
pub fn size(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number
        .parse()
        .map_err(|_| format!("expected a number of bytes such as 512KiB, found {text:?}"))?;
    let unit = unit.to_ascii_lowercase();
    let factor = match unit.as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => {
            return Err(format!(
                "expected a unit among K, KiB, KB, M, MiB, MB, G, GiB, GB, found {unit:?}"
            ));
        }
    };
    number.checked_mul(factor).ok_or_else(|| format!("{text} is more than 2^64 bytes"))
}

/// A power of two among those that PPM takes, as its logarithm.
pub fn power_of_two(text: &str) -> Result<u8, String> {
    let bytes = size(text)?;
    let log2 = bytes.checked_ilog2().map_or(0, |log2| log2 as u8);
    if bytes.is_power_of_two() && lmz::lm::ppm::MEMORY_RANGE.contains(&log2) {
        Ok(log2)
    } else {
        Err(format!("expected a power of two from 64KiB to 1GiB, found {text}"))
    }
}

/// FROM..TO, FROM..+LENGTH or FROM.. (to the end).
pub fn range(text: &str) -> Result<Range<u64>, String> {
    let (from, to) = text
        .split_once("..")
        .ok_or_else(|| format!("expected FROM..TO or FROM..+LENGTH, found {text:?}"))?;
    let from = if from.is_empty() { 0 } else { size(from)? };
    let to = match to.strip_prefix('+') {
        Some(length) => from.checked_add(size(length)?).ok_or("the range ends past 2^64")?,
        None if to.is_empty() => u64::MAX,
        None => size(to)?,
    };
    if from > to {
        Err(format!("the range begins at {from} and ends before, at {to}"))
    } else {
        Ok(from..to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_ranges() {
        assert_eq!(size("4096"), Ok(4096));
        assert_eq!(size("2KiB"), Ok(2048));
        assert_eq!(size("3MB"), Ok(3_000_000));
        assert!(
            size("").is_err()
                && size("K").is_err()
                && size("1X").is_err()
                && size("99999999999G").is_err()
        );
        assert_eq!((power_of_two("64KiB"), power_of_two("1g")), (Ok(16), Ok(30)));
        assert!(
            power_of_two("0").is_err()
                && power_of_two("65000").is_err()
                && power_of_two("2GiB").is_err()
        );
        assert_eq!(range("1GiB..+4KiB"), Ok(1 << 30..(1 << 30) + 4096));
        assert_eq!(range("5.."), Ok(5..u64::MAX));
        assert_eq!(range("..7"), Ok(0..7));
        assert!(range("7..5").is_err() && range("7").is_err());
    }
}
