//! Values on the line behind their name, and in the element behind it: YAML, JSON, XML and SQL as programs write them.

/// Elements of XML that hold the value of a name in the element before.
pub(super) const HOLDS: [&str; 4] = ["value", "string", "param-value", "property-value"];

/// A name that is given a value on the next line, as one line: YAML, JSON and XML as programs write them.
pub(super) fn continued(line: &str, next: &str) -> Option<String> {
    let bare = |text: &'_ str| text.trim().trim_matches(['"', '\'']).to_owned();
    let (line, next) = (line.trim(), next.trim().trim_end_matches(','));
    // Variables of containers, and credentials that have a type.
    let whole = line.trim_start_matches("- ").trim_end_matches(',').split_once(':');
    if let (Some((key, name)), Some((word, value))) = (whole, next.split_once(':'))
        && matches!(bare(key).as_str(), "name" | "key" | "type")
        && bare(word) == "value"
    {
        return Some(format!("{}: {}", bare(name), value.trim()));
    }
    let block = ["|", "|-", "|+", ">", ">-", ">+"]
        .iter()
        .find_map(|mark| line.strip_suffix(mark))
        .map(str::trim_end);
    if let Some(head) = block.filter(|head| head.ends_with(':')) {
        return Some(format!("{head} {next}"));
    }
    // `<name>key</name>` and `<value>text</value>`.
    if let (Some((tag, name)), Some((holds, value))) = (element(line), element(next))
        && matches!(tag, "name" | "key" | "param-name" | "property-name")
        && HOLDS.contains(&holds)
        && line.ends_with(&format!("</{tag}>"))
    {
        return Some(format!("{name}: {value}"));
    }
    // A statement goes on where it has not ended.
    let last = line.rsplit(char::is_whitespace).next().unwrap_or_default();
    if (last.eq_ignore_ascii_case("password") || last.eq_ignore_ascii_case("by")) && next.starts_with(['\'', '"']) {
        return Some(format!("{line} {next}"));
    }
    let is_value = !next.contains(": ")
        && !next.contains("=>")
        && !next.ends_with([':', '{', '[', '>', '('])
        && !next.starts_with(['-', '{', '[', '<', '}', ']'])
        && (!next.contains(char::is_whitespace) || next.starts_with(['"', '\'']));
    if !is_value {
        return None;
    }
    if line.ends_with(':') {
        return Some(format!("{line} {next}"));
    }
    let element = line.strip_prefix('<')?.strip_suffix('>')?;
    let is_open = !element.starts_with('/') && !element.contains(['<', '>', ' ', '/']);
    is_open.then(|| format!("{element}: {next}"))
}

/// Tag and text of an element of XML with which a text begins.
pub(super) fn element(text: &str) -> Option<(&str, &str)> {
    let (tag, rest) = text.strip_prefix('<')?.split_once('>')?;
    let tag = tag.split_whitespace().next().unwrap_or_default();
    Some((tag, rest.split('<').next()?))
}
