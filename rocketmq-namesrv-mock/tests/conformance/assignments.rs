//! Which queues a broker gives to the members of a group.

use rocketmq_remoting::protocol::body::{MessageRequestMode, QueryAssignmentResponseBody, decode_body};
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode};
use serde_json::json;

use super::groups::beat;
use super::peer::{GroupPeer, Peer, verdict};
use crate::stage;

impl GroupPeer {
    /// A new member, for as long as its connection lives.
    async fn join(&self, name_server: &str, client_id: &str) -> Peer {
        let peer = Peer::new(name_server).await;
        let heartbeat = beat(client_id, &self.group, &[&self.topic]);
        assert_eq!(peer.call(RequestCode::HEART_BEAT, &[], heartbeat).await.code, 0);
        peer
    }

    /// Mode and queues; `None` where the broker has nothing to say.
    async fn assigned(
        &self,
        client_id: &str,
        strategy: &str,
    ) -> Option<(Option<MessageRequestMode>, Vec<i32>)> {
        let body = json!({
            "topic": self.topic, "consumerGroup": self.group, "clientId": client_id,
            "strategyName": strategy, "messageModel": "CLUSTERING",
        });
        let answer = self.peer.call(RequestCode::QUERY_ASSIGNMENT, &[], body.to_string()).await;
        assert_eq!(verdict(&answer), (0, ""));
        let body: QueryAssignmentResponseBody = decode_body(&answer.body).expect("assignments");
        let assignments = body.message_queue_assignments?;
        let mode = assignments.first().map(|one| one.mode.clone());
        let mut queues: Vec<_> = assignments.iter().map(|one| one.message_queue.queue_id()).collect();
        queues.sort_unstable();
        Some((mode, queues))
    }

    async fn set_mode(&self, topic: &str, group: &str, share: i32) -> RemotingCommand {
        let body = json!({"topic": topic, "consumerGroup": group, "mode": "POP", "popShareQueueNum": share});
        self.peer.call(RequestCode::SET_MESSAGE_REQUEST_MODE, &[], body.to_string()).await
    }
}

#[tokio::test]
async fn brokers_split_queues_among_members() {
    let name_server = &*stage::name_server().await;
    let site = GroupPeer::new(name_server, "assignment", &["A"]).await;
    assert_eq!(site.assigned("c1", "AVG").await, None);
    let pull = |queues: &[i32]| Some((Some(MessageRequestMode::Pull), queues.to_vec()));
    let _first = site.join(name_server, "c1").await;
    // The broker learns of its own topics from the NameServer.
    site.peer.until_route(name_server, &site.topic).await;
    assert_eq!(site.assigned("c1", "AVG").await, pull(&[0, 1, 2, 3]));
    assert_eq!(site.assigned("nobody", "AVG").await, Some((None, vec![])));
    assert_eq!(site.assigned("c1", "other").await, None);
    let _second = site.join(name_server, "c2").await;
    let _third = site.join(name_server, "c3").await;
    assert_eq!(site.assigned("c1", "AVG").await, pull(&[0, 1]));
    assert_eq!(site.assigned("c3", "AVG").await, pull(&[3]));
    assert_eq!(site.assigned("c1", "AVG_BY_CIRCLE").await, pull(&[0, 3]));
}

#[tokio::test]
async fn groups_are_told_to_pop() {
    let name_server = &*stage::name_server().await;
    let site = GroupPeer::new(name_server, "assignment", &["A"]).await;
    let members = [
        site.join(name_server, "c1").await,
        site.join(name_server, "c2").await,
        site.join(name_server, "c3").await,
    ];
    site.peer.until_route(name_server, &site.topic).await;
    let (topic, group) = (site.topic.clone(), site.group.clone());
    let pop = |queues: &[i32]| Some((Some(MessageRequestMode::Pop), queues.to_vec()));
    assert_eq!(verdict(&site.set_mode(&topic, &group, 0).await), (0, ""));
    assert_eq!(site.assigned("nobody", "AVG").await, pop(&[-1]));
    assert_eq!(verdict(&site.set_mode(&topic, &group, 1).await), (0, ""));
    assert_eq!(site.assigned("c1", "AVG").await, pop(&[0, 1, 2]));
    assert_eq!(site.assigned("c3", "AVG").await, pop(&[0, 1, 3]));
    let other = format!("{topic}_no");
    let no_topic = format!("topic[{other}] not exist");
    assert_eq!(verdict(&site.set_mode(&other, &group, 0).await), (17, no_topic.as_str()));
    let refused = site.set_mode("%RETRY%x", &group, 0).await;
    assert_eq!(verdict(&refused), (16, "retry topic is not allowed to set mode"));
    let refused = site.set_mode(&topic, "a.b", 0).await;
    assert_eq!(verdict(&refused), (26, "subscription group does not exist"));
    drop(members);
}
