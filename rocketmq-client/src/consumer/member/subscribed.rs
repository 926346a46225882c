use std::sync::{Arc, Mutex, PoisonError};

use bytestring::ByteString;
use rocketmq_remoting::protocol::header::PullMessageRequestHeader;

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
    /// The fields that pulls from each broker share.
    pub(crate) requests: Mutex<Vec<Arc<PullMessageRequestHeader>>>,
}

impl Subscribed {
    /// The fields that all pulls of a group from a broker share: thousands of queues have one copy.
    pub(crate) fn request(&self, group: &str, broker: &str) -> Arc<PullMessageRequestHeader> {
        let mut known = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(request) = known.iter().find(|request| request.broker_name.as_deref() == Some(broker)) {
            return request.clone();
        }
        let request = Arc::new(PullMessageRequestHeader {
            consumer_group: group.into(),
            topic: ByteString::from(&*self.topic),
            sub_version: self.subscription.data().sub_version,
            expression_type: Some(ByteString::from(self.subscription.data().expression_type.as_str())),
            broker_name: Some(broker.into()),
            ..PullMessageRequestHeader::default()
        });
        known.push(request.clone());
        request
    }
}
