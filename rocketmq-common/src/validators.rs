//! Rules for the names of topics and groups (Java: `Validators`, `TopicValidator`).

use std::fmt;

use thiserror::Error;

use crate::mix_all::*;
use crate::shorten::Shorten;

/// The longest topic name, in characters.
pub const TOPIC_MAX_LENGTH: usize = 127;
/// The longest group name, in characters: with it, the name of the retry topic is still valid.
pub const GROUP_MAX_LENGTH: usize = 120;

/// Topics that only a broker itself may write to.
const NOT_ALLOWED_TO_SEND: [&str; 6] = [
    RMQ_SYS_SCHEDULE_TOPIC,
    RMQ_SYS_TRANS_HALF_TOPIC,
    RMQ_SYS_TRANS_OP_HALF_TOPIC,
    RMQ_SYS_TRANS_CHECK_MAX_TIME_TOPIC,
    RMQ_SYS_SELF_TEST_TOPIC,
    RMQ_SYS_OFFSET_MOVED_EVENT,
];

/// Further topics that clients must not create.
const OTHER_SYSTEM_TOPICS: [&str; 4] =
    [AUTO_CREATE_TOPIC_KEY_TOPIC, RMQ_SYS_BENCHMARK_TOPIC, RMQ_SYS_TRACE_TOPIC, RMQ_SYS_CHECKPOINT_TOPIC];

/// Whether a text can be the name of a topic.
///
/// ```
/// use rocketmq_common::validators::check_topic;
///
/// assert!(check_topic("order-events_v2").is_ok());
/// let error = check_topic("order events").unwrap_err();
/// assert!(error.to_string().starts_with("topic `order events`: ' ' at character 6 is not allowed"));
/// ```
///
/// # Errors
/// The text is blank, longer than 127 characters, or has a character other than ASCII letters, digits, `%`, `|`, `_`
/// and `-`.
pub fn check_topic(topic: &str) -> Result<(), NameError> {
    check(Named::Topic, topic, TOPIC_MAX_LENGTH)
}

/// Whether a text can be the name of a producer or consumer group.
///
/// ```
/// use rocketmq_common::validators::{NameRule, check_group};
///
/// assert!(check_group("billing").is_ok());
/// assert_eq!(check_group(" ").unwrap_err().rule(), NameRule::Blank);
/// ```
///
/// # Errors
/// The errors of [`check_topic`], with a limit of 120 characters.
pub fn check_group(group: &str) -> Result<(), NameError> {
    check(Named::Group, group, GROUP_MAX_LENGTH)
}

/// Whether a client may send to a topic.
///
/// ```
/// use rocketmq_common::validators::{NameRule, check_sendable_topic};
///
/// assert!(check_sendable_topic("Orders").is_ok());
/// let error = check_sendable_topic("SCHEDULE_TOPIC_XXXX").unwrap_err();
/// assert_eq!(error.rule(), NameRule::BrokerOnly);
/// ```
///
/// # Errors
/// The text is [no valid name](check_topic), or only brokers write to the topic. The topic of the timer wheel is among
/// these topics: brokers would accept a message for it, and all their timers would stop.
pub fn check_sendable_topic(topic: &str) -> Result<(), NameError> {
    check_topic(topic)?;
    if topic == RMQ_SYS_WHEEL_TIMER_TOPIC || NOT_ALLOWED_TO_SEND.contains(&topic) {
        return Err(NameError::new(Named::Topic, topic, NameRule::BrokerOnly));
    }
    Ok(())
}

/// Whether a topic belongs to the system: clients must not create it, and no namespace applies to it.
///
/// ```
/// use rocketmq_common::validators::is_system_topic;
///
/// assert!(is_system_topic("TBW102"));
/// assert!(!is_system_topic("Orders"));
/// ```
pub fn is_system_topic(topic: &str) -> bool {
    topic.starts_with(SYSTEM_TOPIC_PREFIX)
        || NOT_ALLOWED_TO_SEND.contains(&topic)
        || OTHER_SYSTEM_TOPICS.contains(&topic)
}

/// Whether a consumer group belongs to the system.
pub fn is_system_group(group: &str) -> bool {
    group.starts_with(CID_RMQ_SYS_PREFIX)
}

/// The use of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Named {
    /// A topic.
    Topic,
    /// A producer or consumer group.
    Group,
}

/// A name that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{named} `{}`: {rule}", Shorten(.name))]
pub struct NameError {
    named: Named,
    name: String,
    rule: NameRule,
}

/// The rules for names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameRule {
    /// The name is empty or blank.
    #[error("the name is blank")]
    Blank,
    /// The name has too many characters.
    #[error("the name has {length} characters, over the limit of {limit}")]
    TooLong {
        /// The number of characters, counted like Java.
        length: usize,
        /// The largest allowed number of characters.
        limit: usize,
    },
    /// The name has a forbidden character.
    #[error("{character:?} at character {position} is not allowed; use a-z, A-Z, 0-9, `_`, `-`, `%` or `|`")]
    Character {
        /// The first such character.
        character: char,
        /// Its position, from 1.
        position: usize,
    },
    /// Only brokers may write to the topic.
    #[error("only a broker writes to this topic; send to another one")]
    BrokerOnly,
}

impl NameError {
    fn new(named: Named, name: &str, rule: NameRule) -> Self {
        Self { named, name: name.to_owned(), rule }
    }

    /// The use of the name.
    pub fn named(&self) -> Named {
        self.named
    }

    /// The name, unchanged.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The rule that it breaks.
    pub fn rule(&self) -> NameRule {
        self.rule
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Topic => "topic",
            Self::Group => "group",
        })
    }
}

fn check(named: Named, name: &str, limit: usize) -> Result<(), NameError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '%' | '|' | '_' | '-');
    if (1..=limit).contains(&name.len()) && name.bytes().all(|byte| allowed(char::from(byte))) {
        // Fast path: nearly all names are valid.
        return Ok(());
    }
    let length = name.encode_utf16().count();
    let rule = if name.trim().is_empty() {
        NameRule::Blank
    } else if length > limit {
        NameRule::TooLong { length, limit }
    } else if let Some((index, character)) = name.chars().enumerate().find(|(_, c)| !allowed(*c)) {
        NameRule::Character { character, position: index + 1 }
    } else {
        return Ok(());
    };
    Err(NameError::new(named, name, rule))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(result: Result<(), NameError>) -> Option<NameRule> {
        result.err().map(|error| error.rule())
    }

    #[test]
    fn names_have_the_broker_s_limits() {
        assert_eq!(rule(check_topic(&"x".repeat(127))), None);
        assert_eq!(rule(check_topic(&"x".repeat(128))), Some(NameRule::TooLong { length: 128, limit: 127 }));
        assert_eq!(rule(check_group(&"x".repeat(120))), None);
        assert_eq!(rule(check_group(&"x".repeat(121))), Some(NameRule::TooLong { length: 121, limit: 120 }));
        assert_eq!(rule(check_topic(&retry_topic(&"x".repeat(120)))), None);
    }

    #[test]
    fn names_have_the_broker_s_alphabet() {
        assert_eq!(rule(check_topic("aZ09_-%|")), None);
        assert_eq!(rule(check_topic("")), Some(NameRule::Blank));
        assert_eq!(rule(check_group(" \t")), Some(NameRule::Blank));
        let bad = |character, position| Some(NameRule::Character { character, position });
        assert_eq!(rule(check_topic("a.b")), bad('.', 2));
        assert_eq!(rule(check_topic("topié")), bad('é', 5));
        assert_eq!(rule(check_topic("a\n")), bad('\n', 2));
    }

    #[test]
    fn the_error_shows_the_name_shortened_and_escaped() {
        let error = check_topic("a\nb").unwrap_err();
        assert_eq!(
            error.to_string(),
            r"topic `a\nb`: '\n' at character 2 is not allowed; use a-z, A-Z, 0-9, `_`, `-`, `%` or `|`"
        );
        assert!(check_group(&"g".repeat(9_000)).unwrap_err().to_string().len() < 200);
    }

    #[test]
    fn nobody_sends_to_a_broker_s_own_topics() {
        for topic in ["SCHEDULE_TOPIC_XXXX", "RMQ_SYS_TRANS_HALF_TOPIC", "rmq_sys_wheel_timer"] {
            assert_eq!(rule(check_topic(topic)), None);
            assert_eq!(rule(check_sendable_topic(topic)), Some(NameRule::BrokerOnly));
            assert!(is_system_topic(topic));
        }
        for topic in ["TBW102", "BenchmarkTest", "RMQ_SYS_TRACE_TOPIC", "rmq_sys_mine"] {
            assert_eq!(rule(check_sendable_topic(topic)), None);
            assert!(is_system_topic(topic));
        }
        assert!(!is_system_topic("TopicTest"));
        assert!(is_system_group("CID_RMQ_SYS_TRANS") && !is_system_group("CID_mine"));
    }
}
