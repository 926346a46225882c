//! `rocketmq-namesrv-mock`: a NameServer and brokers on loopback, in memory, from a shell. `--help` says how.

mod command;

fn main() -> std::process::ExitCode {
    command::main()
}
