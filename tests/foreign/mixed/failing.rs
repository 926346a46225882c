//! Messages that fail at members of both clients.

use std::collections::BTreeSet;

use rocketmq::model::mix_all;

use super::{Client, Scene, everywhere, handled, until_queues};
use crate::members::{Join, until};

#[test]
fn failures_of_both_clients_come_again_and_become_dead_letters() {
    // The member that sorts first has the only queue of the retry topic.
    everywhere(async |scene: &Scene, first: Client, second: Client| {
        let join = Join { max: 1, ..Join::new(&scene.group, &scene.topic) };
        let (mut left, mut right) = (scene.members(first).await, scene.members(second).await);
        left.join("a-first", &join).await;
        right.join("b-second", &join).await;
        until_queues(&mut left, "a-first", 2).await;
        until_queues(&mut right, "b-second", 2).await;
        let (once, always) = (scene.send("once", 16).await, scene.send("always", 8).await);
        until("second calls", || {
            let again = handled(&[&left, &right]).into_iter().filter(|done| done.reconsume_times == 1);
            again.count() >= once.len() + always.len()
        })
        .await;
        for members in [&left, &right] {
            assert!(members.done().iter().any(|call| call.reconsume_times == 0), "messages failed at both");
        }
        let letters = scene.dead_letters(always.len()).await;
        assert_eq!(letters, always, "each, once, and no other");
        left.leave("a-first").await;
        right.leave("b-second").await;
        let calls = handled(&[&left, &right]);
        assert_eq!(calls.len(), 2 * (once.len() + always.len()), "each twice: {calls:?}");
        assert!(
            calls.iter().all(|call| call.topic == scene.topic),
            "listeners see the topic that was sent to"
        );
    });
}

impl Scene {
    /// Waits until the group has this number of dead letters, and returns their bodies.
    async fn dead_letters(&self, count: usize) -> BTreeSet<String> {
        let topic = mix_all::dlq_topic(&self.group);
        for _ in 0..600 {
            let queues = self.admin.message_queues(&topic).await.unwrap_or_default();
            let mut bodies = Vec::new();
            for queue in queues {
                let pulled = self.admin.pull(&queue, 0, 32).await.expect("the queue can be pulled");
                for letter in pulled.messages {
                    let letter = letter.expect("the record can be read");
                    assert_eq!(letter.property("RETRY_TOPIC"), Some(&*self.topic), "{letter:?}");
                    bodies.push(String::from_utf8_lossy(letter.body()).into_owned());
                }
            }
            if bodies.len() >= count {
                assert_eq!(bodies.len(), count, "{bodies:?}");
                return bodies.into_iter().collect();
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("no {count} dead letters");
    }
}
