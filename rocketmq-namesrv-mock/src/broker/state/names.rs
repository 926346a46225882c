//! Rules for the names of topics and groups, with Apache's remarks (Java: `TopicValidator`).

use std::collections::BTreeSet;

use rocketmq_common::mix_all::{
    RMQ_SYS_OFFSET_MOVED_EVENT, RMQ_SYS_SCHEDULE_TOPIC, RMQ_SYS_SELF_TEST_TOPIC,
    RMQ_SYS_TRANS_CHECK_MAX_TIME_TOPIC, RMQ_SYS_TRANS_HALF_TOPIC, RMQ_SYS_TRANS_OP_HALF_TOPIC, is_dlq_topic,
    is_retry_topic,
};
use rocketmq_common::validators;

const TOPIC_MAX_LENGTH: usize = 127;
const RETRY_OR_DLQ_TOPIC_MAX_LENGTH: usize = 255;
const GROUP_MAX_LENGTH: usize = 120;

/// Checks the name of a topic. The error is the remark.
pub(crate) fn check_topic(topic: &str) -> Result<(), String> {
    check_characters("topic", topic)?;
    if is_retry_topic(topic) || is_dlq_topic(topic) {
        if topic.len() > RETRY_OR_DLQ_TOPIC_MAX_LENGTH {
            return Err(format!(
                "The specified topic is DLQ or Retry topic: {topic}, and it's longer than topic max length: \
                 {RETRY_OR_DLQ_TOPIC_MAX_LENGTH}"
            ));
        }
    } else if topic.len() > TOPIC_MAX_LENGTH {
        return Err(format!(
            "The specified topic: {topic}, is longer than topic max length: {TOPIC_MAX_LENGTH}"
        ));
    }
    Ok(())
}

/// Checks the name of a consumer group. The error is the remark.
pub(crate) fn check_group(group: &str) -> Result<(), String> {
    check_characters("group", group)?;
    if group.len() > GROUP_MAX_LENGTH {
        return Err(format!(
            "The specified group: {group}, is longer than group max length: {GROUP_MAX_LENGTH}"
        ));
    }
    Ok(())
}

/// Whether sends to a topic are refused.
pub(crate) fn is_forbidden_to_send(topic: &str) -> bool {
    const FORBIDDEN: [&str; 6] = [
        RMQ_SYS_SCHEDULE_TOPIC,
        RMQ_SYS_TRANS_HALF_TOPIC,
        RMQ_SYS_TRANS_OP_HALF_TOPIC,
        RMQ_SYS_TRANS_CHECK_MAX_TIME_TOPIC,
        RMQ_SYS_SELF_TEST_TOPIC,
        RMQ_SYS_OFFSET_MOVED_EVENT,
    ];
    FORBIDDEN.contains(&topic)
}

/// Whether no request may change a topic: it belongs to the system, or has the name of a cluster or broker.
pub(crate) fn is_system_topic(topic: &str, standing: &BTreeSet<String>) -> bool {
    validators::is_system_topic(topic) || standing.contains(topic)
}

fn check_characters(what: &str, name: &str) -> Result<(), String> {
    if name.trim().is_empty() {
        return Err(format!("The specified {what} is blank."));
    }
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"%|_-".contains(&byte);
    if !name.bytes().all(is_legal) {
        return Err(format!(
            "The specified {what}: {name}, contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_and_dead_letter_topics_may_be_longer() {
        assert!(check_topic(&"t".repeat(127)).is_ok());
        assert!(check_topic(&"t".repeat(128)).unwrap_err().ends_with("is longer than topic max length: 127"));
        assert!(check_topic(&format!("%DLQ%{}", "g".repeat(250))).is_ok());
        let error = check_topic(&format!("%RETRY%{}", "g".repeat(249))).unwrap_err();
        assert!(error.ends_with("it's longer than topic max length: 255"), "{error}");
    }

    #[test]
    fn names_are_not_blank_and_have_few_characters() {
        assert_eq!(check_topic(" ").unwrap_err(), "The specified topic is blank.");
        assert_eq!(check_group("").unwrap_err(), "The specified group is blank.");
        assert!(check_topic("a|b%c-d_9").is_ok());
        assert!(check_topic("a.b").unwrap_err().contains("contains illegal characters"));
        assert!(check_group(&"g".repeat(121)).unwrap_err().ends_with("group max length: 120"));
    }
}
