//! Draws a report as a page of HTML: no script, nothing fetched, and every text escaped.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::report::{Report, Table};
use crate::domain::shown;

const STYLE: &str = "@page{size:A4;margin:10mm}body{font:8pt/1.2 sans-serif;color:#000;margin:0 auto;max-width:190mm}\
    h1{font-size:13pt;margin:0 0 1.5mm}h2{font-size:9.5pt;margin:3mm 0 .8mm}table{border-collapse:collapse;width:100%}\
    th,td{text-align:left;vertical-align:top;padding:.3mm 2mm .3mm 0;border-bottom:.2mm solid #bbb;overflow-wrap:anywhere}\
    th{font-weight:600;white-space:nowrap}p{margin:1mm 0}.facts th{width:30mm;border:0}.facts td{border:0}\
    @media screen{body{padding:8mm}}";

/// Draws it.
pub fn html(report: &Report) -> String {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    let title = escaped(&report.title);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{hash}'\">\n\
         <meta name=\"generator\" content=\"airlock report\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n\
         <table class=\"facts\">\n"
    );
    for (label, value) in &report.facts {
        push(
            &mut page,
            format_args!("<tr><th>{}</th><td>{}</td></tr>\n", escaped(label), escaped(value)),
        );
    }
    page.push_str("</table>\n");
    for table in &report.tables {
        draw(&mut page, table);
    }
    for note in &report.notes {
        push(&mut page, format_args!("<p>{}</p>\n", escaped(note)));
    }
    page + "</body>\n</html>\n"
}

fn draw(page: &mut String, table: &Table) {
    push(page, format_args!("<h2>{}</h2>\n", escaped(&table.title)));
    if table.rows.is_empty() {
        page.push_str("<p>none</p>\n");
        return;
    }
    let row = |name: &str, cells: &mut dyn Iterator<Item = String>| {
        let cells = cells.fold(String::new(), |row, cell| row + &format!("<{name}>{cell}</{name}>"));
        format!("<tr>{cells}</tr>\n")
    };
    page.push_str("<table>\n");
    page.push_str(&row("th", &mut table.columns.iter().map(|cell| escaped(cell))));
    for cells in &table.rows {
        page.push_str(&row("td", &mut cells.iter().map(|cell| escaped(cell))));
    }
    page.push_str("</table>\n");
    if table.more > 0 {
        push(page, format_args!("<p>… and {} more</p>\n", table.more));
    }
}

fn push(page: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    page.write_fmt(text).ok();
}

/// What may stand between tags and in attributes.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in shown(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_is_markup() {
        let hostile = "</td><script>alert('1')</script>\u{202e}\n\" onload=\"x&amp;";
        let report = Report {
            title: hostile.to_owned(),
            facts: vec![("Site", hostile.to_owned())],
            tables: vec![Table {
                title: hostile.to_owned(),
                columns: vec!["At"],
                rows: vec![vec![hostile.to_owned()]],
                more: 2,
            }],
            notes: vec![hostile.to_owned()],
        };
        let page = html(&report);
        assert!(!page.contains("<script") && !page.contains("onload=\"") && !page.contains('\u{202e}'));
        let shown =
            "&lt;/td&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;\\u202e\\u000a&quot; onload=&quot;x&amp;amp;";
        assert_eq!(page.matches(shown).count(), 6);
        assert!(page.contains("default-src 'none'; style-src 'sha256-") && page.contains("<p>… and 2 more</p>"));
    }
}
