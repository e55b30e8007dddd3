//! What a value looks like in texts: as it is, and escaped for whatever it passes through.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use data_encoding::{HEXLOWER, HEXUPPER};
use zeroize::Zeroizing;

use crate::bundle::SecretForm;

/// A way to write a value. What it makes of the beginning of one is the beginning of what it makes of the whole.
#[derive(Debug, Clone, Copy)]
pub(super) enum Look {
    Plain,
    /// As documents of releases hold it.
    In(SecretForm),
    Json,
    /// JSON in a text of JSON, as logs of containers are.
    JsonTwice,
    /// With digits in upper case or not, and what stands for a space.
    Url(bool, &'static str),
    Hex,
    HexUpper,
    /// Behind so many bytes of something else, 0 to 2; what these share a character with is left out. In the alphabet of URLs or not.
    Base64(usize, bool),
}

impl Look {
    /// Every way.
    pub(super) const ALL: [Self; 17] = [
        Self::Plain,
        Self::In(SecretForm::Compose),
        Self::In(SecretForm::Environment),
        Self::In(SecretForm::Values),
        Self::Json,
        Self::JsonTwice,
        Self::Url(true, "%20"),
        Self::Url(false, "%20"),
        Self::Url(true, "+"),
        Self::Hex,
        Self::HexUpper,
        Self::Base64(0, false),
        Self::Base64(1, false),
        Self::Base64(2, false),
        Self::Base64(0, true),
        Self::Base64(1, true),
        Self::Base64(2, true),
    ];

    /// Writes a value this way.
    pub(super) fn of(self, value: &str) -> Zeroizing<String> {
        let mut out = Zeroizing::new(String::new());
        match self {
            Self::Plain => out.push_str(value),
            Self::In(form) => form.write(value, &mut out),
            Self::Json => out = json(value),
            Self::JsonTwice => out = json(&json(value)),
            Self::Url(upper, space) => url(value, upper, space, &mut out),
            Self::Hex => HEXLOWER.encode_append(value.as_bytes(), &mut out),
            Self::HexUpper => HEXUPPER.encode_append(value.as_bytes(), &mut out),
            Self::Base64(before, is_url) => {
                let bytes = Zeroizing::new([[0; 2].get(..before).unwrap_or_default(), value.as_bytes()].concat());
                let whole = bytes.len().saturating_sub(bytes.len() % 3);
                let first = if before == 0 { 0 } else { before.saturating_add(1) };
                let engine = if is_url { URL_SAFE_NO_PAD } else { STANDARD_NO_PAD };
                let encoded = Zeroizing::new(engine.encode(bytes.get(..whole).unwrap_or_default()));
                out.push_str(encoded.get(first..).unwrap_or_default());
            }
        }
        out
    }
}

/// The inside of a JSON string.
fn json(value: &str) -> Zeroizing<String> {
    let quoted = Zeroizing::new(serde_json::to_string(value).unwrap_or_default());
    let inside = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    Zeroizing::new(inside.to_owned())
}

fn url(value: &str, upper: bool, space: &str, out: &mut String) {
    let digits = if upper { HEXUPPER } else { HEXLOWER };
    for byte in value.bytes() {
        match byte {
            b' ' => out.push_str(space),
            byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => out.push(char::from(byte)),
            byte => {
                out.push('%');
                digits.encode_append(&[byte], out);
            }
        }
    }
}
