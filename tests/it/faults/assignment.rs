use std::time::Duration;

use bytes::Bytes;
use rocketmq::conf::ConsumerOption;
use rocketmq::consumer::{ConsumerEvent, ConsumerEvents, PushConsumer};
use rocketmq_namesrv_mock::{Fault, FaultAction};
use rocketmq_remoting::protocol::{RequestCode, ResponseCode};
use tokio::time::sleep;

use super::checker::{Rules, each_queue_has_one_owner};
use super::support::{Site, TOPIC, ends_cleanly, simulate, until};
use super::table::{Row, seen};

/// Members look at the group each 20 s if nothing happens, and again a second after an answer that they do not believe.
const SOME_LOOKS: Duration = Duration::from_secs(45);

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

fn revoked(events: &mut ConsumerEvents) -> Vec<ConsumerEvent> {
    let all = std::iter::from_fn(|| events.try_next());
    all.filter(|event| matches!(event, ConsumerEvent::Revoked { .. } | ConsumerEvent::Assigned { .. }))
        .collect()
}

/// Lives with some faults for a while, under load. The assignment of no member changes.
async fn nothing_moves(site: &Site, members: &[&PushConsumer], faults: Vec<Fault>, window: Duration) -> u32 {
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
    for events in &mut events {
        let moved = revoked(events);
        assert!(moved.is_empty(), "{faults:?}: {moved:?}");
    }
    drop(load);
    site.all_done().await;
    let verdict = site.check(&Rules::default());
    assert_eq!(verdict.duplicates, 0, "{verdict:?}");
    hits
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
            hits.push(format!("{name}: {}", nothing_moves(&site, &members, faults, SOME_LOOKS).await));
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
        let site = Site::with(1, 4, |builder| builder.brokers(2).name_servers(2)).await;
        let consumer = site.start("a", Duration::from_millis(1)).await;
        until("the queues", || consumer.assignment().len() >= 8).await;
        let addresses = ["broker-a", "broker-b"].map(|name| site.broker(name).to_string());
        let a = ("broker-a", &*addresses[0]);
        let on = |action| Fault::on(RequestCode::GET_ROUTEINFO_BY_TOPIC, action).topic(TOPIC);
        let members = [&consumer];
        let mut hits = Vec::new();
        for (name, faults, window) in [
            (
                "one without the topic",
                vec![on(refuse(ResponseCode::TOPIC_NOT_EXIST)).server("namesrv-0")],
                SOME_LOOKS,
            ),
            ("both without the topic", vec![on(refuse(ResponseCode::TOPIC_NOT_EXIST))], SOME_LOOKS),
            ("a route without queues", vec![on(answer(route(&[], 4)))], SOME_LOOKS),
            // Each client looks up once within this time.
            ("lacking a broker", vec![on(answer(route(&[a], 4)))], ONE_LOOK),
            ("with an old address", vec![on(answer(route(&[a, ("broker-b", "10.9.9.9:1")], 4)))], ONE_LOOK),
        ] {
            hits.push(format!("{name}: {}", nothing_moves(&site, &members, faults, window).await));
        }
        ends_cleanly(consumer).await;

        // A route that lacks a broker stands for long, as nobody looks up another: one answer is no confirmation.
        let rarely = |option: &mut ConsumerOption| _ = option.set_poll_name_server_interval(200_000);
        let consumer = site.starting(site.member().option(rarely), "b", Duration::from_millis(1)).await;
        until("the queues", || consumer.assignment().len() >= 8).await;
        sleep(Duration::from_secs(150)).await;
        let lacking = on(answer(route(&[a], 4)));
        let hit = nothing_moves(&site, &[&consumer], vec![lacking], ONE_LOOK * 2 + ONE_LOOK / 2).await;
        hits.push(format!("lacking a broker, looked up each 200 s: {hit}"));
        // Commits need the broker's address: with the next route they go out.
        sleep(Duration::from_secs(200)).await;
        ends_cleanly(consumer).await;
        seen(Row::C6, format!("no queue moved; look-ups that were wrong: {}", hits.join(", ")));
    });
}
