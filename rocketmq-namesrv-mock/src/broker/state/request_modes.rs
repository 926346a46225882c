//! How groups get the messages of topics. Java: `MessageRequestModeManager`.

use std::collections::{BTreeMap, HashMap};

use rocketmq_remoting::protocol::body::{MessageRequestMode, SetMessageRequestModeRequestBody};

/// How groups get the messages of topics; filled by request 401.
#[derive(Debug, Default)]
pub(crate) struct RequestModes {
    /// By topic and group: the mode, and how many queues of other members a member also pops from.
    modes: HashMap<(String, String), (MessageRequestMode, i32)>,
}

impl RequestModes {
    /// Sets how a group gets the messages of a topic.
    pub(crate) fn set(&mut self, topic: String, group: String, mode: MessageRequestMode, share: i32) {
        self.modes.insert((topic, group), (mode, share));
    }

    /// All modes, by topic and group.
    pub(crate) fn all(&self) -> BTreeMap<&str, BTreeMap<&str, SetMessageRequestModeRequestBody>> {
        let mut all = BTreeMap::<_, BTreeMap<_, _>>::new();
        for ((topic, group), (mode, share)) in &self.modes {
            let said = SetMessageRequestModeRequestBody {
                consumer_group: group.clone(),
                mode: mode.clone(),
                pop_share_queue_num: *share,
                topic: topic.clone(),
            };
            all.entry(topic.as_str()).or_default().insert(group.as_str(), said);
        }
        all
    }

    pub(crate) fn get(&self, topic: &str, group: &str) -> (MessageRequestMode, i32) {
        let mode = self.modes.get(&(topic.to_owned(), group.to_owned()));
        mode.cloned().unwrap_or((MessageRequestMode::Pull, 0))
    }
}
