//! One program on both servers.

use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::program::{self, Section};
use crate::servers::Server;
use crate::table::{self, Row};

/// What a client's programs printed, on Apache's servers and on the mock.
#[derive(Debug)]
pub(crate) struct Comparison {
    client: &'static str,
    apache: Vec<Section>,
    mock: Vec<Section>,
}

impl Comparison {
    /// Of a client that goes by this name in the documentation.
    pub(crate) fn new(client: &'static str) -> Self {
        Self { client, apache: Vec::new(), mock: Vec::new() }
    }

    /// Runs a program on both at the same time.
    pub(crate) fn run(mut self, program: impl Fn(Server) -> Vec<Section> + Sync) -> Self {
        // Programs of all clients at once would be too much for a small machine.
        static TURN: Mutex<()> = Mutex::new(());
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let (apache, mock) = thread::scope(|scope| {
            let apache = scope.spawn(|| program(Server::Apache));
            let mock = program(Server::Mock);
            (apache.join(), mock)
        });
        self.apache.extend(apache.unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        self.mock.extend(mock);
        self
    }

    /// Shows each difference, and holds the rows of this client in the documentation against what was seen.
    pub(crate) fn check(&self) {
        self.keep();
        let rows: Vec<Row> = self.apache.iter().map(|section| self.row(section)).collect();
        let names =
            |sections: &[Section]| sections.iter().map(|section| section.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&self.apache), names(&self.mock), "{}: features", self.client);
        table::check(self.client, &rows);
    }

    fn row(&self, apache: &Section) -> Row {
        let mock = self.mock.iter().find(|section| section.name == apache.name);
        let same = mock.is_some_and(|mock| mock.lines == apache.lines);
        if !same || !apache.works() {
            let shown = mock.map_or_else(String::new, |mock| differences(&apache.lines, &mock.lines));
            eprintln!("{} {}:\n{shown}", self.client, apache.name);
        }
        Row { name: apache.name.clone(), title: apache.title.clone(), works: apache.works(), same }
    }

    /// Leaves what was printed for who wants to look.
    fn keep(&self) {
        for (server, sections) in [(Server::Apache, &self.apache), (Server::Mock, &self.mock)] {
            let mut text = String::new();
            for Section { name, title, lines } in sections {
                let _ = writeln!(text, "=== {name} | {title}\n{}", lines.join("\n"));
            }
            let folder = program::fetched("printed").join(self.client);
            std::fs::create_dir_all(&folder).expect("create a folder for what was printed");
            std::fs::write(folder.join(server.name()).with_extension("txt"), text)
                .expect("keep what was printed");
        }
    }
}

/// The lines that only one of them has, in order.
fn differences(apache: &[String], mock: &[String]) -> String {
    let mut shown = String::new();
    for line in apache.iter().filter(|line| !mock.contains(line) || line.starts_with("FAILED")) {
        let _ = writeln!(shown, "    apache: {line}");
    }
    for line in mock.iter().filter(|line| !apache.contains(line)) {
        let _ = writeln!(shown, "    mock:   {line}");
    }
    if shown.is_empty() { "    the same lines, in another order or number\n".to_owned() } else { shown }
}
