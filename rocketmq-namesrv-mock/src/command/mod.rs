//! The mock as a program.
//!
//! | to find | look in |
//! |---|---|
//! | the options | `help.txt` |
//! | reading them | `arguments.rs` |
//! | running | `run.rs` |

mod arguments;
mod run;

use std::process::ExitCode;

use arguments::{Arguments, Wish};

const HELP: &str = include_str!("help.txt");

/// Exit code for wrong arguments, by the convention of shells.
const USAGE: u8 = 2;

pub(crate) fn main() -> ExitCode {
    match Arguments::read(std::env::args().skip(1)) {
        Ok(Wish::Help) => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        Ok(Wish::Version) => {
            println!("rocketmq-namesrv-mock {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Ok(Wish::Run(arguments)) => match run::run(*arguments) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&*error, ExitCode::FAILURE),
        },
        Err(error) => {
            let code = fail(&error, ExitCode::from(USAGE));
            eprintln!("rocketmq-namesrv-mock --help says what there is");
            code
        }
    }
}

fn fail(error: &(dyn std::error::Error + 'static), code: ExitCode) -> ExitCode {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    eprintln!("rocketmq-namesrv-mock: {text}");
    code
}
