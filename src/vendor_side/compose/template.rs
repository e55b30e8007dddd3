//! Variables in compose files and environment files: `$NAME`, `${NAME}` and its forms with defaults, alternatives and messages.
//!
//! ```text
//! ${A:-d} d when unset or empty    ${A-d} when unset      ${A:?m} ${A?m} refused with m instead
//! ${A:+r} r when set and not empty ${A+r} when set        $$      a dollar sign
//! ```
//!
//! What stands in place of d, m and r may hold variables again. A dollar sign before anything else stands for itself. A
//! reference ends on its line, at the brace that closes it; braces within count, except one that follows another at once.

/// Deepest nesting of defaults.
const DEPTH: usize = 32;
/// Most bytes that a text may grow to.
const LENGTH: usize = 1 << 20;

/// Why a text has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// A brace after a dollar sign that no reference follows.
    Invalid,
    /// A variable that must have a value.
    Required {
        /// Its name.
        name: String,
        /// What the author says about it, as written.
        message: String,
    },
    /// Defaults within defaults within defaults.
    Deep,
    /// With its variables replaced, a text is too long.
    Long,
}

/// What a reference becomes.
enum Form<'a> {
    /// `$NAME`, `${NAME}`.
    Bare,
    /// `-` and `:-`.
    Default { text: &'a str, empty_too: bool },
    /// `?` and `:?`.
    Required { text: &'a str, empty_too: bool },
    /// `+` and `:+`.
    Alternative { text: &'a str, empty_too: bool },
}

/// Finds values of variables, and notes what was asked for.
pub(super) trait Variables {
    /// Returns the value of a variable.
    fn value(&mut self, name: &str) -> Option<String>;

    /// Takes note that a reference without a default has no value: it becomes an empty text.
    fn missing(&mut self, name: &str);
}

/// Replaces every reference in a text.
///
/// # Errors
///
/// The first reference that has no value.
pub(super) fn expand(text: &str, variables: &mut dyn Variables) -> Result<String, Fault> {
    expand_at(text, variables, 0)
}

fn expand_at(text: &str, variables: &mut dyn Variables, depth: usize) -> Result<String, Fault> {
    if depth > DEPTH {
        return Err(Fault::Deep);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(braced) = after.strip_prefix('{') {
            let (name, form, after) = reference(braced).ok_or(Fault::Invalid)?;
            out.push_str(&replace(name, &form, variables, depth)?);
            rest = after;
        } else {
            let name = name_of(after);
            if name.is_empty() {
                out.push('$');
            } else {
                out.push_str(&replace(name, &Form::Bare, variables, depth)?);
            }
            rest = after.get(name.len()..).unwrap_or_default();
        }
        if out.len() > LENGTH {
            return Err(Fault::Long);
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// Returns every reference in braces as it is written, without `${`: what a value put into it could end.
pub(super) fn references(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let (_, after) = rest.split_once('$')?;
            rest = after.strip_prefix('$').unwrap_or(after);
            if rest.len() < after.len() {
                continue;
            }
            if let Some(braced) = after.strip_prefix('{') {
                let behind = reference(braced).map_or("", |(_, _, behind)| behind);
                rest = behind;
                return braced.get(..braced.len().saturating_sub(behind.len()));
            }
        }
    })
}

/// Reads what follows `${`: name, form, and the text after the closing brace.
fn reference(text: &str) -> Option<(&str, Form<'_>, &str)> {
    let name = name_of(text);
    if name.is_empty() {
        return None;
    }
    let tail = text.get(name.len()..)?;
    if let Some(after) = tail.strip_prefix('}') {
        return Some((name, Form::Bare, after));
    }
    let (empty_too, operation) = match tail.strip_prefix(':') {
        Some(operation) => (true, operation),
        None => (false, tail),
    };
    let body = operation.strip_prefix(['-', '?', '+'])?;
    let line = body.split('\n').next().unwrap_or_default();
    // The brace that closes, or the last one of the line where they do not pair up.
    let begin = text.len().checked_sub(body.len())?;
    let end = closing_brace(text.get(..begin.checked_add(line.len())?)?)
        .and_then(|end| end.checked_sub(begin))
        .or_else(|| line.rfind('}'))?;
    let inner = line.get(..end)?;
    let form = match operation.bytes().next()? {
        b'-' => Form::Default { text: inner, empty_too },
        b'?' => Form::Required { text: inner, empty_too },
        _ => Form::Alternative { text: inner, empty_too },
    };
    Some((name, form, body.get(end.checked_add(1)?..)?))
}

/// Returns where the brace opened before `text` is closed. What follows an opening brace at once is not looked at.
fn closing_brace(text: &str) -> Option<usize> {
    let mut open = 1_usize;
    let mut skip = true;
    for (at, byte) in text.bytes().enumerate() {
        if std::mem::take(&mut skip) {
            continue;
        }
        match byte {
            b'}' => {
                open = open.saturating_sub(1);
                if open == 0 {
                    return Some(at);
                }
            }
            b'{' => {
                open = open.saturating_add(1);
                skip = true;
            }
            _ => {}
        }
    }
    None
}

fn replace(name: &str, form: &Form<'_>, variables: &mut dyn Variables, depth: usize) -> Result<String, Fault> {
    let found = variables.value(name);
    let fits = |empty_too: bool| found.as_ref().filter(|value| !(empty_too && value.is_empty())).cloned();
    let deeper = depth.saturating_add(1);
    match *form {
        Form::Bare => {
            if found.is_none() {
                variables.missing(name);
            }
            Ok(found.unwrap_or_default())
        }
        Form::Default { text, empty_too } => match fits(empty_too) {
            Some(value) => Ok(value),
            None => expand_at(text, variables, deeper),
        },
        Form::Required { text, empty_too } => fits(empty_too).ok_or_else(|| Fault::Required {
            name: name.to_owned(),
            message: text.to_owned(),
        }),
        Form::Alternative { text, empty_too } => match fits(empty_too) {
            Some(_) => expand_at(text, variables, deeper),
            None => Ok(String::new()),
        },
    }
}

/// Returns the name that a text begins with: letters, digits and `_`, no digit first.
fn name_of(text: &str) -> &str {
    let fits =
        |(at, byte): (usize, u8)| byte.is_ascii_alphabetic() || byte == b'_' || (at > 0 && byte.is_ascii_digit());
    let length = text
        .bytes()
        .enumerate()
        .position(|place| !fits(place))
        .unwrap_or(text.len());
    text.get(..length).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Table {
        missing: Vec<String>,
    }

    impl Variables for Table {
        fn value(&mut self, name: &str) -> Option<String> {
            match name {
                "A" => Some("a".into()),
                "b_1" => Some("$A".into()),
                "EMPTY" => Some(String::new()),
                _ => None,
            }
        }

        fn missing(&mut self, name: &str) {
            self.missing.push(name.into());
        }
    }

    fn required(name: &str, message: &str) -> Result<&'static str, Fault> {
        Err(Fault::Required {
            name: name.into(),
            message: message.into(),
        })
    }

    #[test]
    fn every_form() {
        for (text, meant) in [
            ("", Ok("")),
            ("plain", Ok("plain")),
            ("$A-$A", Ok("a-a")),
            ("${A}b", Ok("ab")),
            ("$b_1", Ok("$A")),
            ("${b_1}", Ok("$A")),
            ("$$A $${A}", Ok("$A ${A}")),
            ("$$$A", Ok("$a")),
            ("5$ $1 $- $", Ok("5$ $1 $- $")),
            ("<$NONE>", Ok("<>")),
            ("<${NONE}>", Ok("<>")),
            ("${A:-d}${EMPTY:-d}${NONE:-d}", Ok("add")),
            ("${A-d}${EMPTY-d}${NONE-d}", Ok("ad")),
            ("${A:+r}${EMPTY:+r}${NONE:+r}", Ok("r")),
            ("${A+r}${EMPTY+r}${NONE+r}", Ok("rr")),
            ("${A:?m}${A?m}${EMPTY?m}", Ok("aa")),
            ("${EMPTY:?say why}", required("EMPTY", "say why")),
            ("${NONE:?}", required("NONE", "")),
            ("${NONE?x ${A}}", required("NONE", "x ${A}")),
            ("${NONE:-${NONE:-${A}}}", Ok("a")),
            ("${NONE:-${NONE-x}}/${A:-y}", Ok("x/a")),
            ("${NONE:-$A:$$}", Ok("a:$")),
            ("${NONE:-a:-b}", Ok("a:-b")),
            ("${NONE:-a-b?c+d}", Ok("a-b?c+d")),
            ("${NONE:-{\"k\": \"v\"}}", Ok("{\"k\": \"v\"}")),
            ("${NONE:-{}}", Ok("{}")),
            ("${NONE-}", Ok("")),
            ("${A:-d}\n${NONE:-e}", Ok("a\ne")),
            ("${NONE:-multi\nline}", Err(Fault::Invalid)),
            ("${", Err(Fault::Invalid)),
            ("${}", Err(Fault::Invalid)),
            ("${A", Err(Fault::Invalid)),
            ("${A:-", Err(Fault::Invalid)),
            ("${1}", Err(Fault::Invalid)),
            ("${A!x}", Err(Fault::Invalid)),
            ("${A:x}", Err(Fault::Invalid)),
            ("${ä}", Err(Fault::Invalid)),
            ("ä$ä", Ok("ä$ä")),
        ] {
            assert_eq!(expand(text, &mut Table::default()), meant.map(str::to_owned), "{text}");
        }
    }

    #[test]
    fn what_is_unset_is_noted_unless_it_has_a_default() {
        let mut table = Table::default();
        expand("$X ${Y} ${Z:-d} ${Q:+r} ${P-$O}", &mut table).unwrap();
        assert_eq!(table.missing, ["X", "Y", "O"]);
    }

    #[test]
    fn nesting_and_length_are_bounded() {
        let deep = "${N:-".repeat(10_000) + &"}".repeat(10_000);
        assert_eq!(expand(&deep, &mut Table::default()), Err(Fault::Deep));
        let grown = format!("${{A:+{}}}", "x".repeat(1000)).repeat(2_000);
        assert_eq!(expand(&grown, &mut Table::default()), Err(Fault::Long));
        let long = "${N:-x}".repeat(20_000);
        assert_eq!(expand(&long, &mut Table::default()), Ok("x".repeat(20_000)));
    }
}
