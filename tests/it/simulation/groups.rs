//! Consumer groups under random faults: one run for each seed.
//!
//! Each seed decides a cluster, a group, and what happens to them; `checker` judges the history. Half of the seeds are
//! the same in each run of the suite, half are new. A seed that fails is printed with the command that repeats it:
//!
//! ```text
//! SIMULATION_SEED=123 cargo test --all-features --test it simulation::groups::one_seed -- --nocapture
//! ```
//!
//! `SIMULATION_SEEDS=5000` runs that many seeds in each test, from `SIMULATION_FROM` on if it is set.

use std::fmt::Write as _;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::dice::Dice;
use super::plan::Plan;
use super::world::{Outcome, run};

/// Seeds that found a defect: a start that ran out of time left a consumer that never rebalanced; a lock was renewed after it
/// was given back; a new subscription began its queues twice; a member without its lock committed over the next owner; a member
/// whose last notices told nothing new gave its queues up too late (twice); a member that took a queue for a moment left a lower
/// offset behind; a release committed what was finished only after its last handler (twice); a start took
/// longer than it may; a member that had been away committed over the next owner; an offset of a pull without an answer was taken
/// for a reset; an owner that did not know yet that it was none committed over the next; and the checker took messages that came once
/// more for a group that asks too much.
const FOUND: [u64; 14] = [
    115_939_724_409_717,
    224_061_335_742_829,
    234_302_079_565_237,
    220_585_194_467_482,
    46_147_507_171_552,
    61_609_666_378_169,
    6_825_654_007_400,
    203_371_014_378_994,
    110_911_593_080_933,
    228_253_690_279_168,
    274_944_856_618_296,
    129_878_474_942_581,
    171_362_503_259_843,
    129_275_262_825_272,
];
/// Seeds of each test.
const SEEDS: u64 = 80;
/// Seeds of each test of another room.
pub(super) const FEWER: u64 = 30;
/// The real time that a run takes is measured in milliseconds: a run that takes longer is in an endless loop.
const STUCK: Duration = Duration::from_secs(120);

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// Prints at once, whether the test fails or not.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// The runs of one room: what its seeds decide.
#[derive(Debug, Clone, Copy)]
pub(super) struct Suite {
    pub(super) room: &'static str,
    pub(super) plan: fn(u64) -> Plan,
    /// Seeds of each test.
    pub(super) seeds: u64,
}

const GROUPS: Suite = Suite { room: "groups", plan: Plan::new, seeds: SEEDS };

impl Suite {
    fn command(&self, seed: u64) -> String {
        let Self { room, .. } = self;
        format!(
            "SIMULATION_SEED={seed} cargo test --all-features --test it simulation::{room}::one_seed -- --nocapture"
        )
    }

    fn run(&self, seed: u64) -> Outcome {
        run((self.plan)(seed))
    }
}

/// The problems of a seed; a panic is one, too.
fn problems(suite: Suite, seed: u64) -> Vec<String> {
    match catch_unwind(AssertUnwindSafe(|| suite.run(seed))) {
        Ok(Outcome { problems, .. }) => problems,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            vec![format!("panic: {}", text.unwrap_or_default())]
        }
    }
}

/// Ends the process, and names the seed, when a run does not end.
struct Watchdog {
    seed: Arc<AtomicU64>,
    _alive: mpsc::Sender<()>,
}

impl Watchdog {
    fn new(suite: Suite) -> Self {
        let (alive, ended) = mpsc::channel::<()>();
        let seed = Arc::new(AtomicU64::new(0));
        let watched = seed.clone();
        std::thread::spawn(move || {
            let mut last = 0;
            while ended.recv_timeout(STUCK) == Err(mpsc::RecvTimeoutError::Timeout) {
                let now = watched.load(Ordering::Relaxed);
                if now == last {
                    say(&format!("seed {now} does not end; it is repeated by\n{}", suite.command(now)));
                    std::process::exit(101);
                }
                last = now;
            }
        });
        Self { seed, _alive: alive }
    }
}

pub(super) fn run_all(suite: Suite, seeds: impl Iterator<Item = u64>) {
    let (watchdog, mut report, mut failed) = (Watchdog::new(suite), String::new(), 0);
    for seed in seeds {
        watchdog.seed.store(seed, Ordering::Relaxed);
        let problems = problems(suite, seed);
        if !problems.is_empty() {
            failed += 1;
            say(&format!("seed {seed}: {} problems, the first: {}", problems.len(), problems[0]));
            if failed <= 5 {
                let first = problems.iter().take(10).cloned().collect::<Vec<_>>().join("\n  ");
                let _ = writeln!(report, "seed {seed}, repeated by\n{}\n  {first}", suite.command(seed));
            }
        }
    }
    assert_eq!(failed, 0, "seeds failed:\n{report}");
}

/// One of four parts of the seeds that are the same each time.
pub(super) fn fixed(suite: Suite, part: u64) {
    let count = number("SIMULATION_SEEDS").unwrap_or(suite.seeds);
    let from = number("SIMULATION_FROM").unwrap_or(1) + part * count;
    run_all(suite, from..from + count);
}

/// One of four parts of the new seeds.
pub(super) fn fresh(suite: Suite, part: u64) {
    let count = number("SIMULATION_SEEDS").unwrap_or(suite.seeds);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let base = number("SIMULATION_BASE").unwrap_or(now.wrapping_add(part << 32));
    // Short numbers are easier to pass on.
    let mut dice = Dice::new(base);
    say(&format!("simulation: {count} new seeds from SIMULATION_BASE={base}"));
    run_all(suite, (0..count).map(|_| dice.next() >> 16));
}

macro_rules! parts {
    ($($part:literal $fixed:ident $fresh:ident)+) => {$(
        #[test]
        fn $fixed() {
            fixed(GROUPS, $part);
        }

        #[test]
        fn $fresh() {
            fresh(GROUPS, $part);
        }
    )+};
}

parts! {
    0 seeds_that_stay_a seeds_that_are_new_a
    1 seeds_that_stay_b seeds_that_are_new_b
    2 seeds_that_stay_c seeds_that_are_new_c
    3 seeds_that_stay_d seeds_that_are_new_d
}

#[test]
fn seeds_that_found_defects() {
    run_all(GROUPS, FOUND.into_iter());
}

#[test]
fn one_seed() {
    one(GROUPS);
}

/// The run of `SIMULATION_SEED`.
pub(super) fn one(suite: Suite) {
    let chosen = number("SIMULATION_SEED");
    let outcome = suite.run(chosen.unwrap_or(1));
    if chosen.is_some() {
        println!("{}", outcome.history);
        println!("healed after {:?}", outcome.healed);
    }
    assert!(outcome.problems.is_empty(), "{}", outcome.problems.join("\n"));
}

#[test]
fn a_run_repeats_for_its_seed() {
    repeats(GROUPS, 8);
}

/// Each of so many seeds gives the same history twice.
pub(super) fn repeats(suite: Suite, seeds: u64) {
    for seed in 1..=seeds {
        let (first, second) = (suite.run(seed).history, suite.run(seed).history);
        for (number, (one, other)) in first.lines().zip(second.lines()).enumerate() {
            assert_eq!(one, other, "line {number} of seed {seed}");
        }
        assert_eq!(first.len(), second.len());
    }
    assert_ne!(suite.run(1).history, suite.run(2).history, "another seed is another run");
}

/// The tests of a room whose seeds decide this plan.
macro_rules! tests_of {
    ($room:literal, $plan:expr) => {
        const SUITE: crate::simulation::groups::Suite = crate::simulation::groups::Suite {
            room: $room,
            plan: $plan,
            seeds: crate::simulation::groups::FEWER,
        };

        #[test]
        fn seeds_that_stay() {
            crate::simulation::groups::fixed(SUITE, 0);
        }

        #[test]
        fn seeds_that_are_new() {
            crate::simulation::groups::fresh(SUITE, 0);
        }

        #[test]
        fn seeds_that_found_defects() {
            crate::simulation::groups::run_all(SUITE, FOUND.into_iter());
        }

        #[test]
        fn one_seed() {
            crate::simulation::groups::one(SUITE);
        }

        #[test]
        fn a_run_repeats_for_its_seed() {
            crate::simulation::groups::repeats(SUITE, 2);
        }
    };
}
pub(super) use tests_of;
