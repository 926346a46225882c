//! Request headers as Apache's servers read them: nothing is required until it is used.

use std::borrow::Cow;

use super::Refusal;
use rocketmq_remoting::protocol::ExtFields;

/// What becomes of a text that is no number where one is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NumberPolicy {
    /// It is as if the field were missing. Java: headers that are read by reflection.
    Ignore,
    /// The request fails. Java: the headers of pulls, and of sends in the short form.
    Refuse,
}

/// A set of fields, each of which may be missing.
pub(crate) trait RequestFields<'a>: Default {
    /// Takes a field if it knows the name. `Err` if the value is no number.
    fn set(&mut self, name: &str, value: Cow<'a, str>) -> Result<(), NotANumber>;
}

/// A text that is no number.
#[derive(Debug)]
pub(crate) struct NotANumber(String);

/// Reads the fields of a request in one walk.
pub(crate) fn read_fields<'a, F: RequestFields<'a>>(
    fields: &'a ExtFields,
    policy: NumberPolicy,
) -> Result<F, Refusal> {
    let mut read = F::default();
    for (name, value) in fields {
        match read.set(&name, value) {
            Err(NotANumber(text)) if policy == NumberPolicy::Refuse => {
                let detail = format_args!("For input string: \"{text}\"");
                return Err(Refusal::exception("java.lang.NumberFormatException", detail));
            }
            _ => {}
        }
    }
    Ok(read)
}

/// A field that is needed now.
pub(crate) fn required<T>(value: Option<T>, field: &str) -> Result<T, Refusal> {
    value.ok_or_else(|| Refusal::null(field))
}

/// A type that a field can have.
pub(crate) trait FieldValue<'a>: Sized {
    fn read(value: Cow<'a, str>) -> Result<Self, NotANumber>;
}

impl<'a> FieldValue<'a> for Cow<'a, str> {
    fn read(value: Cow<'a, str>) -> Result<Self, NotANumber> {
        Ok(value)
    }
}

impl FieldValue<'_> for i32 {
    fn read(value: Cow<'_, str>) -> Result<Self, NotANumber> {
        value.parse().map_err(|_| NotANumber(value.into_owned()))
    }
}

impl FieldValue<'_> for i64 {
    fn read(value: Cow<'_, str>) -> Result<Self, NotANumber> {
        value.parse().map_err(|_| NotANumber(value.into_owned()))
    }
}

/// Java's `Boolean.parseBoolean`.
impl FieldValue<'_> for bool {
    fn read(value: Cow<'_, str>) -> Result<Self, NotANumber> {
        Ok(value.eq_ignore_ascii_case("true"))
    }
}

/// Declares the fields of a request: name on the wire, name here, type.
macro_rules! request_fields {
    ($(#[$meta:meta])* $name:ident { $( $wire:literal $field:ident : $type:ty, )+ }) => {
        $(#[$meta])*
        #[derive(Debug, Default)]
        pub(crate) struct $name<'a> {
            $( pub(crate) $field: Option<$type>, )+
        }

        impl<'a> $crate::wire::RequestFields<'a> for $name<'a> {
            fn set(
                &mut self,
                name: &str,
                value: std::borrow::Cow<'a, str>,
            ) -> Result<(), $crate::wire::NotANumber> {
                match name {
                    $( $wire => {
                        // The last of several counts, also if it is no number.
                        self.$field = None;
                        self.$field = Some($crate::wire::FieldValue::read(value)?);
                    } )+
                    _ => {}
                }
                Ok(())
            }
        }
    };
}

pub(crate) use request_fields;
