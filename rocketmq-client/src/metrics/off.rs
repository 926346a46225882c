//! Without the feature `metrics`: nothing is told, at no cost.

use std::time::Duration;

#[derive(Debug)]
pub(crate) struct ProducerMeter;

impl ProducerMeter {
    pub(crate) fn new(_: &str) -> Self {
        Self
    }

    pub(crate) fn admitted(&self, _: Messages) {}

    pub(crate) fn ended(&self, _: Messages) {}

    pub(crate) fn succeeded(&self, _: Messages, _: Duration) {}

    pub(crate) fn failed(&self, _: Messages) {}
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Messages(());

impl Messages {
    pub(crate) fn new(_: usize) -> Self {
        Self(())
    }
}

#[derive(Debug, Default)]
pub(crate) struct ConsumerMeter;

impl ConsumerMeter {
    pub(crate) fn new(_: &str) -> Self {
        Self
    }

    pub(crate) fn succeeded(&self, _: u64) {}

    pub(crate) fn failed(&self, _: u64) {}

    pub(crate) fn sent_back(&self, _: u64) {}

    pub(crate) fn dead_lettered(&self, _: u64) {}

    pub(crate) fn rebalanced(&self, _: u64) {}

    pub(crate) fn handled(&self, _: Duration) {}

    pub(crate) fn looked(&self, _: u64, _: u64, _: i64) {}
}
