//! Answers to requests: successes and refusals.

use std::borrow::Cow;

use bytes::Bytes;
use rocketmq_remoting::protocol::{ExtFields, NoHeader, ResponseCode};

use super::Reply;

/// A successful answer without a typed header.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: ResponseCode,
    pub(crate) remark: Option<Cow<'static, str>>,
    pub(crate) fields: ExtFields,
    pub(crate) body: Bytes,
}

/// The refusal of a request, equal to the answer of Apache's server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: ResponseCode,
    /// The remark; empty for none.
    pub(crate) remark: Cow<'static, str>,
    /// Absent, unless the server prepares a response header before it refuses.
    pub(crate) fields: ExtFields,
}

impl Answer {
    /// Code 0 without fields, remark and body.
    pub(crate) fn success() -> Self {
        Self { code: ResponseCode::SUCCESS, remark: None, fields: ExtFields::absent(), body: Bytes::new() }
    }

    pub(crate) fn with_body(self, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..self }
    }

    pub(crate) fn with_remark(self, remark: &'static str) -> Self {
        Self { remark: Some(Cow::Borrowed(remark)), ..self }
    }

    /// Adds a field.
    pub(crate) fn with_field(mut self, name: &'static str, value: impl ToString) -> Self {
        self.fields.insert(name, value.to_string());
        self
    }

    /// With `extFields` present even without any field.
    pub(crate) fn with_empty_fields(self) -> Self {
        Self { fields: ExtFields::empty(), ..self }
    }

    /// Sends it.
    pub(crate) fn send(self, responder: Reply) {
        responder.answer(self.code, self.remark.as_deref(), &NoHeader, &self.fields, &self.body);
    }
}

impl Refusal {
    pub(crate) fn new(code: ResponseCode, remark: impl Into<Cow<'static, str>>) -> Self {
        Self { code, remark: remark.into(), fields: ExtFields::absent() }
    }

    /// The answer to an exception in a server: code 1 with its text, without fields.
    pub(crate) fn exception(class: &str, detail: impl std::fmt::Display) -> Self {
        Self::new(ResponseCode::SYSTEM_ERROR, format!("{class}: {detail}"))
    }

    /// The refusal of a request without a field that the server needs.
    pub(crate) fn null(field: &str) -> Self {
        Self::exception("java.lang.NullPointerException", format_args!("\"{field}\" is null"))
    }

    /// The refusal of a feature that Apache's broker has and the mock lacks. It names the feature.
    pub(crate) fn not_supported(what: &str) -> Self {
        Self::new(ResponseCode::SYSTEM_ERROR, format!("{what} is not supported by this mock yet"))
    }

    /// Adds these fields, unless the refusal stands for an exception: it has no fields.
    pub(crate) fn with_fields(self, fields: ExtFields) -> Self {
        match self.code {
            ResponseCode::SYSTEM_ERROR => self,
            _ => Self { fields, ..self },
        }
    }

    /// Sends it.
    pub(crate) fn send(self, responder: Reply) {
        let remark = Some(&*self.remark).filter(|remark| !remark.is_empty());
        responder.answer(self.code, remark, &NoHeader, &self.fields, &Bytes::new());
    }
}
