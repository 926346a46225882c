use std::collections::BTreeSet;
use std::time::Duration;

use rocketmq::consumer::{ConsumerEvent, ConsumerEvents, PushConsumer};
use rocketmq_namesrv_mock::{Fault, FaultAction};
use rocketmq_remoting::protocol::{RequestCode, ResponseCode};
use tokio::time::{Instant, sleep};

use super::support::{Site, TOPIC, ends_cleanly, simulate};
use super::table::{Row, seen};

const OTHER: &str = "Other";
/// Rebalances until a member knows.
const REBALANCES: u64 = 2;
/// How long twins may go unnoticed.
const SOON: Duration = Duration::from_secs(1);

impl Site {
    /// A started member of this name that wants these messages, and its events.
    async fn member_of(&self, name: &str, topic: &str, tags: &str) -> (PushConsumer, ConsumerEvents) {
        let member = self.member().option(|option| _ = option.set_instance_name(name));
        let member = member.listener(self.record.listener(name, |_, _| async { Ok(()) })).build().unwrap();
        if topic != TOPIC {
            member.unsubscribe(TOPIC).await.unwrap();
        }
        member.subscribe(topic, tags).await.unwrap();
        let events = member.events();
        member.start().await.unwrap();
        (member, events)
    }

    fn refuse_203(&self) {
        let refusal = FaultAction::Refuse { code: ResponseCode::NO_PERMISSION, remark: "no".to_owned() };
        self.cluster.inject(Fault::on(RequestCode::GET_CONSUMER_CONNECTION_LIST, refusal));
    }
}

fn rebalances(member: &PushConsumer) -> u64 {
    member.get_stats().unwrap().rebalance_count
}

/// Waits for so many different events, as `pick` shows them. Returns how many rebalances the member has made since `before`.
async fn told(
    (member, events): &mut (PushConsumer, ConsumerEvents),
    before: u64,
    expected: &[String],
    pick: impl Fn(ConsumerEvent) -> Option<String>,
) -> u64 {
    let mut told = BTreeSet::new();
    while told.len() < expected.len() {
        told.extend(pick(events.next().await.unwrap()));
    }
    assert_eq!(told, expected.iter().cloned().collect());
    let after = rebalances(member) - before;
    assert!(after <= REBALANCES, "told after {after} rebalances");
    after
}

/// What two members want of a topic.
fn difference(event: ConsumerEvent) -> Option<String> {
    let ConsumerEvent::SubscriptionsDiffer { topic, ours, theirs, client_id, .. } = event else {
        return None;
    };
    let name = client_id.as_deref().and_then(|id| id.split_once('@')).map_or("?", |(_, name)| name);
    let [ours, theirs] = [&ours, &theirs].map(|expression| expression.as_deref().unwrap_or("-"));
    Some(format!("{topic}: {ours}, {name}: {theirs}"))
}

fn count(events: &mut ConsumerEvents, is: impl Fn(&ConsumerEvent) -> bool) -> usize {
    std::iter::from_fn(|| events.try_next()).filter(is).count()
}

#[test]
fn c20_members_that_subscribe_differently() {
    simulate(async {
        let site = Site::new(2, 4).await;
        site.cluster.create_topic(OTHER, 4).unwrap();
        let mut most = 0;
        for (topic, tags) in [(TOPIC, "B"), (OTHER, "A")] {
            let mut left = site.member_of("left", TOPIC, "A").await;
            sleep(Duration::from_secs(5)).await;
            let before = rebalances(&left.0);
            let mut right = site.member_of("right", topic, tags).await;
            let is =
                |one: (&str, &str, &str), other: &str| format!("{}: {}, {other}: {}", one.0, one.1, one.2);
            let (of_left, of_right) = if topic == TOPIC {
                (vec![is((TOPIC, "A", "B"), "right")], vec![is((TOPIC, "B", "A"), "left")])
            } else {
                let of_left = vec![is((TOPIC, "A", "-"), "right"), is((OTHER, "-", "A"), "right")];
                (of_left, vec![is((TOPIC, "-", "A"), "left"), is((OTHER, "A", "-"), "left")])
            };
            most = most.max(told(&mut right, 0, &of_right, difference).await);
            most = most.max(told(&mut left, before, &of_left, difference).await);
            // Each difference is told once.
            sleep(Duration::from_secs(100)).await;
            for (member, mut events) in [left, right] {
                assert_eq!(
                    count(&mut events, |event| matches!(event, ConsumerEvent::SubscriptionsDiffer { .. })),
                    0
                );
                ends_cleanly(member).await;
            }
        }

        // An access list that forbids the question: each member says once that it cannot check.
        site.refuse_203();
        let mut unchecked = Vec::new();
        for (name, tags) in [("left", "A"), ("right", "B")] {
            unchecked.push(site.member_of(name, TOPIC, tags).await);
        }
        sleep(Duration::from_secs(100)).await;
        for (member, mut events) in unchecked {
            let told =
                count(&mut events, |event| matches!(event, ConsumerEvent::SubscriptionsUnchecked { .. }));
            assert_eq!(told, 1);
            ends_cleanly(member).await;
        }
        seen(
            Row::C20,
            format!(
                "other tags, other topics: an event at each member, rebalances until then at most {most}; 203 refused: one event at each that it cannot be checked"
            ),
        );
    });
}

#[test]
fn c25_two_processes_with_one_client_id() {
    simulate(async {
        for refused in [false, true] {
            let site = Site::new(2, 4).await;
            if refused {
                site.refuse_203();
            }
            let mut one = site.member_of("twin", TOPIC, "*").await;
            sleep(Duration::from_secs(5)).await;
            let began = Instant::now();
            let mut other = site.member_of("twin", TOPIC, "*").await;
            let mut took = Duration::ZERO;
            for (_, events) in [&mut one, &mut other] {
                let addresses = loop {
                    if let ConsumerEvent::DuplicateClientId { client_id, addresses, .. } =
                        events.next().await.unwrap()
                    {
                        assert!(client_id.ends_with("@twin"), "{client_id}");
                        break addresses;
                    }
                };
                assert_eq!(addresses.iter().collect::<BTreeSet<_>>().len(), if refused { 0 } else { 2 });
                took = took.max(began.elapsed());
            }
            assert!(took <= SOON, "{took:?}");
            sleep(Duration::from_secs(100)).await;
            for (member, mut events) in [one, other] {
                let is_twin =
                    |event: &ConsumerEvent| matches!(event, ConsumerEvent::DuplicateClientId { .. });
                assert_eq!(count(&mut events, is_twin), 0, "told once");
                ends_cleanly(member).await;
            }
        }
        seen(
            Row::C25,
            "an event at both within a second, with both addresses; where 203 is refused, an event without addresses",
        );
    });
}
