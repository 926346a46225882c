//! Rules as text: a line, a list, a file.

use std::path::Path;
use std::str::FromStr;

use serde_json::{Map, Value};

use super::{Fault, FaultError};

impl Fault {
    /// Reads a list of rules: a JSON array of objects.
    ///
    /// # Errors
    /// The text is no JSON array, or a rule in it is wrong; the error names the rule and the allowed values.
    pub fn read_list(json: &str) -> Result<Vec<Self>, FaultError> {
        let no_json = |error| FaultError::whole(format!("the list is no JSON: {error}"));
        let Value::Array(rules) = serde_json::from_str(json).map_err(no_json)? else {
            return Err(FaultError::whole("the list is no JSON array; an array of objects is allowed"));
        };
        let read = |(index, rule): (usize, &Value)| read_one(rule).map_err(|error| error.of_rule(index + 1));
        rules.iter().enumerate().map(read).collect()
    }

    /// Reads a file with a list of rules, see [`read_list`](Self::read_list).
    ///
    /// # Errors
    /// The file cannot be read, or its list is wrong.
    pub fn read_file(path: impl AsRef<Path>) -> Result<Vec<Self>, FaultError> {
        let (file, path) = (path.as_ref(), path.as_ref().display());
        let text = std::fs::read_to_string(file)
            .map_err(|error| FaultError::whole(format!("cannot read {path}: {error}")))?;
        Self::read_list(&text)
            .map_err(|error| FaultError { problem: format!("{} (in {path})", error.problem), ..error })
    }
}

/// Reads one rule: a JSON object, or `name=value` pairs separated by spaces. A value with spaces stands in quotation
/// marks.
impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        if text.trim_start().starts_with('{') {
            let no_json = |error| FaultError::whole(format!("it is no JSON: {error}"));
            return read_one(&serde_json::from_str(text).map_err(no_json)?);
        }
        let mut map = Map::new();
        for (name, value) in pairs(text)? {
            if map.insert(name.clone(), Value::String(value)).is_some() {
                return Err(FaultError::field(&name, "is there twice; once is allowed"));
            }
        }
        Self::read(&map)
    }
}

fn read_one(rule: &Value) -> Result<Fault, FaultError> {
    match rule {
        Value::Object(map) => Fault::read(map),
        other => Err(FaultError::whole(format!("{other} is no rule; a JSON object is"))),
    }
}

/// Splits the short form into pairs.
fn pairs(text: &str) -> Result<Vec<(String, String)>, FaultError> {
    let mut pairs = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let name_end =
            rest.find(|letter: char| letter == '=' || letter.is_whitespace()).unwrap_or(rest.len());
        let (name, after) = rest.split_at(name_end);
        let Some(after) = after.strip_prefix('=') else {
            let problem = "has no value; pairs like on=sends are allowed, with spaces between";
            return Err(FaultError::field(name, problem));
        };
        let (value, after) = match after.chars().next().filter(|quote| "'\"".contains(*quote)) {
            Some(quote) => {
                let no_end = || FaultError::field(name, format!("the closing {quote} is missing"));
                after[1..].split_once(quote).ok_or_else(no_end)?
            }
            None => after.split_at(after.find(char::is_whitespace).unwrap_or(after.len())),
        };
        pairs.push((name.to_owned(), value.to_owned()));
        rest = after.trim_start();
    }
    Ok(pairs)
}
