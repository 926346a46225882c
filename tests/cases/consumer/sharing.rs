//! Members of one group.

use std::collections::BTreeSet;

use rocketmq::consumer::PushConsumer;

use super::support::{Seen, bodies, consumer, fresh_group, send, until};
use crate::cases::support::Site;
use crate::stage;

async fn member(name_server: &str, group: &str, topic: &str, seen: &Seen) -> PushConsumer {
    let collect = seen.clone();
    let member = consumer(name_server, group).subscribe(topic, "*").listener(move |message, _| {
        collect.add(message);
        async {}
    });
    member.start().await.unwrap()
}

fn queues(member: &PushConsumer, topic: &str) -> BTreeSet<i32> {
    let assigned = member.assignment();
    assigned.iter().filter(|queue| queue.topic() == topic).map(|queue| queue.queue_id()).collect()
}

#[tokio::test]
async fn members_share_the_queues_and_take_over_from_each_other() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group) = (site.create("share", 8).await, fresh_group("share"));
    let (left_seen, right_seen) = (Seen::default(), Seen::default());
    let left = member(name_server, &group, &topic, &left_seen).await;
    until("one member has all", || queues(&left, &topic).len() == 8).await;
    let right = member(name_server, &group, &topic, &right_seen).await;
    until("half each", || queues(&left, &topic).len() == 4 && queues(&right, &topic).len() == 4).await;
    assert!(queues(&left, &topic).is_disjoint(&queues(&right, &topic)));
    send(&site, &topic, bodies("shared-", 80)).await;
    until("all are seen", || left_seen.len() + right_seen.len() >= 80).await;
    assert!(left_seen.len() >= 20 && right_seen.len() >= 20);

    assert!(right.shutdown().await.unwrap().is_clean());
    send(&site, &topic, bodies("taken-over-", 80)).await;
    until("the first has all again", || left_seen.len() + right_seen.len() >= 160).await;
    left.shutdown().await.unwrap();
    let mut all = left_seen.bodies();
    all.extend(right_seen.bodies());
    assert_eq!(all.len(), 160, "a graceful leave repeats nothing");
    assert_eq!(all.into_iter().collect::<BTreeSet<_>>().len(), 160);
}
