use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rocketmq::conf::{ConsumerOption, ProducerOption};
use rocketmq::consumer::{ConsumerEvent, ConsumerEvents, PushConsumer};
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::{Fault, FaultAction};
use rocketmq_remoting::protocol::{RequestCode, ResponseCode};
use tokio::time::sleep;

use super::checker::{Rules, each_queue_has_one_owner};
use super::support::{Site, TOPIC, ends_cleanly, simulate, until};
use super::table::{Row, seen};

/// Members look at the group each 20 s if nothing happens, and again a second after an answer that they do not believe.
const SOME_LOOKS: Duration = Duration::from_secs(45);

/// Commits are repeated in this interval, with time for them.
const COMMITS: Duration = Duration::from_secs(6);
/// Clients look routes up each 30 s.
const ONE_LOOK: Duration = Duration::from_secs(29);

fn answer(body: impl Into<Bytes>) -> FaultAction {
    FaultAction::Answer {
        code: ResponseCode::SUCCESS,
        remark: String::new(),
        fields: Vec::new(),
        body: body.into(),
    }
}

fn refuse(code: ResponseCode) -> FaultAction {
    FaultAction::Refuse { code, remark: "out of order".to_owned() }
}

/// The events so far that tell of queues, and how many of them doubt a route.
fn told(events: &mut ConsumerEvents) -> (Vec<ConsumerEvent>, usize) {
    let all = std::iter::from_fn(|| events.try_next());
    let (doubts, others): (Vec<_>, Vec<_>) =
        all.partition(|event| matches!(event, ConsumerEvent::RouteDoubted { .. }));
    let is_move = |event: &ConsumerEvent| {
        matches!(event, ConsumerEvent::Revoked { .. } | ConsumerEvent::Assigned { .. })
    };
    (others.into_iter().filter(is_move).collect(), doubts.len())
}

/// Lives with some faults for a while, under load. The assignment of no member changes. Returns how often the faults hit, and
/// how many events doubt a route.
async fn nothing_moves(
    site: &Site,
    members: &[&PushConsumer],
    faults: Vec<Fault>,
    window: Duration,
) -> (u32, usize) {
    let before: Vec<_> = members.iter().map(|member| member.assignment()).collect();
    let mut events: Vec<_> = members.iter().map(|member| member.events()).collect();
    let load = site.send_each(Duration::from_millis(100));
    for fault in &faults {
        site.cluster.inject(fault.clone());
    }
    sleep(window).await;
    let hits = site.cluster.fault_hits().iter().map(|(_, hits)| hits).sum();
    assert!(hits > 0, "{faults:?}");
    site.cluster.clear_faults();
    sleep(SOME_LOOKS).await;
    let after: Vec<_> = members.iter().map(|member| member.assignment()).collect();
    assert_eq!(before, after, "{faults:?}");
    let mut doubts = 0;
    for events in &mut events {
        let (moved, doubted) = told(events);
        assert!(moved.is_empty(), "{faults:?}: {moved:?}");
        doubts += doubted;
    }
    drop(load);
    site.all_done().await;
    let verdict = site.check(&Rules::default());
    assert_eq!(verdict.duplicates, 0, "{verdict:?}");
    (hits, doubts)
}

#[test]
fn c05_lists_of_members_that_are_wrong() {
    simulate(async {
        let site = Site::new(2, 4).await;
        let first = site.start("first", Duration::from_millis(1)).await;
        let second = site.start("second", Duration::from_millis(1)).await;
        let shared = || {
            each_queue_has_one_owner(&site.cluster, TOPIC, &[first.assignment(), second.assignment()])
                && first.assignment().iter().any(|queue| queue.topic() == TOPIC)
                && second.assignment().iter().any(|queue| queue.topic() == TOPIC)
        };
        until("the queues are shared", shared).await;
        let members = [&first, &second];
        let ids = site.cluster.group_members(super::support::GROUP);
        let on = |action| Fault::on(RequestCode::GET_CONSUMER_LIST_BY_GROUP, action);
        let list = |ids: &[&str]| format!(r#"{{"consumerIdList":{}}}"#, serde_json::to_string(ids).unwrap());
        let wrong = [
            ("refused", vec![on(refuse(ResponseCode::SYSTEM_ERROR))]),
            ("unanswered", vec![on(FaultAction::DropRequest)]),
            ("empty", vec![on(answer(list(&[])))]),
            ("without a member", vec![on(answer(list(&["10.0.0.9@1"])))]),
            ("unreadable", vec![on(answer("{"))]),
            ("of one broker lacking the second", vec![on(answer(list(&[&ids[0]]))).server("broker-a")]),
            ("of one broker lacking the first", vec![on(answer(list(&[&ids[1]]))).server("broker-b")]),
        ];
        let mut hits = Vec::new();
        for (name, faults) in wrong {
            let (hit, doubts) = nothing_moves(&site, &members, faults, SOME_LOOKS).await;
            assert_eq!(doubts, 0, "{name}");
            hits.push(format!("{name}: {hit}"));
        }
        // A list that lacks the members is not believed even when a broker says (40) that the group has changed.
        site.cluster.inject(on(answer(list(&[]))));
        let third = site.member().listener(site.record.listener("third", |_, _| async { Ok(()) }));
        let third = tokio::spawn(third.start());
        sleep(Duration::from_secs(5)).await;
        assert!(shared(), "nobody gave a queue up");
        site.cluster.clear_faults();
        let third = third.await.unwrap().unwrap();
        until("three share the queues", || {
            let owned = [&first, &second, &third].map(|member| member.assignment());
            each_queue_has_one_owner(&site.cluster, TOPIC, &owned)
        })
        .await;
        for member in [first, second, third] {
            ends_cleanly(member).await;
        }
        seen(Row::C5, format!("no queue moved; wrong lists believed by no member: {}", hits.join(", ")));
    });
}

/// A route of the topic with these brokers.
fn route(brokers: &[(&str, &str)], queues: u32) -> String {
    let datas = brokers.iter().map(|(name, address)| {
        format!(r#"{{"brokerAddrs":{{"0":"{address}"}},"brokerName":"{name}","cluster":"DefaultCluster"}}"#)
    });
    let queue_datas = brokers.iter().map(|(name, _)| {
        format!(r#"{{"brokerName":"{name}","perm":6,"readQueueNums":{queues},"topicSysFlag":0,"writeQueueNums":{queues}}}"#)
    });
    let (datas, queue_datas): (Vec<_>, Vec<_>) = (datas.collect(), queue_datas.collect());
    format!(
        r#"{{"brokerDatas":[{}],"filterServerTable":{{}},"queueDatas":[{}]}}"#,
        datas.join(","),
        queue_datas.join(",")
    )
}

#[test]
fn c06_name_servers_that_are_empty_stale_or_lack_a_broker() {
    simulate(async {
        let site = Site::with(4, |builder| builder.brokers(2).name_servers(2)).await;
        let consumer = site.start("a", Duration::from_millis(1)).await;
        until("the queues", || consumer.assignment().len() >= 8).await;
        let addresses = ["broker-a", "broker-b"].map(|name| site.broker(name).to_string());
        let a = ("broker-a", &*addresses[0]);
        let on = |action| Fault::on(RequestCode::GET_ROUTEINFO_BY_TOPIC, action).topic(TOPIC);
        let members = [&consumer];
        let mut hits = Vec::new();
        for (name, faults, window, doubted) in [
            (
                "one without the topic",
                vec![on(refuse(ResponseCode::TOPIC_NOT_EXIST)).server("namesrv-0")],
                SOME_LOOKS,
                0,
            ),
            ("both without the topic", vec![on(refuse(ResponseCode::TOPIC_NOT_EXIST))], SOME_LOOKS, 0),
            ("a route without queues", vec![on(answer(route(&[], 4)))], SOME_LOOKS, 1),
            // Each client looks up once within this time.
            ("lacking a broker", vec![on(answer(route(&[a], 4)))], ONE_LOOK, 1),
            (
                "with an old address",
                vec![on(answer(route(&[a, ("broker-b", "10.9.9.9:1")], 4)))],
                ONE_LOOK,
                0,
            ),
        ] {
            let (hit, doubts) = nothing_moves(&site, &members, faults, window).await;
            assert_eq!(doubts, doubted, "{name}");
            hits.push(format!("{name}: {hit}"));
        }
        ends_cleanly(consumer).await;
        a_route_that_lacks_a_broker_for_long(&site, on(answer(route(&[a], 4)))).await;
        seen(
            Row::C6,
            format!(
                "no queue moved; an event where the route has no queue or lacks a broker, whose queues are read and committed on meanwhile; look-ups that were wrong: {}",
                hits.join(", ")
            ),
        );
    });
}

/// One answer is no confirmation, however long no other comes: the queues are kept, their messages handled and committed.
async fn a_route_that_lacks_a_broker_for_long(site: &Site, lacking: Fault) {
    const RARELY: u64 = 200_000;
    let mut option = ProducerOption::default();
    option.set_name_server_addr(site.cluster.name_server_addr()).set_group_name("to_both");
    option.set_transport(Arc::new(site.network.clone())).set_poll_name_server_interval(10 * RARELY);
    let to_both = Producer::new(option);
    to_both.start().await.unwrap();
    let rarely = |option: &mut ConsumerOption| _ = option.set_poll_name_server_interval(RARELY);
    for orderly in [false, true] {
        let member = site.member().option(rarely);
        let consumer = if orderly {
            let listener = site.record.listener("b", |_, _| async { Ok(()) });
            member.orderly_listener(listener).start().await.unwrap()
        } else {
            site.starting(member, "b", Duration::from_millis(1)).await
        };
        until("the queues", || consumer.assignment().len() >= 8).await;
        to_both.send(Message::new(TOPIC, "before")).await.unwrap();
        let mut events = consumer.events();
        site.cluster.inject(lacking.clone());
        while !matches!(events.next().await.unwrap(), ConsumerEvent::RouteDoubted { .. }) {}
        let before = site.record.runs().len();
        for number in 0..16 {
            to_both.send(Message::new(TOPIC, number.to_string())).await.unwrap();
        }
        site.all_done().await;
        let of_b =
            site.record.runs()[before..].iter().filter(|run| run.queue.broker_name() == "broker-b").count();
        assert_eq!(of_b, 8);
        sleep(COMMITS).await;
        let committed = site.committed();
        for end in site.cluster.queue_offsets(TOPIC) {
            assert_eq!(committed.get(&end.queue), Some(&end.max), "{}", end.queue);
        }
        for number in 0..16 {
            to_both.send(Message::new(TOPIC, number.to_string())).await.unwrap();
        }
        site.all_done().await;
        assert!(told(&mut events).0.is_empty(), "no queue moved");
        ends_cleanly(consumer).await;
        site.cluster.clear_faults();
        let verdict = site.check(&Rules::default());
        assert_eq!(verdict.duplicates, 0, "{verdict:?}");
    }
}
