use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::cases::{ALL, Case};
use crate::lab::Lab;
use crate::rigs::Rig;

/// No case needs as long: one that does hangs. Cases that kill a server wait for each other, and for its starts.
const LIMIT: Duration = Duration::from_secs(600);
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/events-conformance.md");
/// Cases that run at a time: most of them wait.
const AT_A_TIME: usize = 8;

/// Runs all cases on a backend, prints the results, and fails if one failed.
pub(crate) async fn run(rig: impl Rig) {
    let rig: Arc<dyn Rig> = Arc::new(rig);
    let abilities = rig.connect().await.backend().abilities();
    let only = std::env::var("EVENTS_CASES").unwrap_or_default();
    let only: Vec<u32> = only.split(',').filter_map(|number| number.trim().parse().ok()).collect();
    let mut results = BTreeMap::new();
    let mut running = JoinSet::new();
    let slots = Arc::new(Semaphore::new(AT_A_TIME));
    let count = Arc::new(AtomicUsize::new(0));
    for case in ALL.iter().filter(|case| only.is_empty() || only.contains(&case.number)) {
        if let Some(why) = (case.impossible)(&abilities, &*rig) {
            results.insert(case.number, format!("not possible: {why}"));
            continue;
        }
        let lab = Lab::new(rig.clone(), case.number, count.fetch_add(1, Ordering::Relaxed));
        let slots = slots.clone();
        running.spawn(async move {
            let _slot = slots.acquire_owned().await;
            let mut run = JoinSet::new();
            run.spawn((case.run)(lab));
            let result = match tokio::time::timeout(LIMIT, run.join_next()).await {
                Ok(Some(Ok(Ok(())))) => Ok(()),
                Ok(Some(Ok(Err(error)))) => Err(with_causes(&*error)),
                Ok(Some(Err(panic))) => Err(panic.to_string()),
                Ok(None) | Err(_) => Err(format!("still running after {LIMIT:?}")),
            };
            (case.number, result)
        });
    }
    let mut failed = Vec::new();
    while let Some(ended) = running.join_next().await {
        let (number, result) = ended.unwrap();
        if let Err(error) = &result {
            failed.push(format!("{number}: {error}"));
        }
        results.insert(number, if result.is_ok() { "yes".to_owned() } else { "**no**".to_owned() });
    }
    for case in ALL {
        if let Some(result) = results.get(&case.number) {
            println!("{:>3} {:<90} {result}", case.number, case.title);
        }
    }
    if std::env::var("EVENTS_TABLE").is_ok_and(|value| value == "write") {
        write(rig.name(), &results);
    }
    assert!(failed.is_empty(), "on {}:\n{}", rig.name(), failed.join("\n"));
}

fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Writes the column of one backend, and leaves the others as they are.
fn write(backend: &str, results: &BTreeMap<u32, String>) {
    // Suites of several backends run at the same time.
    static WRITING: Mutex<()> = Mutex::new(());
    let _writing = WRITING.lock();
    let text = std::fs::read_to_string(TABLE).unwrap_or_default();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let mut columns: Vec<(String, BTreeMap<u32, String>)> = Vec::new();
    for (place, name) in rows.first().into_iter().flatten().enumerate().skip(2) {
        let cells = rows
            .iter()
            .skip(2)
            .filter_map(|row| Some((row.first()?.parse().ok()?, (*row.get(place)?).to_owned())));
        columns.push(((*name).to_owned(), cells.collect()));
    }
    match columns.iter_mut().find(|(name, _)| name == backend) {
        // A run of some cases leaves the other cells.
        Some((_, column)) => column.extend(results.clone()),
        None => columns.push((backend.to_owned(), results.clone())),
    }
    let mut page = String::from(
        "# Conformance of the event backends\n\n\
         One body of tests runs on every backend: `rocketmq-event/tests/conformance`. A run with `EVENTS_TABLE=write` writes its\n\
         column here. *Not possible* names what the broker cannot do; [events.md](events.md) says what to do instead. In case 52\n\
         Kafka deletes the records itself; the others delete by age and size alone, and a backend answers as if it had.\n\n",
    );
    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    _ = writeln!(page, "| | case | {} |", names.join(" | "));
    _ = writeln!(page, "|---|---|{}", "---|".repeat(names.len()));
    for Case { number, title, .. } in ALL {
        let cells: Vec<&str> =
            columns.iter().map(|(_, column)| column.get(number).map_or("", String::as_str)).collect();
        _ = writeln!(page, "| {number} | {title} | {} |", cells.join(" | "));
    }
    std::fs::write(TABLE, page).unwrap();
}
