//! Forms of single texts: durations, sizes, ports, commands and what else compose reads out of a text.

use std::net::IpAddr;

use super::super::port;
use super::super::volume::Volume;
use super::command::splits;

/// What a text may be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    /// Anything.
    Any,
    /// One of these words.
    Word(&'static [&'static str]),
    /// `true`, `false`, and the words that YAML 1.1 has for them.
    Flag,
    /// A whole number, from the first to the last of two.
    Whole(i64, i64),
    /// A number.
    Number,
    /// A time: numbers with units.
    Duration,
    /// Bytes, with a unit or without.
    Size,
    /// An octal mode of a file.
    Mode,
    /// A command line.
    Command,
    /// A port in the short syntax.
    Port,
    /// A mount in the short syntax.
    Volume,
    /// A device in the short syntax.
    Device,
    /// A host with its address: `host=address` or `host:address`.
    Host,
    /// A variable: `NAME=value` or `NAME`.
    Variable,
    /// A name with what it stands for: `NAME=CONTEXT`.
    Pair,
    /// An address of the internet protocol.
    Address,
    /// The name of a container.
    Container,
    /// When an image is pulled.
    PullPolicy,
    /// `all` or a number.
    Count,
    /// A published port, or a range of them.
    Published,
    /// A port that others of the network see, or a range, with its protocol perhaps.
    Exposed,
    /// A hardware address.
    Mac,
    /// When a container is started again.
    Restart,
}

impl Form {
    /// Whether a text is of this form.
    pub(super) fn fits(self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Word(words) => words.contains(&text),
            Self::Flag => {
                let lower = text.to_lowercase();
                ["true", "false", "y", "yes", "on", "n", "no", "off"].contains(&lower.as_str())
            }
            Self::Whole(least, most) => text
                .parse::<i64>()
                .is_ok_and(|number| (least..=most).contains(&number)),
            Self::Number => text.parse::<f64>().is_ok(),
            Self::Duration => nanoseconds(text).is_some(),
            Self::Size => size(text).is_some(),
            Self::Mode => i64::from_str_radix(text, 8).is_ok(),
            Self::Command => splits(text),
            Self::Port => port::is_short(text),
            Self::Volume => Volume::parse(text).is_some(),
            Self::Device => text.split(':').count() <= 3,
            Self::Host => text
                .split_once('=')
                .or_else(|| text.split_once(':'))
                .is_some_and(|(host, address)| {
                    let bare = address.strip_prefix('[').and_then(|address| address.strip_suffix(']'));
                    let is_address = address == "host-gateway" || bare.unwrap_or(address).parse::<IpAddr>().is_ok();
                    !host.is_empty() && !host.contains([':', '=']) && is_address
                }),
            Self::Variable => !text
                .split('=')
                .next()
                .unwrap_or_default()
                .ends_with(|c: char| c.is_whitespace()),
            Self::Pair => text.contains('='),
            Self::Address => text.parse::<IpAddr>().is_ok(),
            Self::Container => text
                .as_bytes()
                .windows(2)
                .any(|pair| matches!(pair, [first, second] if first.is_ascii_alphanumeric() && (second.is_ascii_alphanumeric() || b"_.-".contains(second)))),
            Self::PullPolicy => is_pull_policy(text),
            Self::Published => text.is_empty() || port::is_range(text),
            Self::Exposed => {
                let (range, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
                port::is_range(range) && port::is_protocol(protocol)
            }
            Self::Mac => is_mac(text),
            Self::Restart => {
                let times = text.strip_prefix("on-failure:");
                ["", "no", "none", "always", "any", "unless-stopped", "on-failure"].contains(&text)
                    || times.is_some_and(|times| times.parse::<u32>().is_ok())
            }
            Self::Count => text.eq_ignore_ascii_case("all") || text.parse::<i64>().is_ok(),
        }
    }

    /// Says what is expected, for messages.
    pub(super) fn expected(self) -> String {
        match self {
            Self::Any => "a text",
            Self::Word(words) => return words.join(", "),
            Self::Flag => "true or false",
            Self::Whole(i64::MIN, i64::MAX) => "a whole number",
            Self::Whole(least, i64::MAX) => return format!("a whole number, {least} or more"),
            Self::Whole(least, most) => return format!("a whole number from {least} to {most}"),
            Self::Number => "a number",
            Self::Duration => "a time with its unit, such as 30s, 1m30s or 2h",
            Self::Size => "a number of bytes, or one with a unit, such as 512m or 2gb",
            Self::Mode => "an octal mode, such as 0440",
            Self::Command => "a command whose quotes and parentheses are closed",
            Self::Port => "[[ADDRESS:]HOST-PORT:]PORT[/PROTOCOL], PORT from 1 to 65535, HOST-PORT from 0, or ranges of as many, the protocol tcp, udp or sctp",
            Self::Volume => "[SOURCE:]TARGET[:OPTIONS]",
            Self::Device => "SOURCE[:TARGET[:PERMISSIONS]]",
            Self::Host => "NAME=ADDRESS, the address such as 127.0.0.1 or ::1, or host-gateway",
            Self::Variable => "NAME=VALUE, without a space before the equals sign",
            Self::Pair => "NAME=CONTEXT",
            Self::Address => "an address such as 127.0.0.1 or ::1",
            Self::Container => "two letters or digits at least, and _ . -",
            Self::PullPolicy => "always, missing, never, daily, weekly, or every_ and a time",
            Self::Count => "all, or a number",
            Self::Published => "a port from 0 to 65535, or a range of them",
            Self::Exposed => "a port from 0 to 65535 or a range of them, with /tcp, /udp or /sctp perhaps",
            Self::Mac => "a hardware address, such as 02:42:ac:11:00:02",
            Self::Restart => "no, always, unless-stopped, on-failure or on-failure:3",
        }
        .to_owned()
    }

    /// Whether a wrong text is shown: long ones may hold what nobody else should read.
    pub(super) fn is_short(self) -> bool {
        !matches!(self, Self::Any | Self::Command | Self::Variable)
    }
}

/// Returns the time that a text stands for: a sign, then numbers with a fraction perhaps, each with its unit, in 63 bits of nanoseconds.
pub(in super::super) fn nanoseconds(text: &str) -> Option<f64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0.0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0_f64;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, after) = rest.split_at_checked(digits).unwrap_or((rest, ""));
        let unit = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(unit).unwrap_or((after, ""));
        let nanoseconds = match unit {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            "d" => 86_400e9,
            "w" => 604_800e9,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * nanoseconds;
        rest = after;
    }
    (total < 9.223_372_036_854_775e18).then_some(sign * total)
}

/// Returns the bytes that a text stands for: a whole number, or a number, perhaps a space, and a unit that may end in `b` or `ib`.
pub(in super::super) fn size(text: &str) -> Option<f64> {
    if let Ok(whole) = text.parse::<i64>() {
        return whole.to_string().parse().ok();
    }
    let last = text.rfind(|c: char| c.is_ascii_digit() || c == '.' || c == ' ')?;
    let number = text.get(..=last).unwrap_or_default();
    let number = number.strip_suffix(' ').unwrap_or(number);
    let unit = text
        .get(last.saturating_add(1)..)
        .unwrap_or_default()
        .to_ascii_lowercase();
    let number = number.parse::<f64>().ok().filter(|number| *number >= 0.0)?;
    let factor = match unit.as_bytes() {
        [] | [b'b'] => 1.0,
        [prefix] | [prefix, b'b'] | [prefix, b'i', b'b'] => {
            let power = b"kmgtp".iter().position(|known| known == prefix)?;
            1024_f64.powi(i32::try_from(power).ok()?.saturating_add(1))
        }
        _ => return None,
    };
    Some((number * factor).trunc())
}

/// Whether a text is a hardware address of 6 or 8 bytes: pairs of digits after one another, or fours with points between them.
fn is_mac(text: &str) -> bool {
    let parts = |separator: char, length: usize| {
        let parts: Vec<&str> = text.split(separator).collect();
        parts
            .iter()
            .all(|part| part.len() == length && part.bytes().all(|c| c.is_ascii_hexdigit()))
            .then_some(parts.len().saturating_mul(length) / 2)
    };
    text.is_empty()
        || [parts(':', 2), parts('-', 2), parts('.', 4)]
            .iter()
            .flatten()
            .any(|bytes| matches!(bytes, 6 | 8))
}

/// Whether a text has a word of when to pull in it; compose looks no further.
fn is_pull_policy(text: &str) -> bool {
    const WORDS: [&str; 8] = [
        "always",
        "never",
        "build",
        "if_not_present",
        "missing",
        "refresh",
        "daily",
        "weekly",
    ];
    let every = |rest: &str| {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(0);
        digits > 0
            && rest
                .get(digits..)
                .is_some_and(|unit| unit.starts_with(['w', 'd', 'h', 'm', 's']))
    };
    WORDS.iter().any(|word| text.contains(word))
        || text
            .match_indices("every_")
            .any(|(at, word)| text.get(at.saturating_add(word.len())..).is_some_and(every))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(form: Form, good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(form.fits(text), "{form:?} {text}");
        }
        for text in bad {
            assert!(!form.fits(text), "{form:?} {text}");
        }
    }

    #[test]
    fn every_form_as_compose_reads_it() {
        check(Form::Flag, &["true", "No", "y", "OFF"], &["", "maybe", "1", "yes!"]);
        check(
            Form::Whole(i64::MIN, i64::MAX),
            &["5", "-5", "+5"],
            &["", "5.0", "0x5", "5 "],
        );
        check(
            Form::Duration,
            &["0", "30s", "1m30s", "1.5h", "-2s", "2w", "1d", "5ms", "10us", ".5s"],
            &["", "10", "soon", "s", "-", "5 s", "1e3s", "400000w", "1.s.", "1.2.3s"],
        );
        check(
            Form::Size,
            &["0", "-1", "64", "64m", "64MB", "1.5GiB", "5 k", "2tb", "1b"],
            &["", "lots", "5mm", "-5m", "5kbb", "m", "1 kilo", "5x"],
        );
        check(Form::Mode, &["0440", "777"], &["0o440", "9", "rw"]);
        check(Form::Host, &["a:1.2.3.4", "a=::1", "a:::1"], &["a", "=1", ":1"]);
        check(Form::Variable, &["A=b ", "A", "=x", ""], &["A =b", "A "]);
        check(Form::Device, &["/dev/a", "/dev/a:/dev/b:rwm"], &["a:b:c:d"]);
        check(Form::Container, &["ab", "-ab", "a."], &["", "a", "-", "é"]);
        check(
            Form::PullPolicy,
            &["always", "every_5m", "every_1w2d", "if_not_present"],
            &["", "sometimes", "every_", "every_m", "every_5x"],
        );
        check(
            Form::Host,
            &["a=1.2.3.4", "a:::1", "a=[::1]", "host.docker.internal:host-gateway"],
            &["foo:bar", "a=", "=1.2.3.4", "a"],
        );
        check(Form::Address, &["127.0.0.1", "::1"], &["localhost", "1.2.3"]);
        check(Form::Count, &["all", "ALL", "2"], &["", "some"]);
        check(Form::Published, &["", "80", "80-90"], &["web", "90-80", "70000"]);
        check(Form::Exposed, &["80", "80-90/udp"], &["web", "80/icmp", ""]);
        check(
            Form::Mac,
            &["02:42:ac:11:00:02", "0242.ac11.0002", ""],
            &["xx", "02:42", "02:42:ac:11:00:0g"],
        );
        check(
            Form::Restart,
            &["no", "on-failure:3", "unless-stopped"],
            &["sometimes", "on-failure:x", "always:3"],
        );
        check(Form::Volume, &["/a", "a:/b:ro,z"], &["", "aa:/b:ro:x", ":/b"]);
    }
}
