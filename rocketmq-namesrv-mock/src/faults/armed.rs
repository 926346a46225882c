//! The rules of a cluster, and the choice of a rule for a request.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rocketmq_remoting::protocol::RemotingCommand;

use super::{Fault, FaultAction};

/// The rules of a cluster or a proxy.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Whether there is any rule: a cheap check for every request.
    armed: AtomicBool,
    rules: Mutex<Vec<Armed>>,
}

/// A rule with its counters.
#[derive(Debug)]
struct Armed {
    fault: Fault,
    /// Requests that matched.
    seen: u64,
    /// Requests that went wrong.
    hits: u32,
    dice: Dice,
}

/// The rule that a request met.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Hit {
    pub(crate) action: FaultAction,
}

impl Faults {
    pub(crate) fn inject(&self, fault: Fault) {
        let mut rules = self.lock();
        let dice = Dice(fault.seed);
        rules.push(Armed { fault, seen: 0, hits: 0, dice });
        self.armed.store(true, Ordering::Release);
    }

    pub(crate) fn clear(&self) {
        let mut rules = self.lock();
        rules.clear();
        self.armed.store(false, Ordering::Release);
    }

    /// The rules, each with the number of requests that went wrong by it.
    pub(crate) fn hits(&self) -> Vec<(Fault, u32)> {
        self.lock().iter().map(|rule| (rule.fault.clone(), rule.hits)).collect()
    }

    /// Whether there is any rule.
    pub(crate) fn is_armed(&self) -> bool {
        self.armed.load(Ordering::Acquire)
    }

    /// The fault for a request: by the first rule that matches, is not used up, and whose dice choose the request.
    pub(crate) fn next(&self, server: &str, address: &str, request: &RemotingCommand) -> Option<Hit> {
        let mut rules = self.lock();
        let fitting = rules.iter_mut().filter(|rule| rule.fault.fits(server, address, request));
        let mut met = fitting.filter_map(|rule| rule.meet().then_some(&rule.fault));
        Some(Hit { action: met.next()?.action.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Armed>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Armed {
    /// Counts a matching request. Returns true if it is to go wrong.
    fn meet(&mut self) -> bool {
        self.seen += 1;
        let is_used_up = self.fault.times.is_some_and(|times| self.hits >= times);
        if is_used_up || self.seen <= u64::from(self.fault.after) {
            return false;
        }
        let is_chosen = self.fault.probability.is_none_or(|probability| self.dice.roll() < probability);
        self.hits = self.hits.saturating_add(u32::from(is_chosen));
        is_chosen
    }
}

/// Pseudo-random numbers, repeatable by seed (splitmix64).
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    /// A number from 0 up to but not including 1.
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        // A floating point number holds 53 bits: take the upper ones.
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rocketmq_remoting::protocol::RequestCode;

    /// Which of N equal requests go wrong.
    fn wrong(fault: Fault, requests: usize) -> Vec<usize> {
        let faults = Faults::default();
        faults.inject(fault);
        let request = RemotingCommand::request(RequestCode::PULL_MESSAGE);
        (0..requests).filter(|_| faults.next("b", "127.0.0.1:1", &request).is_some()).collect()
    }

    #[test]
    fn a_rule_lets_some_go_first_and_is_used_up() {
        let fault = Fault::on(RequestCode::PULL_MESSAGE, FaultAction::DropAnswer);
        assert_eq!(wrong(fault.clone().after(2).times(3), 9), [2, 3, 4]);
        assert_eq!(wrong(fault.clone().server("127.0.0.1:1"), 2), [0, 1]);
        assert!(wrong(fault.server("c"), 2).is_empty());
    }

    #[test]
    fn dice_fall_as_often_as_they_should_and_the_same_each_time() {
        let fault = |seed| Fault::on_all(FaultAction::DropAnswer).probability(0.25, seed);
        let chosen = wrong(fault(7), 4000);
        assert!((900..1100).contains(&chosen.len()), "{}", chosen.len());
        assert_eq!(wrong(fault(7), 4000), chosen);
        assert_ne!(wrong(fault(8), 4000), chosen);
        assert!(wrong(Fault::on_all(FaultAction::Close).probability(0.0, 1), 99).is_empty());
        assert_eq!(wrong(Fault::on_all(FaultAction::Close).probability(1.0, 1), 99).len(), 99);
        // Requests that the dice spare do not count as times.
        assert_eq!(wrong(fault(7).times(5), 4000), chosen[..5]);
    }
}
