//! Clients in other languages, which know nothing of this project, on the mock and on Apache's broker.
//!
//! Each test runs one program against both and compares what it prints, feature by feature. What came out is the
//! table in `docs/other-clients.md`, and a run that differs from it fails, for better or worse.
//!
//! `mixed` is about groups whose members are push consumers of this project and of Java, in processes of their own (`members`).
//!
//! It needs a JVM, Node.js, Python and packages from their registries: `.ci/foreign` fetches them and runs the suite.

#![allow(clippy::expect_used, clippy::panic, reason = "test support fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "the load on a group is a task of its own")]

mod comparison;
mod java;
#[path = "../members/mod.rs"]
#[expect(dead_code, reason = "`tests/apache` uses the rest")]
mod members;
mod mixed;
#[path = "../apache/mqadmin.rs"]
mod mqadmin;
mod program;
mod scripts;
mod servers;
#[path = "../apache/support/mod.rs"]
mod support;
mod table;

use comparison::Comparison;
use java::Java;

#[test]
fn java_5_5_0() {
    let client = Java::compiled("java-5.5.0", &["common", "v5"], &java::apache_lib());
    Comparison::new("java-5.5.0").run(|server| client.features(server, "v5")).check();
}

#[test]
fn java_4_9_8() {
    let client = Java::compiled("java-4.9.8", &["common", "v4"], &program::fetched("java-4.9.8"));
    Comparison::new("java-4.9.8").run(|server| client.features(server, "v4")).check();
}

#[test]
fn mqadmin() {
    let tool = Java::compiled("mqadmin-5.5.0", &["tools"], &java::apache_lib());
    Comparison::new("mqadmin-5.5.0").run(|server| tool.commands(server)).check();
}

#[test]
fn benchmark() {
    let programs = Java::compiled("benchmark-5.5.0", &["bench"], &program::fetched("examples-5.5.0"));
    Comparison::new("benchmark-5.5.0").run(|server| programs.benchmarks(server)).check();
}

#[test]
fn ali_ons() {
    Comparison::new("ali-ons-3.12.0").run(scripts::ali_ons).check();
}

#[test]
fn python() {
    Comparison::new("python-rocketmq-0.4.4").run(scripts::python).check();
}
