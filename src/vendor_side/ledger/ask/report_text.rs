//! Draws a report as text, with every text of it escaped.

use super::report::Report;
use crate::domain::shown;

/// How it begins.
const BEGIN: &str = "airlock report: ";

/// Draws it.
pub fn text(report: &Report) -> String {
    let mut lines = vec![format!("{BEGIN}{}", shown(&report.title)), String::new()];
    let widest = |cells: &mut dyn Iterator<Item = usize>| cells.max().unwrap_or(0);
    let width = widest(&mut report.facts.iter().map(|(label, _)| label.chars().count()));
    for (label, value) in &report.facts {
        lines.push(format!("{label:width$}  {}", shown(value)));
    }
    for table in &report.tables {
        lines.extend([String::new(), shown(&table.title)]);
        if table.rows.is_empty() {
            lines.push("  none".to_owned());
            continue;
        }
        let rows: Vec<Vec<String>> = std::iter::once(table.columns.iter().map(|cell| (*cell).to_owned()).collect())
            .chain(
                table
                    .rows
                    .iter()
                    .map(|row| row.iter().map(|cell| shown(cell)).collect()),
            )
            .collect();
        let widths: Vec<usize> = (0..table.columns.len())
            .map(|at| {
                widest(
                    &mut rows
                        .iter()
                        .filter_map(|row| row.get(at))
                        .map(|cell| cell.chars().count()),
                )
            })
            .collect();
        for row in &rows {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            let line = cells.collect::<Vec<_>>().join("  ");
            lines.push(format!("  {}", line.trim_end()));
        }
        if table.more > 0 {
            lines.push(format!("  … and {} more", table.more));
        }
    }
    if !report.notes.is_empty() {
        lines.push(String::new());
        lines.extend(report.notes.iter().map(|note| shown(note)));
    }
    lines.join("\n") + "\n"
}
