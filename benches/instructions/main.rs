//! Work whose instructions are counted: times are too noisy to compare.
//!
//! `instructions list` names the works, `instructions WORK COUNT` does one of them COUNT times. `.ci/instructions` runs
//! each under valgrind with two counts, and compares the difference with the figure in `benches/instructions/counts`.

#![allow(clippy::expect_used, reason = "a measurement that went wrong has no other answer")]

mod consume;
mod work;

use rocketmq_benches::server;
use work::WORKS;

fn main() {
    // Cargo adds an argument of its own to a benchmark's.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [consume::SERVE, messages] => consume::serve_if_told(messages.parse().expect("a number")),
        _ => server::serve_if_told(),
    }
    match arguments[..] {
        ["list"] => WORKS.iter().for_each(|(name, _)| println!("{name}")),
        [wanted, count] => {
            let (_, work) =
                WORKS.iter().find(|(name, _)| *name == wanted).expect("one of the works of `list`");
            work(count.parse().expect("a number"));
        }
        // `cargo bench` passes no arguments: count nothing.
        _ => println!("arguments: list | WORK COUNT"),
    }
}
