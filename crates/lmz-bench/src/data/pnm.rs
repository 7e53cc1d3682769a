//! Binary PGM (P5) and PPM (P6) of 8 bits.

use super::image::Picture;

/// Reads a picture; the error says what was expected and what was found.
pub fn read(file: &[u8]) -> Result<Picture, String> {
    let colors = match file.get(..2) {
        Some(b"P5") => 1,
        Some(b"P6") => 3,
        _ => {
            return Err(
                "expected a binary PGM (P5) or PPM (P6), found another beginning".to_owned()
            );
        }
    };
    let mut at = 2;
    let mut numbers = [0_u32; 3];
    for (number, what) in numbers.iter_mut().zip(["the width", "the height", "the largest value"]) {
        *number = self::number(file, &mut at)
            .ok_or_else(|| format!("expected {what}, found no such number"))?;
    }
    // One space or line end, and the pixels.
    if !file.get(at).is_some_and(u8::is_ascii_whitespace) {
        return Err("expected pixels after the head, found its end only".to_owned());
    }
    at += 1;
    let [width, height, most] = numbers;
    if most != 255 {
        return Err(format!(
            "expected 8 bits a value (the largest 255), found the largest {most}; convert the \
            picture"
        ));
    }
    let expected = u64::from(width) * u64::from(height) * colors;
    let pixels = &file[at..];
    if expected != pixels.len() as u64 {
        return Err(format!(
            "expected {expected} bytes of pixels ({width} x {height}), found {}",
            pixels.len()
        ));
    }
    Ok(Picture { width, height, rgb: colors == 3, bytes: pixels.to_vec() })
}

/// The next number, past spaces and comments.
fn number(file: &[u8], at: &mut usize) -> Option<u32> {
    loop {
        match file.get(*at)? {
            b'#' => *at += file[*at..].iter().position(|b| *b == b'\n')?,
            b if b.is_ascii_whitespace() => *at += 1,
            _ => break,
        }
    }
    let digits = file[*at..].iter().take_while(|b| b.is_ascii_digit()).count();
    let number = std::str::from_utf8(&file[*at..*at + digits]).ok()?.parse().ok()?;
    *at += digits;
    Some(number)
}
