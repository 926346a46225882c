//! Runs an ignored test of this binary in a process of its own.

use std::process::Command;

/// Runs the test of this name with these variables, and without the other variables that a client reads. Returns what it
/// printed.
pub(crate) fn run_alone(test: &str, variables: &[(&str, &str)]) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args([test, "--exact", "--ignored", "--test-threads=1", "--nocapture"]);
    for name in ["NAMESRV_ADDR", "ROCKETMQ_SERIALIZE_TYPE", "ROCKETMQ_ZONE", "ROCKETMQ_ZONE_MODE"] {
        child.env_remove(name);
    }
    let output = child.envs(variables.iter().copied()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let failed = || format!("{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{}", failed());
    said
}
