//! The expressions that groups sent in heartbeats. Java: `ConsumerFilterManager`.

use std::collections::HashMap;
use std::sync::Arc;

use rocketmq_remoting::protocol::body::SubscriptionData;

use super::{Selector, TagFilter};

/// Compiled expressions by topic, then by group. They outlive their groups.
#[derive(Debug, Default)]
pub(crate) struct FilterTable {
    topics: HashMap<String, HashMap<String, Registered>>,
}

/// An expression of a group.
#[derive(Debug)]
pub(crate) struct Registered {
    /// The version of the subscription.
    pub(crate) version: i64,
    language: String,
    text: String,
    pub(crate) selector: Arc<Selector>,
}

impl FilterTable {
    /// Registers the new and newer expressions of a heartbeat. An invalid expression removes the earlier one.
    pub(crate) fn register(&mut self, group: &str, subscriptions: &[SubscriptionData]) {
        for data in subscriptions {
            let is_of_tags = TagFilter::is_language(&data.expression_type);
            if !is_of_tags && !data.sub_string.is_empty() {
                self.register_one(group, data);
            }
        }
    }

    fn register_one(&mut self, group: &str, data: &SubscriptionData) {
        let groups = self.topics.entry(data.topic.clone()).or_default();
        if let Some(known) = groups.get_mut(group) {
            if data.sub_version <= known.version {
                return;
            }
            if known.text == data.sub_string && known.language == data.expression_type {
                known.version = data.sub_version;
                return;
            }
        }
        match Selector::compile(&data.expression_type, &data.sub_string) {
            Ok(selector) => {
                let registered = Registered {
                    version: data.sub_version,
                    language: data.expression_type.clone(),
                    text: data.sub_string.clone(),
                    selector: Arc::new(selector),
                };
                groups.insert(group.to_owned(), registered);
            }
            Err(_) => {
                groups.remove(group);
            }
        }
    }

    /// The expression of a group for a topic.
    pub(crate) fn get(&self, topic: &str, group: &str) -> Option<&Registered> {
        self.topics.get(topic)?.get(group)
    }
}
