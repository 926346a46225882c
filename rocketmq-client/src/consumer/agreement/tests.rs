use rocketmq_remoting::protocol::body::{Connection, ConsumerConnection, SubscriptionData};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

use super::{Agreement, Difference};
use crate::consumer::member::Subscribed;
use crate::consumer::subscription::{MessageSelector, Subscription};

const ME: &str = "me";

fn subscribed(topic: &str, selector: impl Into<MessageSelector>, version: i64) -> Arc<Subscribed> {
    let subscription = Subscription::new(topic, &selector.into(), version).unwrap();
    Arc::new(Subscribed {
        topic: topic.into(),
        plain: topic.into(),
        subscription,
        is_retry: topic.starts_with("%RETRY%"),
        requests: Default::default(),
    })
}

fn data(subscribed: &[Arc<Subscribed>]) -> Vec<SubscriptionData> {
    subscribed.iter().map(|one| one.subscription.data().clone()).collect()
}

/// A broker's answer (203): its members and its table.
fn answer(ids: &[&str], table: &[Arc<Subscribed>]) -> ConsumerConnection {
    let connection = |id: &&str| Connection { client_id: (*id).to_owned(), ..Connection::default() };
    ConsumerConnection {
        connection_set: ids.iter().map(connection).collect(),
        subscription_table: data(table).into_iter().map(|data| (data.topic.clone(), data)).collect(),
        ..ConsumerConnection::default()
    }
}

/// Looks once; members say what `says` has for them. The events in a short form.
fn look(
    agreement: &mut Agreement,
    now: Instant,
    ours: &[Arc<Subscribed>],
    answer: &ConsumerConnection,
    says: impl Fn(&str) -> Option<Vec<SubscriptionData>>,
) -> Vec<String> {
    for id in agreement.listed(ME, &[answer]) {
        agreement.said(&id, says(&id));
    }
    let show = |(difference, id): (Difference, Option<String>)| {
        let Difference { topic, ours, theirs } = difference;
        let [ours, theirs] = [ours, theirs].map(|text| text.unwrap_or_else(|| "-".into()));
        format!("{topic}: {ours} / {theirs} by {}", id.unwrap_or_else(|| "?".to_owned()))
    };
    agreement.differences(now, ours, &[answer]).into_iter().map(show).collect()
}

#[test]
fn each_of_two_members_that_want_other_tags_sees_the_other_once() {
    let (older, newer) = ([subscribed("T", "A", 10)], [subscribed("T", "B", 20)]);
    // The broker has the newer expression: to the newer member nothing looks strange there.
    let table = answer(&["me", "other"], &newer);
    for (ours, theirs, told) in [(&older, &newer, "T: A / B by other"), (&newer, &older, "T: B / A by other")]
    {
        let (mut agreement, now) = (Agreement::default(), Instant::now());
        let says = |_: &str| Some(data(theirs));
        assert_eq!(look(&mut agreement, now, ours, &table, says), [told]);
        assert!(look(&mut agreement, now, ours, &table, says).is_empty(), "once");
        assert!(agreement.listed(ME, &[&table]).is_empty(), "the member has said it");
    }
}

#[test]
fn a_member_that_does_not_answer_is_known_by_what_the_broker_has_of_it() {
    let (ours, theirs) =
        ([subscribed("T", "A", 10)], [subscribed("T", MessageSelector::by_sql("x > 1"), 20)]);
    let mut agreement = Agreement::default();
    let two = answer(&["me", "other"], &theirs);
    let told = look(&mut agreement, Instant::now(), &ours, &two, |_| None);
    assert_eq!(told, ["T: A / SQL92 x > 1 by other"]);
    // Of several silent members, nobody knows who it is.
    let three = answer(&["me", "other", "third"], &theirs);
    assert_eq!(
        look(&mut Agreement::default(), Instant::now(), &ours, &three, |_| None),
        ["T: A / SQL92 x > 1 by ?"]
    );
    assert!(!agreement.listed(ME, &[&two]).is_empty(), "it is asked again");
    for _ in 0..2 {
        agreement.said("other", None);
    }
    assert!(agreement.listed(ME, &[&two]).is_empty(), "a few times");
}

#[test]
fn other_topics_are_told_on_both_sides_and_flapping_tables_repeat_nothing() {
    let (ours, theirs) = ([subscribed("Ours", "*", 1)], [subscribed("Theirs", "*", 2)]);
    let (mut agreement, now) = (Agreement::default(), Instant::now());
    let says = |_: &str| Some(data(&theirs));
    let mine = answer(&["me", "other"], &ours);
    let told = look(&mut agreement, now, &ours, &mine, says);
    assert_eq!(told, ["Ours: * / - by other", "Theirs: - / * by other"], "whosever heartbeat was last");
    let other = answer(&["me", "other"], &theirs);
    for answer in [&other, &mine, &other, &mine] {
        assert!(look(&mut agreement, now, &ours, answer, says).is_empty());
    }
    assert!(agreement.listed(ME, &[&mine]).is_empty(), "no table is new");
}

#[test]
fn members_that_agree_and_brokers_that_are_behind_are_no_event() {
    let ours = [subscribed("T", "A", 10), subscribed("%RETRY%g", "*", 10)];
    let (same, retry) = ([subscribed("T", "A", 30)], [subscribed("%RETRY%g_T", "*", 1)]);
    let says = |_: &str| Some([data(&same), data(&retry)].concat());
    let (mut agreement, now) = (Agreement::default(), Instant::now());
    let ids = ["me", "other"];
    assert!(look(&mut agreement, now, &ours, &answer(&ids, &same), says).is_empty());
    let behind = answer(&ids, &[subscribed("T", "Older", 9)]);
    assert!(look(&mut agreement, now, &ours, &behind, says).is_empty(), "our next heartbeat replaces it");
    assert!(look(&mut agreement, now, &ours, &answer(&ids, &[]), says).is_empty(), "so does it here");
    // It filters the messages of the group although nobody wants that any more.
    let left = answer(&ids, &[subscribed("T", "Left", 40)]);
    assert_eq!(look(&mut agreement, now, &ours, &left, says), ["T: A / Left by ?"]);
}

#[test]
fn a_change_is_told_again_and_so_is_one_that_was_gone_for_long() {
    let (a, b, c) = ([subscribed("T", "A", 1)], [subscribed("T", "B", 2)], [subscribed("T", "C", 3)]);
    let (mut agreement, start) = (Agreement::default(), Instant::now());
    let ids = ["me", "other"];
    let mut at = |seconds, theirs: &[Arc<Subscribed>]| {
        let now = start + Duration::from_secs(seconds);
        look(&mut agreement, now, &a, &answer(&ids, theirs), |_| Some(data(theirs)))
    };
    assert_eq!(at(0, &b), ["T: A / B by other"]);
    assert_eq!(at(20, &c), ["T: A / C by other"]);
    assert!(at(40, &[subscribed("T", "A", 4)]).is_empty());
    assert!(at(60, &[subscribed("T", "C", 5)]).is_empty(), "it was told lately");
    assert!(at(80, &[subscribed("T", "A", 6)]).is_empty());
    assert_eq!(at(200, &[subscribed("T", "C", 7)]), ["T: A / C by other"]);
}

#[test]
fn members_are_asked_some_at_a_time_until_all_have_said_it() {
    let ours = [subscribed("T", "*", 1)];
    let ids: Vec<String> = (0..33).map(|n| format!("m{n:02}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).chain([ME]).collect();
    let (mut agreement, table) = (Agreement::default(), answer(&ids, &ours));
    let mut asked = Vec::new();
    for expected in [16, 16, 1, 0] {
        let next = agreement.listed(ME, &[&table]);
        assert_eq!(next.len(), expected);
        next.iter().for_each(|id| agreement.said(id, Some(data(&ours))));
        asked.extend(next);
    }
    asked.sort();
    assert_eq!(asked, ids[..33]);
}

#[test]
fn a_second_client_with_our_id_is_told_once_for_each_time() {
    let mut agreement = Agreement::default();
    let seen = [None, Some(false), Some(true), None, Some(true), Some(false), Some(true)];
    let told = seen.map(|is_twice| agreement.is_twice(is_twice));
    assert_eq!(told, [false, false, true, false, false, false, true]);
}
