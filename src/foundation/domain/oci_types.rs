//! The JSON type of every member that the image specification gives a meaning (SPEC M-54).
//!
//! Written out here and read by name only: a derived reader would take an array for an object, 2.0 for 2 and many other
//! things that another client refuses or reads otherwise. `null` is a member left out, as all readers have it, but for
//! the layers of a manifest, where it is an empty list; members that the specification does not name may be of any type.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, de};

use super::limits;

/// A manifest or index as it stands, every member of its type.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawDocument {
    pub(super) schema_version: Option<Integer>,
    pub(super) media_type: Option<String>,
    pub(super) config: Option<Object<RawDescriptor>>,
    #[serde(default)]
    pub(super) layers: Member<Vec<Object<RawDescriptor>>>,
    pub(super) manifests: Option<Vec<Object<RawDescriptor>>>,
    /// Of schema 1: that it is there decides, whatever it is.
    pub(super) fs_layers: Option<IgnoredAny>,
    pub(super) subject: Option<Object<RawDescriptor>>,
    pub(super) artifact_type: Option<String>,
    pub(super) annotations: Option<BTreeMap<String, String>>,
}

/// A descriptor as it stands.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawDescriptor {
    pub(super) media_type: String,
    pub(super) digest: String,
    pub(super) size: Integer,
    pub(super) urls: Option<Vec<String>>,
    pub(super) data: Option<String>,
    pub(super) platform: Option<Object<RawPlatform>>,
    pub(super) artifact_type: Option<String>,
    pub(super) annotations: Option<BTreeMap<String, String>>,
}

/// A platform as it stands.
#[derive(Deserialize)]
pub(super) struct RawPlatform {
    pub(super) architecture: String,
    pub(super) os: String,
    pub(super) variant: Option<String>,
    #[serde(rename = "os.version")]
    _os_version: Option<String>,
    #[serde(rename = "os.features")]
    _os_features: Option<Vec<String>>,
    /// Of Docker's lists.
    #[serde(rename = "features")]
    _features: Option<Vec<String>>,
}

/// A member of which null means something else than that it is left out.
#[derive(Default)]
pub(super) enum Member<T> {
    #[default]
    LeftOut,
    Null,
    Value(T),
}

impl<T> Member<T> {
    /// Returns its value; null is none.
    pub(super) fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::LeftOut | Self::Null => None,
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Member<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(|value| value.map_or(Self::Null, Self::Value))
    }
}

/// An object, and nothing that a reader could take for one.
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(Members(PhantomData))
    }
}

/// An integer of 0 to 2^53−1 in plain digits: neither 2.0 nor -0 is one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Integer(pub(super) u64);

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;

        impl Visitor<'_> for Digits {
            type Value = Integer;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer of 0 to 2^53-1 in plain digits")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Integer, E> {
                if number > limits::JSON_INTEGER_MAX {
                    return Err(E::invalid_value(Unexpected::Unsigned(number), &self));
                }
                Ok(Integer(number))
            }
        }

        deserializer.deserialize_any(Digits)
    }
}

/// Reads a document whose text was checked before.
///
/// # Errors
///
/// When a member is missing or of another type than the specification's.
pub(super) fn read(bytes: &[u8]) -> Result<RawDocument, serde_json::Error> {
    #[expect(
        clippy::disallowed_methods,
        reason = "OCI documents are not canonical; their digest was checked before"
    )]
    serde_json::from_slice(bytes).map(|Object(document)| document)
}
