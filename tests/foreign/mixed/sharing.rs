//! Members that join, leave and are killed.

use std::time::Duration;

use super::{
    Client, Scene, bodies, everywhere, handled, micros, repeats, until_handled, until_more, until_queues,
};
use crate::members::Join;

/// How many messages may come again when a member of this project gives two queues up. Its 20 handlers have some, and finished
/// messages behind an unfinished one come again too: on a busy machine, a quarter of a second of messages.
const UNFINISHED: usize = 100;

/// Java's members give queues up to a second after the others know of it: they rebalance once a second at most.
const MOVED_IN_A_SECOND: usize = 250;

#[test]
fn a_member_goes_on_where_a_member_of_the_other_client_left() {
    goes_on_where_the_other_left("concurrent");
}

/// A member of this kind leaves, and a member of the other client begins at its offsets.
pub(super) fn goes_on_where_the_other_left(kind: &'static str) {
    everywhere(async |scene: &Scene, first: Client, second: Client| {
        let join = Join { kind, ..Join::new(&scene.group, &scene.topic) };
        let before = scene.send("before", 40).await;
        let mut first = scene.members(first).await;
        first.join("a-first", &join).await;
        until_handled(&before, &[&first]).await;
        first.leave("a-first").await;
        let between = scene.send("between", 40).await;
        let mut second = scene.members(second).await;
        second.join("b-second", &join).await;
        until_handled(&between, &[&second]).await;
        second.leave("b-second").await;
        assert_eq!(bodies(&second.done()), between, "it begins at the offsets that were committed");
        assert_eq!(handled(&[&first, &second]).len(), 80, "each message once");
    });
}

#[test]
fn members_join_and_leave_under_load() {
    everywhere(async |scene: &Scene, first: Client, second: Client| {
        // Only the commit at the release of a queue is soon enough.
        let join = Join { persist: 60_000, ..Join::new(&scene.group, &scene.topic) };
        let load = scene.load();
        let (mut stays, mut comes) = (scene.members(first).await, scene.members(second).await);
        stays.join("a-stays", &join).await;
        until_queues(&mut stays, "a-stays", 4).await;
        for name in ["b-comes", "b-comes-again"] {
            until_more(&stays, 200).await;
            comes.join(name, &join).await;
            until_queues(&mut comes, name, 2).await;
            until_queues(&mut stays, "a-stays", 2).await;
            until_more(&comes, 100).await;
            comes.leave(name).await;
            until_queues(&mut stays, "a-stays", 4).await;
        }
        let sent = load.stop().await;
        until_handled(&sent, &[&stays, &comes]).await;
        stays.leave("a-stays").await;
        let repeated = repeats(&handled(&[&stays, &comes]));
        eprintln!("{} messages, {} repeated", sent.len(), repeated.len());
        // Queues move twice from the member that stays, and twice from those that come and leave.
        for (client, members) in [(first, "a-"), (second, "b-")] {
            let limit = 2 * if client == Client::Java { MOVED_IN_A_SECOND } else { UNFINISHED };
            let left: Vec<_> =
                repeated.iter().filter(|(before, _)| before.member.starts_with(members)).collect();
            assert!(left.len() <= limit, "{} repeated after {client:?}: {left:?}", left.len());
        }
    });
}

#[test]
fn the_queues_of_a_killed_member_go_on_at_its_last_commit() {
    everywhere(async |scene: &Scene, first: Client, second: Client| {
        let join = Join::new(&scene.group, &scene.topic);
        let load = scene.load();
        let (mut killed, mut stays) = (scene.members(first).await, scene.members(second).await);
        killed.join("a-killed", &join).await;
        stays.join("b-stays", &join).await;
        until_queues(&mut killed, "a-killed", 2).await;
        until_queues(&mut stays, "b-stays", 2).await;
        // Only the death of the member moves queues in what is looked at.
        let settled = micros();
        until_more(&killed, 200).await;
        killed.kill();
        let at = micros();
        until_queues(&mut stays, "b-stays", 4).await;
        let sent = load.stop().await;
        until_handled(&sent, &[&killed, &stays]).await;
        stays.leave("b-stays").await;
        let mut repeated = repeats(&handled(&[&killed, &stays]));
        repeated.retain(|(before, again)| before.ended > settled || again.ended > at);
        eprintln!("{} messages, {} repeated", sent.len(), repeated.len());
        let window = Duration::from_millis(join.persist + 1500).as_micros() as u64;
        for (before, again) in repeated {
            assert_eq!((&*before.member, &*again.member), ("a-killed", "b-stays"));
            assert!(at - before.ended < window, "it was committed when its member was killed: {before:?}");
        }
    });
}
