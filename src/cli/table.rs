//! Tables for people: columns as wide as they must be, the last one wrapped where there is a terminal.

use super::wrap;

/// Returns the lines of a table, with its header first. Cells are escaped already.
pub(super) fn table<const N: usize>(columns: [&str; N], rows: Vec<[String; N]>) -> String {
    let mut all = vec![columns.map(ToOwned::to_owned)];
    all.extend(rows);
    let last = N.saturating_sub(1);
    let widths: Vec<usize> = (0..last)
        .map(|column| {
            let cells = all.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let before: usize = widths.iter().map(|width| width + 2).sum();
    let columns = wrap::columns();
    let lines: Vec<String> = all
        .iter()
        .flat_map(|row| {
            let cells = row.iter().enumerate().map(|(column, cell)| {
                let width = widths.get(column).copied().unwrap_or(0);
                format!("{cell:width$}")
            });
            let line = cells.collect::<Vec<_>>().join("  ").trim_end().to_owned();
            match columns {
                None => vec![line],
                // Where the table itself is wider than the terminal, what follows is indented a little.
                Some(columns) => wrap::wrap(&line, columns, if before + 24 <= columns { before } else { 4 }),
            }
        })
        .collect();
    lines.join("\n")
}
