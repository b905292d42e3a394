//! Columns that line up.

use crate::line::Line;

/// Rows of equally many cells, two blanks between the columns; the first row may be a heading.
pub fn columns(rows: Vec<Vec<Line>>) -> Vec<Line> {
    let count = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width_of = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(Line::width)
            .max()
    };
    let widths: Vec<usize> = (0..count).filter_map(width_of).collect();
    rows.into_iter()
        .map(|row| {
            let last = row.len().saturating_sub(1);
            let cells = row.into_iter().zip(&widths).enumerate();
            cells.fold(Line::new(), |line, (index, (cell, width))| {
                match index == last {
                    true => line.then(cell),
                    false => line.then(cell.padded(width + 2)),
                }
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_line_up_and_the_last_column_is_ragged() {
        let row = |cells: [&str; 3]| cells.map(|cell| Line::new().plain(cell)).to_vec();
        let lines = columns(vec![row(["a", "long one", "x"]), row(["bbb", "c", "yy"])]);
        let text: Vec<String> = lines.iter().map(|line| line.paint(false)).collect();
        assert_eq!(text, ["a    long one  x", "bbb  c         yy"]);
        assert!(columns(Vec::new()).is_empty());
    }
}
