use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A call that a driver may make to a window.
#[derive(Debug, Clone)]
enum Operation {
    /// Adds messages at these distances from each other, and as many offsets without a message behind them.
    Put {
        gaps: Vec<i64>,
        behind: i64,
        pinned: u64,
    },
    Take(usize),
    /// Finishes a message that is in hand, by its place among them.
    Finish(usize),
    /// Finishes some that are in hand, the lowest first, and a message that is not in hand.
    FinishAll(usize),
    GiveBack(usize),
    /// A result of an earlier ownership.
    Stale(i64),
}

/// A plain window: a map of all unfinished messages, and whether each is in hand.
#[derive(Debug, Default)]
struct Model {
    cached: BTreeMap<i64, bool>,
    answers: Vec<(Vec<i64>, u64)>,
    next_pull: i64,
}

impl Model {
    fn lowest(&self) -> i64 {
        self.cached.keys().next().copied().unwrap_or(self.next_pull)
    }

    fn in_hand(&self) -> Vec<i64> {
        self.cached.iter().filter(|(_, in_hand)| **in_hand).map(|(offset, _)| *offset).collect()
    }

    fn pinned(&self) -> u64 {
        let alive = |offsets: &Vec<i64>| offsets.iter().any(|offset| self.cached.contains_key(offset));
        self.answers.iter().filter(|(offsets, _)| alive(offsets)).map(|(_, pinned)| pinned).sum()
    }
}

fn operation() -> impl Strategy<Value = Operation> {
    let put = (vec(0..4_i64, 0..9), 0..3_i64, 0..1_000_u64)
        .prop_map(|(gaps, behind, pinned)| Operation::Put { gaps, behind, pinned });
    prop_oneof![
        2 => put,
        3 => (0..6_usize).prop_map(Operation::Take),
        6 => any::<usize>().prop_map(Operation::Finish),
        3 => (0..9_usize).prop_map(Operation::FinishAll),
        2 => any::<usize>().prop_map(Operation::GiveBack),
        1 => any::<i64>().prop_map(Operation::Stale),
    ]
}

proptest! {
    #[test]
    fn a_window_is_a_map_of_unfinished_messages(history in vec(operation(), 0..200)) {
        let generations = Generations::default();
        let (stale, generation) = (generations.next(), generations.next());
        let (mut window, mut model) = (ProcessQueue::new(generation, 0), Model::default());
        let mut budget = 0;
        for operation in history {
            let lowest_before = window.lowest_unfinished();
            match operation {
                Operation::Put { gaps, behind, pinned } => {
                    let mut next = model.next_pull;
                    let offsets: Vec<i64> = gaps.iter().map(|gap| { next += gap + 1; next - 1 }).collect();
                    model.next_pull = next + behind;
                    let range = PulledRange { next_begin: model.next_pull, pinned };
                    let counts = window.put(generation, range, offsets.clone(), |_, offset| *offset);
                    budget += counts.unwrap().pinned;
                    model.cached.extend(offsets.iter().map(|offset| (*offset, false)));
                    model.answers.push((offsets, pinned));
                }
                Operation::Take(n) => {
                    let waiting = model.cached.iter_mut().filter(|(_, in_hand)| !**in_hand).take(n);
                    let expected: Vec<i64> = waiting.map(|(offset, in_hand)| { *in_hand = true; *offset }).collect();
                    let mut taken = Vec::new();
                    // Orderly consumers take one by one.
                    if n % 2 == 0 {
                        while taken.len() < n && window.take(n - taken.len(), &mut Vec::new(), &mut taken) > 0 {}
                    } else {
                        (0..n).for_each(|_| taken.extend(window.take_one().map(|(_, message)| message)));
                    }
                    prop_assert_eq!(taken, expected);
                }
                Operation::Finish(place) => {
                    let in_hand = model.in_hand();
                    if in_hand.is_empty() { continue }
                    let offset = in_hand[place % in_hand.len()];
                    let finished = window.finish(generation, offset).unwrap();
                    model.cached.remove(&offset);
                    budget -= finished.released;
                    let rose = (model.lowest() > lowest_before).then(|| model.lowest());
                    prop_assert_eq!(finished.commit, rose);
                }
                Operation::FinishAll(count) => {
                    let mut offsets: Vec<i64> = model.in_hand().into_iter().take(count).collect();
                    offsets.iter().for_each(|offset| _ = model.cached.remove(offset));
                    offsets.push(-1);
                    prop_assert_eq!(window.finish_all(stale, &offsets), 0);
                    budget -= window.finish_all(generation, &offsets);
                }
                Operation::GiveBack(place) => {
                    let in_hand = model.in_hand();
                    if in_hand.is_empty() { continue }
                    let offset = in_hand[place % in_hand.len()];
                    window.give_back(generation, offset, offset).unwrap();
                    model.cached.insert(offset, false);
                }
                Operation::Stale(offset) => {
                    prop_assert_eq!(window.finish(stale, offset), None);
                    prop_assert_eq!(window.give_back(stale, offset, offset), Err(offset));
                    let range = PulledRange { next_begin: offset, pinned: 1 };
                    prop_assert_eq!(window.put(stale, range, vec![offset], |_, offset| *offset), None);
                }
            }
            prop_assert!(window.lowest_unfinished() >= lowest_before, "a commit value never falls");
            prop_assert_eq!(window.lowest_unfinished(), model.lowest());
            prop_assert_eq!(window.next_pull(), model.next_pull);
            prop_assert_eq!(window.count(), model.cached.len());
            prop_assert_eq!(window.in_hand(), model.in_hand().len());
            prop_assert_eq!(window.pinned(), model.pinned());
            prop_assert_eq!(window.pinned(), budget, "what was charged is given back");
        }
    }
}
