//! Compares the tables for readers from Java in `docs/` with Java's classes.

use std::path::Path;
use std::process::Command;

#[test]
fn every_property_and_method_of_java_s_producers_is_in_the_table() {
    let classes = [
        "org.apache.rocketmq.client.producer.DefaultMQProducer",
        "org.apache.rocketmq.client.producer.MQProducer",
        "org.apache.rocketmq.client.producer.TransactionMQProducer",
        "org.apache.rocketmq.client.ClientConfig",
    ];
    all_are_named(&classes, include_str!("../../docs/producer-from-java.md"));
}

#[test]
fn every_property_and_method_of_java_s_push_consumer_is_in_the_table() {
    let classes = ["org.apache.rocketmq.client.consumer.DefaultMQPushConsumer"];
    all_are_named(&classes, include_str!("../../docs/consumer-from-java.md"));
}

#[test]
fn every_property_and_method_of_java_s_pull_consumer_is_in_the_table() {
    let classes = ["org.apache.rocketmq.client.consumer.DefaultLitePullConsumer"];
    all_are_named(&classes, include_str!("../../docs/pull-consumer-from-java.md"));
}

#[test]
fn every_method_of_java_s_admin_is_in_the_table() {
    let classes = ["org.apache.rocketmq.tools.admin.DefaultMQAdminExt"];
    all_are_named(&classes, include_str!("../../docs/admin-from-java.md"));
}

fn all_are_named(classes: &[&str], table: &str) {
    let mut missing = Vec::new();
    for class in classes {
        let methods = public_methods(class);
        assert!(methods.len() > 5, "{class}: {methods:?}");
        missing.extend(methods.into_iter().filter(|method| !is_named(method, table)));
    }
    assert!(missing.is_empty(), "not in the table: {missing:?}");
}

/// Its own name, or that of the property that it gets or sets, within backquotes.
fn is_named(method: &str, table: &str) -> bool {
    let property = ["get", "set", "is"].iter().find_map(|prefix| method.strip_prefix(prefix));
    let property = property.map(|property| {
        let (first, rest) = property.split_at(1);
        [first.to_lowercase() + rest, property.to_owned()]
    });
    let names = property.into_iter().flatten().chain([method.to_owned()]);
    let quoted = || table.split('`').skip(1).step_by(2);
    let is_word = |text: &str, name: &str| {
        text.split(|letter: char| !letter.is_ascii_alphanumeric()).any(|word| word == name)
    };
    names.into_iter().any(|name| quoted().any(|text| is_word(text, &name)))
}

fn public_methods(class: &str) -> Vec<String> {
    let lib = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/apache/lib/*");
    let javap = match std::env::var_os("JAVA_HOME") {
        Some(home) => Path::new(&home).join("bin/javap"),
        None => "javap".into(),
    };
    let output = Command::new(javap).arg("-cp").arg(lib).args(["-public", class]).output();
    let output = output.expect("run javap, which comes with a JDK");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let name = |line: &str| {
        let before = line.split_once('(')?.0;
        // Constructors have the name of their class.
        before.split(' ').next_back().filter(|name| !name.contains('.')).map(str::to_owned)
    };
    let mut names: Vec<String> = printed.lines().filter_map(name).filter(|name| name != "toString").collect();
    names.sort();
    names.dedup();
    names
}
