//! What is taken out, what stays, and how long a hostile text takes.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

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
        (&format!("targetSecret={SECRET}&x"), r"targetSecret=\.."),
        (&format!("s%3D{SECRET}\\u003d{SECRET}"), r"s%3D\..\5cu003d\.."),
        // The site's own.
        ("see ORDER-4711 at GATE.plant-seven.EXAMPLE now", r"see \.. at \.. now"),
        ("süd-3 is down", r"\.. is down"),
    ] {
        assert_eq!(redacted(text), kept, "{text:?}");
    }
}

#[test]
fn what_stands_behind_the_name_of_a_secret_is_taken_out() {
    for (text, kept) in [
        (
            "login failed: password=hunter2 for erp",
            r"login failed: password=\.. for erp",
        ),
        ("PASSWD: hunter2", r"PASSWD: \.."),
        ("Token: abc.def, then", r"Token: \.. then"),
        ("client_secret=a&b;c more", r"client_secret=\.. more"),
        (
            "api_key=1 Api-Key: 2 APIKEY = 3",
            r"api_key=\.. Api-Key: \.. APIKEY = \..",
        ),
        (
            "AWS_SECRET_ACCESS_KEY=x SECRET_KEY_BASE=y",
            r"AWS_SECRET_ACCESS_KEY=\.. SECRET_KEY_BASE=\..",
        ),
        ("DB_PASSWORD='two words' ok", r"DB_PASSWORD='\..' ok"),
        (r#"{"password": "a\"b", "n": 1}"#, r#"{"password": "\..", "n": 1}"#),
        (
            r#"said {\"token\":\"a b\",\"n\":1}"#,
            r#"said {\5c"token\5c":\5c"\..\5c",\5c"n\5c":1}"#,
        ),
        ("password=\"never closed\nnext", r#"password="\..\0anext"#),
        (
            "run --password hunter2 --db-token=x -v",
            r"run --password \.. --db-token=\.. -v",
        ),
        ("Passwort: geheim, pass=x pwd:y", r"Passwort: \.. pass=\.. pwd:\.."),
        ("token=password=x y", r"token=\.. y"),
        // Behind a value without white space, in marks.
        (r#"token=abc,password="correct horse battery" ok"#, r#"token=\.." ok"#),
        (r#"secret=a;passphrase="alpha beta gamma""#, r#"secret=\..""#),
        (r#"token=a,pwd="b c",secret="d e" f"#, r#"token=\..",secret="\.." f"#),
        // Names.
        ("DB_PASS: x", r"DB_PASS: \.."),
        (r#"{"pass":"x y","dbPass":"x z"}"#, r#"{"pass":"\..","dbPass":"\.."}"#),
        ("API_KEY_PROD=x SECRET_FOO=y", r"API_KEY_PROD=\.. SECRET_FOO=\.."),
        ("user[password]=x", r"user[password]=\.."),
        // Marks in a value.
        ("passwd='it''s x' ok", r"passwd='\..' ok"),
        ("passwd='it's x' ok", r"passwd='\..' ok"),
        (r"passwd='it'\''s x' ok", r"passwd='\..'\5c'\..' ok"),
        ("password='' ok", "password='' ok"),
        // Options in lists, pairs of name and value.
        (r#"["--password","x y"]"#, r#"["--password","\.."]"#),
        ("- --password\n- x\n", r"- --password\0a- \..\0a"),
        (
            r#"{"name":"DB_PASSWORD","value":"x y"}"#,
            r#"{"name":"DB_PASSWORD","value":"\.."}"#,
        ),
        ("name: DB_PASSWORD\n  value: x", r"name: DB_PASSWORD\0a  value: \.."),
        // XML.
        ("<password>x y</password>", r"<password>\..</password>"),
        ("<p name=\"token\">x y</p>", r#"<p name="token">\..</p>"#),
        (
            "<password><![CDATA[x y]]></password>",
            r"<password><![CDATA[\..</password>",
        ),
        (
            "<key>password</key><string>x y</string>",
            r"<key>password</key><string>\..</string>",
        ),
        // SQL.
        ("ALTER USER a PASSWORD 'x y';", r"ALTER USER a PASSWORD '\..';"),
        ("IDENTIFIED BY 'x y' b", r"IDENTIFIED BY '\..' b"),
        (
            "identified with plugin as \"x y\"",
            r#"identified with plugin as "\..""#,
        ),
        (
            "SET PASSWORD FOR 'u' = PASSWORD('x y')",
            r"SET PASSWORD FOR 'u' = PASSWORD('\..')",
        ),
        // Headers and files that log in.
        ("Authorization: AccessToken x ok", r"Authorization: \.. \.. ok"),
        (r#""Authorization":["Any x y"]"#, r#""Authorization":["\.."]"#),
        (
            "authorization: Digest username=a, response=b\nnext",
            r"authorization: \.. \.. \..\0anext",
        ),
        (r#"{"auth":"dTpw"}"#, r#"{"auth":"\.."}"#),
        (r#"{\"auth\":\"dTpw\"}"#, r#"{\5c"auth\5c":\5c"\..\5c"}"#),
        // YAML.
        ("password:\n  x\nnext", r"password:\0a  \..\0anext"),
        ("password: !vault x", r"password: !vault \.."),
        ("password: !vault |\n  a b\n  c\nnext", r"password: !vault \..next"),
        // Escaped.
        ("password%3Dx%26", r"password%3D\.."),
        (r"password\u003dx", r"password\5cu003d\.."),
        // Users and their passwords.
        ("curl -u a:x host", r"curl -u \.. host"),
        ("curl --user 'a:x y' host", r"curl --user '\..' host"),
        ("root:p(x)@tcp(db:3306)/erp", r"\..@tcp(db:3306)/erp"),
        // Users in URLs, whatever their password is made of.
        ("AMQP://App:p/s#s?@mq:5672/erp", r"AMQP://\..@mq:5672/erp"),
        ("see redis://:only@cache/0", r"see redis://\../0"),
    ] {
        assert_eq!(redacted(text), kept, "{text:?}");
    }
    for text in [
        "the password was wrong",
        "5 tokens, passed: 12",
        "no secret",
        "http://localhost:80/a@2",
        "a one-time-token is",
        "secretary: x",
        "compass: north, bypass=1, token count: 3, MAX_TOKENS=5",
        "unexpected token '}'",
        "journalctl -u app.service, fetch -u http://localhost/",
        "token-bucket: full",
        "auth: denied",
    ] {
        assert_eq!(redacted(text), Quoted::text(text).as_str(), "{text:?}");
    }
}

/// A secret that lies across the end of what is kept is taken out as one, and so is what may be the beginning of one where an agent's text
/// was cut before.
#[test]
fn what_lies_across_a_cut_leaks_nothing() {
    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    let text = format!("{} {SECRET} end", "x".repeat(90));
    for most in 91..124 {
        let quoted = REDACTOR.within(&text, most);
        assert!(quoted.check(most).is_ok());
        let end = if most > 91 { "\\.." } else { "" };
        let stays = quoted.as_str().strip_suffix(end).unwrap_or(quoted.as_str());
        assert!(!stays.contains("0123"), "{most}: {quoted:?}");
    }
    assert_eq!(REDACTOR.within("aé", 2).as_str(), "a");
    assert_eq!(REDACTOR.within("abc", 3).as_str(), "abc");
    assert_eq!(REDACTOR.within("abc", 0).as_str(), "");
    for (text, kept) in [
        ("got 0123456789abcdef [cut]", r"got \.. [cut]"),
        ("from 10.0.0 [cut]", r"from \.. [cut]"),
        ("word [cut]", r"\.. [cut]"),
        ("a [cut] in it", "a [cut] in it"),
    ] {
        assert_eq!(redacted(text), kept);
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
        assert_eq!((error.class(), error.code()), (Class::Usage, "redact"), "{pattern}");
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

/// Redacts a text made of one piece so many times, and returns how long that took.
fn time_of(redactor: &Redactor, piece: &str, bytes: usize, times: usize) -> Duration {
    let text = piece.repeat(bytes / piece.len());
    let started = Instant::now();
    for _ in 0..times {
        assert!(redactor.text(&text).check(bytes).is_ok());
    }
    started.elapsed()
}

/// Time is linear in the text: one that is eight times as long takes about as long as eight of them, and not eight times that. Both are
/// measured in the same run, one after the other, and last as long: what else the machine does meets both. If not, there is another try.
fn is_linear(redactor: &Redactor, piece: &str) {
    const SHORT: usize = 4 << 10;
    const TIMES: usize = 8;
    const MOST: u32 = 3;
    const TRIES: usize = 5;
    let tries: Vec<(Duration, Duration)> = (0..TRIES)
        .map(|_| {
            let short = time_of(redactor, piece, SHORT, TIMES);
            (short, time_of(redactor, piece, SHORT * TIMES, 1))
        })
        .take_while(|(short, long)| *long > *short * MOST)
        .collect();
    assert!(tries.len() < TRIES, "{piece:?}: {tries:?}");
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
        "password=",
        "password=\"",
        "token='x\\",
        " --token ",
        "password=,",
        "password=\"a\"",
        "password='a''",
        "password=|\n ",
        "password_",
        "<password>",
        "<password ",
        "password,",
        "password for ",
        "identified ",
        "authorization:",
        "authorization: ,",
        "-u a:",
        "-u a:b'",
        "a:@tcp(",
        "://a:b",
        "://a:b@",
    ] {
        is_linear(&redactor, piece);
    }
}

#[test]
fn clumsy_patterns_take_bounded_time() {
    // Each looks through what is left for every stretch, or keeps many places in mind.
    let clumsy = [".*[^A-Z]|[A-Z]", "(?s).*x|.", "(?:[a-z]*a)+[a-z]{60}x", r"(?:\w+\s?)*#"];
    let redactor = Redactor::new(&clumsy.map(str::to_owned), &[]).unwrap();
    for piece in ["A", "a", "é "] {
        is_linear(&redactor, piece);
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
