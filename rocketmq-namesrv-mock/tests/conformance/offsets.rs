//! Offsets of groups: what is unknown, what a commit may say, and groups that are moved.

use std::time::Duration;

use rocketmq_remoting::protocol::RemotingCommand;
use serde_json::json;

use super::groups::beat;
use super::peer::{Fields, GroupPeer, Peer, field, fresh_group, fresh_topic, has, number, pull_fields, told};
use crate::stage;

impl GroupPeer {
    fn queue<'a>(&'a self, queue_id: &'a str) -> Fields {
        Fields::from(&[("consumerGroup", &self.group), ("topic", &self.topic), ("queueId", queue_id)])
    }

    async fn committed(&self, queue_id: &str) -> String {
        self.peer.ask(14, &self.queue(queue_id).list(), "").await
    }

    async fn commits(&self, queue_id: &str, offset: &str) -> String {
        let fields = self.queue(queue_id).with(&[("commitOffset", offset)]);
        self.peer.ask(15, &fields.list(), "").await
    }

    /// Moves the group in queue 0.
    async fn reset(&self, offset: &str) {
        let fields = [("group", &*self.group), ("topic", &self.topic), ("queueId", "0"), ("offset", offset)];
        let fields = Fields::from(&fields).with(&[("isForce", "true"), ("timestamp", "0")]);
        assert_eq!(self.peer.call(222, &fields.list(), "").await.code, 0);
    }

    /// Pulls from queue 0 with the subscription of the request. `more` replaces fields.
    async fn pulls(&self, more: &[(&str, &str)]) -> RemotingCommand {
        let fields = pull_fields(&self.group, &self.topic);
        let fields = fields.with(&[("sysFlag", "4"), ("subscription", "*"), ("expressionType", "TAG")]);
        self.peer.call(11, &fields.with(more).list(), "").await
    }
}

async fn new_site(name_server: &str) -> GroupPeer {
    let site = GroupPeer::new(name_server, "offsets", &["A", "B", "A", "B"]).await;
    site.peer.ask(34, &[], beat("c", &site.group, &[&site.topic])).await;
    site
}

#[tokio::test]
async fn an_unknown_offset_is_zero_only_where_the_first_message_still_is() {
    let name_server = &*stage::name_server().await;
    let site = new_site(name_server).await;
    assert_eq!(site.committed("0").await, "0 {offset=0}");
    for queue_id in ["1", "99"] {
        assert!(site.committed(queue_id).await.starts_with("22 "), "{queue_id}");
    }
    let no_zero = site.queue("0").with(&[("setZeroIfNotFound", "false")]);
    assert!(site.peer.ask(14, &no_zero.list(), "").await.starts_with("22 "));
    let elsewhere = site.queue("0").with(&[("topic", "no_such_topic")]);
    assert!(site.peer.ask(14, &elsewhere.list(), "").await.starts_with("22 "));
}

#[tokio::test]
async fn a_reset_is_told_by_one_pull_and_undone_by_a_commit_on_it() {
    let name_server = &*stage::name_server().await;
    let site = new_site(name_server).await;
    assert_eq!(site.commits("0", "4").await, "0 {}");
    site.reset("1").await;
    site.reset("2").await;
    assert_eq!(site.committed("0").await, "0 {offset=2}");
    assert_eq!(site.commits("0", "4").await, "0 \"Offset has been previously reset\" {}");
    let moved = site.pulls(&[("queueOffset", "3")]).await;
    assert_eq!(
        (moved.code, moved.remark(), field(&moved, "nextBeginOffset")),
        (21, "OFFSET_RESET", "2".into())
    );
    assert_eq!(site.pulls(&[("queueOffset", "3")]).await.code, 0, "once is enough");

    site.reset("1").await;
    let commits = [("queueOffset", "4"), ("sysFlag", "5"), ("commitOffset", "4")];
    assert_eq!(field(&site.pulls(&commits).await, "nextBeginOffset"), "1");
    assert_eq!(site.committed("0").await, "0 {offset=4}", "the old offset is back");
    assert_eq!(site.commits("0", "1").await, "0 {}");
    assert_eq!(site.committed("0").await, "0 {offset=1}");
}

#[tokio::test]
async fn a_held_pull_hears_of_a_reset_with_the_next_message() {
    let name_server = &*stage::name_server().await;
    let site = new_site(name_server).await;
    let other = Peer::new(name_server).await;
    let waits = [("queueOffset", "4"), ("sysFlag", "6"), ("suspendTimeoutMillis", "20000")];
    let (moved, ()) = tokio::join!(site.pulls(&waits), async {
        // The last offset of a pull is noted when the broker has seen it.
        let progress = [("consumerGroup", &*site.group), ("topic", &site.topic)];
        other.until(208, &progress, |answer| told(answer).contains("\"pullOffset\":4")).await;
        let fields = [("group", &*site.group), ("topic", &site.topic), ("queueId", "0"), ("offset", "1")];
        let fields = Fields::from(&fields).with(&[("isForce", "true"), ("timestamp", "0")]);
        assert_eq!(other.call(222, &fields.list(), "").await.code, 0);
        other.store(&site.topic, 4, &[]).await;
    });
    assert_eq!((moved.code, field(&moved, "nextBeginOffset")), (21, "1".into()));
}

#[tokio::test]
async fn a_commit_is_taken_whatever_it_says() {
    let name_server = &*stage::name_server().await;
    let site = new_site(name_server).await;
    for (queue_id, offset) in [("0", "3"), ("0", "1"), ("0", "99"), ("0", "-1"), ("0", "-5"), ("77", "7")] {
        assert_eq!(site.commits(queue_id, offset).await, "0 {}");
        // Below zero it reads as if there were none.
        if !offset.starts_with('-') {
            assert_eq!(site.committed(queue_id).await, format!("0 {{offset={offset}}}"));
        }
    }
    let stranger = fresh_group("stranger");
    let fields = site.queue("0").with(&[("commitOffset", "1"), ("consumerGroup", &stranger)]);
    assert!(site.peer.ask(15, &fields.list(), "").await.starts_with("26 "));
    let fields = site.queue("0").with(&[("commitOffset", "1"), ("topic", "no_such_topic")]);
    assert!(site.peer.ask(15, &fields.list(), "").await.starts_with("17 "));
}

#[tokio::test]
async fn a_held_pull_of_a_group_that_left_has_no_subscription() {
    let name_server = &*stage::name_server().await;
    let site = new_site(name_server).await;
    let other = Peer::new(name_server).await;
    let waits = [("queueOffset", "4"), ("sysFlag", "2"), ("suspendTimeoutMillis", "20000")];
    let (answer, ()) = tokio::join!(site.pulls(&waits), async {
        let progress = [("consumerGroup", &*site.group), ("topic", &site.topic)];
        other.until(208, &progress, |answer| told(answer).contains("\"pullOffset\":4")).await;
        let leaves = [("clientID", "c"), ("consumerGroup", site.group.as_str())];
        assert_eq!(site.peer.call(35, &leaves, "").await.code, 0);
        other.store(&site.topic, 4, &[]).await;
    });
    assert_eq!(answer.code, 24, "{answer:?}");
}

#[tokio::test]
async fn a_group_is_sent_to_the_broker_that_its_settings_name() {
    let name_server = &*stage::name_server_of_its_own().await;
    let site = new_site(name_server).await;
    assert_eq!(field(&site.pulls(&[]).await, "suggestWhichBrokerId"), "0");
    let group = json!({ "groupName": site.group, "brokerId": 1 });
    assert_eq!(site.peer.ask(200, &[], group.to_string()).await, "0");
    assert_eq!(field(&site.pulls(&[]).await, "suggestWhichBrokerId"), "0", "no slave may be read");
    assert_eq!(site.peer.call(25, &[], "slaveReadEnable=true").await.code, 0);
    for offset in ["0", "99"] {
        let pulled = site.pulls(&[("queueOffset", offset)]).await;
        assert_eq!(field(&pulled, "suggestWhichBrokerId"), "1", "{pulled:?}");
    }
}

#[tokio::test]
async fn a_pull_that_finds_nothing_is_held() {
    let name_server = &*stage::name_server().await;
    let site = new_site(name_server).await;
    let began = tokio::time::Instant::now();
    let waits = [("queueOffset", "4"), ("sysFlag", "6"), ("suspendTimeoutMillis", "1000")];
    let nothing = site.pulls(&waits).await;
    assert_eq!((nothing.code, number(&nothing, "nextBeginOffset")), (19, 4));
    assert!((Duration::from_millis(950)..Duration::from_secs(12)).contains(&began.elapsed()));
    let topic = fresh_topic("unknown");
    let unknown = pull_fields(&site.group, &topic).with(&[("sysFlag", "4")]);
    assert_eq!(site.peer.call(11, &unknown.list(), "").await.code, 17);
    for (queue_id, code) in [("4", 29), ("-1", 29), ("3", 19)] {
        assert_eq!(site.pulls(&[("queueId", queue_id)]).await.code, code, "{queue_id}");
    }
    assert!(has("offset", "4")(&site.peer.call(30, &site.queue("0").list(), "").await));
}
