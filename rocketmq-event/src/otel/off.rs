//! Without the feature `otel`: no spans, at no cost.

use std::future::Future;
use std::time::Duration;

use crate::backend::{Incoming, Outgoing};
use crate::error::PublishError;

pub(crate) const fn is_on() -> bool {
    false
}

#[derive(Debug, Clone, Copy)]
#[allow(dead_code, reason = "named by spans only")]
pub(crate) struct About<'a> {
    pub(crate) system: &'static str,
    pub(crate) stream: &'a str,
    pub(crate) group: &'a str,
}

#[derive(Debug)]
pub(crate) struct Span;

impl Span {
    pub(crate) fn publish(_: &'static str, _: &mut Outgoing) -> Self {
        Self
    }

    pub(crate) fn process(_: About<'_>, _: &Incoming, _: u32) -> Self {
        Self
    }

    #[allow(clippy::unused_self, reason = "spans need it")]
    pub(crate) fn within<F: Future>(&self, future: F) -> F {
        future
    }

    pub(crate) fn published(&self, _: Option<&PublishError>) {}

    pub(crate) fn end(&self, _: Option<(String, String)>) {}
}

pub(crate) fn settled(_: About<'_>, _: &'static str, _: &Incoming, _: Duration) {}
