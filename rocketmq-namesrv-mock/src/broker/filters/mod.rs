//! Filters of groups: by tag, or by an SQL92 expression over the properties.
//!
//! | to find | look in |
//! |---|---|
//! | tags, compared by their hash | [`tags`] |
//! | tokens, grammar, what an expression is, its value for a message | [`lexer`], [`parser`], [`expression`],
//! [`evaluate`] |
//! | numbers and their texts in Java's form | [`java_number`] |
//! | filters that groups sent in heartbeats | [`filter_table`] |
//!
//! Java: the module `filter`, `ExpressionMessageFilter`, `ConsumerFilterManager`.

mod evaluate;
mod expression;
mod filter_table;
mod java_number;
mod lexer;
mod parser;
mod tags;

use std::sync::Arc;

use bytes::Bytes;
use rocketmq_remoting::protocol::ResponseCode;

use crate::store::decode_head;
use crate::wire::Refusal;
use expression::Expression;
pub(crate) use filter_table::FilterTable;
pub(crate) use tags::{TagFilter, Wanted};

/// The language of expressions over properties.
pub(crate) const SQL92: &str = "SQL92";

/// A compiled SQL92 expression.
#[derive(Debug)]
pub(crate) struct Selector(Expression);

/// The filter of a reader.
#[derive(Debug, Clone)]
pub(crate) enum MessageFilter {
    /// Messages by the hash of their tag.
    Tags(Arc<TagFilter>),
    /// Messages whose properties match.
    Properties(Arc<Selector>),
    /// All messages: an invalid expression filters nothing.
    Nothing,
}

impl Selector {
    /// Compiles an expression. An error is the text of Java's exception, with its class.
    pub(crate) fn compile(language: &str, text: &str) -> Result<Self, String> {
        if language != SQL92 {
            return Err(NO_SUCH_LANGUAGE.to_owned());
        }
        parser::parse(text).map(Self)
    }

    /// Whether a message with these properties, in wire form, matches. An evaluation error means no.
    pub(crate) fn matches(&self, properties: &str) -> bool {
        self.0.matches(properties)
    }
}

/// The remark of Java's virtual machine for an unknown language.
const NO_SUCH_LANGUAGE: &str = "Cannot invoke \"org.apache.rocketmq.filter.FilterSpi.compile(String)\" because the \
                                return value of \"org.apache.rocketmq.filter.FilterFactory.get(String)\" is null";

impl MessageFilter {
    /// Whether a message passes. `properties` is called only if they decide.
    pub(crate) fn matches<'a>(
        &self,
        tags_code: i32,
        properties: impl FnOnce() -> std::borrow::Cow<'a, str>,
    ) -> bool {
        match self {
            Self::Tags(tags) => tags.matches(tags_code),
            Self::Properties(selector) => selector.matches(&properties()),
            Self::Nothing => true,
        }
    }

    /// Whether a stored message passes.
    pub(crate) fn matches_record(&self, tags_code: i32, record: Option<&Bytes>) -> bool {
        self.matches(tags_code, || record.and_then(record_properties).unwrap_or_default().into())
    }
}

/// The refusal of a broker that filters by tags only, Apache's default.
pub(crate) fn no_property_filter(language: &str) -> Refusal {
    let remark = format!("The broker does not support consumer to filter message by {language}");
    Refusal::new(ResponseCode::SYSTEM_ERROR, remark)
}

/// The properties of a stored record in wire form.
fn record_properties(record: &Bytes) -> Option<String> {
    Some(decode_head(record)?.properties().as_wire().to_owned())
}
