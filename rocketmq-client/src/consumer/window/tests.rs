use super::process_queue::PutCounts;
use super::*;

/// A message knows its offset here.
type Window = ProcessQueue<(i64, char)>;

fn window(start: i64) -> (Window, Generation) {
    let generation = Generations::default().next();
    (ProcessQueue::new(generation, start), generation)
}

fn range(next_begin: i64, pinned: u64) -> PulledRange {
    PulledRange { next_begin, pinned }
}

fn put(
    window: &mut Window,
    generation: Generation,
    range: PulledRange,
    messages: &[(i64, char)],
) -> Option<PutCounts> {
    window.put(generation, range, messages.to_vec(), |_, message| message.0)
}

fn taken(window: &mut Window, n: usize) -> String {
    let (mut offsets, mut taken) = (Vec::new(), Vec::new());
    while taken.len() < n && window.take(n - taken.len(), &mut offsets, &mut taken) > 0 {}
    assert!(offsets.iter().eq(taken.iter().map(|(offset, _)| offset)));
    taken.iter().map(|(_, message)| message).collect()
}

#[test]
fn the_commit_value_is_the_lowest_unfinished_offset() {
    let (mut window, generation) = window(10);
    put(&mut window, generation, range(13, 0), &[(10, 'a'), (11, 'b'), (12, 'c')]).unwrap();
    assert_eq!((window.lowest_unfinished(), window.next_pull(), window.count()), (10, 13, 3));
    assert_eq!(taken(&mut window, 9), "abc");
    assert_eq!(window.finish(generation, 11).unwrap().commit, None, "10 is unfinished");
    assert_eq!(window.finish(generation, 10).unwrap().commit, Some(12));
    assert_eq!(window.finish(generation, 12).unwrap().commit, Some(13));
    assert_eq!((window.count(), window.span()), (0, 0));
}

#[test]
fn offsets_without_a_message_count_as_finished() {
    let (mut window, generation) = window(0);
    put(&mut window, generation, range(100, 0), &[(3, 'a'), (50, 'b')]).unwrap();
    assert_eq!(window.lowest_unfinished(), 3, "0 to 2 were filtered");
    taken(&mut window, 2);
    assert_eq!(window.finish(generation, 3).unwrap().commit, Some(50));
    assert_eq!(window.finish(generation, 50).unwrap().commit, Some(100));
    let counts = put(&mut window, generation, range(120, 77), &[]).unwrap();
    assert_eq!((counts.added, counts.pinned), (0, 0), "nothing keeps the answer alive");
    assert_eq!(window.lowest_unfinished(), 120);
}

#[test]
fn nothing_is_finished_twice_nor_before_it_is_handed_out() {
    let (mut window, generation) = window(0);
    put(&mut window, generation, range(2, 0), &[(0, 'a'), (1, 'b')]).unwrap();
    assert_eq!(window.finish(generation, 0), None, "it waits");
    taken(&mut window, 2);
    assert!(window.finish(generation, 1).is_some());
    assert_eq!(window.finish(generation, 1), None);
    assert_eq!(window.finish(generation, 7), None);
    assert_eq!(window.finish(generation, -7), None);
    assert_eq!(window.finish(generation, i64::MIN), None);
    assert_eq!((window.count(), window.in_hand()), (1, 1));
}

#[test]
fn another_generation_changes_nothing() {
    let generations = Generations::default();
    let (old, new) = (generations.next(), generations.next());
    let mut window = ProcessQueue::new(new, 0);
    assert_eq!(put(&mut window, old, range(9, 5), &[(0, 'x')]), None);
    put(&mut window, new, range(1, 5), &[(0, 'a')]).unwrap();
    taken(&mut window, 1);
    assert_eq!(window.finish(old, 0), None);
    assert_eq!(window.give_back(old, 0, (0, 'x')), Err((0, 'x')));
    assert_eq!((window.lowest_unfinished(), window.count(), window.pinned()), (0, 1, 5));
}

#[test]
fn messages_given_back_are_handed_out_again_in_their_order() {
    let (mut window, generation) = window(0);
    let messages = [(0, 'a'), (1, 'b'), (2, 'c'), (3, 'd')];
    put(&mut window, generation, range(4, 0), &messages).unwrap();
    assert_eq!(taken(&mut window, 3), "abc");
    window.give_back(generation, 2, (2, 'C')).unwrap();
    window.give_back(generation, 0, (0, 'A')).unwrap();
    assert_eq!(window.give_back(generation, 0, (0, 'A')), Err((0, 'A')), "it waits already");
    assert_eq!((window.waiting(), window.in_hand()), (3, 1));
    assert_eq!(taken(&mut window, 9), "ACd");
}

#[test]
fn a_message_in_the_middle_is_taken_by_its_offset() {
    let (mut window, generation) = window(0);
    put(&mut window, generation, range(3, 0), &[(0, 'a'), (1, 'b'), (2, 'c')]).unwrap();
    assert_eq!(window.take_at(1), Some((1, 'b')));
    assert_eq!(window.take_at(1), None, "it is in hand");
    window.give_back(generation, 1, (1, 'B')).unwrap();
    assert_eq!((window.next_to_take(), window.take_at(1)), (0, Some((1, 'B'))));
    assert_eq!((taken(&mut window, 9), window.waiting()), ("ac".to_owned(), 0));
}

#[test]
fn a_release_hands_nothing_out_but_lets_handlers_finish() {
    let (mut window, generation) = window(0);
    put(&mut window, generation, range(2, 0), &[(0, 'a'), (1, 'b')]).unwrap();
    assert_eq!(taken(&mut window, 1), "a");
    window.stop_handing_out();
    assert_eq!((window.waiting(), window.take_one()), (0, None));
    assert_eq!(put(&mut window, generation, range(3, 0), &[(2, 'c')]), None);
    assert_eq!(window.in_hand(), 1);
    assert_eq!(window.finish(generation, 0).unwrap().commit, Some(1), "`b` belongs to the next owner");
    assert_eq!(window.in_hand(), 0);
}

#[test]
fn the_memory_of_an_answer_is_free_when_its_last_message_is_finished() {
    let (mut window, generation) = window(0);
    put(&mut window, generation, range(2, 100), &[(0, 'a'), (1, 'b')]).unwrap();
    put(&mut window, generation, range(4, 10), &[(2, 'c'), (3, 'd')]).unwrap();
    taken(&mut window, 4);
    let released = [2, 0, 3, 1].map(|offset| window.finish(generation, offset).unwrap().released);
    assert_eq!(released, [0, 0, 10, 100]);
    assert_eq!(window.pinned(), 0);
}

#[test]
fn an_answer_that_overlaps_adds_only_what_is_new() {
    let (mut window, generation) = window(0);
    put(&mut window, generation, range(2, 0), &[(0, 'a'), (1, 'b')]).unwrap();
    let counts = put(&mut window, generation, range(1, 0), &[(1, 'B'), (2, 'c')]).unwrap();
    assert_eq!((counts.added, counts.known), (1, 1));
    assert_eq!(window.next_pull(), 3, "never before what is cached");
    assert_eq!(taken(&mut window, 9), "abc");
}

#[test]
fn offsets_out_of_order_are_sorted() {
    let (mut window, generation) = window(0);
    let counts =
        put(&mut window, generation, range(4, 0), &[(2, 'c'), (0, 'a'), (2, 'C'), (3, 'd')]).unwrap();
    assert_eq!((counts.added, counts.known), (3, 1));
    assert_eq!(taken(&mut window, 9), "acd");
}

#[test]
fn the_span_reaches_from_the_lowest_unfinished_to_the_highest_cached() {
    let (mut window, generation) = window(0);
    put(&mut window, generation, range(2_001, 0), &[(0, 'a'), (1, 'b'), (2_000, 'c')]).unwrap();
    assert_eq!(window.span(), 2_000);
    taken(&mut window, 3);
    window.finish(generation, 2_000);
    assert_eq!(window.span(), 2_000, "all of it comes again if this process dies");
    window.finish(generation, 0);
    assert_eq!(window.span(), 1_999);
}

#[test]
fn a_message_that_was_finished_is_not_added_again() {
    let (mut window, generation) = window(0);
    put(&mut window, generation, range(3, 0), &[(0, 'a'), (1, 'b'), (2, 'c')]).unwrap();
    taken(&mut window, 2);
    window.finish(generation, 0).unwrap();
    window.finish(generation, 1).unwrap();
    let counts =
        put(&mut window, generation, range(4, 0), &[(0, 'a'), (1, 'b'), (2, 'c'), (3, 'd')]).unwrap();
    assert_eq!((counts.added, counts.known), (1, 3), "an answer overlaps what an earlier answer brought");
    assert_eq!((window.lowest_unfinished(), window.next_pull()), (2, 4));
    assert_eq!(taken(&mut window, 9), "cd");
}
