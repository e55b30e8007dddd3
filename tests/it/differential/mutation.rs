//! Texts of JSON near a good one, and bytes near good bytes.

use serde_json::{Value, json};

/// A generator of numbers: the same seed, the same run (xorshift64*).
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below a bound that is not 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap() % bound
    }

    pub(super) fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Values as they are written: many are none that a serialiser would write.
const VALUES: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-0.0",
    "1",
    "2",
    "2.0",
    "2e0",
    "20e-1",
    "1.5",
    "1e400",
    "1E2",
    "1e+99",
    "1e-100",
    "01",
    "1.",
    "-",
    "+1",
    "NaN",
    "Infinity",
    "9007199254740991",
    "9007199254740992",
    "18446744073709551615",
    "18446744073709551616",
    "-1",
    "-9223372036854775809",
    "11111111111111111111111111111111",
    "111111111111111111111111111111111",
    "\"\"",
    "\"x\"",
    "\"2\"",
    "\"\\ud800\"",
    "\"\\udc00\\ud800\"",
    "\"\\ud83d\\ude00\"",
    "\"\\u0000\"",
    "\"\\u001b[31m\"",
    "\"\u{202e}abc\"",
    "\"\u{85}\"",
    "\"a\\/b\"",
    "\"\\u0061\"",
    "\"\\x41\"",
    "\"any\"",
    "\"1.0\"",
    "\"0.1.0\"",
    "\"99.0.0\"",
    "\"01.0.0\"",
    "\"localhost\"",
    "\"a.b/c\"",
    "\"a.b//c\"",
    "\"1h0m\"",
    "\"1000h1ms\"",
    "\"2026-02-30T00:00:00Z\"",
    "\"2026-12-04T00:00:00Z\"",
    "\"9999-12-31T23:59:59Z\"",
    "\"0000007a-0000-8000-8000-000000000001\"",
    "\"0000007a-0000-4000-8000-000000000001\"",
    "\"sha256:ABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABAB\"",
    "\"sha256:abababababababababababababababababababababababababababababababab\"",
    "\"md5:d41d8cd98f00b204e9800998ecf8427e\"",
    "\"application/vnd.oci.image.manifest.v1+json\"",
    "\"application/vnd.oci.image.index.v1+json\"",
    "\"application/vnd.oci.image.layer.nondistributable.v1.tar\"",
    "\"e30=\"",
    "\"e31=\"",
    "[]",
    "{}",
    "[[]]",
    "[null]",
    "[1]",
    "[\"\"]",
    "[\"https://example.com\"]",
    "{\"a\":null}",
    "{\"a\":1}",
    "{\"\":\"\"}",
    "{\"digest\":\"x\"}",
    "{\"Layers\":1}",
    "{\"annotations\":{\"y\":{\"Layers\":1}}}",
];

/// Names of members, as they are written between their quotes.
const NAMES: &[&str] = &[
    "schemaVersion",
    "mediaType",
    "config",
    "layers",
    "manifests",
    "subject",
    "annotations",
    "artifactType",
    "platform",
    "os",
    "architecture",
    "variant",
    "os.version",
    "os.features",
    "features",
    "urls",
    "data",
    "size",
    "digest",
    "fsLayers",
    "Layers",
    "layer\u{17f}",
    "\u{17f}ize",
    "SIZE",
    "extra",
    "",
    "\\ud800",
    "k\\u0065y",
    "mediatype",
    "id",
    "site",
    "tag",
    "kind",
    "env",
    "removed",
];

/// Stands in a text for a value or name of the lists above.
fn stand_in(list: &str, number: usize) -> String {
    format!("@@{list}{number}@@")
}

/// Writes something near a document.
pub(super) fn near(document: &Value, random: &mut Random) -> Vec<u8> {
    let mut document = document.clone();
    let times = if random.one_in(3) { 2 + random.below(2) } else { 1 };
    for _ in 0..times {
        change(&mut document, random);
    }
    let mut text = document.to_string();
    for (number, value) in VALUES.iter().enumerate() {
        text = text.replace(&format!("\"{}\"", stand_in("v", number)), value);
    }
    for (number, name) in NAMES.iter().enumerate() {
        text = text.replace(&stand_in("n", number), name);
    }
    let mut bytes = text.into_bytes();
    if random.one_in(12) {
        let put = random.pick(&[
            " ", "\n", "\u{feff}", "\t", "\u{b}", "\u{a0}", "{}", "\0", ",", "//x", "\"", "\\",
        ]);
        let at = match random.below(3) {
            0 => 0,
            1 => bytes.len(),
            _ => random.below(bytes.len()),
        };
        bytes.splice(at..at, put.bytes());
    }
    if random.one_in(30) {
        let at = random.below(bytes.len());
        bytes[at] = u8::try_from(random.below(256)).unwrap();
    }
    bytes
}

/// Makes one change at some place of a document.
fn change(document: &mut Value, random: &mut Random) {
    let mut paths = Vec::new();
    collect(document, String::new(), &mut paths);
    let (path, other) = (random.pick(&paths).clone(), random.pick(&paths).clone());
    let copy = document.pointer(&other).cloned().unwrap_or_default();
    let value = json!(stand_in("v", random.below(VALUES.len())));
    let name = stand_in("n", random.below(NAMES.len()));
    let Some((parent, last)) = path.rsplit_once('/') else {
        // The document itself.
        if random.one_in(4) {
            *document = value;
        } else if let Value::Object(members) = document {
            members.insert(name, value);
        }
        return;
    };
    let last = last.replace("~1", "/").replace("~0", "~");
    match (random.below(6), document.pointer_mut(parent)) {
        (0 | 1, _) => *document.pointer_mut(&path).unwrap() = value,
        (2, _) => *document.pointer_mut(&path).unwrap() = copy,
        (3, Some(Value::Object(members))) => drop(members.remove(&last)),
        (3, Some(Value::Array(items))) => drop(items.remove(last.parse().unwrap())),
        (4, Some(Value::Object(members))) => drop(members.insert(name, value)),
        (5, Some(Value::Object(members))) => {
            let moved = members.remove(&last).unwrap();
            members.insert(name, moved);
        }
        (_, Some(Value::Array(items))) => items.insert(random.below(items.len() + 1), copy),
        _ => {}
    }
}

/// The pointers to every place of a document.
fn collect(value: &Value, path: String, paths: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                collect(member, format!("{path}/{name}"), paths);
            }
        }
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                collect(item, format!("{path}/{number}"), paths);
            }
        }
        _ => {}
    }
    paths.push(path);
}

/// Spoils the bytes of a container: single bytes, whole blocks, size fields, the end.
pub(super) fn spoil(bundle: &mut Vec<u8>, random: &mut Random) {
    let blocks = bundle.len() / 512;
    if blocks == 0 {
        return;
    }
    let block = random.below(blocks) * 512;
    match random.below(5) {
        0 => {
            let at = random.below(bundle.len());
            bundle[at] = u8::try_from(random.below(256)).unwrap();
        }
        1 => drop(bundle.drain(block..block + 512)),
        2 => {
            let from = random.below(blocks) * 512;
            let copied = bundle[from..from + 512].to_vec();
            bundle.splice(block..block, copied);
        }
        3 => {
            let fields = [
                *b"77777777777",
                *b"00000000000",
                *b"0000000000 ",
                *b"\x80\0\0\0\0\0\0\0\0\0\0",
            ];
            let field = random.pick(&fields);
            bundle[block + 124..block + 135].copy_from_slice(field);
        }
        _ => bundle.truncate(random.below(bundle.len())),
    }
}

/// Spoils a compressed chunk near its header, or somewhere, or at its end.
pub(super) fn spoil_frame(frame: &mut Vec<u8>, random: &mut Random) {
    match random.below(5) {
        0 | 1 => {
            let at = random.below(frame.len().min(20));
            frame[at] = u8::try_from(random.below(256)).unwrap();
        }
        2 => {
            let at = random.below(frame.len());
            frame[at] ^= 1 << random.below(8);
        }
        3 => frame.truncate(1 + random.below(frame.len() - 1)),
        _ => frame.extend(vec![0; 1 + random.below(8)]),
    }
}
