//! `Range` of a blob (RFC 9110 section 14): at most one range is honoured (threat model R06). Pure.

/// What a request wants of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Everything: there is no range, or one that is not understood.
    Whole,
    /// Bytes from the first up to and without the second.
    Part(u64, u64),
    /// 416.
    Unsatisfiable,
}

/// Reads the value of `Range` for a blob of `size` bytes.
pub(super) fn parse(value: &str, size: u64) -> Wanted {
    let Some((unit, range)) = value.split_once('=') else {
        return Wanted::Whole;
    };
    // Several ranges cost more than they give (RFC 9110 section 14.2); a server may ignore the field.
    if !unit.trim().eq_ignore_ascii_case("bytes") || range.contains(',') {
        return Wanted::Whole;
    }
    let Some((first, last)) = range.trim().split_once('-') else {
        return Wanted::Whole;
    };
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first > last => Wanted::Whole,
        (Some(first), _) if first >= size && (last.is_empty() || number(last).is_some()) => Wanted::Unsatisfiable,
        (Some(first), Some(last)) => Wanted::Part(first, last.saturating_add(1).min(size)),
        (Some(first), None) if last.is_empty() => Wanted::Part(first, size),
        (None, Some(suffix)) if first.is_empty() => {
            if suffix == 0 || size == 0 {
                Wanted::Unsatisfiable
            } else {
                Wanted::Part(size.saturating_sub(suffix), size)
            }
        }
        _ => Wanted::Whole,
    }
}

/// A number beyond every size stands for the largest one.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_honoured() {
        for (value, wanted) in [
            ("bytes=0-", Wanted::Part(0, 10)),
            ("bytes=3-", Wanted::Part(3, 10)),
            ("bytes=9-", Wanted::Part(9, 10)),
            ("bytes=0-0", Wanted::Part(0, 1)),
            ("bytes=2-5", Wanted::Part(2, 6)),
            ("bytes=2-99", Wanted::Part(2, 10)),
            ("bytes=2-18446744073709551615", Wanted::Part(2, 10)),
            ("bytes=2-18446744073709551616", Wanted::Part(2, 10)),
            ("bytes=-3", Wanted::Part(7, 10)),
            ("bytes=-99", Wanted::Part(0, 10)),
            ("BYTES=1-2", Wanted::Part(1, 3)),
            ("bytes=10-", Wanted::Unsatisfiable),
            ("bytes=10-12", Wanted::Unsatisfiable),
            ("bytes=18446744073709551616-", Wanted::Unsatisfiable),
            ("bytes=-0", Wanted::Unsatisfiable),
            ("bytes=5-2", Wanted::Whole),
            ("bytes=0-1,3-4", Wanted::Whole),
            ("bytes=", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("bytes=1-b", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("bytes=99-b", Wanted::Whole),
            ("items=0-1", Wanted::Whole),
            ("bytes", Wanted::Whole),
            ("", Wanted::Whole),
        ] {
            assert_eq!(parse(value, 10), wanted, "{value}");
        }
        assert_eq!(parse("bytes=0-", 0), Wanted::Unsatisfiable);
        assert_eq!(parse("bytes=-1", 0), Wanted::Unsatisfiable);
        let many = format!("bytes={}", vec!["0-1"; 1000].join(","));
        assert_eq!(parse(&many, 10), Wanted::Whole);
    }
}
