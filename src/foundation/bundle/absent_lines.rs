//! What was left out of the indexes of a release, from the pages of its index as they are kept: nothing else of them is read.

use super::index::Absent;
use super::index_lines::AbsentLine;
use crate::crypto::canonical;
use crate::domain::Result;

/// Says of a page what is left out by its lines; nothing where lines of another kind come behind those, in this page or an earlier one.
///
/// `take` is given each. The page is one whose hash was compared.
///
/// # Errors
///
/// `E-FORMAT`.
pub fn absent_lines(page: &[u8], take: &mut dyn FnMut(Absent)) -> Result<bool> {
    for line in page.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        if !is_of(line, "absent") {
            if is_of(line, "tag") {
                continue;
            }
            return Ok(false);
        }
        let AbsentLine { digest, platform, .. } = canonical::from_sorted_slice(line, "an index line")?;
        take(Absent { digest, platform });
    }
    Ok(true)
}

/// Whether a canonical line is of a kind: no text in it may hold an unescaped quote.
fn is_of(line: &[u8], kind: &str) -> bool {
    let member = format!("\"kind\":\"{kind}\"");
    line.windows(member.len()).any(|window| window == member.as_bytes())
}
