//! The fields of one rule, taken out one by one.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::FaultError;

/// The longest time that a rule may name: a day.
const MAX_MS: i64 = 24 * 60 * 60 * 1000;

/// Fields by name. A text may stand for a number or a flag, because the short form of a rule has only texts.
pub(super) struct Fields<'a> {
    map: &'a Map<String, Value>,
    /// All names that reading a rule has asked for: the names to list in an error.
    known: BTreeSet<&'static str>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(map: &'a Map<String, Value>) -> Self {
        Self { map, known: BTreeSet::new() }
    }

    pub(super) fn value(&mut self, name: &'static str) -> Option<&'a Value> {
        self.known.insert(name);
        self.map.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<&'a str>, FaultError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
            Some(other) => Err(not_allowed(name, other, "a text that is not empty is")),
        }
    }

    pub(super) fn number(
        &mut self,
        name: &'static str,
        range: RangeInclusive<i64>,
    ) -> Result<Option<i64>, FaultError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let number = match value {
            Value::String(text) => text.parse().ok(),
            other => other.as_i64(),
        };
        match number.filter(|number| range.contains(number)) {
            Some(number) => Ok(Some(number)),
            None => {
                let allowed = format!("a whole number from {} to {} is", range.start(), range.end());
                Err(not_allowed(name, value, &allowed))
            }
        }
    }

    pub(super) fn probability(&mut self, name: &'static str) -> Result<Option<f64>, FaultError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let number = match value {
            Value::String(text) => text.parse().ok(),
            other => other.as_f64(),
        };
        match number.filter(|number| (0.0..=1.0).contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(not_allowed(name, value, "a number from 0 to 1 is")),
        }
    }

    pub(super) fn flag(&mut self, name: &'static str) -> Result<bool, FaultError> {
        match self.value(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(Value::String(text)) if text == "true" => Ok(true),
            Some(Value::String(text)) if text == "false" => Ok(false),
            Some(other) => Err(not_allowed(name, other, "true or false is")),
        }
    }

    pub(super) fn time(&mut self, name: &'static str) -> Result<Option<Duration>, FaultError> {
        let ms = self.number(name, 0..=MAX_MS)?;
        Ok(ms.map(|ms| Duration::from_millis(ms.unsigned_abs())))
    }

    pub(super) fn required_time(&mut self, name: &'static str) -> Result<Duration, FaultError> {
        required(name, self.time(name)?, "how many milliseconds")
    }

    /// Bytes given as text in one field or as hexadecimal digits in another.
    pub(super) fn bytes(
        &mut self,
        text: &'static str,
        hex: &'static str,
    ) -> Result<Option<Bytes>, FaultError> {
        match (self.text(text)?, self.text(hex)?) {
            (Some(_), Some(_)) => {
                Err(FaultError::field(hex, format!("stands beside `{text}`; one of the two is allowed")))
            }
            (Some(text), None) => Ok(Some(Bytes::copy_from_slice(text.as_bytes()))),
            (None, Some(digits)) => from_hex(digits)
                .map(Some)
                .ok_or_else(|| not_allowed(hex, &digits, "two hexadecimal digits for each byte are")),
            (None, None) => Ok(None),
        }
    }

    /// An object of texts, or a text such as `name:value,name:value`.
    pub(super) fn texts(&mut self, name: &'static str) -> Result<Vec<(String, String)>, FaultError> {
        let allowed = "a JSON object whose values are texts, or name:value,name:value is";
        match self.value(name) {
            None => Ok(Vec::new()),
            Some(Value::Object(object)) => object
                .iter()
                .map(|(key, value)| match value {
                    Value::String(value) => Ok((key.clone(), value.clone())),
                    other => Err(not_allowed(name, other, allowed)),
                })
                .collect(),
            Some(Value::String(pairs)) => pairs
                .split(',')
                .map(|pair| match pair.split_once(':') {
                    Some((key, value)) => Ok((key.trim().to_owned(), value.to_owned())),
                    None => Err(not_allowed(name, &pair, allowed)),
                })
                .collect(),
            Some(other) => Err(not_allowed(name, other, allowed)),
        }
    }

    /// Refuses fields that the rule does not know.
    pub(super) fn finish(self, action: &str) -> Result<(), FaultError> {
        match self.map.keys().find(|name| !self.known.contains(name.as_str())) {
            None => Ok(()),
            Some(name) => {
                let known: Vec<&str> = self.known.into_iter().collect();
                let problem =
                    format!("there is none in a rule that does `{action}`; {} are", known.join(", "));
                Err(FaultError::field(name, problem))
            }
        }
    }
}

pub(super) fn required<T>(name: &str, value: Option<T>, what: &str) -> Result<T, FaultError> {
    value.ok_or_else(|| FaultError::field(name, format!("is missing; it says {what}")))
}

pub(super) fn not_allowed(name: &str, value: &impl fmt::Display, allowed: &str) -> FaultError {
    FaultError::field(name, format!("{value} is not allowed; {allowed}"))
}

fn from_hex(digits: &str) -> Option<Bytes> {
    let digits: Vec<u8> = digits.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits.chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}
