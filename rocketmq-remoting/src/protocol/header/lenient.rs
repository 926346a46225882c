//! Lenient forms of headers, for servers.

use super::BoundaryType;
use crate::protocol::ExtFields;
use std::borrow::Cow;

/// The fields of a header in the form that servers read: borrowed from the request, and each may be missing.
///
/// Apache's servers require a field only when they use it. A request without it may therefore fail late or not at all,
/// while [`DecodeHeader`](crate::protocol::DecodeHeader) refuses it at once. One declaration makes the strict and the
/// lenient form of a header: [`PullMessageRequestHeader`](super::PullMessageRequestHeader) and
/// [`PullMessageFields`](super::PullMessageFields).
pub trait LenientFields<'a>: Default {
    /// Sets a field and replaces an earlier value; ignores names that the header does not have.
    ///
    /// # Errors
    ///
    /// The field is a number and the value is not. The field is then missing.
    fn set(&mut self, name: &str, value: Cow<'a, str>) -> Result<(), NotANumber>;

    /// Reads the fields of a request in one walk.
    ///
    /// # Errors
    ///
    /// The policy is [`NumberPolicy::Refuse`] and a number cannot be read.
    fn read(fields: &'a ExtFields, policy: NumberPolicy) -> Result<Self, NotANumber> {
        let mut read = Self::default();
        for (name, value) in fields {
            match read.set(&name, value) {
                Err(error) if policy == NumberPolicy::Refuse => return Err(error),
                _ => {}
            }
        }
        Ok(read)
    }
}

/// How a server reacts to a field that should be a number and is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberPolicy {
    /// Treats the field as missing. Java: headers that are read by reflection.
    Ignore,
    /// Refuses the request. Java: headers with their own decoder, such as those of pulls and of short sends.
    Refuse,
}

/// A text that should be a number. The message is that of Java's `NumberFormatException`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("For input string: \"{0}\"")]
pub struct NotANumber(pub String);

/// A type that a lenient field can have.
pub(crate) trait LenientValue<'a>: Sized {
    fn read(value: Cow<'a, str>) -> Result<Self, NotANumber>;
}

impl<'a> LenientValue<'a> for Cow<'a, str> {
    fn read(value: Cow<'a, str>) -> Result<Self, NotANumber> {
        Ok(value)
    }
}

impl LenientValue<'_> for i32 {
    fn read(value: Cow<'_, str>) -> Result<Self, NotANumber> {
        value.parse().map_err(|_| NotANumber(value.into_owned()))
    }
}

impl LenientValue<'_> for i64 {
    fn read(value: Cow<'_, str>) -> Result<Self, NotANumber> {
        value.parse().map_err(|_| NotANumber(value.into_owned()))
    }
}

/// Reads like Java's `Boolean.parseBoolean`.
impl LenientValue<'_> for bool {
    fn read(value: Cow<'_, str>) -> Result<Self, NotANumber> {
        Ok(value.eq_ignore_ascii_case("true"))
    }
}

impl LenientValue<'_> for BoundaryType {
    fn read(value: Cow<'_, str>) -> Result<Self, NotANumber> {
        Ok(Self::from_java(&value))
    }
}

/// Declares the lenient form of a header, if it has one.
macro_rules! lenient_fields {
    ([] of $($header:tt)*) => {};
    ([$fields:ident] of $header:ident {
        $( $(#[$field_meta:meta])* $wire:literal $(| $short:literal)? $field:ident
            : $type:ident $(<$inner:ident>)? $( = $default:expr )?, )*
    }) => {
        #[doc = concat!("The fields of a [`", stringify!($header), "`] as a server reads them: each may be missing.")]
        #[derive(Clone, Debug, Default)]
        pub struct $fields<'a> {
            $(
                $(#[$field_meta])*
                pub $field: Option<$crate::protocol::header::lenient::lenient!('a $type $(<$inner>)?)>,
            )*
        }

        impl<'a> $crate::protocol::header::LenientFields<'a> for $fields<'a> {
            fn set(
                &mut self,
                name: &str,
                value: std::borrow::Cow<'a, str>,
            ) -> Result<(), $crate::protocol::header::NotANumber> {
                match name {
                    $( $wire $(| $short)? => {
                        // The last of several values counts, even if it is no number: forget the earlier one.
                        self.$field = None;
                        self.$field = Some($crate::protocol::header::lenient::LenientValue::read(value)?);
                    } )*
                    _ => {}
                }
                Ok(())
            }
        }
    };
}

/// The borrowed type of a field.
macro_rules! lenient {
    ($a:lifetime Option<$inner:ident>) => { $crate::protocol::header::lenient::lenient!($a $inner) };
    ($a:lifetime ByteString) => { std::borrow::Cow<$a, str> };
    ($a:lifetime $type:ident) => { $type };
}

pub(crate) use {lenient, lenient_fields};
