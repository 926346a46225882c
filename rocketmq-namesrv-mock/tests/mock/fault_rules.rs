//! Rules as data.

use std::time::Duration;

use rocketmq_namesrv_mock::{Fault, FaultAction, FaultError, MockCluster};
use rocketmq_remoting::protocol::{RequestCode, ResponseCode};

use crate::clients::producer_heartbeat;
use crate::support::*;

fn problem(rule: &str) -> String {
    rule.parse::<Fault>().expect_err(rule).to_string()
}

#[test]
fn every_rule_survives_as_json() {
    let rules = [
        "do=delay ms=20",
        "do=delay_answer ms=20 on=PULL_MESSAGE,310",
        "do=drop_request on=sends topic=T group=g server=broker-a after=1 times=2 probability=0.5 seed=9",
        "do=drop_answer on=all",
        "do=refuse code=SYSTEM_BUSY remark='[PCBUSY] too busy'",
        r#"{"do":"answer","code":0,"fields":{"nextBeginOffset":"7"},"body":"x"}"#,
        "do=answer code=9999 body_hex=00ff",
        "do=answer_with code=10",
        "do=go_away",
        "do=close",
        "do=close_afterwards",
        "do=reset",
        "do=cut_answer byte=7 reset=true",
        "do=corrupt_answer byte=-1",
        "do=garbage hex='7fff ffff'",
        "do=garbage text='HTTP/1.1 400 Bad Request'",
        "do=answer_twice",
        "do=stray_answer",
        "do=trickle ms=3",
        "do=stop_reading",
        "do=stop_reading ms=50",
        "do=crash back_after_ms=100 new_port=true",
        "do=stop",
        "do=read_only ms=100",
        "do=change_answer code=21 remark=moved fields=minOffset:3,nextBeginOffset:7 record=-1 damage=crc",
        "do=change_answer body_hex=00ff",
        "do=change_answer damage=bomb",
    ];
    let rules: Vec<Fault> = rules.into_iter().map(|rule| rule.parse().expect(rule)).collect();
    let json = serde_json::to_string(&rules).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Fault>>(&json).unwrap(), rules);
    assert_eq!(Fault::read_list(&json).unwrap(), rules);
    assert_eq!(rules[1].codes, [RequestCode::PULL_MESSAGE, RequestCode::SEND_MESSAGE_V2]);
    let busy = FaultAction::Refuse { code: ResponseCode::SYSTEM_BUSY, remark: "[PCBUSY] too busy".into() };
    assert_eq!(rules[4], Fault::on_all(busy));
    assert_eq!(rules[14].action, FaultAction::Garbage(vec![0x7f, 255, 255, 255].into()));
}

#[test]
fn a_bad_rule_says_which_field_and_what_is_allowed() {
    for (rule, expected) in [
        ("on=sends", "fault rule: field `do`: is missing; it says what goes wrong: delay, delay_answer,"),
        ("do=explode", "field `do`: explode is not allowed; delay, delay_answer, drop_request,"),
        ("do=delay", "field `ms`: is missing; it says how many milliseconds"),
        ("do=delay ms=soon", "field `ms`: \"soon\" is not allowed; a whole number from 0 to 86400000 is"),
        ("do=delay ms=-1", "field `ms`: \"-1\" is not allowed"),
        ("do=close times=0", "field `times`: \"0\" is not allowed; a whole number from 1 to 4294967295 is"),
        ("do=close probability=1.5", "field `probability`: \"1.5\" is not allowed; a number from 0 to 1 is"),
        (
            "do=close on=SEND",
            "field `on`: \"SEND\" is not allowed; a request's code (310), Java's name of it",
        ),
        ("do=refuse code=BUSY", "field `code`: \"BUSY\" is not allowed; a number (2) or Java's name"),
        (
            "do=cut_answer byte=1 bite=2",
            "field `bite`: there is none in a rule that does `cut_answer`; after, byte,",
        ),
        ("do=close ms=3", "field `ms`: there is none in a rule that does `close`"),
        ("do=garbage", "field `text`: is missing"),
        ("do=garbage hex=abc", "field `hex`: abc is not allowed; two hexadecimal digits for each byte are"),
        ("do=garbage hex=ab text=x", "field `hex`: stands beside `text`"),
        ("do=close do=reset", "field `do`: is there twice"),
        ("close", "field `close`: has no value; pairs like on=sends are allowed"),
        ("do=refuse code=1 remark='x", "field `remark`: the closing ' is missing"),
        (r#"{"do":"close","topic":7}"#, "field `topic`: 7 is not allowed; a text that is not empty is"),
        (r#"{"do":"answer","code":0,"fields":{"a":1}}"#, "field `fields`: 1 is not allowed; a JSON object"),
        (r#"{"do":"cut_answer","byte":1,"reset":"maybe"}"#, "field `reset`: \"maybe\" is not allowed; true"),
    ] {
        assert!(problem(rule).contains(expected), "{rule}: {}", problem(rule));
    }
}

#[test]
fn a_bad_list_says_which_rule() {
    let error = Fault::read_list(r#"[{"do":"close"},{"do":"delay","ms":true}]"#).unwrap_err();
    assert_eq!((error.rule, error.field.as_deref()), (Some(2), Some("ms")));
    assert_eq!(
        error.to_string(),
        "rule 2: field `ms`: true is not allowed; a whole number from 0 to 86400000 is"
    );
    let whole = |json: &str| Fault::read_list(json).unwrap_err();
    assert!(whole("{}").to_string().contains("an array of objects is allowed"));
    assert!(whole("[1]").to_string().starts_with("rule 1: 1 is no rule"));
    assert!(whole("[").to_string().contains("no JSON"));
    let missing: FaultError = Fault::read_file("/nowhere/rules.json").unwrap_err();
    assert!(missing.to_string().contains("cannot read /nowhere/rules.json"), "{missing}");
}

#[tokio::test]
async fn rules_choose_by_group_probability_and_address() {
    let cluster = MockCluster::start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    cluster.inject("do=refuse code=2 on=sends group=other".parse().unwrap());
    assert_eq!(peer.call(send_to("T")).await.code, 0);
    assert_eq!(peer.call(with(send_to("T"), &[("a", "other")])).await.code, 2);
    cluster.clear_faults();

    let rule = format!("do=refuse code=2 server={}", cluster.broker_addr("broker-a").unwrap());
    cluster.inject(rule.parse::<Fault>().unwrap().probability(0.5, 3));
    let mut runs = [Vec::new(), Vec::new()];
    for run in &mut runs {
        for _ in 0..64 {
            run.push(peer.call(send_to("T")).await.code);
        }
        let refused = run.iter().filter(|code| **code == 2).count();
        assert!((16..48).contains(&refused), "{refused}");
        assert_eq!(cluster.fault_hits()[0].1 as usize, refused);
        let rule = cluster.fault_hits()[0].0.clone();
        cluster.clear_faults();
        cluster.inject(rule);
    }
    assert_eq!(runs[0], runs[1], "the same seed makes the same choices");
}

#[tokio::test]
async fn what_brokers_ask_of_clients_meets_rules_too() {
    let builder = MockCluster::builder().virtual_clock(true).transaction_timeout(Duration::ZERO);
    let cluster = builder.start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    peer.call(producer_heartbeat("pg", "c1")).await;
    let half = wire("TRAN_MSG=true PGROUP=pg UNIQ_KEY=U");
    peer.call(with(send_to("T"), &[("i", &half), ("f", "4")])).await;
    for action in ["drop_request", "answer_twice", "close"] {
        cluster.inject(format!("do={action} on=CHECK_TRANSACTION_STATE times=1").parse().unwrap());
    }
    for _ in 0..2 {
        assert_eq!(cluster.check_transactions().await, 1, "a question that is lost was asked");
    }
    let mut questions = [peer.receive().await, peer.receive().await];
    // Each one-way request has an id of its own.
    questions[1].opaque = questions[0].opaque;
    assert_eq!(questions[0], questions[1]);
    assert_eq!(field(&questions[0], "tranStateTableOffset"), "2", "the first question was lost");
    cluster.check_transactions().await;
    peer.expect_closed().await;
}
