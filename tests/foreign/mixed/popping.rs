//! Groups that pop, and whose mode is switched while their members run.

use rocketmq::admin::{Brokers, MessageRequestMode};

use super::{Client, Scene, bodies, everywhere, handled, repeats, until_handled, until_more};
use crate::members::{Join, until};

impl Scene {
    /// Lets brokers hand messages out to the group.
    pub(super) async fn pops(&self) {
        self.set_mode(MessageRequestMode::Pop).await;
    }

    async fn set_mode(&self, mode: MessageRequestMode) {
        let set = self.admin.set_message_request_mode(&self.topic, &self.group, mode, 0, &Brokers::All);
        assert!(set.await.expect("the mode is set").is_complete());
    }
}

#[test]
#[ignore = "takes minutes: .ci/long"]
fn members_of_both_clients_pop_a_topic_and_one_is_killed() {
    everywhere(async |scene: &Scene, first: Client, second: Client| {
        scene.pops().await;
        let join = Join { kind: "pop", ..Join::new(&scene.group, &scene.topic) };
        let (mut stays, mut killed) = (scene.members(first).await, scene.members(second).await);
        stays.join("a-stays", &join).await;
        killed.join("b-killed", &join).await;
        let load = scene.load();
        until_more(&stays, 100).await;
        until_more(&killed, 100).await;
        let once = scene.send("once", 8).await;
        until("messages that failed come again", || {
            let again = handled(&[&stays, &killed]).into_iter().filter(|done| done.reconsume_times > 0);
            bodies(&again.collect::<Vec<_>>()).len() >= once.len()
        })
        .await;
        killed.kill();
        until_more(&stays, 200).await;
        let sent = load.stop().await;
        until_handled(&sent, &[&stays, &killed]).await;
        stays.leave("a-stays").await;
        let calls = handled(&[&stays, &killed]);
        assert!(
            calls.iter().all(|call| call.topic == scene.topic),
            "listeners see the topic that was sent to"
        );
        let repeated = repeats(&calls).into_iter().filter(|(_, again)| !once.contains(&again.body)).count();
        eprintln!("{} messages, {repeated} repeated", sent.len());
        assert!(repeated <= 250, "what the killed member had not acknowledged: {repeated}");
    });
}

#[test]
#[ignore = "takes minutes: .ci/long"]
fn a_mixed_group_is_switched_from_pull_to_pop_and_back() {
    everywhere(async |scene: &Scene, first: Client, second: Client| {
        scene.set_mode(MessageRequestMode::Pull).await;
        let join = Join { kind: "pop", ..Join::new(&scene.group, &scene.topic) };
        let (mut left, mut right) = (scene.members(first).await, scene.members(second).await);
        left.join("a-left", &join).await;
        right.join("b-right", &join).await;
        let mut sent = scene.send("pulled", 40).await;
        until_handled(&sent, &[&left, &right]).await;
        let load = scene.load();
        for (mode, prefix) in
            [(MessageRequestMode::Pop, "once-popped"), (MessageRequestMode::Pull, "once-pulled")]
        {
            scene.set_mode(mode).await;
            // Each member asks for its queues every 20 s.
            let before = (left.done().len(), right.done().len());
            sent.extend(scene.send(prefix, 8).await);
            tokio::time::sleep(std::time::Duration::from_secs(25)).await;
            let now = (left.done().len(), right.done().len());
            assert!(now.0 > before.0 && now.1 > before.1, "both go on: {before:?}, {now:?}");
        }
        sent.extend(load.stop().await);
        until_handled(&sent, &[&left, &right]).await;
        let came_again = |prefix: &str| {
            let again = handled(&[&left, &right]).into_iter();
            let again = again.filter(|done| done.reconsume_times > 0 && done.body.starts_with(prefix));
            bodies(&again.collect::<Vec<_>>()).len() == 8
        };
        until("what failed comes again in each mode", || {
            came_again("once-popped") && came_again("once-pulled")
        })
        .await;
        left.leave("a-left").await;
        right.leave("b-right").await;
        assert_eq!(bodies(&handled(&[&left, &right])), sent, "nothing is lost");
    });
}
