//! Namespaces that are part of names (Java: `NamespaceUtil`, the first kind of namespace).
//!
//! `ns%topic`, `ns%group`; retry and dead-letter topics keep their prefix in front: `%RETRY%ns%group`.

use std::borrow::Cow;

use crate::mix_all::{DLQ_GROUP_TOPIC_PREFIX, RETRY_GROUP_TOPIC_PREFIX};
use crate::validators::{is_system_group, is_system_topic};

/// Separates a namespace from the name in it.
pub const NAMESPACE_SEPARATOR: char = '%';

/// The name of a topic or group in a namespace.
///
/// An empty namespace changes nothing. System names, and names that are in the namespace already, stay unchanged.
///
/// ```
/// use rocketmq_common::namespace::wrap_namespace;
///
/// assert_eq!(wrap_namespace("ns", "Orders"), "ns%Orders");
/// assert_eq!(wrap_namespace("ns", "ns%Orders"), "ns%Orders");
/// assert_eq!(wrap_namespace("ns", "%RETRY%billing"), "%RETRY%ns%billing");
/// ```
pub fn wrap_namespace<'a>(namespace: &str, name: &'a str) -> Cow<'a, str> {
    let (prefix, bare) = split_prefix(name);
    if namespace.is_empty()
        || name.is_empty()
        || is_system_topic(name)
        || is_system_group(name)
        || strip(bare, namespace).is_some()
    {
        return Cow::Borrowed(name);
    }
    Cow::Owned(format!("{prefix}{namespace}{NAMESPACE_SEPARATOR}{bare}"))
}

/// The name of a topic or group without its namespace. Names of other namespaces stay unchanged.
///
/// ```
/// use rocketmq_common::namespace::without_namespace;
///
/// assert_eq!(without_namespace("ns%Orders", "ns"), "Orders");
/// assert_eq!(without_namespace("other%Orders", "ns"), "other%Orders");
/// ```
pub fn without_namespace<'a>(name: &'a str, namespace: &str) -> Cow<'a, str> {
    let (prefix, bare) = split_prefix(name);
    match strip(bare, namespace) {
        Some(own) if prefix.is_empty() => Cow::Borrowed(own),
        Some(own) => Cow::Owned([prefix, own].concat()),
        None => Cow::Borrowed(name),
    }
}

fn split_prefix(name: &str) -> (&str, &str) {
    let has = |prefix: &&str| name.starts_with(*prefix);
    let prefix = [RETRY_GROUP_TOPIC_PREFIX, DLQ_GROUP_TOPIC_PREFIX].into_iter().find(has).unwrap_or_default();
    name.split_at(prefix.len())
}

fn strip<'a>(bare: &'a str, namespace: &str) -> Option<&'a str> {
    if namespace.is_empty() {
        return None;
    }
    bare.strip_prefix(namespace)?.strip_prefix(NAMESPACE_SEPARATOR)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_wrapped_once_and_behind_their_prefix() {
        for (name, wrapped) in [
            ("topic", "ns%topic"),
            ("%RETRY%group", "%RETRY%ns%group"),
            ("%DLQ%group", "%DLQ%ns%group"),
            ("ns%topic", "ns%topic"),
            ("%RETRY%ns%group", "%RETRY%ns%group"),
            ("nsx%topic", "ns%nsx%topic"),
            ("TBW102", "TBW102"),
            ("rmq_sys_x", "rmq_sys_x"),
            ("CID_RMQ_SYS_x", "CID_RMQ_SYS_x"),
            ("", ""),
        ] {
            assert_eq!(wrap_namespace("ns", name), wrapped);
        }
        assert_eq!(wrap_namespace("", "topic"), "topic");
    }

    #[test]
    fn only_the_own_namespace_is_taken_off() {
        for (name, bare) in [
            ("ns%topic", "topic"),
            ("%RETRY%ns%group", "%RETRY%group"),
            ("%DLQ%ns%group", "%DLQ%group"),
            ("other%topic", "other%topic"),
            ("nsx%topic", "nsx%topic"),
            ("topic", "topic"),
        ] {
            assert_eq!(without_namespace(name, "ns"), bare);
        }
        assert_eq!(without_namespace("%topic", ""), "%topic");
    }

    proptest! {
        #[test]
        fn unwrapping_undoes_wrapping(namespace in "[a-zA-Z0-9_]{1,8}", name in "(%RETRY%|%DLQ%)?[a-z_-]{1,8}") {
            let wrapped = wrap_namespace(&namespace, &name);
            prop_assert_eq!(without_namespace(&wrapped, &namespace), &*name);
        }
    }
}
