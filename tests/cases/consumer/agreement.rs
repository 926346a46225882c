//! Members of a group that should agree, and do not.

use std::collections::BTreeSet;

use rocketmq::consumer::{ConsumerEvent, ConsumerEvents, PushConsumer};

use super::support::{WITHIN, consumer, fresh_group};
use crate::cases::support::Site;
use crate::stage;

/// A started member, and its events.
async fn member(
    name_server: &str,
    group: &str,
    name: &str,
    topics: &[(&str, &str)],
) -> (PushConsumer, ConsumerEvents) {
    let mut member = consumer(name_server, group).listener(|_, _| async {});
    member = member.option(|option| _ = option.set_instance_name(name));
    for (topic, expression) in topics {
        member = member.subscribe(*topic, *expression);
    }
    let member = member.build().unwrap();
    let events = member.events();
    member.start().await.unwrap();
    (member, events)
}

/// Waits for the next events of a kind, as `pick` shows them.
async fn told<T: Ord>(
    events: &mut ConsumerEvents,
    count: usize,
    pick: impl Fn(ConsumerEvent) -> Option<T>,
) -> BTreeSet<T> {
    let mut told = BTreeSet::new();
    while told.len() < count {
        let event = tokio::time::timeout(WITHIN, events.next()).await.expect("an event in time");
        told.extend(pick(event.expect("the consumer runs")));
    }
    told
}

/// What the two members want of a topic, and the name of the other.
fn difference(event: ConsumerEvent) -> Option<String> {
    let ConsumerEvent::SubscriptionsDiffer { topic, ours, theirs, client_id, .. } = event else {
        return None;
    };
    let name = client_id.as_deref().and_then(|id| id.split_once('@')).map_or("?", |(_, name)| name);
    let [ours, theirs] = [&ours, &theirs].map(|expression| expression.as_deref().unwrap_or("-"));
    Some(format!("{topic}: {ours}, {name}: {theirs}"))
}

#[tokio::test]
async fn members_that_want_other_tags_learn_of_each_other() {
    let name_server = &*stage::name_server().await;
    let topic = Site::new(name_server).await.create("tags_differ", 4).await;
    let group = fresh_group("tags_differ");
    let (left, mut left_events) = member(name_server, &group, "left", &[(&topic, "TagA")]).await;
    let (right, mut right_events) = member(name_server, &group, "right", &[(&topic, "TagB")]).await;
    let of_left = told(&mut left_events, 1, difference).await;
    assert_eq!(of_left, [format!("{topic}: TagA, right: TagB")].into());
    // The broker keeps the newer expression: it alone would show nothing to this member.
    let of_right = told(&mut right_events, 1, difference).await;
    assert_eq!(of_right, [format!("{topic}: TagB, left: TagA")].into());

    // A change is told again.
    left.subscribe(&topic, "TagC").await.unwrap();
    assert_eq!(told(&mut left_events, 1, difference).await, [format!("{topic}: TagC, right: TagB")].into());
    assert_eq!(told(&mut right_events, 1, difference).await, [format!("{topic}: TagB, left: TagC")].into());
    left.shutdown().await.unwrap();
    right.shutdown().await.unwrap();
    for events in [&mut left_events, &mut right_events] {
        while let Some(event) = events.try_next() {
            assert_eq!(difference(event), None, "each change is told once");
        }
    }
}

#[tokio::test]
async fn members_with_other_topics_learn_of_each_other() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (one, other) = (site.create("topics_differ", 1).await, site.create("topics_differ", 1).await);
    let group = fresh_group("topics_differ");
    let (left, mut left_events) = member(name_server, &group, "left", &[(&one, "*")]).await;
    let (right, mut right_events) = member(name_server, &group, "right", &[(&other, "*")]).await;
    let of_left = told(&mut left_events, 2, difference).await;
    assert_eq!(of_left, [format!("{one}: *, right: -"), format!("{other}: -, right: *")].into());
    let of_right = told(&mut right_events, 2, difference).await;
    assert_eq!(of_right, [format!("{one}: -, left: *"), format!("{other}: *, left: -")].into());
    left.shutdown().await.unwrap();
    right.shutdown().await.unwrap();
}

#[tokio::test]
async fn two_processes_with_one_client_id_are_both_told() {
    let name_server = &*stage::name_server().await;
    let topic = Site::new(name_server).await.create("twins", 4).await;
    let group = fresh_group("twins");
    let (one, mut one_events) = member(name_server, &group, "twin", &[(&topic, "*")]).await;
    let (other, mut other_events) = member(name_server, &group, "twin", &[(&topic, "*")]).await;
    let twin = |event| match event {
        ConsumerEvent::DuplicateClientId { client_id, addresses, .. } => Some((client_id, addresses)),
        _ => None,
    };
    for events in [&mut one_events, &mut other_events] {
        let (client_id, addresses) = told(events, 1, twin).await.into_iter().next().unwrap();
        assert!(client_id.ends_with("@twin"), "{client_id}");
        assert_eq!(addresses.iter().collect::<BTreeSet<_>>().len(), 2, "{addresses:?}");
    }
    one.shutdown().await.unwrap();
    other.shutdown().await.unwrap();
}
