//! The cases, by topic, with the numbers of the table.
//!
//! - `publishing`: 1 to 11
//! - `groups`: 12 to 18
//! - `outcomes`, `retries`: 19 to 32
//! - `order`: 33 to 37
//! - `faults`: servers that are killed and connections that are cut, 7, 8, 10, 30, 38
//! - `dropped`: futures that are dropped, 41
//! - `lifecycle`: starts and ends of members, 14 to 16, 19, 39 to 42
//! - `dead`: 43 to 45
//! - `store`: 46 to 52
//! - `beside_handlers`: failures beside a handler, of its layers, its publications and its destructors, 57 and on
//! - `observation`: formats, metrics, traces, variants of enums

mod beside_handlers;
mod dead;
mod dropped;
mod faults;
mod groups;
mod lifecycle;
mod observation;
mod order;
mod outcomes;
mod publishing;
mod retries;
mod store;

use std::pin::Pin;

use rocketmq_event::backend::Abilities;

#[allow(unused_imports, reason = "the suite without servers has no processes")]
pub(crate) use faults::{flood, member};

use crate::lab::{CaseResult, Lab};
use crate::rigs::Rig;

pub(crate) struct Case {
    pub(crate) number: u32,
    pub(crate) title: &'static str,
    /// Why the broker cannot do it.
    pub(crate) impossible: fn(&Abilities, &dyn Rig) -> Option<&'static str>,
    pub(crate) run: fn(Lab) -> Pin<Box<dyn Future<Output = CaseResult> + Send>>,
}

/// Every case, in the order of the table.
#[rustfmt::skip]
pub(crate) const ALL: &[Case] = &[
    Case { number: 1, title: "every field of an envelope comes back, and the bytes are equal", impossible: always, run: |lab| Box::pin(publishing::round_trip(lab)) },
    Case { number: 2, title: "headers of the user: non-ASCII, empty, bytes 0 to 255, names of the backend", impossible: always, run: |lab| Box::pin(publishing::headers(lab)) },
    Case { number: 3, title: "JSON, MessagePack, Protobuf: the content type of the message chooses", impossible: always, run: |lab| Box::pin(observation::formats(lab)) },
    Case { number: 4, title: "bodies of 0 B, 1 B and 1 MiB; over the limit: TooLarge, not stored", impossible: always, run: |lab| Box::pin(publishing::sizes(lab)) },
    Case { number: 5, title: "the position of the receipt is where the event is read", impossible: numbers, run: |lab| Box::pin(publishing::positions(lab)) },
    Case { number: 6, title: "no queue takes it: NoRoute, not stored", impossible: routes, run: |lab| Box::pin(publishing::no_route(lab)) },
    Case { number: 7, title: "published means: there after the server is killed and started again", impossible: durable, run: |lab| Box::pin(faults::survives_a_kill(lab)) },
    Case { number: 8, title: "a connection is cut before the answer: never an Ok that is not stored, and what is not stored never comes", impossible: cut, run: |lab| Box::pin(faults::cut_before_the_answer(lab)) },
    Case { number: 9, title: "batch of 1,000: a result for each, in order; one bad event costs no neighbour", impossible: always, run: |lab| Box::pin(publishing::batch(lab)) },
    Case { number: 10, title: "back-pressure: 100,000 events, 1,000 at a time, need no memory of their own", impossible: apart, run: |lab| Box::pin(faults::back_pressure(lab)) },
    Case { number: 11, title: "dyn EventPublisher in a service", impossible: always, run: |lab| Box::pin(publishing::object(lab)) },
    Case { number: 12, title: "two groups each get everything", impossible: always, run: |lab| Box::pin(groups::two_groups(lab)) },
    Case { number: 13, title: "two members share: nothing twice, nothing missing", impossible: always, run: |lab| Box::pin(groups::two_members(lab)) },
    Case { number: 14, title: "a member dies: another gets what it had not finished", impossible: always, run: |lab| Box::pin(lifecycle::member_dies(lab)) },
    Case { number: 15, title: "a member joins: nothing is lost", impossible: always, run: |lab| Box::pin(lifecycle::member_joins(lab)) },
    Case { number: 16, title: "a new group begins where it is told to", impossible: past, run: |lab| Box::pin(lifecycle::start(lab)) },
    Case { number: 17, title: "patterns: user.*, # and *.created", impossible: always, run: |lab| Box::pin(groups::patterns(lab)) },
    Case { number: 18, title: "an event without a handler is acknowledged or dead-lettered, as set", impossible: always, run: |lab| Box::pin(groups::unmatched(lab)) },
    Case { number: 19, title: "success: never again, not after a restart of the service either", impossible: always, run: |lab| Box::pin(lifecycle::success_is_for_good(lab)) },
    Case { number: 20, title: "failure: comes again, not before its delay, as attempt 2", impossible: always, run: |lab| Box::pin(outcomes::comes_again(lab)) },
    Case { number: 21, title: "delays grow as the policy says, rounded up to what the broker has", impossible: always, run: |lab| Box::pin(retries::delays_grow(lab)) },
    Case { number: 22, title: "a short delay does not wait behind a long one", impossible: always, run: |lab| Box::pin(retries::short_overtakes_long(lab)) },
    Case { number: 23, title: "retried later: others are handled meanwhile", impossible: always, run: |lab| Box::pin(retries::others_go_on(lab)) },
    Case { number: 24, title: "retried in place: nothing of that key is handled meanwhile, other keys are; its order stays (35)", impossible: always, run: |lab| Box::pin(order::in_place(lab)) },
    Case { number: 25, title: "tries used up: dead letter with reason, kind, attempts, times, origin, raw bytes", impossible: always, run: |lab| Box::pin(outcomes::exhausted(lab)) },
    Case { number: 26, title: "permanent: dead letter at once", impossible: always, run: |lab| Box::pin(outcomes::permanent(lab)) },
    Case { number: 27, title: "undecodable: dead letter at once, neighbours unharmed, handler not called", impossible: always, run: |lab| Box::pin(outcomes::undecodable(lab)) },
    Case { number: 28, title: "panic is a failure, and the consumer goes on", impossible: always, run: |lab| Box::pin(outcomes::panic(lab)) },
    Case { number: 29, title: "a handler over its timeout has failed, and its later result has no effect", impossible: always, run: |lab| Box::pin(retries::timeout(lab)) },
    Case { number: 30, title: "members are killed in the handler of one event, again and again: a dead letter", impossible: counts, run: |lab| Box::pin(faults::kills_its_handler(lab)) },
    Case { number: 31, title: "the dead letters cannot be reached: the original is not acknowledged", impossible: always, run: |lab| Box::pin(retries::no_dead_letters(lab)) },
    Case { number: 32, title: "what a handler publishes goes out if, and only if, it succeeds", impossible: always, run: |lab| Box::pin(retries::publishes_on_success(lab)) },
    Case { number: 33, title: "concurrency(4) runs four handlers at a time, never five", impossible: always, run: |lab| Box::pin(order::concurrency(lab)) },
    Case { number: 34, title: "equal keys in order, with 8 handlers and 1,000 keys", impossible: always, run: |lab| Box::pin(order::equal_keys(lab)) },
    Case { number: 36, title: "events that finish out of order: one that is unfinished comes again after a crash", impossible: always, run: |lab| Box::pin(order::unfinished(lab)) },
    Case { number: 37, title: "pause and resume", impossible: always, run: |lab| Box::pin(order::pause(lab)) },
    Case { number: 38, title: "the server is killed while idle, while events are sent, while one is handled: nothing is lost, and all goes on", impossible: cut, run: |lab| Box::pin(faults::restarts(lab)) },
    Case { number: 39, title: "shutdown: handlers that run finish, the rest is given back, and the report says so", impossible: always, run: |lab| Box::pin(lifecycle::shutdown(lab)) },
    Case { number: 40, title: "deadline of a shutdown: the handler is told, then ended, and its event comes again", impossible: always, run: |lab| Box::pin(lifecycle::deadline(lab)) },
    Case { number: 41, title: "futures dropped at each await: no task is left, no event and no acknowledgement lost", impossible: always, run: |lab| Box::pin(dropped::dropped_futures(lab)) },
    Case { number: 42, title: "close twice, consumer before bus", impossible: always, run: |lab| Box::pin(lifecycle::close(lab)) },
    Case { number: 43, title: "dead letters: counted, read, and still there", impossible: always, run: |lab| Box::pin(dead::count_and_read(lab)) },
    Case { number: 44, title: "a replay goes to that group alone, and counts", impossible: always, run: |lab| Box::pin(dead::replay(lab)) },
    Case { number: 45, title: "Dedupe: a second delivery of one id is not handled", impossible: always, run: |lab| Box::pin(dead::dedupe(lab)) },
    Case { number: 46, title: "store: append and read, versions 1 to n, several events in one append", impossible: log, run: |lab| Box::pin(store::versions(lab)) },
    Case { number: 47, title: "store: wrong version: Conflict, and nothing of it is visible", impossible: log, run: |lab| Box::pin(store::conflict(lab)) },
    Case { number: 48, title: "store: two writers, 100 appends each to one aggregate, decided again on conflict: 200 in one order", impossible: log, run: |lab| Box::pin(store::two_writers(lab)) },
    Case { number: 49, title: "store: appended again after maybe stored: once", impossible: log, run: |lab| Box::pin(store::resent(lab)) },
    Case { number: 50, title: "store: all events from the beginning and from positions, resumed exactly", impossible: log, run: |lab| Box::pin(store::from_positions(lab)) },
    Case { number: 51, title: "store: a snapshot and the rest are what a full replay gives", impossible: log, run: |lab| Box::pin(store::snapshots(lab)) },
    Case { number: 52, title: "store: the beginning is deleted: Truncated, unless a snapshot covers it", impossible: log, run: |lab| Box::pin(store::truncated(lab)) },
    Case { number: 53, title: "metrics: names and labels; processed = succeeded + failed", impossible: always, run: |lab| Box::pin(observation::metrics(lab)) },
    Case { number: 54, title: "the trace of a publication is that of its handling, through a retry and a replay", impossible: always, run: |lab| Box::pin(observation::trace(lab)) },
    Case { number: 55, title: "CloudEvents' SDK for Java reads our events, and we read its events", impossible: java, run: |lab| Box::pin(observation::java(lab)) },
    Case { number: 56, title: "an enum is published, and one of its variants handled by its own type", impossible: always, run: |lab| Box::pin(observation::variant(lab)) },
    Case { number: 57, title: "Dedupe: what a handler publishes goes out, although it was refused at first", impossible: always, run: |lab| Box::pin(beside_handlers::dedupe_and_publish(lab)) },
    Case { number: 58, title: "a panic in the text of an error, or at the end of a future that is dropped: a failure", impossible: always, run: |lab| Box::pin(beside_handlers::panics_beside_the_handler(lab)) },
];

fn numbers(abilities: &Abilities, _: &dyn Rig) -> Option<&'static str> {
    (!abilities.numbers).then_some("the broker does not number its messages")
}

fn routes(abilities: &Abilities, _: &dyn Rig) -> Option<&'static str> {
    (!abilities.routes).then_some("a stream keeps events that no group reads yet")
}

fn past(abilities: &Abilities, _: &dyn Rig) -> Option<&'static str> {
    (!abilities.starts_in_the_past).then_some("a group has only what is published after it exists")
}

fn log(abilities: &Abilities, _: &dyn Rig) -> Option<&'static str> {
    (!abilities.log).then_some("the broker keeps no log")
}

fn always(_: &Abilities, _: &dyn Rig) -> Option<&'static str> {
    None
}

fn durable(abilities: &Abilities, rig: &dyn Rig) -> Option<&'static str> {
    (!abilities.durable || rig.fragile().is_none()).then_some("the broker ends with this process")
}

fn cut(_: &Abilities, rig: &dyn Rig) -> Option<&'static str> {
    rig.fragile().is_none().then_some("there is no connection")
}

fn apart(_: &Abilities, rig: &dyn Rig) -> Option<&'static str> {
    rig.address().is_none().then_some("the broker keeps all events in this process")
}

fn counts(abilities: &Abilities, _: &dyn Rig) -> Option<&'static str> {
    (!abilities.counts_redeliveries).then_some("the broker does not count deliveries to members that died")
}

fn java(_: &Abilities, rig: &dyn Rig) -> Option<&'static str> {
    rig.java("", "").is_none().then_some("the SDK has no published module for it")
}
