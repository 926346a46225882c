use std::io;

use rocketmq_remoting::net::DialError;
use rocketmq_remoting::protocol::FrameError;

use super::*;
use crate::model::SendStatus;

#[derive(Debug, thiserror::Error)]
#[error("the quota of tenant 7 is used up")]
struct Forbidden(#[source] io::Error);

fn forbidden() -> Forbidden {
    Forbidden(io::Error::other("limit 100"))
}

fn refused() -> RemotingError {
    let source = Arc::new(io::Error::from(io::ErrorKind::ConnectionRefused));
    RemotingError::Connect(DialError::Failed { address: "10.0.0.1:10911".into(), source })
}

fn stored() -> Box<SendResult> {
    Box::new(SendResult {
        send_status: SendStatus::SendOk,
        msg_id: "ID".to_owned(),
        offset_msg_id: String::new(),
        message_queue: MessageQueue::new("orders", "broker-a", 3),
        queue_offset: 42,
        transaction_id: None,
        recall_handle: None,
        region_id: None,
        trace_on: true,
    })
}

fn answers() -> Box<[NameServerAnswer]> {
    [NameServerAnswer { address: "n:9876".into(), said: "TOPIC_NOT_EXIST (17)".to_owned() }].into()
}

fn answered(code: ResponseCode) -> MQClientError {
    let refused = RemotingError::Refused { address: "a:1".into(), code, remark: Some("disk full".into()) };
    MQClientError::from_remoting("broker-a", refused)
}

/// Each variant, the line that `{}` prints, and what the chain adds to it.
fn table() -> Vec<(MQClientError, &'static str, &'static str)> {
    let client = "producer";
    let (broker, context) = (|| Arc::from("broker-a"), Box::<Context>::default);
    let timeout = Duration::from_secs(3);
    vec![
        (MQClientError::NotStarted { client }, "the producer is not started: call start first", ""),
        (MQClientError::AlreadyStarted { client }, "the producer was started before", ""),
        (MQClientError::ShutDown { client }, "the producer is shut down: make a new one", ""),
        (
            MQClientError::NoRuntime,
            "no tokio runtime with timers and I/O: call this in #[tokio::main], or in a runtime with enable_all()",
            "",
        ),
        (
            MQClientError::InvalidOption { option: "group_name", reason: "it is blank".to_owned() },
            "option group_name: it is blank",
            "",
        ),
        (
            MQClientError::argument("message id", "it has 3 characters"),
            "invalid message id: it has 3 characters",
            "",
        ),
        (
            MQClientError::illegal(forbidden()).during("send").of_topic("orders"),
            "illegal message for topic orders: the quota of tenant 7 is used up (send)",
            ": limit 100",
        ),
        (
            serde_json::from_str::<u8>("x").unwrap_err().into(),
            "JSON cannot be written or read: expected value at line 1 column 1",
            "",
        ),
        (
            MQClientError::NameServerUnreachable { answers: answers(), context: context() },
            "no NameServer answered: n:9876 said \"TOPIC_NOT_EXIST (17)\"; check their addresses (option name_server_addr)",
            "",
        ),
        (
            MQClientError::BrokerNotFound {
                topic: "orders".into(),
                answers: answers(),
                hint: "create it",
                context: context(),
            }
            .during("send"),
            "no route for topic orders: n:9876 said \"TOPIC_NOT_EXIST (17)\"; create it (send)",
            "",
        ),
        (
            answered(ResponseCode::SERVICE_NOT_AVAILABLE).during("send").of_topic("orders"),
            "broker broker-a refuses service: disk full (send, topic orders)",
            "",
        ),
        (
            answered(ResponseCode::SYSTEM_BUSY)
                .during("query offset")
                .of_queue(&MessageQueue::new("orders", "broker-a", 3))
                .of_group("billing"),
            "broker broker-a answered SYSTEM_BUSY(2): disk full (query offset, topic orders, queue 3 of broker-a, \
             group billing)",
            "",
        ),
        (
            MQClientError::from_remoting("broker-a", refused()),
            "no answer from broker broker-a: cannot connect to 10.0.0.1:10911: connection refused",
            "",
        ),
        (
            MQClientError::TimedOut { timeout, waited_for: "the route of the topic", context: context() },
            "gave up after 3s: waited for the route of the topic",
            "",
        ),
        (
            MQClientError::NotRegistered {
                broker: broker(),
                source: Arc::new(refused()),
                context: context(),
            },
            "broker broker-a does not know this client yet, and the heartbeat to it failed: cannot connect to \
             10.0.0.1:10911: connection refused",
            "",
        ),
        (
            MQClientError::NoReply { timeout, request: stored() },
            "no reply within 3s to request ID, which is stored in MessageQueue [topic=orders, brokerName=broker-a, queueId=3] at offset 42: is there a consumer \
             that replies?",
            "",
        ),
        (
            MQClientError::bad_reply(stored(), forbidden().into()),
            "the reply to request ID cannot be read: the quota of tenant 7 is used up",
            ": limit 100",
        ),
        (
            MQClientError::Abandoned { context: context() },
            "given up on the way: the producer was shut down, or its runtime ended",
            "",
        ),
        (
            MQClientError::bad_answer("broker-a", forbidden()),
            "the answer of broker-a cannot be read: the quota of tenant 7 is used up",
            ": limit 100",
        ),
        (
            MQClientError::NoMaster { broker: broker() },
            "broker broker-a has no master now: start it, or wait until a slave takes over",
            "",
        ),
        (
            MQClientError::NotSettled {
                group: "billing".into(),
                queue: Box::new(MessageQueue::new("orders", "broker-a", 3)),
                offset: 42,
                reason: "its offset may not be committed",
            },
            "the message at 42 of MessageQueue [topic=orders, brokerName=broker-a, queueId=3] is not settled for billing: its \
             offset may not be committed; it may come again",
            "",
        ),
        (
            MQClientError::FanOut {
                asked: 2,
                failures: [Failure::new("broker-a", MQClientError::illegal(forbidden()))].into(),
            },
            "1 of 2 failed: broker-a: illegal message: the quota of tenant 7 is used up: limit 100",
            "",
        ),
    ]
}

#[test]
fn one_line_holds_the_reason_and_the_chain_goes_on_where_it_ends() {
    for (error, line, below) in table() {
        assert_eq!(error.to_string(), line);
        assert_eq!(with_causes(&error), format!("{line}{below}"));
        assert_eq!(format!("{error:?}"), with_causes(&error), "what a main that returns it prints");
    }
}

#[test]
fn fields_are_shown_by_the_alternate_form_alone() {
    for (error, line, _) in table() {
        let fields = format!("{error:#?}");
        assert!(fields.starts_with(|first: char| first.is_uppercase()) && !fields.contains(line), "{fields}");
    }
    let (error, ..) = table().remove(12);
    let fields = format!("{error:#?}");
    assert!(fields.starts_with("Remoting {") && fields.contains("ConnectionRefused"), "{fields}");
}

#[test]
fn a_copy_says_what_the_error_says_and_keeps_the_types_of_its_causes() {
    for (error, ..) in table() {
        let copy = error.clone();
        assert_eq!(with_causes(&copy), with_causes(&error));
        assert_eq!((copy.outcome(), copy.is_retryable()), (error.outcome(), error.is_retryable()));
    }
    let copy = MQClientError::illegal(forbidden()).clone();
    assert!(copy.source().is_some_and(|below| below.is::<io::Error>()));
    let MQClientError::MessageIllegal { source, .. } = copy else { panic!("{copy}") };
    assert!(source.downcast_ref::<Forbidden>().is_some());
}

#[test]
fn an_error_stays_small() {
    assert!(size_of::<MQClientError>() <= 64, "{}", size_of::<MQClientError>());
}

#[test]
fn an_answer_that_cannot_be_read_is_one_error_from_both_layers() {
    let unreadable = CallError::BadAnswer(Arc::new(FrameError::NotUtf8));
    let error = MQClientError::from_remoting("broker-a", RemotingError::call("broker:1", unreadable));
    let MQClientError::BadAnswer { peer, source, .. } = &error else { panic!("{error}") };
    assert_eq!((&**peer, source.downcast_ref()), ("broker-a", Some(&FrameError::NotUtf8)));
    assert!(!error.is_retryable());
}

#[test]
fn the_former_name_of_maybe_stored_still_matches() {
    assert!(matches!(
        MQClientError::NoReply { timeout: Duration::ZERO, request: stored() }.outcome(),
        Outcome::Unknown
    ));
    assert_eq!(
        (Outcome::Unknown.to_string(), Outcome::NotStored.to_string()),
        ("maybe stored".into(), "not stored".into())
    );
}
