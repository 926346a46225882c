use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// Whether this run writes what it has seen into the document.
const WRITE: &str = "WRITE_FAULTS";
/// What stands in the column "seen" of a row without a test.
const UNTESTED: &str = "no test yet";

macro_rules! rows {
    ($($id:ident, $fault:literal, $expected:literal;)*) => {
        /// A fault that consumers meet, a row of `docs/consumer-faults.md`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Row {
            $($id),*
        }

        /// The rows in order, each with its fault and what is expected.
        const ROWS: &[(Row, &str, &str)] = &[$((Row::$id, $fault, $expected)),*];
    };
}

rows! {
    C1, "a member is killed", "others take over; nothing is lost; duplicates at most its unfinished window";
    C2, "a member leaves gracefully, another joins, under load", "leave: no duplicate, at most 300 ms after its 35; join: duplicates at most the handlers still running after the drain";
    C3, "a connection is half-open", "noticed within heartbeat and deadline; its queues resume";
    C4, "a broker restarts, with the same or an older state", "the heartbeat comes first; no position moves unconfirmed";
    C5, "the list of members (38) is an error, empty or without this member; brokers disagree", "the assignment is unchanged";
    C6, "a NameServer is empty, stale or lacks a broker", "the queues are kept; an event tells";
    C7, "an offset is read: 22, another code, a time-out", "only a 22 that route, minimum and maximum bear out is a new group";
    C8, "a commit is refused, lost or late", "the offset stays dirty and is committed again; other brokers on time";
    C9, "21 forward, backward, absurd, OFFSET_RESET", "only OFFSET_RESET is obeyed, and committed at once; any other 21 is confirmed with minimum and maximum before the position moves, and an event tells";
    C10, "a send-back fails; the process dies then", "the offset stands; the message is seen again";
    C11, "the answer of a lock is late, partial, or the lock is stolen", "no two handlers overlap; the order is kept";
    C12, "a listener panics, fails 17 times, hangs, blocks its thread", "counted; dead letter with its reason; other messages unharmed";
    C13, "a slow listener and a flood of messages of 64 KiB", "memory at most the budget and 64 MiB";
    C14, "record k of n is corrupt, has a wrong CRC, is a bomb", "its neighbours are delivered";
    C15, "pop: an acknowledgement is late or lost, the handle is of a broker that was restarted", "delivered again, no leak";
    C16, "a reset, with pulls held, with listeners running, and with no member online", "the target is reached once";
    C17, "a slave is suggested, down, gone; the master is down", "reads go on; commits go to the master";
    C18, "GO_AWAY, the codes 24, 25, 215 for 10 s", "requests per second are bounded; the consumer heals";
    C19, "1,000 notices in 1 s", "at most 3 rebalances; no answer waits for them";
    C20, "members subscribe differently", "an event at each member within 2 rebalances; where 203 is refused, an event says that it cannot be checked";
    C21, "a topic is deleted and created again; its queues go from 4 to 16 to 4", "no stall; new queues are read from their minimum";
    C22, "one of four brokers is a black hole", "intervals and latency of the others are unchanged";
    C23, "a shutdown in each state: starting, throttled, locked, retrying, broker dead", "within its deadline, with a true report";
    C24, "the runtime is starved for 40 s", "no stale lock is used; no false send-back for a time-out";
    C25, "two processes with one client id", "an event at both";
    C26, "the file of offsets is cut; the disk is full", "older offsets, an event, and consuming goes on";
}

/// Notes what the test of a row has seen. With `WRITE_FAULTS` in the environment it goes into the document.
pub(crate) fn seen(row: Row, what: impl Into<String>) {
    static WRITING: Mutex<()> = Mutex::new(());
    let what = what.into();
    assert!(!what.is_empty() && !what.contains(['|', '\n']), "a cell of a table: {what}");
    println!("{row:?}: {what}");
    if std::env::var_os(WRITE).is_none() {
        return;
    }
    let _one_at_a_time = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut told = told(&std::fs::read_to_string(document()).unwrap_or_default());
    told.insert(format!("{row:?}"), what);
    std::fs::write(document(), render(&told)).unwrap();
}

fn document() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/consumer-faults.md")
}

/// The column "seen" of a document.
fn told(document: &str) -> BTreeMap<String, String> {
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let rows = document.lines().filter(|line| line.starts_with("| C")).map(cells);
    rows.filter(|cells| cells.len() == 6).map(|cells| (cells[1].clone(), cells[4].clone())).collect()
}

fn render(told: &BTreeMap<String, String>) -> String {
    let mut text = String::from(
        "# Consumers under faults\n\n\
         Each row is a fault, and a test on the mock in `tests/it/faults`: the tests of C7 begin with `c07_`. Each test also reads the histories of\n\
         brokers and listeners (`tests/it/faults/checker.rs`): no message is lost, none comes out of order, no commit passes an unfinished\n\
         message, no commit of an ownership falls. The column \"seen\" is written by a run: `WRITE_FAULTS=1 cargo test --all-features --test it faults::`.\n\n\
         | | fault | expected | seen |\n|---|---|---|---|\n",
    );
    for (row, fault, expected) in ROWS {
        let seen = told.get(&format!("{row:?}")).map_or(UNTESTED, String::as_str);
        writeln!(text, "| {row:?} | {fault} | {expected} | {seen} |").unwrap();
    }
    text
}

#[test]
fn the_document_names_each_fault_and_each_row_has_a_test_that_told_of_it() {
    if std::env::var_os(WRITE).is_some() {
        return;
    }
    let document = std::fs::read_to_string(document()).unwrap();
    let told = told(&document);
    assert_eq!(
        document,
        render(&told),
        "write it anew: WRITE_FAULTS=1 cargo test --all-features --test it faults::"
    );
    let this = std::env::current_exe().unwrap();
    let listed = Command::new(this).args(["--list", "faults::"]).output().unwrap();
    let tests = String::from_utf8(listed.stdout).unwrap();
    let mut untested = Vec::new();
    for (row, ..) in ROWS {
        let id = format!("{row:?}");
        let number: u32 = id[1..].parse().unwrap();
        let is_tested = tests.lines().any(|test| test.contains(&format!("::c{number:02}_")));
        assert_eq!(
            is_tested,
            told[&id] != UNTESTED,
            "{id}: a row has a test, and its test has told what it saw"
        );
        untested.extend((!is_tested).then_some(*row));
    }
    assert!(untested.is_empty(), "{untested:?}");
}
