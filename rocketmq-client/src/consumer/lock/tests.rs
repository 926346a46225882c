use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use tokio::time::Instant;

use super::*;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A clock whose lock was granted by a request sent at `start` and answered at once.
fn held(start: Instant) -> LockClock {
    let mut clock = LockClock::new(start);
    clock.granted(start, start);
    clock.offset_read(start);
    assert_eq!(clock.change(start), Some(LockChange::Gained));
    clock
}

#[test]
fn a_lock_counts_from_the_moment_its_request_was_sent() {
    let start = Instant::now();
    let mut clock = LockClock::new(start);
    let answered = start + seconds(20);
    clock.granted(start, answered);
    clock.offset_read(answered);
    assert!(clock.may_start(start + seconds(24)));
    assert!(!clock.may_start(start + seconds(25)));
    assert_eq!(clock.state(start + seconds(25)), LockState::AtRisk);
    assert_eq!(clock.state(start + seconds(30)), LockState::Missing);
}

#[test]
fn an_answer_that_comes_too_late_grants_nothing() {
    let start = Instant::now();
    let mut clock = LockClock::new(start);
    let late = start + seconds(31);
    clock.granted(start, late);
    clock.offset_read(late);
    assert_eq!(clock.state(late), LockState::Missing);
    assert!(!clock.may_start(late));
    assert!(clock.next_request() <= late);
}

#[test]
fn a_lock_is_renewed_after_ten_seconds() {
    let start = Instant::now();
    let mut clock = held(start);
    assert_eq!(clock.next_request(), start + seconds(10));
    clock.granted(start + seconds(10), start + seconds(11));
    assert!(clock.may_start(start + seconds(34)), "no second look at the offset is needed");
    assert_eq!(clock.change(start + seconds(34)), None);
    assert_eq!(clock.next_request(), start + seconds(20));
}

#[test]
fn a_renewal_that_fails_is_repeated_and_the_lock_runs_out() {
    let start = Instant::now();
    let mut clock = held(start);
    let mut asked = Vec::new();
    loop {
        let at = clock.next_request();
        if at > start + seconds(13) {
            break;
        }
        asked.push((at - start).as_millis());
        clock.requested(at);
        clock.failed(at);
    }
    assert_eq!(asked, [10_000, 10_100, 10_300, 10_700, 11_500, 12_500]);
    assert_eq!(clock.next_change(), Some(start + seconds(25)));
    assert_eq!(clock.change(start + seconds(25)), Some(LockChange::AtRisk));
    assert_eq!(clock.next_change(), Some(start + seconds(30)));
    assert_eq!(clock.change(start + seconds(30)), Some(LockChange::Lost));
    assert_eq!(clock.change(start + seconds(31)), None);
}

#[test]
fn a_refusal_ends_the_lock_at_once() {
    let start = Instant::now();
    let mut clock = held(start);
    let (sent, answered) = (start + seconds(10), start + seconds(11));
    clock.refused(sent, answered);
    assert!(!clock.may_start(answered));
    assert_eq!(clock.change(answered), Some(LockChange::Lost));
    assert_eq!(clock.next_request(), answered + Duration::from_millis(100));
}

#[test]
fn the_answer_to_an_older_request_changes_nothing() {
    let start = Instant::now();
    let mut clock = held(start);
    clock.granted(start + seconds(10), start + seconds(10));
    clock.refused(start + seconds(5), start + seconds(11));
    assert!(clock.may_start(start + seconds(11)));
    clock.granted(start + seconds(9), start + seconds(12));
    assert!(clock.may_start(start + seconds(34)), "the newer request counts");
}

#[test]
fn a_lost_connection_puts_the_lock_at_risk_at_once() {
    let start = Instant::now();
    let mut clock = held(start);
    let lost = start + seconds(3);
    clock.doubt(lost);
    assert!(!clock.may_start(lost));
    assert_eq!((clock.change(lost), clock.next_request()), (Some(LockChange::AtRisk), lost));

    clock.granted(start + seconds(2), start + seconds(4));
    assert!(!clock.may_start(start + seconds(4)), "that request was sent before the broker forgot");

    let again = start + seconds(5);
    clock.granted(again, again);
    assert!(clock.must_reread());
    assert!(!clock.may_start(again), "another member may have consumed meanwhile");
    clock.offset_read(start + seconds(4));
    assert!(!clock.may_start(again), "the offset was read before the lock was granted");
    clock.offset_read(again);
    assert!(clock.may_start(again));
    assert_eq!(clock.change(again), Some(LockChange::Regained));
}

#[test]
fn the_offset_is_read_again_after_a_gap() {
    let start = Instant::now();
    let mut clock = held(start);
    let again = start + seconds(31);
    clock.granted(again, again);
    assert!(clock.must_reread() && !clock.may_start(again));
}

#[test]
fn a_starved_runtime_uses_no_stale_lock() {
    let start = Instant::now();
    let clock = held(start);
    assert!(!clock.may_start(start + seconds(40)));
}

/// What happens to a lock between a member and its broker.
#[derive(Debug, Clone)]
enum Happening {
    Pass(u64),
    /// A request that arrives after `there` and is answered after `back` more, in milliseconds; no answer comes for `None`.
    Ask {
        there: u64,
        back: Option<u64>,
    },
    /// The broker restarts without its locks; the member sees the connection go at the same moment.
    Restart,
    /// Another member asks.
    Other,
}

fn happening() -> impl Strategy<Value = Happening> {
    let back = prop_oneof![3 => (0..20_000_u64).prop_map(Some), 1 => Just(None)];
    prop_oneof![
        4 => (0..20_000_u64).prop_map(Happening::Pass),
        4 => (0..20_000_u64, back).prop_map(|(there, back)| Happening::Ask { there, back }),
        1 => Just(Happening::Restart),
        3 => Just(Happening::Other),
    ]
}

/// A request on its way.
#[derive(Debug, Clone, Copy)]
struct Flying {
    sent: Instant,
    arrives: Instant,
    answer: Option<Duration>,
    granted: Option<bool>,
}

proptest! {
    #[test]
    fn a_handler_starts_only_while_the_broker_holds_our_lock(history in vec(happening(), 0..60)) {
        let mut now = Instant::now();
        let mut clock = LockClock::new(now);
        let mut flying: Vec<Flying> = Vec::new();
        // Who has the lock at the broker, and until when.
        let mut lock: Option<(bool, Instant)> = None;
        for happening in history {
            let until = now + Duration::from_millis(match happening { Happening::Pass(ms) => ms, _ => 0 });
            loop {
                // Carries out arrivals and answers in the order of time.
                let next = flying.iter().filter_map(|request| match request.granted {
                    None => Some(request.arrives),
                    Some(_) => request.answer.map(|back| request.arrives + back),
                }).min();
                let at = next.filter(|at| *at <= until).unwrap_or(until);
                now = now.max(at);
                for request in &mut flying {
                    if request.granted.is_none() && request.arrives <= now {
                        let free = lock.is_none_or(|(ours, until)| ours || until <= now);
                        if free { lock = Some((true, now + seconds(60))); }
                        request.granted = Some(free);
                    } else if let (Some(granted), Some(back)) = (request.granted, request.answer)
                        && request.arrives + back <= now
                    {
                        if granted { clock.granted(request.sent, now) } else { clock.refused(request.sent, now) }
                        request.answer = None;
                        clock.offset_read(now);
                    }
                }
                flying.retain(|request| request.granted.is_none() || request.answer.is_some());
                if clock.may_start(now) {
                    prop_assert!(lock.is_some_and(|(ours, until)| ours && until > now));
                }
                if next.is_none_or(|next| next > until) { break }
            }
            match happening {
                Happening::Pass(_) => {}
                Happening::Ask { there, back } => flying.push(Flying {
                    sent: now,
                    arrives: now + Duration::from_millis(there),
                    answer: back.map(Duration::from_millis),
                    granted: None,
                }),
                Happening::Restart => {
                    // Requests on the old connection are gone with it.
                    flying.clear();
                    lock = None;
                    clock.doubt(now);
                }
                Happening::Other => {
                    if lock.is_none_or(|(ours, until)| !ours || until <= now) {
                        lock = Some((false, now + seconds(60)));
                    }
                }
            }
            if clock.may_start(now) {
                prop_assert!(lock.is_some_and(|(ours, until)| ours && until > now));
            }
        }
    }
}
