//! Every example does on a real cluster what it does on the mock.

use std::collections::BTreeMap;
use std::env::current_exe;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::cases::acl::{ACCESS_KEY, SECRET_KEY};
use crate::stage::shared;
use crate::support::ApacheCluster;

/// Generous: the cluster may be busy with other tests.
const DONE_WITHIN: Duration = Duration::from_secs(180);

/// The packages of the examples, and the folders of their sources.
const SOURCES: [(&str, &str); 2] =
    [("rocketmq", "examples"), ("rocketmq-monitoring-examples", "examples/monitoring/examples")];

/// How an example finds its cluster.
type Environment = Vec<(&'static str, String)>;

#[test]
fn every_example_works_here_too() {
    let folder = build();
    let mut left = environments();
    let mut failures = String::new();
    for name in names() {
        let environment = left.remove(&*name).unwrap_or_else(|| on(shared()));
        match run(&folder.join(&name), &environment) {
            Ok(printed) => eprintln!("--- {name}\n{printed}"),
            Err(failure) => failures.push_str(&format!("--- {name}: {failure}\n")),
        }
    }
    assert!(failures.is_empty(), "{failures}");
    assert!(left.is_empty(), "there is no such example: {left:?}");
}

fn on(cluster: &ApacheCluster) -> Environment {
    vec![("NAMESRV_ADDR", cluster.name_server_addr().to_owned())]
}

/// The examples that need a cluster of their own kind.
fn environments() -> BTreeMap<&'static str, Environment> {
    let mut of_acl = on(crate::stage::with_acl());
    of_acl.extend([("ACCESS_KEY", ACCESS_KEY.to_owned()), ("SECRET_KEY", SECRET_KEY.to_owned())]);
    let mut environments = BTreeMap::from([("acl", of_acl)]);
    #[cfg(feature = "tls")]
    environments.insert("tls", super::tls::environment());
    environments
}

/// The names of all examples; those of TLS, metrics and OpenTelemetry only with their features.
fn names() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let entries =
        SOURCES.map(|(_, folder)| std::fs::read_dir(root.join(folder)).expect("read a folder of examples"));
    let paths = entries.into_iter().flatten().map(|entry| entry.expect("an entry").path());
    let sources = paths.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let names = sources.filter_map(|path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    let names = names.filter(|name| match &**name {
        "tls" => cfg!(feature = "tls"),
        "metrics" => cfg!(feature = "metrics"),
        "otel" => cfg!(feature = "otel"),
        _ => true,
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    assert!(!names.is_empty());
    names
}

/// Builds them as this test was built, and says where they are.
fn build() -> PathBuf {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--examples"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    for (package, _) in SOURCES {
        build.args(["--package", package]);
    }
    let features = [
        ("metrics", cfg!(feature = "metrics")),
        ("otel", cfg!(feature = "otel")),
        ("tls", cfg!(feature = "tls")),
        ("zstd", cfg!(feature = "zstd")),
    ];
    for (feature, _) in features.into_iter().filter(|(_, enabled)| *enabled) {
        build.args(["--features", feature]);
    }
    assert!(build.status().expect("run cargo").success(), "the examples cannot be built");
    let deps = current_exe().expect("the path of this test").parent().map(Path::to_owned);
    deps.and_then(|deps| Some(deps.parent()?.join("examples"))).expect("a target folder")
}

/// Runs an example and returns its output.
fn run(example: &Path, environment: &Environment) -> Result<String, String> {
    let mut command = Command::new(example);
    command.envs(environment.iter().cloned()).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("run an example");
    let began = Instant::now();
    while child.try_wait().expect("ask for a child's state").is_none() {
        if began.elapsed() > DONE_WITHIN {
            child.kill().expect("end a child");
            break;
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
    let output = child.wait_with_output().expect("read what a child printed");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.success() {
        true => Ok(printed),
        false => Err(format!("{}\n{printed}{}", output.status, String::from_utf8_lossy(&output.stderr))),
    }
}
