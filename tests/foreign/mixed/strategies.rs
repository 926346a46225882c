//! Each strategy gives each queue to one member, whosever client it is.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::{Client, Scene};
use crate::members::{Join, Members};
use crate::servers::{Server, runtime};

const QUEUES: u32 = 8;
/// Java's members look again after 20 s when they have missed a change.
const WITHIN: Duration = Duration::from_secs(60);

/// Three members, in the order of their client ids. The first letter is the room of each.
const MEMBERS: [(&str, Client); 3] = [("a-1", Client::Ours), ("a-2", Client::Java), ("b-3", Client::Ours)];

#[test]
fn each_queue_has_one_member() {
    let strategies = ["avg", "circle", "hash", "nearby", "config"];
    shared_by(Server::Mock.with_two_brokers(), &strategies);
    // The mock's brokers have no rooms in their names.
    shared_by(
        Server::Apache.with_two_brokers(),
        &["avg", "circle", "hash", "nearby", "config", "room/north"],
    );
}

fn shared_by(name_server: &str, strategies: &[&str]) {
    runtime().block_on(async {
        let scene = Scene::new(name_server, QUEUES).await;
        let (mut java, mut ours) = (scene.members(Client::Java).await, scene.members(Client::Ours).await);
        for strategy in strategies {
            let scene = Scene::new(name_server, QUEUES).await;
            let all = scene.queues().await;
            let brokers: BTreeSet<&str> =
                all.iter().filter_map(|queue| queue.rsplit_once(':')).map(|(name, _)| name).collect();
            assert_eq!((all.len(), brokers.len()), (2 * QUEUES as usize, 2));
            for (number, (name, client)) in MEMBERS.iter().enumerate() {
                let strategy = match *strategy {
                    // One broker's queues are read by two members, the other's by the third.
                    "config" => {
                        format!("config/{}", ["B0/0,1,2", "B0/3,4,5,6,7", "B1/0,1,2,3,4,5,6,7"][number])
                            .replace("B0", brokers.first().expect("two brokers"))
                            .replace("B1", brokers.last().expect("two brokers"))
                    }
                    other => other.to_owned(),
                };
                let join = Join { strategy, ..Join::new(&scene.group, &scene.topic) };
                let members = if *client == Client::Java { &mut java } else { &mut ours };
                members.join(name, &join).await;
            }
            let began = Instant::now();
            loop {
                let shares = [ours.queues("a-1").await, java.queues("a-2").await, ours.queues("b-3").await];
                let union: BTreeSet<String> = shares.iter().flatten().cloned().collect();
                let disjoint = shares.iter().map(BTreeSet::len).sum::<usize>() == union.len();
                let wanted: BTreeSet<String> = match strategy.strip_prefix("room/") {
                    Some(room) => all.iter().filter(|queue| queue.starts_with(room)).cloned().collect(),
                    None => all.clone(),
                };
                // With each strategy each of these members has a share; before that, not all know each other.
                if disjoint && union == wanted && !shares.iter().any(BTreeSet::is_empty) {
                    eprintln!(
                        "{strategy}: {:?} after {:?}",
                        shares.map(|share| share.len()),
                        began.elapsed()
                    );
                    break;
                }
                assert!(began.elapsed() < WITHIN, "{strategy}: {shares:?}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            for (name, client) in MEMBERS {
                let members: &mut Members = if client == Client::Java { &mut java } else { &mut ours };
                members.leave(name).await;
            }
        }
    });
}

impl Scene {
    /// All queues of the topic, as `BROKER:ID`.
    async fn queues(&self) -> BTreeSet<String> {
        let queues = self.admin.message_queues(&self.topic).await.expect("a route");
        queues.iter().map(|queue| format!("{}:{}", queue.broker_name(), queue.queue_id())).collect()
    }
}
