//! The parts of an SQL92 expression, and their allowed combinations. Java: `ComparisonExpression` and its subclasses.

use std::cmp::Ordering;
use std::fmt;

use super::evaluate::{Value, compare};
use super::java_number::double_text;

/// An expression over the properties of a message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expression {
    Property(String),
    Constant(Constant),
    Negate(Box<Expression>),
    /// A property in the place of a condition.
    Cast(Box<Expression>),
    Not(Box<Expression>),
    /// Evaluated from left to right, until a part is false.
    And(Vec<Expression>),
    /// Evaluated from left to right, until a part is true.
    Or(Vec<Expression>),
    Compare(Order, Box<Expression>, Box<Expression>),
    Equal(Box<Expression>, Box<Expression>),
    Part {
        part: Part,
        not: bool,
        value: Box<Expression>,
        search: String,
    },
    In {
        property: String,
        not: bool,
        list: Vec<String>,
    },
}

/// A literal.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Constant {
    Null,
    Bool(bool),
    Int(i32),
    Long(i64),
    Double(f64),
    Text(String),
}

/// The comparison operators for numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
}

/// The part of a text to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Contains,
    StartsWith,
    EndsWith,
}

/// Why an expression is invalid: the text of Java's exception, with its class.
pub(crate) type Wrong = String;

impl Expression {
    /// `left > right` and the other comparisons: both sides must be able to be numbers.
    pub(crate) fn compare(order: Order, left: Self, right: Self) -> Result<Self, Wrong> {
        left.check_ordered()?;
        right.check_ordered()?;
        Ok(Self::Compare(order, Box::new(left), Box::new(right)))
    }

    /// `left = right`.
    pub(crate) fn equal(left: Self, right: Self) -> Result<Self, Wrong> {
        for side in [&left, &right] {
            if *side == Self::Constant(Constant::Null) {
                return Err(runtime(format_args!("'{side}' cannot be compared.")));
            }
        }
        if let (Self::Constant(Constant::Bool(_)), Self::Constant(constant)) = (&left, &right) {
            if !matches!(constant, Constant::Bool(_)) {
                return Err(runtime(format_args!("'{left}' cannot be compared with '{right}'")));
            }
        }
        Ok(Self::Equal(Box::new(left), Box::new(right)))
    }

    /// `left IS NULL`.
    pub(crate) fn is_null(left: Self) -> Self {
        Self::Equal(Box::new(left), Box::new(Self::Constant(Constant::Null)))
    }

    /// `not left`, if `left` is a condition.
    pub(crate) fn negated(left: Self) -> Self {
        Self::Not(Box::new(left))
    }

    /// `value BETWEEN low AND high`.
    pub(crate) fn between(value: Self, low: Self, high: Self) -> Result<Self, Wrong> {
        if let (Self::Constant(low), Self::Constant(high)) = (&low, &high) {
            check_bounds(low, high)?;
        }
        let lower = Self::compare(Order::GreaterEqual, value.clone(), low)?;
        Ok(Self::And(vec![lower, Self::compare(Order::LessEqual, value, high)?]))
    }

    /// `value NOT BETWEEN low AND high`.
    pub(crate) fn not_between(value: Self, low: Self, high: Self) -> Result<Self, Wrong> {
        let below = Self::compare(Order::Less, value.clone(), low)?;
        Ok(Self::Or(vec![below, Self::compare(Order::Greater, value, high)?]))
    }

    /// `value IN (list)`.
    pub(crate) fn one_of(value: Self, list: Vec<String>, not: bool) -> Result<Self, Wrong> {
        match value {
            Self::Property(property) => Ok(Self::In { property, not, list }),
            other => Err(runtime(format_args!("Expected a property for In expression, got: {other}"))),
        }
    }

    /// The expression as a condition.
    pub(crate) fn condition(self) -> Result<Self, Wrong> {
        match self {
            Self::Property(_) => Ok(Self::Cast(Box::new(self))),
            condition if condition.is_condition() => Ok(condition),
            other => Err(format!(
                "org.apache.rocketmq.filter.parser.ParseException: Expression will not result in a boolean value: \
                 {other}"
            )),
        }
    }

    fn is_condition(&self) -> bool {
        match self {
            Self::Property(_) | Self::Negate(_) => false,
            Self::Constant(constant) => matches!(constant, Constant::Null | Constant::Bool(_)),
            _ => true,
        }
    }

    fn check_ordered(&self) -> Result<(), Wrong> {
        let is_number = match self {
            Self::Constant(constant) => {
                matches!(constant, Constant::Int(_) | Constant::Long(_) | Constant::Double(_))
            }
            other => !other.is_condition(),
        };
        if is_number { Ok(()) } else { Err(runtime(format_args!("Value '{self}' cannot be compared."))) }
    }
}

fn check_bounds(low: &Constant, high: &Constant) -> Result<(), Wrong> {
    if matches!(low, Constant::Null) || matches!(high, Constant::Null) {
        return Err(runtime(format_args!("Illegal values of between, values can not be null!")));
    }
    let order = compare(&Value::of(high), &Value::of(low)).map_err(|error| error.java_text())?;
    if order == Ordering::Less {
        let text = |constant: &Constant| match constant {
            Constant::Text(text) => text.clone(),
            Constant::Bool(value) => value.to_string(),
            other => other.to_string(),
        };
        return Err(runtime(format_args!(
            "Illegal values of between, left value({}) must less than or equal to right value({})",
            text(low),
            text(high)
        )));
    }
    Ok(())
}

fn runtime(detail: fmt::Arguments<'_>) -> Wrong {
    format!("java.lang.RuntimeException: {detail}")
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Property(name) => f.write_str(name),
            Self::Constant(constant) => constant.fmt(f),
            Self::Negate(inner) => write!(f, "(- {inner})"),
            Self::Cast(inner) => inner.fmt(f),
            Self::Not(inner) => write!(f, "(NOT {inner})"),
            Self::And(parts) => chain(f, parts, "&&"),
            Self::Or(parts) => chain(f, parts, "||"),
            Self::Compare(order, left, right) => write!(f, "({left} {} {right})", order.symbol()),
            Self::Equal(left, right) => write!(f, "({left} == {right})"),
            Self::Part { part, not, value, .. } => {
                write!(f, "({}{} {value})", if *not { "NOT " } else { "" }, part.symbol())
            }
            Self::In { property, not, list } => {
                let not = if *not { "NOT " } else { "" };
                write!(f, "{property} {not}IN ( {} )", list.join(", "))
            }
        }
    }
}

/// Prints a chain as Java does, whose conditions have two sides each.
fn chain(f: &mut fmt::Formatter<'_>, parts: &[Expression], symbol: &str) -> fmt::Result {
    for _ in 1..parts.len() {
        f.write_str("(")?;
    }
    for (index, part) in parts.iter().enumerate() {
        match index {
            0 => write!(f, "{part}")?,
            _ => write!(f, " {symbol} {part})")?,
        }
    }
    Ok(())
}

impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Bool(true) => f.write_str("TRUE"),
            Self::Bool(false) => f.write_str("FALSE"),
            Self::Int(value) => value.fmt(f),
            Self::Long(value) => value.fmt(f),
            Self::Double(value) => f.write_str(&double_text(*value)),
            Self::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
        }
    }
}

impl Order {
    fn symbol(self) -> &'static str {
        match self {
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Less => "<",
            Self::LessEqual => "<=",
        }
    }
}

impl Part {
    fn symbol(self) -> &'static str {
        match self {
            Self::Contains => "CONTAINS",
            Self::StartsWith => "STARTSWITH",
            Self::EndsWith => "ENDSWITH",
        }
    }
}
