use std::sync::Arc;

use crate::consumer::subscription::Subscription;

/// One subscribed topic.
#[derive(Debug)]
pub(crate) struct Subscribed {
    /// The topic as brokers know it.
    pub(crate) topic: Arc<str>,
    /// The topic as users name it: without the namespace.
    pub(crate) plain: Arc<str>,
    pub(crate) subscription: Subscription,
    /// It is the retry topic of the group.
    pub(crate) is_retry: bool,
}
