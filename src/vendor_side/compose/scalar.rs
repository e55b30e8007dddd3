//! What a plain YAML scalar is: as compose's own reader takes it, so that a rewritten document says the same.
//!
//! `yes`, `no`, `on`, `off` and `22:22` are texts there, `0440` and `0o440` are the number 288, `1_000` is 1000. A date without
//! quotes becomes a time stamp, which compose writes as another text where it takes it at all; it is refused.

use super::node::{Text, Value};

/// Reads a plain scalar.
///
/// # Errors
///
/// What it is and may not be.
pub(super) fn resolve(text: &str) -> Result<Value, &'static str> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf"
        | "-.INF" => return Err("this is no number that compose takes"),
        "-0" | "-0.0" => return Ok(Value::Float("-0.0".to_owned())),
        _ => {}
    }
    let numeric = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    if !numeric {
        return Ok(self::text(text));
    }
    if is_time(text) {
        return Err("a date without quotes is a time stamp, of which compose makes another text, or none");
    }
    let digits = if text.starts_with('.') {
        text.to_owned()
    } else {
        text.replace('_', "")
    };
    if !text.starts_with('.')
        && let Some(number) = integer(&digits)
    {
        return Ok(Value::Integer(number));
    }
    if is_float(&digits)
        && let Ok(number) = digits.parse::<f64>()
        && number.is_finite()
    {
        return Ok(Value::Float(if is_common_float(&digits) {
            digits
        } else {
            format!("{number:?}")
        }));
    }
    Ok(self::text(text))
}

/// Makes a text.
pub(super) fn text(text: &str) -> Value {
    Value::Text(Text {
        raw: text.to_owned(),
        value: text.to_owned(),
    })
}

/// Reads a whole number with an optional sign and base (`0x`, `0o`, `0b`, or a leading zero for octal), as decimal digits.
fn integer(text: &str) -> Option<String> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = if let Some(rest) = lower.strip_prefix("0x") {
        (16, rest)
    } else if let Some(rest) = lower.strip_prefix("0o") {
        (8, rest)
    } else if let Some(rest) = lower.strip_prefix("0b") {
        (2, rest)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, lower.get(1..)?)
    } else {
        (10, lower.as_str())
    };
    // The parser of the standard library takes a second sign.
    if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_alphanumeric()) {
        return None;
    }
    let number = u64::from_str_radix(digits, base).ok()?;
    match (negative, number) {
        (false, _) => Some(number.to_string()),
        (true, 0) => Some("0".to_owned()),
        (true, _) => (number <= i64::MIN.unsigned_abs()).then(|| format!("-{number}")),
    }
}

/// Whether a text is `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`.
fn is_float(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |text: &str| text.bytes().all(|c| c.is_ascii_digit());
    let exponent_fits = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    let mantissa_fits = match mantissa.split_once('.') {
        Some(("", fraction)) => !fraction.is_empty() && digits(fraction),
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => !mantissa.is_empty() && digits(mantissa),
    };
    exponent_fits && mantissa_fits
}

/// Whether every reader takes a float for the same number: digits, a point, digits.
fn is_common_float(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    text.split_once('.').is_some_and(|(whole, fraction)| {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
        digits(whole) && digits(fraction) && (whole == "0" || !whole.starts_with('0'))
    })
}

/// Whether a text is a date, alone or with a time: four digits, a dash, one or two digits, a dash, one or two digits.
fn is_time(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let number = |part: Option<&str>, shortest: usize, longest: usize| {
        part.is_some_and(|part| (shortest..=longest).contains(&part.len()) && part.bytes().all(|c| c.is_ascii_digit()))
    };
    if !number(parts.next(), 4, 4) || !number(parts.next(), 1, 2) {
        return false;
    }
    let Some(rest) = parts.next() else { return false };
    let day = rest.bytes().take_while(u8::is_ascii_digit).count();
    let time = rest.get(day..).unwrap_or_default();
    (1..=2).contains(&day)
        && (time.is_empty()
            || time.strip_prefix(['T', 't', ' ']).is_some_and(|time| {
                time.contains(':') && time.chars().all(|c| c.is_ascii_digit() || ":.Z+-".contains(c))
            }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        match resolve(text) {
            Ok(Value::Null) => "null".into(),
            Ok(Value::Bool(yes)) => format!("bool {yes}"),
            Ok(Value::Integer(digits)) => format!("int {digits}"),
            Ok(Value::Float(digits)) => format!("float {digits}"),
            Ok(Value::Text(text)) => format!("text {}", text.raw),
            Ok(_) => "other".into(),
            Err(_) => "refused".into(),
        }
    }

    #[test]
    fn plain_scalars_are_what_compose_takes_them_for() {
        for (text, meant) in [
            ("", "null"),
            ("~", "null"),
            ("null", "null"),
            ("nUll", "text nUll"),
            ("true", "bool true"),
            ("FALSE", "bool false"),
            ("yes", "text yes"),
            ("No", "text No"),
            ("on", "text on"),
            ("y", "text y"),
            ("8080", "int 8080"),
            ("+5", "int 5"),
            ("-5", "int -5"),
            ("0440", "int 288"),
            ("0o440", "int 288"),
            ("0x1F", "int 31"),
            ("0b11", "int 3"),
            ("1_000", "int 1000"),
            ("18446744073709551615", "int 18446744073709551615"),
            ("18446744073709551616", "float 1.8446744073709552e19"),
            ("-9223372036854775808", "int -9223372036854775808"),
            ("08", "float 8.0"),
            ("+-5", "text +-5"),
            ("--5", "text --5"),
            ("0x", "text 0x"),
            ("0xg", "text 0xg"),
            ("-", "text -"),
            ("1.10", "float 1.10"),
            ("1.", "float 1.0"),
            (".5", "float 0.5"),
            ("1e3", "float 1000.0"),
            ("1e", "text 1e"),
            ("1.2.3", "text 1.2.3"),
            ("22:22", "text 22:22"),
            ("1:30:00", "text 1:30:00"),
            ("10.0.0.1", "text 10.0.0.1"),
            ("5m", "text 5m"),
            (".", "text ."),
            ("./data", "text ./data"),
            ("2001-01-01", "refused"),
            ("2001-1-1 10:00:00", "refused"),
            ("2001-01-01T10:00:00Z", "refused"),
            ("2001-01-01-rc", "text 2001-01-01-rc"),
            ("2001-01", "text 2001-01"),
            (".inf", "refused"),
        ] {
            assert_eq!(said(text), meant, "{text}");
        }
    }
}
