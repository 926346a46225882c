//! The mock as a program of its own.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rocketmq_namesrv_mock::MockCluster;
use rocketmq_remoting::protocol::body::{TopicRouteData, decode_body};
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode, SerializeType};
use serde_json::Value;

use crate::support::*;

const PROGRAM: &str = env!("CARGO_BIN_EXE_rocketmq-namesrv-mock");

/// A running program, which ends with its owner.
struct Program {
    child: Child,
    ready: String,
}

impl Program {
    /// Starts it and waits for the line that says that it is ready.
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(PROGRAM)
            .args(arguments)
            .current_dir(empty_directory())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut ready).unwrap();
        Self { child, ready: ready.trim_end().to_owned() }
    }

    /// Sends it a signal, as a shell does.
    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Its exit code, once it has ended.
    async fn exit_code(mut self) -> Option<i32> {
        let ended = async {
            loop {
                if let Some(status) = self.child.try_wait().unwrap() {
                    return status.code();
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(SOON, ended).await.expect("it ends")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where programs run, to see that they leave nothing behind.
fn empty_directory() -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("program");
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

fn route(topic: &str) -> RemotingCommand {
    request(RequestCode::GET_ROUTEINFO_BY_TOPIC, &[("topic", topic)])
}

#[tokio::test]
async fn it_prints_one_address_and_serves_until_it_is_told_to_end() {
    let program = Program::start(&["--topic", "T:3", "--name-servers=2"]);
    let addresses: Vec<&str> = program.ready.split(';').collect();
    assert_eq!(addresses.len(), 2);
    for address in addresses {
        assert!(address.starts_with("127.0.0.1:"), "{address}");
        let answer = Peer::connect(address).await.call(route("T")).await;
        let route: TopicRouteData = decode_body(&answer.body).unwrap();
        assert_eq!(route.queue_datas[0].write_queue_nums, 3);
    }
    program.signal("-TERM");
    assert_eq!(program.exit_code().await, Some(0));
    assert_eq!(std::fs::read_dir(empty_directory()).unwrap().count(), 0, "it writes no file");
}

#[tokio::test]
async fn a_topic_is_full_from_the_start() {
    let program = Program::start(&["--json", "--preload", "T:2:40:8", "--captured=0", "--binary-headers"]);
    let ready: Value = serde_json::from_str(&program.ready).unwrap();
    let mut peer = Peer::connect(ready["brokers"]["broker-a"].as_str().unwrap()).await;
    let pulled = peer.call(with(pull_from("T", 8), &[("queueId", "1")])).await;
    assert_eq!((field(&pulled, "maxOffset"), records(&pulled).len()), ("40".into(), 32));
    assert_eq!(&records(&pulled)[0].body()[..], b"xxxxxxxx");
}

#[tokio::test]
async fn an_interrupt_ends_it_while_clients_are_connected() {
    let cluster = MockCluster::start().await.unwrap();
    let upstream = cluster.name_server_addr();
    for arguments in [&["--json"][..], &["--json", "--proxy", &upstream]] {
        let program = Program::start(arguments);
        let ready: Value = serde_json::from_str(&program.ready).unwrap();
        let mut peer = Peer::connect(ready["nameServers"].as_str().unwrap()).await;
        assert_eq!(peer.call(route("none")).await.code, 17);
        program.signal("-INT");
        peer.expect_closed().await;
        assert_eq!(program.exit_code().await, Some(0), "{arguments:?}");
    }
}

#[tokio::test]
async fn transactions_groups_and_copies_are_told_on_the_command_line() {
    let arguments = [
        "--json",
        "--in-sync-replicas=2",
        "--no-auto-create-group",
        "--order-message",
        "--transaction-timeout=250ms",
        "--transaction-interval",
        "90s",
        "--transaction-checks",
        "3",
    ];
    let program = Program::start(&arguments);
    let ready: Value = serde_json::from_str(&program.ready).unwrap();
    let mut peer = Peer::connect(ready["brokers"]["broker-a"].as_str().unwrap()).await;
    let text = peer.call(request(RequestCode::GET_BROKER_CONFIG, &[])).await.body;
    let text = String::from_utf8_lossy(&text);
    for line in [
        "inSyncReplicas=2",
        "autoCreateSubscriptionGroup=false",
        "transactionTimeOut=250",
        "transactionCheckInterval=90000",
        "transactionCheckMax=3",
    ] {
        assert!(text.lines().any(|one| one == line), "{line} is not in {text}");
    }
    assert_eq!([peer.call(send_to("T")).await.code, peer.call(pull_from("T", 0)).await.code], [12, 26]);
    let mut peer = Peer::connect(ready["nameServers"].as_str().unwrap()).await;
    let text = peer.call(request(RequestCode::GET_NAMESRV_CONFIG, &[])).await.body;
    assert!(String::from_utf8_lossy(&text).contains("\norderMessageEnable=true\n"));
}

#[tokio::test]
async fn it_tells_all_as_json_and_ends_with_its_standard_input() {
    let arguments =
        ["--json", "--brokers", "2", "--until-stdin-closes", "--binary-headers", "--store-limit=1K"];
    let mut program = Program::start(&arguments);
    let ready: Value = serde_json::from_str(&program.ready).unwrap();
    assert!(ready["nameServers"].as_str().unwrap().starts_with("127.0.0.1:"));
    assert!(ready["startedInMicros"].as_u64().unwrap() > 0);
    let mut peer = Peer::connect(ready["brokers"]["broker-b"].as_str().unwrap()).await;
    let answer = peer.call(send_to("T").with_body("x")).await;
    assert_eq!((answer.code, answer.serialize_type), (0, SerializeType::RocketMq));
    assert_eq!(peer.call(send_to("T").with_body(vec![0; 1024])).await.code, 14, "its store is full");
    drop(program.child.stdin.take());
    assert_eq!(program.exit_code().await, Some(0));
}

#[tokio::test]
async fn rules_come_from_the_command_line_and_from_files() {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("rules.json");
    std::fs::write(&file, r#"[{"on": "GET_MAX_OFFSET", "do": "refuse", "code": 9999, "remark": "r"}]"#)
        .unwrap();
    let rule = "on=sends after=1 times=1 do=refuse code=SYSTEM_BUSY remark='too busy'";
    let program = Program::start(&["--json", "--fault", rule, "--faults", file.to_str().unwrap()]);
    let ready: Value = serde_json::from_str(&program.ready).unwrap();
    let mut peer = Peer::connect(ready["brokers"]["broker-a"].as_str().unwrap()).await;
    for expected in [(0, ""), (2, "too busy"), (0, "")] {
        assert_eq!(verdict(&peer.call(send_to("T")).await), expected);
    }
    assert_eq!(verdict(&peer.call(request(RequestCode::GET_MAX_OFFSET, &[])).await), (9999, "r"));
}

#[tokio::test]
async fn it_stands_before_other_servers() {
    let cluster = MockCluster::start().await.unwrap();
    cluster.create_topic("T", 1).unwrap();
    let upstream = cluster.name_server_addr();
    let rule = "server=broker-a on=sends times=1 do=refuse code=2";
    let program = Program::start(&["--proxy", &upstream, "--fault", rule]);
    assert_ne!(program.ready, upstream);
    let answer = Peer::connect(&program.ready).await.call(route("T")).await;
    let route: TopicRouteData = decode_body(&answer.body).unwrap();
    let broker = &route.broker_datas[0].broker_addrs[&0];
    assert_ne!(*broker, cluster.broker_addr("broker-a").unwrap().to_string());
    let mut peer = Peer::connect(broker).await;
    assert_eq!([peer.call(send_to("T")).await.code, peer.call(send_to("T")).await.code], [2, 0]);
    assert_eq!(cluster.message_count("T"), 1);
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn it_speaks_tls_in_both_directions() {
    use rocketmq_namesrv_mock::MockAuthority;
    use rocketmq_remoting::net::Transport;
    use rocketmq_remoting::net::tls::{TlsConfig, TlsTransport};
    let authority = MockAuthority::new("program").unwrap();
    let certificate = authority.issue(&["127.0.0.1"]).unwrap();
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("certificates");
    std::fs::create_dir_all(&folder).unwrap();
    let [ca, cert, key] = [
        ("ca.pem", authority.certificate_pem()),
        ("cert.pem", certificate.certificate_pem),
        ("key.pem", certificate.key_pem),
    ]
    .map(|(name, text)| {
        std::fs::write(folder.join(name), text).unwrap();
        folder.join(name).display().to_string()
    });
    let servers = Program::start(&["--tls-cert", &cert, "--tls-key", &key, "--topic", "T"]);
    let transport = TlsTransport::new(&TlsConfig::new().with_ca_pem(authority.certificate_pem())).unwrap();
    for upstream in [ca.as_str(), "any"] {
        let arguments = ["--proxy", &servers.ready, "--upstream-tls", upstream];
        let proxy = Program::start(&[&arguments[..], &["--tls-cert", &cert, "--tls-key", &key]].concat());
        let mut peer = Peer::over(transport.connect(&proxy.ready).await.unwrap());
        assert_eq!(peer.call(route("T")).await.code, 0, "{upstream}");
    }
}

#[test]
fn help_tells_every_option_and_mistakes_are_explained() {
    let run = |arguments: &[&str]| Command::new(PROGRAM).args(arguments).output().unwrap();
    let help = run(&["--help"]);
    let text = String::from_utf8(help.stdout).unwrap();
    assert!(help.status.success() && text.contains("--fault RULE") && text.contains("--proxy HOST:PORT"));
    for (arguments, code, expected) in [
        (&["--bokers", "2"][..], 2, "there is no option --bokers"),
        (&["--fault", "on=sends do=delay"], 2, "--fault: fault rule: field `ms`: is missing"),
        (&["--faults", "/nowhere.json"], 2, "cannot read /nowhere.json"),
        (&["--preload", "T:8"], 2, "--preload: T:8 is not allowed; NAME:QUEUES:MESSAGES:BYTES is"),
        (&["--topic", "no.such:1"], 1, "contains illegal characters"),
        (&["--proxy", "127.0.0.1:1", "--fault", "do=stop"], 1, "not allowed before real servers"),
        (&["--tls-cert", "c.pem"], 1, "TLS"),
    ] {
        let failed = run(arguments);
        let error = String::from_utf8(failed.stderr).unwrap();
        let expected =
            if arguments[0] == "--tls-cert" && cfg!(feature = "tls") { "go together" } else { expected };
        assert_eq!(failed.status.code(), Some(code), "{error}");
        assert!(error.contains(expected) && failed.stdout.is_empty(), "{error}");
    }
}
