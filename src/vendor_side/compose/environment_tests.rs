//! Environment files: values, mistakes, bounds, and what stands outside.

use super::*;

fn parse(text: &str) -> Result<Environment> {
    Environment::parse(Path::new("app.env"), text.as_bytes())
}

fn pairs(text: &str) -> Vec<(String, String)> {
    parse(text)
        .unwrap()
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn values_are_what_compose_takes_them_for() {
    for (text, value) in [
        ("A=b", "b"),
        ("A=b\n", "b"),
        ("A=b\r\n", "b"),
        ("  A = b  ", "b"),
        ("\u{feff}A=b", "b"),
        ("A: b", "b"),
        ("export A=b", "b"),
        ("export\tA=b", "b"),
        ("# note\n\n  # more\nA=b # rest", "b"),
        ("A=b#c", "b#c"),
        ("A=", ""),
        ("A=\nB=c", ""),
        ("A=b c", "b c"),
        ("A=b=c", "b=c"),
        ("A=first\nA=second", "second"),
        ("A='$B ${C} \\n # x' # y", "$B ${C} \\n # x"),
        ("A='it\\'s'", "it's"),
        ("A='one\ntwo'", "one\ntwo"),
        ("A=\"one\ntwo\" # x", "one\ntwo"),
        ("A=\"a\\nb\\tc\\\"d\\\\e\"", "a\nb\tc\"d\\e"),
        ("A=\"\\x \\$B \\0101 \\09\"", "\\x $B A \\09"),
        ("B=1\nA=\"<$B ${B:-x} ${C:-d}>\"", "<1 1 d>"),
        ("B=1\nA=$B/${B}/$$B/$C", "1/1/$B/"),
        ("A=$B\nB=1", ""),
        ("A='x' B='y'", "x"),
        ("A=\"\"", ""),
        ("A=b\nFOO\nBAR", "b"),
        ("A=b\nno name here", "b"),
    ] {
        assert_eq!(parse(text).unwrap().get("A"), Some(value), "{text}");
    }
    assert_eq!(pairs("1A=x\nB.C-D[0]=y"), [("B.C-D[0]".into(), "y".into())]);
    assert_eq!(pairs("A='x' B='y'").len(), 2);
    assert!(pairs("").is_empty() && pairs("FOO\nexport BAR\n# x").is_empty());
}

#[test]
fn mistakes_name_the_line_and_never_a_value() {
    for (text, line) in [
        ("A=1\n\nB=\"secret", 3),
        ("# x\nA B=secret", 2),
        ("A$=secret", 1),
        ("A=1\nexport ", 2),
        ("A=1\nB=secret${", 2),
        ("A=secret${X:?}", 1),
        ("A='one\ntwo'\nB='secret\n", 3),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Usage, "environment"), "{text}");
        let said = error.to_string();
        assert!(said.starts_with(&format!("app.env:{line}:1: ")), "{said}");
        assert!(!said.contains("secret"), "{said}");
    }
    assert!(Environment::parse(Path::new("x"), b"A=\xff").is_err());
    assert!(!format!("{:?}", parse("A=secret").unwrap()).contains("secret"));
}

#[test]
fn values_that_repeat_earlier_ones_are_bounded() {
    let mut text = format!("A0={}\n", "x".repeat(1000));
    for step in 1..40 {
        text += &format!("A{step}=$A{0}$A{0}\n", step - 1);
    }
    assert_eq!(parse(&text).unwrap_err().class(), Class::Limit);
}

#[test]
fn what_stands_outside_comes_first() {
    let outer = parse("B=outside").unwrap();
    let inner =
        Environment::parse_within(Path::new("x"), b"B=inside\nA=$B\nC", &outer, &Environment::default()).unwrap();
    assert_eq!(inner.get("A"), Some("outside"));
    let mut both = outer.clone();
    both.fill_from(inner);
    assert_eq!((both.get("B"), both.get("A")), (Some("outside"), Some("outside")));
}

#[test]
fn earlier_files_come_last() {
    let earlier = parse("A=1\nC=3").unwrap();
    let own = Environment::parse_within(Path::new("x"), b"A=2\nB=$A$C", &Environment::default(), &earlier).unwrap();
    assert_eq!(
        (own.get("A"), own.get("B"), own.get("C")),
        (Some("2"), Some("23"), None)
    );
}
