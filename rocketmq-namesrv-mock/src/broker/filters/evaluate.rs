//! The value of an SQL92 expression for one message.

use std::cmp::Ordering;

use super::expression::{Constant, Expression, Order, Part};
use super::java_number::double;
use crate::store::property_entries;

/// The result of an expression. A property is a text; compared with a number, it becomes a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i32),
    Long(i64),
    Double(f64),
    Text(&'a str),
}

/// An exception of Java: the message does not match, even if the rest of the expression does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Thrown {
    NotANumber(String),
    /// `TRUE = property` makes Java take a Boolean for a String.
    WrongClass,
    /// A text that is no number has no order.
    Unordered,
}

impl Thrown {
    /// The text of Java's exception, in remarks that contain it.
    pub(crate) fn java_text(&self) -> String {
        match self {
            Self::NotANumber(text) => format!(
                "java.lang.RuntimeException: java.lang.NumberFormatException: For input string: \"{text}\""
            ),
            Self::WrongClass | Self::Unordered => {
                "java.lang.ClassCastException: class java.lang.Boolean cannot be cast to class java.lang.String \
                 (java.lang.Boolean and java.lang.String are in module java.base of loader 'bootstrap')"
                    .to_owned()
            }
        }
    }
}

impl<'a> Value<'a> {
    /// The value of a constant.
    pub(crate) fn of(constant: &'a Constant) -> Self {
        match constant {
            Constant::Null => Self::Null,
            Constant::Bool(value) => Self::Bool(*value),
            Constant::Int(value) => Self::Int(*value),
            Constant::Long(value) => Self::Long(*value),
            Constant::Double(value) => Self::Double(*value),
            Constant::Text(text) => Self::Text(text),
        }
    }

    fn bool(value: Option<bool>) -> Self {
        value.map_or(Self::Null, Self::Bool)
    }
}

impl Expression {
    /// Whether a message with these properties matches.
    pub(crate) fn matches(&self, properties: &str) -> bool {
        self.condition_of(properties) == Ok(Some(true))
    }

    /// The truth of a condition; `None` if it is unknown.
    fn condition_of(&self, properties: &str) -> Result<Option<bool>, Thrown> {
        match self.value(properties)? {
            Value::Bool(value) => Ok(Some(value)),
            _ => Ok(None),
        }
    }

    fn value<'a>(&'a self, properties: &'a str) -> Result<Value<'a>, Thrown> {
        Ok(match self {
            Self::Property(name) => property(properties, name).map_or(Value::Null, Value::Text),
            Self::Constant(constant) => Value::of(constant),
            Self::Negate(inner) => match inner.value(properties)? {
                Value::Int(value) => Value::Int(value.wrapping_neg()),
                Value::Long(value) => Value::Long(value.wrapping_neg()),
                Value::Double(value) => Value::Double(-value),
                _ => Value::Null,
            },
            Self::Cast(inner) => match inner.value(properties)? {
                Value::Null => Value::Null,
                value => Value::Bool(value == Value::Bool(true)),
            },
            Self::Not(inner) => Value::bool(inner.condition_of(properties)?.map(|value| !value)),
            Self::And(parts) => Value::bool(all(parts, properties, false)?.map(|found| !found)),
            Self::Or(parts) => Value::bool(all(parts, properties, true)?),
            Self::Compare(order, left, right) => {
                let left = left.value(properties)?;
                if left == Value::Null {
                    return Ok(Value::Null);
                }
                Value::bool(ordered(*order, &left, &right.value(properties)?)?)
            }
            Self::Equal(left, right) => {
                Value::bool(equal(&left.value(properties)?, &right.value(properties)?)?)
            }
            Self::Part { part, not, value, search } => {
                let value = value.value(properties)?;
                let is_comparable = !search.is_empty() && matches!(value, Value::Text(_));
                Value::Bool(is_comparable && part.is_in(&value, search) != *not)
            }
            Self::In { property: name, not, list } => {
                let value = property(properties, name);
                Value::bool(value.map(|value| list.iter().any(|one| one == value) != *not))
            }
        })
    }
}

/// Searches for a part with the truth `wanted`, from left to right. True if there is one; unknown if a part is unknown.
fn all(parts: &[Expression], properties: &str, wanted: bool) -> Result<Option<bool>, Thrown> {
    let mut found = Some(false);
    for part in parts {
        match part.condition_of(properties)? {
            Some(value) if value == wanted => return Ok(Some(true)),
            Some(_) => {}
            None => found = None,
        }
    }
    Ok(found)
}

fn equal(left: &Value<'_>, right: &Value<'_>) -> Result<Option<bool>, Thrown> {
    match (left, right) {
        (Value::Null, Value::Null) => Ok(Some(true)),
        (Value::Null, _) => Ok(None),
        (_, Value::Null) => Ok(Some(false)),
        _ => Ok(Some(compare(left, right)? == Ordering::Equal)),
    }
}

fn ordered(order: Order, left: &Value<'_>, right: &Value<'_>) -> Result<Option<bool>, Thrown> {
    let found = match (left, right) {
        (_, Value::Null) => return Ok(None),
        (Value::Text(left), Value::Text(right)) => {
            let (Some(left), Some(right)) = (double(left), double(right)) else {
                return Err(Thrown::Unordered);
            };
            double_order(left, right)
        }
        _ => compare(left, right)?,
    };
    Ok(Some(match order {
        Order::Greater => found.is_gt(),
        Order::GreaterEqual => found.is_ge(),
        Order::Less => found.is_lt(),
        Order::LessEqual => found.is_le(),
    }))
}

/// Compares like Java: the text takes the type of the other side; incomparable values count as smaller.
pub(crate) fn compare(left: &Value<'_>, right: &Value<'_>) -> Result<Ordering, Thrown> {
    use Value::{Bool, Double, Int, Long, Text};
    Ok(match (left, right) {
        (Bool(left), Bool(right)) => left.cmp(right),
        (Int(left), Int(right)) => left.cmp(right),
        (Int(left), Long(right)) => i64::from(*left).cmp(right),
        (Long(left), Int(right)) => left.cmp(&i64::from(*right)),
        (Long(left), Long(right)) => left.cmp(right),
        (Int(left), Double(right)) => double_order(f64::from(*left), *right),
        (Long(left), Double(right)) => double_order(*left as f64, *right),
        (Double(left), Int(right)) => double_order(*left, f64::from(*right)),
        (Double(left), Long(right)) => double_order(*left, *right as f64),
        (Double(left), Double(right)) => double_order(*left, *right),
        (Text(left), Text(right)) => left.encode_utf16().cmp(right.encode_utf16()),
        (Int(left), Text(right)) => left.cmp(&parsed(right)?),
        (Long(left), Text(right)) => left.cmp(&parsed(right)?),
        (Double(left), Text(right)) => double_order(*left, parsed_double(right)?),
        (Text(left), Int(right)) => parsed::<i32>(left)?.cmp(right),
        (Text(left), Long(right)) => parsed::<i64>(left)?.cmp(right),
        (Text(left), Double(right)) => double_order(parsed_double(left)?, *right),
        (Text(left), Bool(right)) => left.eq_ignore_ascii_case("true").cmp(right),
        (Bool(_), Text(_)) => return Err(Thrown::WrongClass),
        _ => Ordering::Less,
    })
}

/// Orders like Java's `Double.compareTo`: NaN is the largest.
fn double_order(left: f64, right: f64) -> Ordering {
    match (left.is_nan(), right.is_nan()) {
        (false, false) => left.total_cmp(&right),
        (left, right) => left.cmp(&right),
    }
}

fn parsed<N: std::str::FromStr>(text: &str) -> Result<N, Thrown> {
    text.parse().map_err(|_| Thrown::NotANumber(text.to_owned()))
}

fn parsed_double(text: &str) -> Result<f64, Thrown> {
    double(text).ok_or_else(|| Thrown::NotANumber(text.to_owned()))
}

impl Part {
    fn is_in(self, value: &Value<'_>, search: &str) -> bool {
        let Value::Text(text) = value else { return false };
        match self {
            Self::Contains => text.contains(search),
            Self::StartsWith => text.starts_with(search),
            Self::EndsWith => text.ends_with(search),
        }
    }
}

/// The value of a property; the last one if there are several.
fn property<'a>(wire: &'a str, name: &str) -> Option<&'a str> {
    property_entries(wire).filter(|entry| entry.0 == name).last().map(|entry| entry.1)
}
