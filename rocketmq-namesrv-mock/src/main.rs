//! `rocketmq-namesrv-mock`: a NameServer and brokers on loopback, in memory, as a program. `--help` lists its options.

mod command;

fn main() -> std::process::ExitCode {
    command::main()
}
