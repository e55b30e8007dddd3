//! Command lines in one text: whether compose can split them into words.

/// Whether every quote, backtick and parenthesis of a command is closed. What follows `; & | < >` outside quotes is not looked at.
pub(super) fn splits(line: &str) -> bool {
    let (mut escaped, mut double, mut single, mut back, mut dollar) = (false, false, false, false, false);
    // The last two characters of the word so far.
    let mut before = [None, None];
    for c in line.chars() {
        let open = double || single || back || dollar;
        if std::mem::take(&mut escaped) {
            before = [before[1], Some(c)];
            continue;
        }
        match c {
            '\\' if !single => {
                escaped = true;
                continue;
            }
            ' ' | '\t' | '\r' | '\n' if !open => {
                before = [None, None];
                continue;
            }
            '`' if !single && !double && !dollar => back = !back,
            ')' if !single && !double && !back => {
                if !dollar {
                    return false;
                }
                dollar = false;
            }
            '(' if !single && !double && !back => {
                if dollar || before[1] != Some('$') || before[0] == Some('\\') {
                    return false;
                }
                dollar = true;
            }
            '"' if !single && !dollar && !back => {
                double = !double;
                continue;
            }
            '\'' if !double && !dollar && !back => {
                single = !single;
                continue;
            }
            ';' | '&' | '|' | '<' | '>' if !open => return true,
            _ => {}
        }
        before = [before[1], Some(c)];
    }
    !(escaped || double || single || back || dollar)
}

#[cfg(test)]
mod tests {
    use super::splits;

    #[test]
    fn commands_are_split_or_not() {
        for line in [
            "",
            "serve --port 80",
            "sh -c \"echo 'a b'\"",
            "echo $(date)",
            "echo `date`",
            "a; b 'c",
            "a \\'b",
            "\"(\"",
        ] {
            assert!(splits(line), "{line}");
        }
        for line in ["sh -c \"x", "it's", "a (b)", "a )", "a $(b", "a \\", "a `b", "$(a (b))"] {
            assert!(!splits(line), "{line}");
        }
    }
}
