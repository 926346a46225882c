use rocketmq_common::java_hash::java_string_hash;
use rocketmq_common::validators;
use rocketmq_remoting::protocol::body::SubscriptionData;

use super::MessageSelector;
use super::selector::Kind;
use crate::error::{MQClientError, invalid};
use crate::model::MessageExt;

/// An expression that is `"*"` matches every message.
const ALL: &str = "*";

/// A topic and which of its messages, checked. Java: `SubscriptionData`, `FilterAPI`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subscription {
    data: SubscriptionData,
}

impl Subscription {
    /// `version` orders the subscriptions of a topic: milliseconds since 1970, higher than that of the one before.
    ///
    /// # Errors
    /// When the topic has an invalid name, an SQL expression is empty, or an expression of tags has no tag, which would
    /// match no message.
    pub(crate) fn new(topic: &str, selector: &MessageSelector, version: i64) -> Result<Self, MQClientError> {
        validators::check_topic(topic).map_err(|error| invalid("subscription", error.to_string()))?;
        let refuse = |what: &str| {
            let expression = selector.expression().escape_debug();
            Err(invalid("subscription", format!("the expression \"{expression}\" of topic {topic} {what}")))
        };
        let mut data =
            SubscriptionData { topic: topic.to_owned(), sub_version: version, ..SubscriptionData::default() };
        match selector.kind() {
            Kind::Sql if selector.expression().trim().is_empty() => {
                return refuse("is empty: write an SQL92 condition, or subscribe to \"*\"");
            }
            Kind::Sql => {
                data.expression_type = "SQL92".to_owned();
                data.sub_string = selector.expression().to_owned();
            }
            Kind::Tag => match selector.expression().trim() {
                "" | ALL => data.sub_string = ALL.to_owned(),
                expression => {
                    data.sub_string = expression.to_owned();
                    data.tags_set = tags_of(expression);
                    data.code_set = data.tags_set.iter().map(|tag| java_string_hash(tag)).collect();
                    data.code_set.sort_unstable();
                    data.code_set.dedup();
                    if data.tags_set.is_empty() {
                        return refuse("has no tag: write \"TagA || TagB\", or \"*\" for all messages");
                    }
                    if data.tags_set.iter().any(|tag| tag == ALL) {
                        return refuse("mixes \"*\" with tags: \"*\" stands alone");
                    }
                }
            },
        }
        Ok(Self { data })
    }

    /// Whether the expressions are equal.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let expression = |data: &SubscriptionData| (data.expression_type.clone(), data.sub_string.clone());
        expression(&self.data) == expression(&other.data)
    }

    /// Makes this subscription the newer of two.
    pub(crate) fn come_after(&mut self, before: &Self) {
        self.data.sub_version = self.data.sub_version.max(before.data.sub_version + 1);
    }

    /// The subscription as heartbeats carry it.
    pub(crate) fn data(&self) -> &SubscriptionData {
        &self.data
    }

    /// Whether the expression is SQL92, which brokers must parse first (request 46).
    pub(crate) fn is_sql(&self) -> bool {
        self.data.expression_type != "TAG"
    }

    /// Whether both filters are of one topic and want equal messages.
    pub(crate) fn is_same(&self, other: &SubscriptionData) -> bool {
        let SubscriptionData { topic, expression_type, sub_string, .. } = &self.data;
        let tag_type = |kind: &str| kind.is_empty() || kind == "TAG";
        *topic == other.topic
            && *sub_string == other.sub_string
            && (*expression_type == other.expression_type
                || tag_type(expression_type) && tag_type(&other.expression_type))
    }

    /// Whether the consumer wants a message that the broker sent. The broker compares hashes of tags, this the tags. What
    /// SQL selects is left to the broker.
    pub(crate) fn wants(&self, message: &MessageExt) -> bool {
        self.data.tags_set.is_empty()
            || message.tags().is_some_and(|tag| self.data.tags_set.iter().any(|wanted| wanted == tag))
    }
}

/// The tags of `A || B`, each once, in their order.
fn tags_of(expression: &str) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for tag in expression.split("||").map(str::trim).filter(|tag| !tag.is_empty()) {
        if tags.iter().all(|known| known != tag) {
            tags.push(tag.to_owned());
        }
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Message, RecordHeader};

    fn subscription(selector: impl Into<MessageSelector>) -> Result<Subscription, MQClientError> {
        Subscription::new("Orders", &selector.into(), 7)
    }

    fn tagged(tag: Option<&str>) -> MessageExt {
        let message = Message::new("Orders", "x");
        let message = match tag {
            Some(tag) => message.with_tags(tag),
            None => message,
        };
        MessageExt::new(message, RecordHeader::default())
    }

    #[test]
    fn expressions_of_tags_are_parsed_as_java_does() {
        for all in ["*", "", " * "] {
            let data = subscription(all).unwrap().data;
            assert_eq!((data.sub_string.as_str(), data.tags_set.len()), ("*", 0), "{all:?}");
            assert_eq!((data.expression_type.as_str(), data.sub_version), ("TAG", 7));
        }
        let data = subscription(" TagA|| TagB ||||TagA").unwrap().data;
        assert_eq!(
            (data.sub_string.as_str(), data.tags_set),
            ("TagA|| TagB ||||TagA", vec!["TagA".into(), "TagB".into()])
        );
        // "TagA".hashCode() and "TagB".hashCode().
        assert_eq!(data.code_set, [2_598_919, 2_598_920]);
        assert_eq!(subscription("a|b").unwrap().data.tags_set, ["a|b"], "a single bar is part of a tag");
    }

    #[test]
    fn tags_whose_hashes_are_equal_are_one_code() {
        let both = subscription("Aa || BB").unwrap();
        assert_eq!((both.data.code_set.as_slice(), both.data.tags_set.len()), ([2112].as_slice(), 2));
        let one = subscription("Aa").unwrap();
        assert!(one.wants(&tagged(Some("Aa"))) && !one.wants(&tagged(Some("BB"))), "the text decides");
    }

    #[test]
    fn a_message_without_a_tag_matches_everything_only() {
        assert!(!subscription("TagA").unwrap().wants(&tagged(None)));
        assert!(subscription("*").unwrap().wants(&tagged(None)));
        assert!(subscription(MessageSelector::by_sql("a > 1")).unwrap().wants(&tagged(None)));
    }

    #[test]
    fn expressions_that_match_nothing_are_refused() {
        for (selector, reason) in [
            (MessageSelector::by_tag("||"), "\"||\" of topic Orders has no tag"),
            (MessageSelector::by_tag(" || ||"), "has no tag"),
            (MessageSelector::by_tag("TagA || *"), "stands alone"),
            (MessageSelector::by_sql(" "), "is empty: write an SQL92 condition"),
        ] {
            let error = subscription(selector).unwrap_err();
            assert!(matches!(error, MQClientError::InvalidOption { option: "subscription", .. }));
            assert!(error.to_string().contains(reason), "{error}");
        }
        assert!(Subscription::new("no topic", &"*".into(), 1).is_err());
    }

    #[test]
    fn subscriptions_are_compared_without_their_versions() {
        let tags = subscription("TagA").unwrap();
        let mut other = tags.data.clone();
        (other.sub_version, other.expression_type) = (9, String::new());
        assert!(tags.is_same(&other), "an empty type is TAG");
        other.sub_string = "TagB".to_owned();
        assert!(!tags.is_same(&other));
        let sql = subscription(MessageSelector::by_sql("TagA")).unwrap();
        assert!(sql.is_sql() && !tags.is_same(&sql.data) && sql.is_same(&sql.data));
    }
}
