//! Apache's command-line tool.

use std::path::Path;
use std::process::Command;

use crate::support::process::{MODULE_FLAGS, START_FLAGS, java};

/// Runs `mqadmin` with these arguments and returns its output.
///
/// # Panics
/// When it cannot be run, or says that it failed.
pub(crate) fn mqadmin(arguments: &[&str]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let home = root.join("target/apache/run/mqadmin");
    std::fs::create_dir_all(&home).expect("create the tool's folder");
    let output = Command::new(java())
        .args(START_FLAGS)
        .args(MODULE_FLAGS)
        // Apache's logging writes below the user's home.
        .arg(format!("-Duser.home={}", home.display()))
        .arg("-cp")
        .arg(root.join("target/apache/lib/*"))
        .arg("org.apache.rocketmq.tools.command.MQAdminStartup")
        .args(arguments)
        .env("ROCKETMQ_HOME", &home)
        .current_dir(&home)
        .output()
        .expect("run a JVM");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}
