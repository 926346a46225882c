//! The table in `docs/other-clients.md`.

use std::fs;
use std::sync::{Mutex, PoisonError};

use crate::program;

/// Set to write the table as it was seen instead of holding it against that.
const WRITE: &str = "WRITE_OTHER_CLIENTS";

/// One feature of one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) title: String,
    /// On Apache's servers.
    pub(crate) works: bool,
    /// On the mock as on Apache's servers.
    pub(crate) same: bool,
}

impl Row {
    fn text(&self) -> String {
        let apache = if self.works { "works" } else { "fails" };
        let mock = if self.same { "the same" } else { "**differs**" };
        format!("| `{}` | {} | {apache} | {mock} |\n", self.name, self.title)
    }
}

/// Holds the rows of a client in the documentation against what was seen.
///
/// # Panics
/// When they differ.
pub(crate) fn check(client: &str, rows: &[Row]) {
    // The tests of all clients write one file.
    static FILE: Mutex<()> = Mutex::new(());
    let _alone = FILE.lock().unwrap_or_else(PoisonError::into_inner);
    let path = program::root().join("docs/other-clients.md");
    let document = fs::read_to_string(&path).expect("read docs/other-clients.md");
    let (begin, end) = (format!("<!-- begin {client} -->\n"), format!("<!-- end {client} -->"));
    let (before, rest) = document.split_once(&begin).unwrap_or_else(|| panic!("no {begin:?} in {path:?}"));
    let (recorded, after) = rest.split_once(&end).unwrap_or_else(|| panic!("no {end:?} in {path:?}"));
    let head = "| feature | what is compared | Apache | mock |\n|---|---|---|---|\n";
    let seen: String = std::iter::once(head.to_owned()).chain(rows.iter().map(Row::text)).collect();
    if std::env::var_os(WRITE).is_some() {
        fs::write(&path, format!("{before}{begin}{seen}{end}{after}")).expect("write docs/other-clients.md");
        return;
    }
    let changed: Vec<&str> = seen.lines().filter(|line| !recorded.lines().any(|old| old == *line)).collect();
    assert!(
        recorded == seen,
        "{client}: docs/other-clients.md is not what this run saw; `{WRITE}=1` writes it anew. Seen:\n{}",
        changed.join("\n")
    );
}
