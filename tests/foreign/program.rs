//! A program of another client, and what it printed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::servers::Server;

/// A program that takes longer is ended.
const LIMIT: &str = "240";

/// What the program printed about one feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) lines: Vec<String>,
}

impl Section {
    /// Whether the program says that the feature did what it is for.
    pub(crate) fn works(&self) -> bool {
        !self.lines.iter().any(|line| line.starts_with("FAILED"))
    }
}

/// A command that cannot outlast its limit, whatever becomes of this process.
pub(crate) fn bounded(program: &Path) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", LIMIT]).arg(program);
    command
}

/// Runs a program that prints `=== name | title` before each section and `=== done` behind the last.
///
/// # Panics
/// With what it said, when it fails or ends before it is done.
pub(crate) fn sections(mut command: Command) -> Vec<Section> {
    let output = command.stdin(Stdio::null()).output().expect("run the program");
    let printed = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{printed}\n{errors}", output.status);
    let (all, rest) =
        printed.split_once("\n=== done").unwrap_or_else(|| panic!("not done: {printed}\n{errors}"));
    assert!(rest.trim().is_empty(), "printed behind the end: {rest}");
    let mut sections: Vec<Section> = Vec::new();
    for line in all.lines() {
        if let Some(head) = line.strip_prefix("=== ") {
            let (name, title) = head.split_once(" | ").unwrap_or_else(|| panic!("no title: {line}"));
            sections.push(Section { name: name.into(), title: title.into(), lines: Vec::new() });
        } else if let Some(section) = sections.last_mut() {
            section.lines.push(line.to_owned());
        }
    }
    sections
}

/// Where the packages and what is made from them lie.
pub(crate) fn fetched(name: &str) -> PathBuf {
    root().join("target/foreign").join(name)
}

/// An empty folder for what a program writes: its logs, and offsets that an earlier run must not have left.
pub(crate) fn fresh_home(name: &str, server: Server) -> PathBuf {
    let home = fetched("home").join(name).join(server.name());
    let _ = fs::remove_dir_all(&home);
    fs::create_dir_all(&home).expect("create the program's home");
    home
}

/// The sources of the programs.
pub(crate) fn sources(name: &str) -> PathBuf {
    root().join("tests/foreign").join(name)
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
