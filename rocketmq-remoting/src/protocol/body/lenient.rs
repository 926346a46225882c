//! Members that some clients write differently from Java.

use serde::{Deserialize, Deserializer, de};

/// A number, with or without quotes: clients in C++ write quotes.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Plain(i64),
    Quoted(String),
}

impl Number {
    fn value<E: de::Error>(self) -> Result<i64, E> {
        match self {
            Self::Plain(value) => Ok(value),
            Self::Quoted(text) => text.parse().map_err(|_| E::custom(format_args!("{text:?} is no integer"))),
        }
    }
}

/// `#[serde(deserialize_with)]` for a number.
pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    Number::deserialize(deserializer)?.value()
}

/// `#[serde(deserialize_with)]` for a list of numbers.
pub(super) fn numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<i32>, D::Error> {
    let numbers = Vec::<Number>::deserialize(deserializer)?;
    let narrow = |number: Number| {
        let value = number.value()?;
        i32::try_from(value).map_err(|_| de::Error::custom(format_args!("{value} is no 32-bit integer")))
    };
    numbers.into_iter().map(narrow).collect()
}
