//! A producer that starts on one runtime and is used from another.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rocketmq::error::{MQClientError, with_causes};
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use tokio::runtime::{Builder, Runtime};

use super::site::{MODES, SLACK, producer, timed};
use crate::peer::{Act, NameServer, Peer};

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// A broker and its NameServer on a runtime that lives on.
fn servers(on: &Runtime) -> (Peer, NameServer) {
    on.block_on(async {
        let broker = Peer::broker(|_| Act::Store).await;
        let name_server = NameServer::of_broker(&broker.address()).await;
        (broker, name_server)
    })
}

/// A producer that has sent a message on this runtime.
fn started(on: &Runtime, name_server: &NameServer) -> Producer {
    on.block_on(async {
        let producer = producer(name_server, |option| {
            option.set_send_msg_timeout(300);
        })
        .await;
        producer.send(Message::new("T", "x")).await.unwrap();
        producer
    })
}

#[test]
fn while_the_first_runtime_runs_sends_from_another_work() {
    let (home, first, second) = (runtime(), runtime(), runtime());
    let (_broker, name_server) = servers(&home);
    let producer = started(&first, &name_server);
    for mode in MODES {
        second.block_on(mode.send(&producer)).unwrap();
    }
    second.block_on(producer.send_oneway(Message::new("T", "x"))).unwrap();
}

#[test]
fn when_the_first_runtime_is_gone_sends_say_so_in_time() {
    let (home, first, second) = (runtime(), runtime(), runtime());
    let (_broker, name_server) = servers(&home);
    let producer = started(&first, &name_server);
    drop(first);
    for mode in MODES {
        let (error, took) = second.block_on(timed(mode.send(&producer)));
        let error = error.unwrap_err();
        assert!(error.to_string().contains("runtime"), "the line itself says why: {error}");
        assert!(error.attempts().len() <= 1, "nothing is tried again: {:?}", error.attempts());
        assert!(took < Duration::from_millis(300) + SLACK, "{took:?}");
    }
    let (error, took) = second.block_on(timed(Box::pin(producer.send_oneway(Message::new("T", "x")))));
    assert!(with_causes(&error.unwrap_err()).contains("runtime"));
    assert!(took < Duration::from_millis(300) + SLACK, "{took:?}");
    assert_eq!(producer.get_stats().unwrap().in_flight, 0);
    let (_, took) = second.block_on(timed(producer.shutdown()));
    assert!(took < Duration::from_millis(600) + SLACK, "{took:?}");
}

#[test]
fn when_the_first_runtime_is_blocked_sends_say_so_in_time() {
    let (home, first, second) = (runtime(), runtime(), runtime());
    let (_broker, name_server) = servers(&home);
    let producer = started(&first, &name_server);
    let (unblock, blocked) = std::sync::mpsc::channel::<()>();
    let (is_blocked, now_blocked) = std::sync::mpsc::channel();
    first.spawn(async move {
        is_blocked.send(()).unwrap();
        // The only worker of the runtime waits here, as in a handler that never returns.
        let _ = blocked.recv();
    });
    now_blocked.recv().unwrap();
    let (error, took) = second.block_on(timed(Box::pin(producer.send(Message::new("T", "x")))));
    let error = error.unwrap_err();
    assert!(matches!(error, MQClientError::TimedOut { .. }), "{error}");
    assert!(error.to_string().contains("runtime"), "{error}");
    assert!(took < Duration::from_millis(300) + SLACK, "{took:?}");
    unblock.send(()).unwrap();
    let sent = second.block_on(async {
        // The blocked runtime has to catch up first.
        let options = rocketmq::producer::SendOptions::new().timeout(20_000);
        producer.send_with(Message::new("T", "x"), options).await
    });
    sent.unwrap();
}

/// Polls a future outside of any runtime. It must be ready at once.
fn poll_outside<T>(future: impl Future<Output = Result<T, MQClientError>>) -> Result<T, MQClientError> {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

#[test]
fn a_runtime_without_timers_is_none() {
    let mut option = rocketmq::conf::ProducerOption::default();
    option.set_name_server_addr("127.0.0.1:9876").set_group_name("g");
    let without_timers = Builder::new_current_thread().enable_io().build().unwrap();
    let error = without_timers.block_on(Producer::new(option).start()).unwrap_err();
    assert!(matches!(error, MQClientError::NoRuntime), "{error}");
    assert!(error.to_string().contains("enable_all"), "{error}");
}

#[test]
fn outside_of_any_runtime_there_is_an_error() {
    let mut option = rocketmq::conf::ProducerOption::default();
    option.set_name_server_addr("127.0.0.1:9876").set_group_name("g");
    let is_no_runtime = |error| matches!(error, MQClientError::NoRuntime);
    let producer = Producer::new(option);
    assert!(is_no_runtime(poll_outside(producer.start()).unwrap_err()));

    let (home, first) = (runtime(), runtime());
    let (_broker, name_server) = servers(&home);
    let producer = started(&first, &name_server);
    let message = || Message::new("T", "x");
    assert!(is_no_runtime(poll_outside(producer.send(message())).unwrap_err()));
    assert!(is_no_runtime(poll_outside(producer.send_oneway(message())).unwrap_err()));
    assert!(is_no_runtime(poll_outside(producer.send_async(message(), |_| {})).unwrap_err()));
    assert!(is_no_runtime(poll_outside(producer.fetch_publish_message_queues("T")).unwrap_err()));
    assert!(is_no_runtime(poll_outside(producer.shutdown()).unwrap_err()));
}
