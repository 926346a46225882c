//! Without the feature `otel`: no spans, at no cost.

use std::time::Duration;

use rocketmq_common::MessageQueue;

use crate::error::MQClientError;
use crate::model::{Message, MessageExt};

/// Whether this process makes spans.
pub(crate) const fn is_on() -> bool {
    false
}

#[derive(Debug, Clone, Copy)]
#[allow(dead_code, reason = "named by spans only")]
pub(crate) struct About<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) namespace: Option<&'a str>,
    pub(crate) consumer: Option<(&'a str, bool)>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct SendSpan(());

impl SendSpan {
    pub(crate) fn begin(_: About<'_>, _: &Message, _: Option<usize>, _: bool) -> Self {
        Self(())
    }

    pub(crate) fn travel_with(&self, _: &mut Message) {}

    pub(crate) fn has_id(&self, _: &str) {}

    pub(crate) fn attempted(&self, _: &MessageQueue, _: &str, _: Option<&MQClientError>) {}

    pub(crate) fn end(&self, _: Option<&MQClientError>) {}
}

#[derive(Debug)]
pub(crate) struct ProcessSpan;

/// Keeps a span current.
#[derive(Debug)]
pub(crate) struct Entered;

impl ProcessSpan {
    pub(crate) fn begin(_: About<'_>, _: &[MessageExt], _: &MessageQueue) -> Self {
        Self
    }

    pub(crate) fn enter(&self) -> Entered {
        Entered
    }

    pub(crate) fn end(&self, _: Option<(&'static str, String)>) {}
}

#[derive(Debug, Clone, Copy)]
#[allow(dead_code, reason = "named by spans only")]
pub(crate) enum Operation {
    Receive(&'static str),
    Settle(&'static str),
}

pub(crate) fn done<'m>(
    _: About<'_>,
    _: Operation,
    _: &MessageQueue,
    _: impl IntoIterator<Item = &'m MessageExt>,
    _: (Duration, Option<&MQClientError>),
) {
}
