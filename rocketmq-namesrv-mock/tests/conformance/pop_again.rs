//! Popped messages that come again, and handles that came too late.

use rocketmq_remoting::protocol::{RemotingCommand, RequestCode};
use serde_json::json;

use super::peer::{GroupPeer, field, number, records, verdict};
use super::pop::handle;
use crate::stage;

/// Soon over, on a broker that looks once a second.
const SOON: (&str, &str) = ("invisibleTime", "1000");
const WAITS: (&str, &str) = ("pollTime", "30000");

async fn new_site(name_server: &str) -> GroupPeer {
    GroupPeer::new(name_server, "again", &["A"]).await
}

fn retry_topic(site: &GroupPeer) -> String {
    format!("%RETRY%{}_{}", site.group, site.topic)
}

impl GroupPeer {
    async fn ack_of(&self, topic: &str, popped: &RemotingCommand) -> RemotingCommand {
        let offset = field(popped, "msgOffsetInfo").rsplit(' ').next().expect("an offset").to_owned();
        let fields = self.named(&handle(popped, &offset), &offset).with(&[("topic", topic)]);
        self.peer.call(RequestCode::ACK_MESSAGE, &fields.list(), "").await
    }
}

#[tokio::test]
async fn a_message_that_came_again_is_acknowledged_under_its_retry_topic() {
    let name_server = &*stage::name_server().await;
    let site = new_site(name_server).await;
    site.pop(&[SOON]).await;
    let again = site.pop(&[WAITS, SOON]).await;
    assert!(field(&again, "startOffsetInfo").starts_with("1 0 "), "{again:?}");
    let done = site.ack_of(&site.topic, &again).await;
    assert_eq!(verdict(&done), (0, ""), "the topic that the message names will not do, and nothing says so");
    let third = site.pop(&[WAITS]).await;
    assert_eq!(records(&third)[0].reconsume_times(), 2);
    assert_eq!(verdict(&site.ack_of(&retry_topic(&site), &third).await), (0, ""));
}

#[tokio::test]
async fn a_late_acknowledgement_is_answered_like_any_other() {
    let name_server = &*stage::name_server().await;
    let site = new_site(name_server).await;
    let popped = site.pop(&[SOON]).await;
    let again = site.pop(&[WAITS, SOON]).await;
    assert_eq!(verdict(&site.ack_of(&site.topic, &popped).await), (0, ""));
    let third = site.pop(&[WAITS]).await;
    assert_eq!(records(&third).len(), 1, "it had no effect");
    for topic in ["no_such_topic", &site.topic] {
        let code = if topic == site.topic { 0 } else { 17 };
        assert_eq!(site.ack_of(topic, &again).await.code, code, "{topic}");
    }
    for _ in 0..2 {
        assert_eq!(verdict(&site.ack_of(&retry_topic(&site), &third).await), (0, ""));
    }
}

#[tokio::test]
async fn each_change_of_an_invisible_time_brings_the_message_again() {
    let name_server = &*stage::name_server().await;
    let site = new_site(name_server).await;
    let popped = site.pop(&[]).await;
    let first = handle(&popped, "0");
    let changed = site.change(&first, "0", "2000").await;
    // The times of both changes tell them apart.
    while field(&site.change(&first, "0", "2000").await, "popTime") == field(&changed, "popTime") {}
    let [time, hidden, revive] = ["popTime", "invisibleTime", "reviveQid"].map(|name| field(&changed, name));
    let new = format!("0 {time} {hidden} {revive} 0 broker-a 0 0");
    assert_eq!(verdict(&site.ack(&new, "0").await), (0, ""));
    let again = site.pop(&[WAITS, SOON]).await;
    assert_eq!(records(&again).len(), 1, "the other change stands");
    // A change that comes late does so once more.
    site.change(&first, "0", "1000").await;
    site.ack_of(&retry_topic(&site), &again).await;
    let once_more = site.pop(&[WAITS]).await;
    assert_eq!(records(&once_more).len(), 1);
}

/// Pops two messages and hides the first anew within the same millisecond. Returns which of them come again.
async fn come_again(hidden_ms: &str, anew_ms: &str) -> Vec<String> {
    let name_server = &*stage::name_server().await;
    let site = GroupPeer::new(name_server, "mixed_up", &["first", "second"]).await;
    let mut first = 0;
    loop {
        assert!(first < 4_000, "the broker is too slow for two requests in a millisecond");
        site.peer.until_visible(&site.topic, first + 2).await;
        let popped = site.pop(&[("invisibleTime", hidden_ms)]).await;
        let [offset, next] = [first, first + 1].map(|offset| offset.to_string());
        let changed = site.change(&handle(&popped, &offset), &offset, anew_ms).await;
        if field(&changed, "popTime") == field(&popped, "popTime") {
            break;
        }
        let [time, hidden, revive] =
            ["popTime", "invisibleTime", "reviveQid"].map(|name| field(&changed, name));
        site.ack(&format!("{offset} {time} {hidden} {revive} 0 broker-a 0 {offset}"), &offset).await;
        site.ack(&handle(&popped, &next), &next).await;
        for tag in ["first", "second"] {
            site.peer.store(&site.topic, 4, &[("TAGS", tag)]).await;
        }
        first += 2;
    }
    site.peer.store(&site.topic, 4, &[("TAGS", "later")]).await;
    site.peer.until_visible(&site.topic, first + 3).await;
    assert_eq!(records(&site.pop(&[("invisibleTime", "5000")]).await).len(), 1);
    let mut seen = Vec::new();
    while !seen.contains(&"later".to_owned()) {
        let again = records(&site.pop(&[WAITS]).await);
        seen.extend(again.iter().map(|message| message.tags().expect("a tag").to_owned()));
    }
    let rest = records(&site.pop(&[("pollTime", "4000")]).await);
    seen.extend(rest.iter().map(|message| message.tags().expect("a tag").to_owned()));
    seen.sort();
    seen
}

#[tokio::test]
async fn a_pop_whose_first_message_is_hidden_anew_in_the_same_millisecond_is_mixed_up_with_it() {
    let seen = tokio::join!(
        come_again("2000", "1000"),
        come_again("1000", "1000"),
        come_again("1000", "3000"),
        come_again("30000", "1000")
    );
    assert_eq!(seen.0, ["later", "second"], "the message never comes again");
    assert_eq!(seen.1, ["later"], "neither of the two comes again");
    assert_eq!(seen.2, ["first", "later"], "the rest of the pop never comes again");
    assert_eq!(seen.3, ["first", "later"], "their ends are too far apart, and the rest is hidden still");
}

#[tokio::test]
async fn pops_make_no_dead_letters() {
    let name_server = &*stage::name_server().await;
    let site = new_site(name_server).await;
    let group = json!({ "groupName": site.group, "retryMaxTimes": 1 });
    assert_eq!(site.peer.ask(200, &[], group.to_string()).await, "0");
    site.pop(&[SOON]).await;
    for times in 1..=3 {
        let again = site.pop(&[WAITS, SOON]).await;
        assert_eq!(records(&again)[0].reconsume_times(), times);
    }
    let dead = format!("%DLQ%{}", site.group);
    assert_eq!(site.peer.call(351, &[("topic", &dead)], "").await.code, 17);
}

#[tokio::test]
async fn an_acknowledged_message_of_an_ordered_pop_comes_again_with_an_earlier_one() {
    let name_server = &*stage::name_server().await;
    let site = GroupPeer::new(name_server, "order", &["A", "A"]).await;
    let ordered = [("order", "true"), ("invisibleTime", "2000"), ("attemptId", "a")];
    let popped = site.pop(&ordered).await;
    assert_eq!(field(&popped, "msgOffsetInfo"), "0 0 0,1");
    assert_eq!(site.ack(&handle(&popped, "1"), "1").await.code, 0);
    let queue = [("consumerGroup", &*site.group), ("topic", &site.topic), ("queueId", "0")];
    assert_eq!(number(&site.peer.call(14, &queue, "").await, "offset"), 0, "the offset stands");
    let blocked = site.pop(&[("order", "true"), ("attemptId", "b")]).await;
    assert_eq!(blocked.code, 210, "{blocked:?}");
    let again = site.pop(&[("order", "true"), ("attemptId", "b"), WAITS]).await;
    assert_eq!(field(&again, "msgOffsetInfo"), "0 0 0,1");
    let unordered = site.pop(&[]).await;
    assert_eq!(field(&unordered, "msgOffsetInfo"), "0 0 0,1", "a pop without an order is not held back");
}

#[tokio::test]
async fn the_offset_of_a_group_that_pops_is_what_it_popped() {
    let name_server = &*stage::name_server().await;
    let site = GroupPeer::new(name_server, "moves", &["A", "A", "A"]).await;
    site.pop(&[("maxMsgNums", "2")]).await;
    site.until_committed("2").await;
}
