//! Bars: a fraction as a row of blocks, exact to an eighth of a column.

const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// How much of a bar is filled, and how much is left: together `width` columns. Something is never shown
/// as nothing, nor less than all as all.
pub fn split(fraction: f64, width: usize) -> (String, usize) {
    let whole = width * EIGHTHS.len();
    let exact = (fraction.clamp(0.0, 1.0) * whole as f64).round() as usize;
    let eighths = match exact {
        0 if fraction > 0.0 => 1,
        all if all == whole && fraction < 1.0 => whole - 1,
        exact => exact,
    };
    let mut filled = "█".repeat(eighths / EIGHTHS.len());
    if let part @ 1.. = eighths % EIGHTHS.len() {
        filled.push(EIGHTHS[part]);
    }
    let left = width - filled.chars().count();
    (filled, left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_exact_to_an_eighth() {
        for (fraction, filled) in [
            (0.0, ""),
            (0.0001, "▏"),
            (0.125, "▌"),
            (0.25, "█"),
            (0.5, "██"),
            (0.9999, "███▉"),
            (1.0, "████"),
            (7.0, "████"),
            (-1.0, ""),
            (f64::NAN, ""),
        ] {
            let (bar, left) = split(fraction, 4);
            assert_eq!(bar, filled, "{fraction}");
            assert_eq!(bar.chars().count() + left, 4);
        }
    }
}
