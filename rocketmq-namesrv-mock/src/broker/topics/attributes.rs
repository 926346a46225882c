//! Attributes of topics and groups, and requests that change them. Java: `AttributeParser`, `AttributeUtil`,
//! `TopicAttributes`, `SubscriptionGroupAttributes`.

use std::collections::BTreeMap;

use rocketmq_remoting::protocol::ResponseCode;

use crate::wire::Refusal;

/// The attributes of a topic or a group.
pub(crate) type Attributes = BTreeMap<String, String>;

const MESSAGE_TYPES: [&str; 8] =
    ["UNSPECIFIED", "MIXED", "TRANSACTION", "PRIORITY", "FIFO", "DELAY", "LITE", "NORMAL"];
const QUEUE_TYPES: [&str; 2] = ["SimpleCQ", "BatchCQ"];
const CLEANUP_POLICIES: [&str; 2] = ["DELETE", "COMPACTION"];

/// The attributes of a topic after a request with the text `+key=value,-key`. `current` is `None` for a new topic.
pub(crate) fn changed(current: Option<&Attributes>, text: &str) -> Result<Attributes, Refusal> {
    applied(current, parse(text)?.into_iter(), check_of_topic)
}

/// The attributes that a topic has after these changes, whose keys have signs.
pub(crate) fn changed_by(
    current: Option<&Attributes>,
    changes: &BTreeMap<String, String>,
) -> Result<Attributes, Refusal> {
    applied(current, texts(changes), check_of_topic)
}

/// The attributes that a group has after these changes, whose keys have signs.
pub(crate) fn changed_of_group(
    current: Option<&Attributes>,
    changes: &BTreeMap<String, String>,
) -> Result<Attributes, Refusal> {
    let wrong = |refusal: Refusal| Refusal::exception("java.lang.RuntimeException", refusal.remark);
    for (key, value) in changes {
        if key == "+priority.factor" && value.parse::<i64>().is_err() {
            return Err(Refusal::exception("java.lang.NumberFormatException", value));
        }
    }
    applied(current, texts(changes), check_of_group).map_err(wrong)
}

fn texts(changes: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    changes.iter().map(|(key, value)| (key.as_str(), value.as_str()))
}

/// Whether an attribute may get this value, or be deleted if there is none, and whether its topic is new.
type Check = fn(name: &str, value: Option<&str>, creates: bool) -> Result<(), Refusal>;

fn applied<'a>(
    current: Option<&Attributes>,
    changes: impl Iterator<Item = (&'a str, &'a str)>,
    check: Check,
) -> Result<Attributes, Refusal> {
    let mut attributes = current.cloned().unwrap_or_default();
    for (key, value) in changes {
        let name = key.get(1..).unwrap_or_default();
        if name.is_empty() || name.contains(['+', '-']) {
            return Err(illegal("kv string format wrong.".to_owned()));
        }
        match (key.as_bytes().first().copied(), current) {
            (Some(b'+'), _) => {
                check(name, Some(value), current.is_none())?;
                attributes.insert(name.to_owned(), value.to_owned());
            }
            (_, None) => {
                let remark = format!("only add attribute is supported while creating topic. key: {name}");
                return Err(illegal(remark));
            }
            (Some(b'-'), Some(_)) if attributes.remove(name).is_none() => {
                return Err(illegal(format!("attempt to delete a nonexistent key: {name}")));
            }
            (Some(b'-'), Some(_)) => check(name, None, false)?,
            (_, Some(_)) => return Err(illegal(format!("wrong format key: {name}"))),
        }
    }
    Ok(attributes)
}

/// Splits the text into keys with their signs and values.
fn parse(text: &str) -> Result<BTreeMap<&str, &str>, Refusal> {
    let mut changes = BTreeMap::new();
    for change in text.split(',').filter(|change| !change.is_empty()) {
        let (key, value) = match change.split_once('=') {
            Some((key, value)) if key.starts_with(|first: char| first.is_ascii()) && key.contains('+') => {
                (key, value)
            }
            Some((key, _)) => return Err(illegal(format!("add/alter attribute format is wrong: {key}"))),
            None if change.contains('-') && change.starts_with(|first: char| first.is_ascii()) => {
                (change, "")
            }
            None => return Err(illegal(format!("delete attribute format is wrong: {change}"))),
        };
        if changes.insert(key, value).is_some() {
            return Err(illegal(format!("key duplication: {key}")));
        }
    }
    Ok(changes)
}

/// Java: `SubscriptionGroupAttributes`.
fn check_of_group(name: &str, value: Option<&str>, _: bool) -> Result<(), Refusal> {
    match (name, value.map(str::parse::<i64>)) {
        ("priority.factor", None | Some(Ok(0..=100))) => Ok(()),
        ("priority.factor", _) => Err(illegal("value is not in range(0, 100)".to_owned())),
        _ if name.starts_with("lite.") => Err(Refusal::not_supported(&format!("the group attribute {name}"))),
        _ => Err(illegal(format!("unsupported key: {name}"))),
    }
}

/// Java: `TopicAttributes`.
fn check_of_topic(name: &str, value: Option<&str>, creates: bool) -> Result<(), Refusal> {
    let (allowed, changeable): (&[&str], bool) = match name {
        "message.type" => (&MESSAGE_TYPES, true),
        "queue.type" => (&QUEUE_TYPES, false),
        "cleanup.policy" => (&CLEANUP_POLICIES, false),
        "reserve.time" => return Err(Refusal::not_supported("the topic attribute reserve.time")),
        _ => return Err(illegal(format!("unsupported key: {name}"))),
    };
    if !creates && !changeable {
        return Err(illegal(format!("attempt to update an unchangeable attribute. key: {name}")));
    }
    match value {
        Some(value) if !allowed.contains(&value) => {
            Err(illegal(format!("value is not in set: [{}]", allowed.join(", "))))
        }
        // The mock lacks queues and logs of these kinds.
        Some(value @ "COMPACTION") => {
            Err(Refusal::not_supported(&format!("the topic attribute {name}={value}")))
        }
        _ => Ok(()),
    }
}

fn illegal(remark: String) -> Refusal {
    Refusal::new(ResponseCode::SYSTEM_ERROR, remark)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remark(current: Option<&Attributes>, text: &str) -> String {
        changed(current, text).map(|attributes| format!("{attributes:?}")).unwrap_or_else(|r| r.remark.into())
    }

    #[test]
    fn a_new_topic_gets_attributes_and_loses_none() {
        assert_eq!(remark(None, "+message.type=FIFO,+queue.type=SimpleCQ"), {
            r#"{"message.type": "FIFO", "queue.type": "SimpleCQ"}"#
        });
        assert_eq!(remark(None, ""), "{}");
        let refused = [
            ("+foo=1", "unsupported key: foo"),
            ("message.type=FIFO", "add/alter attribute format is wrong: message.type"),
            ("+message.type", "delete attribute format is wrong: +message.type"),
            ("-message.type", "only add attribute is supported while creating topic. key: message.type"),
            ("+message.type=FIFO,+message.type=NORMAL", "key duplication: +message.type"),
            ("+queue.type=X", "value is not in set: [SimpleCQ, BatchCQ]"),
            ("+=x", "kv string format wrong."),
            (
                "+cleanup.policy=COMPACTION",
                "the topic attribute cleanup.policy=COMPACTION is not supported by this mock yet",
            ),
        ];
        for (text, expected) in refused {
            assert_eq!(remark(None, text), expected);
        }
    }

    #[test]
    fn attributes_of_a_topic_are_changed_where_they_can_be() {
        let current = changed(None, "+message.type=FIFO,+queue.type=SimpleCQ").ok();
        let current = current.as_ref();
        assert_eq!(remark(current, "-message.type"), r#"{"queue.type": "SimpleCQ"}"#);
        assert!(remark(current, "+message.type=DELAY").contains("DELAY"));
        assert_eq!(remark(current, ""), remark(None, "+message.type=FIFO,+queue.type=SimpleCQ"));
        assert_eq!(remark(current, "-reserve.time"), "attempt to delete a nonexistent key: reserve.time");
        let fixed = "attempt to update an unchangeable attribute. key: queue.type";
        assert_eq!(remark(current, "+queue.type=SimpleCQ"), fixed);
        for text in ["é=1", "é", "+é=1", "é-", "é+=1"] {
            assert!(changed(current, text).is_err(), "{text}");
        }
    }
}
