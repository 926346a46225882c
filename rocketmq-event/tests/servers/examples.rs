use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::OnceCell;
use tokio::time::timeout;

/// The examples that take an address.
const NAMES: [&str; 7] = [
    "hello",
    "user_events",
    "work_queue",
    "dead_letters",
    "formats_and_batches",
    "event_sourcing",
    "prometheus",
];
/// Each of them waits for its last event.
const ENDS_WITHIN: Duration = Duration::from_secs(120);

/// Runs the examples on a server: nothing but the address tells them which it is.
pub(crate) async fn work_on(address: &str) {
    static BUILT: OnceCell<()> = OnceCell::const_new();
    BUILT.get_or_init(build).await;
    // Beside the folder of this binary.
    let this = std::env::current_exe().unwrap();
    let folder = this.parent().and_then(Path::parent).unwrap().join("examples");
    for name in NAMES {
        let mut example = Command::new(folder.join(name));
        let output = example.arg(address).kill_on_drop(true).stdin(Stdio::null()).output();
        let output = timeout(ENDS_WITHIN, output).await.unwrap_or_else(|_| panic!("{name} did not end"));
        let output = output.unwrap();
        let (printed, errors) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{name} on {address}: {printed}{errors}");
        if name == "hello" {
            assert!(printed.contains(r#"received Some(Greeting { text: "hello" })"#), "{printed}");
        }
        eprintln!("servers: {name} on {address}\n{printed}");
    }
}

/// With the features of this binary: nothing is then built but the examples.
async fn build() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--package", "rocketmq-event", "--all-features", "--examples"]);
    assert!(cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().await.unwrap().success());
}
