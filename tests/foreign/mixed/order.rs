//! Orderly members: one holder of each lock, and the order of each queue.

use std::collections::BTreeMap;

use super::{Client, Scene, everywhere, handled, until_handled, until_queues};
use crate::members::{Done, Join, Members, until};

/// Checks that no two calls for one queue overlapped and that no message came before an earlier one. Returns how many came
/// again.
fn in_order(handled: &[Done]) -> usize {
    let mut queues: BTreeMap<i32, Vec<&Done>> = BTreeMap::new();
    for done in handled {
        queues.entry(done.queue).or_default().push(done);
    }
    let mut repeated = 0;
    for calls in queues.values_mut() {
        calls.sort_by_key(|done| done.began);
        let mut next = 0;
        for pair in calls.windows(2) {
            assert!(pair[0].ended <= pair[1].began, "at once: {pair:?}");
        }
        for call in calls {
            assert!(call.offset <= next, "offset {next} was skipped: {call:?}");
            repeated += usize::from(call.offset < next);
            next = next.max(call.offset + 1);
        }
    }
    repeated
}

async fn until_each_handles(members: &[&Members], count: usize) {
    let before: Vec<usize> = members.iter().map(|members| members.done().len()).collect();
    let enough =
        || members.iter().zip(&before).all(|(members, before)| members.done().len() >= before + count);
    until("messages of each member", enough).await;
}

#[test]
fn order_holds_while_members_join_and_leave() {
    everywhere(async |scene: &Scene, first: Client, second: Client| {
        let join = Join { kind: "orderly", work: 1, ..Join::new(&scene.group, &scene.topic) };
        let load = scene.load();
        let (mut leaves, mut stays) = (scene.members(first).await, scene.members(second).await);
        leaves.join("a-leaves", &join).await;
        until_queues(&mut leaves, "a-leaves", 4).await;
        until_each_handles(&[&leaves], 100).await;
        stays.join("b-stays", &join).await;
        until_queues(&mut leaves, "a-leaves", 2).await;
        until_queues(&mut stays, "b-stays", 2).await;
        until_each_handles(&[&leaves, &stays], 50).await;
        leaves.leave("a-leaves").await;
        until_queues(&mut stays, "b-stays", 4).await;
        until_each_handles(&[&stays], 100).await;
        let sent = load.stop().await;
        until_handled(&sent, &[&leaves, &stays]).await;
        stays.leave("b-stays").await;
        let repeated = in_order(&handled(&[&leaves, &stays]));
        eprintln!("{} messages, {repeated} repeated", sent.len());
        // A member of this project commits before it unlocks.
        let limit = if first == Client::Java { 20 } else { 0 };
        assert!(repeated <= limit, "{repeated} repeated");
    });
}

/// The broker keeps the locks of the dead member for 60 s.
mod long {
    use super::*;

    #[test]
    #[ignore = "takes minutes: .ci/long"]
    fn order_holds_when_a_member_is_killed() {
        everywhere(async |scene: &Scene, first: Client, second: Client| {
            let join = Join { kind: "orderly", work: 1, ..Join::new(&scene.group, &scene.topic) };
            let load = scene.load();
            let (mut killed, mut stays) = (scene.members(first).await, scene.members(second).await);
            killed.join("a-killed", &join).await;
            stays.join("b-stays", &join).await;
            until_queues(&mut killed, "a-killed", 2).await;
            until_queues(&mut stays, "b-stays", 2).await;
            until_each_handles(&[&killed, &stays], 100).await;
            killed.kill();
            // What comes after 61 s more would be enough to fill the disk.
            let sent = load.stop().await;
            let began = std::time::Instant::now();
            until_handled(&sent, &[&killed, &stays]).await;
            stays.leave("b-stays").await;
            let repeated = in_order(&handled(&[&killed, &stays]));
            eprintln!("{} messages, {repeated} repeated, the last after {:?}", sent.len(), began.elapsed());
            assert!(repeated <= 200, "{repeated} repeated");
        });
    }
}
