//! How the objects of reports are declared: each member once, with its name on the wire, its name in the code, and its type.
//!
//! An agent writes such an object with serde. A hub reads it member by member, as the values arrive: what a value may be, how long,
//! and what is said of a bad one is known to the [`MemberValue`] that it brings.

use crate::domain::{AgentTime, Uuid};

/// The value of a member, for whoever knows how it is written.
pub trait MemberValue<Text> {
    /// What a value is refused with that has another type, or none of its values.
    type Error;

    /// Reads a text.
    fn text(self) -> Result<Text, Self::Error>;
    /// Reads a UUID.
    fn uuid(self) -> Result<Uuid, Self::Error>;
    /// Reads a time.
    fn time(self) -> Result<AgentTime, Self::Error>;
    /// Reads a whole number.
    fn integer(self) -> Result<i64, Self::Error>;
    /// Reads a number.
    fn fraction(self) -> Result<f64, Self::Error>;
}

/// An object of a report.
pub trait ReportObject: Default {
    /// How texts are held.
    type Text;

    /// Names of the members that are plain values, as they stand on the wire; fewer than 32.
    const MEMBERS: &'static [&'static str];

    /// Sets one of [`ReportObject::MEMBERS`]; other names are ignored.
    ///
    /// # Errors
    ///
    /// Those of the value.
    fn set<V: MemberValue<Self::Text>>(&mut self, member: &str, value: V) -> Result<(), V::Error>;
}

/// Declares a [`ReportObject`]: `"name on the wire" => field: type, read by a method of MemberValue;` for each member, and perhaps a list of
/// other objects at the end, which agents leave out when it is empty.
macro_rules! report_object {
    (
        $(#[$docs:meta])*
        pub struct $object:ident {
            $($(#[$member_docs:meta])* $name:literal => $field:ident: $type:ty, $read:ident;)*
            $(list { $(#[$list_docs:meta])* $list_name:literal => $list:ident: $element:ident; })?
        }
    ) => {
        $(#[$docs])*
        #[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
        pub struct $object<Text = String> {
            $($(#[$member_docs])* #[serde(rename = $name)] pub $field: $type,)*
            $(
                $(#[$list_docs])*
                #[serde(rename = $list_name, skip_serializing_if = "Vec::is_empty")]
                pub $list: Vec<$element<Text>>,
            )?
        }

        $(
            impl<Text> $object<Text> {
                /// Name of the list.
                pub const LIST: &'static str = $list_name;
            }
        )?

        impl<Text: Default> $crate::protocol::distr::ReportObject for $object<Text> {
            type Text = Text;

            const MEMBERS: &'static [&'static str] = &[$($name),*];

            fn set<V: $crate::protocol::distr::MemberValue<Text>>(
                &mut self,
                member: &str,
                value: V,
            ) -> Result<(), V::Error> {
                match member {
                    $($name => self.$field = value.$read()?.into(),)*
                    _ => {}
                }
                Ok(())
            }
        }
    };
}

pub(super) use report_object;
