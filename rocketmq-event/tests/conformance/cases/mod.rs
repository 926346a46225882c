//! The cases, by topic, with the numbers of the table.
//!
//! - `publishing`: 1 to 11
//! - `groups`: 12 to 18
//! - `outcomes`: 19 to 32

mod groups;
mod outcomes;
mod publishing;

use std::pin::Pin;

use rocketmq_event::backend::Abilities;

use crate::lab::{CaseResult, Lab, always};

pub(crate) struct Case {
    pub(crate) number: u32,
    pub(crate) title: &'static str,
    /// Why the broker cannot do it.
    pub(crate) impossible: fn(&Abilities) -> Option<&'static str>,
    pub(crate) run: fn(Lab) -> Pin<Box<dyn Future<Output = CaseResult> + Send>>,
}

/// Every case, in the order of the table.
#[rustfmt::skip]
pub(crate) const ALL: &[Case] = &[
    Case { number: 1, title: "every field of an envelope comes back, and the bytes are equal", impossible: always, run: |lab| Box::pin(publishing::round_trip(lab)) },
    Case { number: 2, title: "headers of the user: non-ASCII, empty, bytes 0 to 255, names of the backend", impossible: always, run: |lab| Box::pin(publishing::headers(lab)) },
    Case { number: 4, title: "bodies of 0 B, 1 B and 1 MiB; over the limit: TooLarge, not stored", impossible: always, run: |lab| Box::pin(publishing::sizes(lab)) },
    Case { number: 5, title: "the position of the receipt is where the event is read", impossible: numbers, run: |lab| Box::pin(publishing::positions(lab)) },
    Case { number: 6, title: "no queue takes it: NoRoute, not stored", impossible: routes, run: |lab| Box::pin(publishing::no_route(lab)) },
    Case { number: 9, title: "batch of 1,000: a result for each, in order; one bad event costs no neighbour", impossible: always, run: |lab| Box::pin(publishing::batch(lab)) },
    Case { number: 11, title: "dyn EventPublisher in a service", impossible: always, run: |lab| Box::pin(publishing::object(lab)) },
    Case { number: 12, title: "two groups each get everything", impossible: always, run: |lab| Box::pin(groups::two_groups(lab)) },
    Case { number: 13, title: "two members share: nothing twice, nothing missing", impossible: always, run: |lab| Box::pin(groups::two_members(lab)) },
    Case { number: 17, title: "patterns: user.*, # and *.created", impossible: always, run: |lab| Box::pin(groups::patterns(lab)) },
    Case { number: 18, title: "an event without a handler is acknowledged or dead-lettered, as set", impossible: always, run: |lab| Box::pin(groups::unmatched(lab)) },
    Case { number: 20, title: "failure: comes again, not before its delay, as attempt 2", impossible: always, run: |lab| Box::pin(outcomes::comes_again(lab)) },
    Case { number: 25, title: "tries used up: dead letter with reason, kind, attempts, times, origin, raw bytes", impossible: always, run: |lab| Box::pin(outcomes::exhausted(lab)) },
    Case { number: 26, title: "permanent: dead letter at once", impossible: always, run: |lab| Box::pin(outcomes::permanent(lab)) },
    Case { number: 27, title: "undecodable: dead letter at once, neighbours unharmed, handler not called", impossible: always, run: |lab| Box::pin(outcomes::undecodable(lab)) },
    Case { number: 28, title: "panic is a failure, and the consumer goes on", impossible: always, run: |lab| Box::pin(outcomes::panic(lab)) },
];

fn numbers(abilities: &Abilities) -> Option<&'static str> {
    (!abilities.numbers).then_some("the broker does not number its messages")
}

fn routes(abilities: &Abilities) -> Option<&'static str> {
    (!abilities.routes).then_some("the stream keeps what nobody reads yet")
}
