//! What is taken out, what stays, and how long a hostile text takes.

use std::sync::LazyLock;
use std::time::Instant;

use proptest::prelude::*;

use super::*;

static REDACTOR: LazyLock<Redactor> = LazyLock::new(|| {
    let own = ["gate.plant-seven.example", "Süd-3", "localhost", ""].map(str::to_owned);
    Redactor::new(&["ORDER-[0-9]+".to_owned()], &own).unwrap()
});

fn redacted(text: &str) -> String {
    REDACTOR.text(text).as_str().to_owned()
}

#[test]
fn what_looks_like_an_address_a_login_or_a_key_is_taken_out() {
    const SECRET: &str = "0123456789abcdef0123456789ABCDEF";
    for (text, kept) in [
        // Addresses.
        ("dial tcp 10.0.0.17:5432: refused", r"dial tcp \..:5432: refused"),
        ("from 010.001.000.255.", r"from \..."),
        ("listen [fe80::1]:80", r"listen [\..]:80"),
        ("addr:2001:db8::17: no route", r"addr:\..: no route"),
        ("src=::1 dst=::ffff:10.1.2.3/128", r"src=\.. dst=\../128"),
        ("2001:0db8:0000:0000:0000:ff00:0042:8329", r"\.."),
        ("at fe80::1%eth0,", r"at \..%eth0,"),
        ("mac 52:54:00:AB:cd:ef up", r"mac \.. up"),
        ("mac 52-54-00-ab-cd-ef, 5254.00ab.cdef", r"mac \.., \.."),
        // People.
        ("sent to Erika.Muster+x@plant.example.", r"sent to \..."),
        ("jürgen.müller@süd.example", r"\.."),
        ("ssh root@gateway failed", r"ssh \.. failed"),
        ("postgres://app:p%40ss@db/erp", r"postgres://\../erp"),
        ("https://user:a@b@host:1/x?y=@z", r"https://\..:1/x?y=@z"),
        // Logins and keys.
        ("Authorization: Bearer abc.DEF~1/2+3== ok", r"Authorization: \.. ok"),
        (
            r#"{"authorization":"bAsIc dXNlcjpwYXNz"}"#,
            r#"{"authorization":"\.."}"#,
        ),
        ("bearer: tok", r"\.."),
        ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln-_ end", r"jwt \.. end"),
        ("key AGE-SECRET-KEY-1QQQQQQQQ.", r"key \..."),
        (
            "a\n-----BEGIN PRIVATE KEY-----\nMC4C\n-----END PRIVATE KEY-----\nb",
            r"a\0a\..\0ab",
        ),
        (
            "x -----BEGIN RSA PRIVATE KEY-----\\nMII\\n-----END RSA PRIVATE KEY----- y -----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl",
            r"x \.. y \..",
        ),
        ("MC4CAQ==\n-----END PGP PRIVATE KEY BLOCK----- c", r"\.. c"),
        // Secrets of targets.
        (SECRET, r"\.."),
        (&format!("targetSecret={SECRET}&x"), r"targetSecret=\..&x"),
        (&format!("s%3D{SECRET}\\u003d{SECRET}"), r"s%3D\..\5cu003d\.."),
        // The site's own.
        ("see ORDER-4711 at GATE.plant-seven.EXAMPLE now", r"see \.. at \.. now"),
        ("süd-3 is down", r"\.. is down"),
    ] {
        assert_eq!(redacted(text), kept, "{text:?}");
    }
}

#[test]
fn what_says_nothing_of_the_site_stays() {
    for text in [
        "",
        "pulled app@sha256:ff00 in 12:34:56.789, std::fmt::Result",
        "lodash@4.17.21 of 1.2.3, 99.9%, 0x7f",
        "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "0123456789abcdef0123456789abcde",
        "58d6c1f2-0000-4000-8000-0123456789ab",
        "see https://localhost/path@2 and z::",
        "-----BEGIN CERTIFICATE-----",
        "PRIVATE KEY",
        "a süd-35 and basics",
        "Überlauf: 5 × 3",
    ] {
        assert_eq!(redacted(text), Quoted::text(text).as_str(), "{text:?}");
    }
}

#[test]
fn patterns_that_cannot_be_used_are_refused() {
    for (pattern, part) in [
        ("", "has 0 bytes"),
        ("(", "unclosed group"),
        ("(?=x)", "look-around"),
        (r"(a)\1", "backreferences"),
        ("(?:\\pL{100}){100}", "size"),
        (&"a".repeat(PATTERN_BYTES + 1), "1025 bytes"),
    ] {
        let error = Redactor::new(&["ok".to_owned(), pattern.to_owned()], &[]).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Usage, "config"), "{pattern}");
        assert!(error.to_string().contains(part), "{error}");
    }
    let many = vec!["a".to_owned(); PATTERNS + 1];
    assert!(Redactor::new(&many, &[]).is_err());
    Redactor::new(&many[1..], &[]).unwrap();
}

#[test]
fn long_stretches_and_many_are_taken_out_to_their_end() {
    let of = |pattern: &str| Redactor::new(&[pattern.to_owned()], &[]).unwrap();
    let long = format!("a pass={}\nb", "x".repeat(3 * AHEAD));
    assert_eq!(of("pass=.*").text(&long).as_str(), r"a \..\0ab");
    // One that begins late in what was looked at.
    let late = format!("{}START{}END z", " ".repeat(AHEAD - 8), " ".repeat(AHEAD / 4));
    assert_eq!(of("START *END").text(&late).as_str().trim_start(), r"\.. z");
    let many = "é q".repeat(STRETCHES + 2);
    let quoted = of("q").text(&many);
    assert_eq!(quoted.as_str(), "é \\..".repeat(STRETCHES));
    // A pattern that finds nothing at most places ends all the same.
    assert_eq!(of("q*").text("aqq").as_str(), r"a\..");
}

/// Redacts the largest text that can be, made of one piece.
fn is_bounded(redactor: &Redactor, piece: &str) {
    const BYTES: usize = 256 << 10;
    let text = piece.repeat(BYTES / piece.len());
    let started = Instant::now();
    let quoted = redactor.text(&text);
    let taken = started.elapsed();
    assert!(quoted.check(BYTES).is_ok());
    assert!(taken.as_secs() < 10, "{piece:?}: {taken:?}");
}

#[test]
fn hostile_texts_take_bounded_time() {
    let redactor = Redactor::new(&[], &["gate".into()]).unwrap();
    for piece in [
        "A",
        ":",
        "a:",
        "1.",
        "::1",
        "@",
        "a@",
        "a@b.",
        "://",
        "://a",
        "eyJ",
        "eyJaaaaaaaaa.",
        "basic ",
        "-----BEGIN ",
        "-----END PRIVATE KEY",
        "-----BEGIN PRIVATE KEY",
        "0123456789abcdef",
        "52:",
        "é",
        "%",
        "gate",
    ] {
        is_bounded(&redactor, piece);
    }
}

#[test]
fn clumsy_patterns_take_bounded_time() {
    // Each looks through what is left for every stretch, or keeps many places in mind.
    let clumsy = [".*[^A-Z]|[A-Z]", "(?s).*x|.", "(?:[a-z]*a)+[a-z]{60}x", r"(?:\w+\s?)*#"];
    let redactor = Redactor::new(&clumsy.map(str::to_owned), &[]).unwrap();
    for piece in ["A", "a", "é "] {
        is_bounded(&redactor, piece);
    }
}

proptest! {
    #[test]
    fn whatever_stays_stands_in_the_text_in_this_order(text in "[ -~é\n]{0,60}|[0-9a-f:.@/ ]{0,60}") {
        let quoted = REDACTOR.text(&text);
        prop_assert!(quoted.check(text.len()).is_ok());
        let mut rest = text.as_str();
        let pieces = quoted.pieces();
        if !pieces.contains(&Piece::Redacted) {
            prop_assert_eq!(&quoted, &Quoted::text(&text));
        }
        for piece in pieces {
            if let Piece::Text(kept) = piece {
                let at = rest.find(&kept);
                prop_assert!(at.is_some());
                rest = &rest[at.unwrap_or(0) + kept.len()..];
            }
        }
    }

    #[test]
    fn an_address_goes_wherever_it_stands(address: std::net::Ipv6Addr, old: std::net::Ipv4Addr, before in "[ =(,\\[]", behind in "[ ),\\]/]") {
        for address in [address.to_string(), old.to_string()] {
            prop_assert_eq!(redacted(&format!("x{before}{address}{behind}y")), format!("x{before}\\..{behind}y"));
        }
    }
}
