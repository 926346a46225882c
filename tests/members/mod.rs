//! Consumers in processes of their own, which can be killed and stopped, with this project's client or with Java's.
//!
//! - this file: the process, what it is told, and what its members handled
//! - `ours`: the program with this project's client; `tests/foreign/java/members` is the one with Java's
//!
//! A program reads lines: `join NAME KEY=VALUE …` ([`Join`]), `queues NAME`, `leave NAME`. It prints, behind `@ `:
//! `joined NAME`, `queues NAME BROKER:QUEUE …` and `left NAME` as answers; and for each call of a listener
//! `done NAME TOPIC QUEUE OFFSET RECONSUME_TIMES BEGAN ENDED BODY`, in microseconds since 1970. A message fails always if its
//! body begins with `always`, and the first time if it begins with `once`. The program ends with its standard input.

pub(crate) mod ours;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Generous: Java starts slowly on a busy machine, and a lock expires after 60 s.
const WITHIN: Duration = Duration::from_secs(180);

/// One call of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) member: String,
    pub(crate) topic: String,
    pub(crate) queue: i32,
    pub(crate) offset: i64,
    pub(crate) reconsume_times: i32,
    /// When it began and ended, in microseconds since 1970.
    pub(crate) began: u64,
    pub(crate) ended: u64,
    pub(crate) body: String,
}

/// How a member joins.
#[derive(Debug, Clone)]
pub(crate) struct Join<'a> {
    pub(crate) group: &'a str,
    pub(crate) topic: &'a str,
    /// `concurrent`, `orderly`, `broadcast`, `pop`: its broker assigns the queues, or `pull`: it polls, and what it polled and handled
    /// counts as a call of a listener.
    pub(crate) kind: &'a str,
    /// `avg`, `circle`, `hash`, `room/ROOM`, `nearby` or `config/BROKER/ID,ID`.
    pub(crate) strategy: String,
    /// How long the listener takes, in ms.
    pub(crate) work: u64,
    /// How often offsets are committed, in ms.
    pub(crate) persist: u64,
    /// How often a message may fail.
    pub(crate) max: i32,
    /// Whether it records what it handles in the trace topic.
    pub(crate) trace: bool,
}

impl<'a> Join<'a> {
    pub(crate) fn new(group: &'a str, topic: &'a str) -> Self {
        let strategy = "avg".to_owned();
        Self { group, topic, kind: "concurrent", strategy, work: 0, persist: 500, max: 16, trace: false }
    }
}

/// A process with members of groups.
pub(crate) struct Members {
    child: Child,
    input: Option<ChildStdin>,
    lines: Arc<Mutex<Vec<String>>>,
    guard: Option<Child>,
}

impl Members {
    /// Starts a program that finds the NameServer by itself.
    pub(crate) async fn start(mut program: Command) -> Self {
        let mut child = program
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{program:?}: {error}"));
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let (said, kept) = (child.stdout.take().expect("a pipe"), lines.clone());
        thread::spawn(move || {
            for line in BufReader::new(said).lines().map_while(Result::ok) {
                if let Some((_, line)) = line.split_once("@ ") {
                    kept.lock().expect("no panic").push(line.to_owned());
                }
            }
        });
        let input = child.stdin.take();
        Self { child, input, lines, guard: None }
    }

    /// Lets a member join, and waits until its `start` has returned.
    pub(crate) async fn join(&mut self, name: &str, join: &Join<'_>) {
        let Join { group, topic, kind, strategy, work, persist, max, trace } = join;
        self.tell(&format!(
            "join {name} group={group} topic={topic} kind={kind} strategy={strategy} work={work} persist={persist} max={max} \
             trace={trace}"
        ));
        self.answer(&format!("joined {name}")).await;
    }

    /// Lets a member leave, and waits until its `shutdown` has returned.
    pub(crate) async fn leave(&mut self, name: &str) {
        self.tell(&format!("leave {name}"));
        self.answer(&format!("left {name}")).await;
    }

    /// The queues of its topic that a member has now, as `BROKER:ID`.
    pub(crate) async fn queues(&mut self, name: &str) -> BTreeSet<String> {
        self.tell(&format!("queues {name}"));
        let answer = self.answer(&format!("queues {name}")).await;
        answer.split(' ').skip(2).map(str::to_owned).collect()
    }

    /// All calls of listeners, of all its members, in the order in which they ended.
    pub(crate) fn done(&self) -> Vec<Done> {
        let lines = self.lines.lock().expect("no panic");
        lines.iter().filter_map(|line| line.strip_prefix("done ")).map(done).collect()
    }

    /// Kills the process as `kill -9` does. What it printed before stays.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("kill a child");
        self.child.wait().expect("wait for a child");
    }

    /// Stops the process: it keeps its connections and says nothing any more.
    pub(crate) fn stop(&mut self) {
        let pid = self.child.id();
        // A stopped process does not see that its input ends: the guard kills it when this process is gone.
        let mut guard = Command::new("sh");
        guard
            .args(["-c", &format!("kill -STOP {pid}; read -r _; kill -KILL {pid}")])
            .stdin(Stdio::piped())
            .stderr(Stdio::null());
        self.guard = Some(guard.spawn().expect("start a shell"));
    }

    fn tell(&mut self, line: &str) {
        let input = self.input.as_mut().expect("it runs");
        writeln!(input, "{line}").unwrap_or_else(|error| panic!("{line}: {error}"));
    }

    /// Waits for a line that begins so, and takes it away.
    async fn answer(&mut self, start: &str) -> String {
        let began = Instant::now();
        loop {
            {
                let mut lines = self.lines.lock().expect("no panic");
                let is_answer = |line: &String| {
                    line.strip_prefix(start).is_some_and(|rest| !rest.starts_with(|next| next != ' '))
                };
                if let Some(at) = lines.iter().position(is_answer) {
                    return lines.remove(at);
                }
            }
            if let Some(status) = self.child.try_wait().expect("ask for a child's state") {
                panic!("no '{start}', {status}; what it said is above");
            }
            assert!(began.elapsed() < WITHIN, "no '{start}' within {WITHIN:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(mut guard) = self.guard.take() {
            drop(guard.stdin.take());
            let _ = guard.wait();
        }
    }
}

fn done(line: &str) -> Done {
    let words: Vec<&str> = line.splitn(8, ' ').collect();
    let [member, topic, queue, offset, reconsume_times, began, ended, body] = words[..] else {
        panic!("not a call: {line}")
    };
    let number = |text: &str| text.parse::<u64>().unwrap_or_else(|_| panic!("no number in {line}"));
    Done {
        member: member.to_owned(),
        topic: topic.to_owned(),
        queue: number(queue) as i32,
        offset: number(offset) as i64,
        reconsume_times: number(reconsume_times) as i32,
        began: number(began),
        ended: number(ended),
        body: body.to_owned(),
    }
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < WITHIN, "{what}: not within {WITHIN:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
