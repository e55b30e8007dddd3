//! The stream reader against the tables of RFC 8259 and against another parser, cut into chunks anywhere.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// Writes events down as JSON again.
#[derive(Default)]
struct Writer {
    out: String,
    comma: Vec<bool>,
    value_of_key: bool,
    cuts: usize,
}

impl Writer {
    fn before(&mut self) {
        if std::mem::take(&mut self.value_of_key) {
            return;
        }
        if let Some(comma) = self.comma.last_mut()
            && std::mem::replace(comma, true)
        {
            self.out.push(',');
        }
    }
}

impl Visitor for Writer {
    fn event(&mut self, event: Event<'_>) -> Result<(), BadBody> {
        match event {
            Event::ObjectEnd | Event::ArrayEnd => {
                self.comma.pop();
                self.out.push(if event == Event::ObjectEnd { '}' } else { ']' });
                return Ok(());
            }
            _ => self.before(),
        }
        match event {
            Event::ObjectStart | Event::ArrayStart => {
                self.comma.push(false);
                self.out.push(if event == Event::ObjectStart { '{' } else { '[' });
            }
            Event::Key(key) => {
                self.out.push_str(&Value::from(key).to_string());
                self.out.push(':');
                self.value_of_key = true;
            }
            Event::Text(text) => {
                self.cuts += usize::from(text.cut);
                self.out.push_str(&Value::from(text.kept).to_string());
            }
            Event::Number(number) => self.out.push_str(number),
            Event::Bool(yes) => self.out.push_str(if yes { "true" } else { "false" }),
            Event::Null => self.out.push_str("null"),
            Event::ObjectEnd | Event::ArrayEnd => {}
        }
        Ok(())
    }
}

fn read(chunks: &[&[u8]]) -> Result<(String, usize), BadBody> {
    let (mut reader, mut writer) = (Reader::new(), Writer::default());
    for chunk in chunks {
        reader.feed(chunk, &mut writer)?;
    }
    reader.finish(&mut writer)?;
    Ok((writer.out, writer.cuts))
}

/// The same in one piece and byte by byte.
fn both(bytes: &[u8]) -> Result<String, BadBody> {
    let whole = read(&[bytes]).map(|(out, _)| out);
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(
        read(&single).map(|(out, _)| out),
        whole,
        "{:?}",
        String::from_utf8_lossy(bytes)
    );
    whole
}

#[test]
fn what_is_json_is_read() {
    for (text, expected) in [
        ("[]", "[]"),
        (" null ", "null"),
        ("{}\n", "{}"),
        ("[1,-0,0.5,1e9,-1.5E-3,12]", "[1,-0,0.5,1e9,-1.5E-3,12]"),
        ("7", "7"),
        ("[true, false ,null]", "[true,false,null]"),
        (r#"{"a":{"b":[{}]},"a":1}"#, r#"{"a":{"b":[{}]},"a":1}"#),
        (r#""\"\\\/\b\f\n\r\t""#, r#""\"\\/\b\f\n\r\t""#),
        (r#""\u00e9\u20AC""#, "\"é€\""),
        (r#""\ud83d\ude00""#, "\"😀\""),
        (r#""a\u0000b""#, "\"ab\""),
        (r#""\ud83d""#, "\"\u{fffd}\""),
        (r#""\ud83dx\ude00""#, "\"\u{fffd}x\u{fffd}\""),
        (r#""\ud83d\ud83d\ude00""#, "\"\u{fffd}😀\""),
        (r#""\ud83d\n""#, "\"\u{fffd}\\n\""),
        ("\"é😀\"", "\"é😀\""),
    ] {
        assert_eq!(both(text.as_bytes()).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_not_json_is_refused() {
    let deep = "[".repeat(10_000);
    let number = "1".repeat(100);
    for (bytes, expected) in [
        (b"".as_slice(), BadBody::Empty),
        (b" \n", BadBody::Empty),
        (b"{", BadBody::UnexpectedEnd),
        (b"[1", BadBody::UnexpectedEnd),
        (b"\"abc", BadBody::UnexpectedEnd),
        (b"tru", BadBody::UnexpectedEnd),
        (b"[] []", BadBody::Trailing),
        (b"nullx", BadBody::Trailing),
        (b"1 2", BadBody::Trailing),
        (b"nul1", BadBody::Grammar),
        (b"[1,]", BadBody::Grammar),
        (b"[,1]", BadBody::Grammar),
        (b"{\"a\":1,}", BadBody::Grammar),
        (b"{\"a\"}", BadBody::Grammar),
        (b"{1:2}", BadBody::Grammar),
        (b"[1}", BadBody::Grammar),
        (b"[01]", BadBody::Grammar),
        (b"[1.]", BadBody::Grammar),
        (b"[-]", BadBody::Grammar),
        (b"[1e]", BadBody::Grammar),
        (b"[+1]", BadBody::Grammar),
        (b"NaN", BadBody::Grammar),
        (b"[Infinity]", BadBody::Grammar),
        (b"'a'", BadBody::Grammar),
        (b"\xef\xbb\xbf[]", BadBody::Grammar),
        (b"[]\0", BadBody::Trailing),
        (b"[\0]", BadBody::Grammar),
        (b"\"\\x\"", BadBody::Grammar),
        (b"\"\\u12g4\"", BadBody::Grammar),
        (b"\"a\0b\"", BadBody::Control),
        (b"\"a\nb\"", BadBody::Control),
        (b"\"\xff\"", BadBody::Utf8),
        (b"\"\xc3\"", BadBody::Utf8),
        (b"\"\xc3\\n\"", BadBody::Utf8),
        (b"\"\xed\xa0\x80\"", BadBody::Utf8),
        (b"\"\xf4\x90\x80\x80\"", BadBody::Utf8),
        (b"\"\xc0\x80\"", BadBody::Utf8),
        (b"/* */ []", BadBody::Grammar),
        (deep.as_bytes(), BadBody::Depth),
        (number.as_bytes(), BadBody::Number),
    ] {
        assert_eq!(
            both(bytes),
            Err(expected),
            "{:?}",
            String::from_utf8_lossy(&bytes[..bytes.len().min(40)])
        );
    }
}

#[test]
fn long_strings_are_cut_at_the_end_of_a_character() {
    for (unit, lead) in [("x", "z"), ("é", "x"), ("😀", "xyz"), ("€", "x")] {
        let text = format!("{lead}{}", unit.repeat(TEXT_BYTES));
        let (out, cuts) = read(&[format!("[\"{text}\",\"{}\"]", "y".repeat(TEXT_BYTES)).as_bytes()]).unwrap();
        let value: Value = out.parse().unwrap();
        let kept = value[0].as_str().unwrap();
        assert!(
            text.starts_with(kept) && kept.len() <= TEXT_BYTES && kept.len() > TEXT_BYTES - 4,
            "{unit}"
        );
        assert_eq!((value[1].as_str().unwrap().len(), cuts), (TEXT_BYTES, 1));
    }
    // What lies behind the cut is looked at all the same.
    let bad = [b"\"".as_slice(), &vec![b'x'; TEXT_BYTES + 9], b"\xff\""].concat();
    assert_eq!(read(&[&bad]), Err(BadBody::Utf8));
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC*".prop_map(Value::from),
        "[\\x01-\\x1f\"\\\\a-z]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("\\PC{0,6}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_was_written_is_read_in_any_chunks(value in values(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
        let text = value.to_string();
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        places.sort_unstable();
        let mut chunks = Vec::new();
        let mut rest = text.as_bytes();
        let mut at = 0;
        for place in places {
            let (chunk, after) = rest.split_at(place - at);
            chunks.push(chunk);
            (rest, at) = (after, place);
        }
        chunks.push(rest);
        let (out, _) = read(&chunks).unwrap();
        prop_assert_eq!(out.parse::<Value>().unwrap(), value);
    }

    /// It agrees with another parser about any bytes, but for depth, length of numbers, NUL, and halves of pairs.
    #[test]
    fn it_takes_what_another_parser_takes(bytes in prop::collection::vec(prop::sample::select(b"{}[]\",:0123.eE+-tfnrualse\\ \xc3\xa9\n".to_vec()), 0..14)) {
        let other = std::str::from_utf8(&bytes).ok().and_then(|text| text.parse::<Value>().ok());
        let half = bytes.windows(3).any(|part| matches!(part, [b'\\', b'u', _]));
        if !half {
            let ours = both(&bytes);
            // Numbers beyond what a double holds are for the fields to judge.
            let overflow = bytes.contains(&b'e') || bytes.contains(&b'E');
            if !overflow || other.is_some() {
                prop_assert_eq!(ours.is_ok(), other.is_some(), "{:?}", String::from_utf8_lossy(&bytes));
            }
        }
    }
}
