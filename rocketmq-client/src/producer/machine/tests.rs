use rocketmq_remoting::client::RemotingError;
use rocketmq_remoting::net::{CallError, ConnectionEnd, DialError};
use rocketmq_remoting::protocol::ResponseCode;

use super::*;
use crate::error::Outcome;
use crate::hook::CommunicationMode;
use crate::model::MessageQueue;
use crate::producer::permits::NoPermit;

const TIMEOUT: Duration = Duration::from_secs(3);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// The result of a broker.
#[derive(Debug, PartialEq)]
enum Stored {
    Well,
    Weakly,
}

impl Delivery for Stored {
    fn is_weak(&self) -> bool {
        *self == Stored::Weakly
    }
}

/// A send on virtual time, to one queue of each of some brokers.
struct VirtualSend<T> {
    machine: SendMachine<T>,
    route: Arc<TopicPublishInfo>,
    now: Instant,
}

impl<T: Delivery + std::fmt::Debug> VirtualSend<T> {
    fn to(brokers: &[&str], change: impl FnOnce(&mut SendPlan)) -> Self {
        let plan = plan(change);
        let now = plan.began;
        Self { machine: SendMachine::new(plan, None), route: route(brokers), now }
    }

    /// Chooses a queue like a driver, and begins the attempt.
    fn attempt(&mut self) -> QueueAttempt {
        let avoided = self.machine.avoided_broker();
        let place = self.route.select(|broker| Some(broker) != avoided).unwrap().place;
        let chosen = SendEvent::QueueChosen(self.route.clone(), place);
        match self.machine.step(self.now, chosen) {
            SendStep::Write(attempt) | SendStep::Register(attempt) => attempt,
            other => panic!("{other:?}"),
        }
    }

    /// Makes an attempt that ends after `after`.
    fn answer(&mut self, after: Duration, answer: Result<T, MQClientError>) -> SendStep<T> {
        let attempt = self.attempt();
        self.now += after;
        self.machine.step(self.now, SendEvent::Answered(attempt, answer))
    }

    fn fail(&mut self, after: Duration, error: RemotingError) -> SendStep<T> {
        self.answer(after, Err(MQClientError::from_remoting("broker", error)))
    }

    fn refuse(&mut self, after: Duration, code: ResponseCode) -> SendStep<T> {
        self.fail(after, RemotingError::Refused { address: "a:1".into(), code, remark: None })
    }
}

fn plan(change: impl FnOnce(&mut SendPlan)) -> SendPlan {
    let mut plan = SendPlan {
        mode: CommunicationMode::Sync,
        began: Instant::now(),
        timeout: TIMEOUT,
        attempt_limit: None,
        retries: 2,
        retry_weakly_stored: true,
        queue: None,
        wants_reply: false,
        is_gathered: false,
        messages: crate::metrics::Messages::new(1),
        span: crate::otel::SendSpan::default(),
        random: || 0,
    };
    change(&mut plan);
    plan
}

fn route(brokers: &[&str]) -> Arc<TopicPublishInfo> {
    Arc::new(TopicPublishInfo::on_brokers(brokers, 1))
}

fn ended(written: bool) -> RemotingError {
    RemotingError::call("a:1", CallError::Ended { written, end: ConnectionEnd::ClosedByPeer })
}

#[track_caller]
fn failure<T: std::fmt::Debug>(step: SendStep<T>) -> MQClientError {
    match step {
        SendStep::Done(Err(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn assert_chooses<T: std::fmt::Debug>(step: SendStep<T>) {
    assert!(matches!(step, SendStep::ChooseQueue), "{step:?}");
}

#[test]
fn a_send_that_is_stored_ends_with_its_first_attempt() {
    let mut send = VirtualSend::to(&["a", "b"], |_| {});
    assert_eq!(send.machine.begins_at(), Some(send.now));
    assert!(matches!(send.answer(ms(1), Ok(Stored::Well)), SendStep::Done(Ok(Stored::Well))));
    assert_eq!(send.machine.retries(), 0);
}

#[test]
fn a_queue_that_the_topic_lost_is_replaced_by_a_queue_of_a_fresh_route() {
    let lost = ResponseCode::INVALID_PARAMETER;
    let mut send: VirtualSend<Stored> = VirtualSend::to(&["a", "b"], |_| {});
    let SendStep::RefreshRoute(look) = send.refuse(ms(1), lost) else { panic!("no look at the route") };
    assert_eq!((look.since, look.resume), (send.now, send.now), "at once");
    assert_chooses(send.machine.step(send.now, SendEvent::RouteRefreshed(look)));
    let SendStep::RefreshRoute(look) = send.refuse(ms(1), lost) else { panic!("no look at the route") };
    assert!(look.since > send.now, "the NameServer needs a moment");
    let error = failure(send.refuse(ms(1), lost));
    assert!(error.is_retryable() && error.outcome() == Outcome::NotStored, "{error}");

    let named = Some(MessageQueue::new("T", "a", 0));
    let mut send: VirtualSend<Stored> = VirtualSend::to(&["a"], |plan| plan.queue = named);
    let error = failure(send.refuse(ms(1), lost));
    assert!(!error.is_retryable(), "the caller named the queue: {error}");
}

#[test]
fn a_send_that_is_late_before_its_attempt_is_not_stored() {
    let mut send: VirtualSend<Stored> = VirtualSend::to(&["a"], |_| {});
    send.now += TIMEOUT;
    let error = failure(send.machine.step(send.now, SendEvent::Late("something")));
    assert!(matches!(error, MQClientError::TimedOut { waited_for: "something", .. }), "{error}");
    assert_eq!(
        (error.outcome(), error.report().map(|report| report.prepared)),
        (Outcome::NotStored, Some(TIMEOUT))
    );
}

#[test]
fn a_retry_goes_to_another_broker_until_none_is_left_to_try() {
    let mut send: VirtualSend<Stored> = VirtualSend::to(&["a", "b"], |_| {});
    assert_chooses(send.refuse(ms(10), ResponseCode::SERVICE_NOT_AVAILABLE));
    let avoided = send.machine.avoided_broker().map(str::to_owned);
    assert_chooses(send.refuse(ms(20), ResponseCode::SERVICE_NOT_AVAILABLE));
    let error = failure(send.refuse(ms(30), ResponseCode::NO_PERMISSION));
    assert_eq!(error.response_code(), Some(ResponseCode::NO_PERMISSION), "the latest failure");
    assert_eq!(avoided.as_deref(), Some(error.attempts()[0].queue.broker_name()));
    let brokers: Vec<&str> = error.attempts().iter().map(|attempt| attempt.queue.broker_name()).collect();
    assert!(brokers == ["a", "b", "a"] || brokers == ["b", "a", "b"], "{brokers:?}");
    let took: Vec<Duration> = error.attempts().iter().map(|attempt| attempt.took).collect();
    assert_eq!(took, [ms(10), ms(20), ms(30)]);
    assert_eq!((send.machine.retries(), error.outcome()), (2, Outcome::NotStored));
}

#[test]
fn a_code_that_would_come_again_is_not_tried_again() {
    let mut send: VirtualSend<Stored> = VirtualSend::to(&["a", "b"], |_| {});
    assert_eq!(failure(send.refuse(ms(1), ResponseCode::MESSAGE_ILLEGAL)).attempts().len(), 1);
}

#[test]
fn no_attempt_begins_after_the_deadline() {
    let mut send: VirtualSend<Stored> = VirtualSend::to(&["a", "b"], |plan| plan.retries = 10);
    assert_chooses(send.refuse(TIMEOUT - ms(1), ResponseCode::SERVICE_NOT_AVAILABLE));
    assert_eq!(failure(send.refuse(ms(1), ResponseCode::SERVICE_NOT_AVAILABLE)).attempts().len(), 2);
}

#[test]
fn each_attempt_has_its_limit_and_the_last_attempt_all_the_time_that_is_left() {
    let mut send: VirtualSend<Stored> = VirtualSend::to(&["a", "b"], |plan| {
        (plan.retries, plan.attempt_limit) = (1, Some(ms(500)));
    });
    let first = send.attempt();
    assert_eq!(send.machine.attempt_deadline(&first), send.now + ms(500));
    assert_chooses(send.fail(ms(500), RemotingError::call("a:1", CallError::TimedOut)));
    let last = send.attempt();
    assert_eq!(send.machine.attempt_deadline(&last), send.machine.plan().deadline());
}

#[test]
fn a_busy_broker_gets_time_that_doubles() {
    let mut send: VirtualSend<Stored> = VirtualSend::to(&["a", "b"], |_| {});
    for pause in [ms(25), ms(50)] {
        let step = send.refuse(ms(1), ResponseCode::SYSTEM_BUSY);
        // The smallest jitter: half of 50 ms, and of 100 ms.
        assert!(matches!(step, SendStep::WaitUntil(time) if time == send.now + pause), "{step:?}");
        send.now += pause;
        assert_chooses(send.machine.step(send.now, SendEvent::Waited));
    }
    assert!(matches!(send.answer(ms(1), Ok(Stored::Well)), SendStep::Done(Ok(_))));
}

#[test]
fn a_pause_that_leaves_no_time_ends_the_send() {
    let mut send: VirtualSend<Stored> = VirtualSend::to(&["a", "b"], |_| {});
    failure(send.refuse(TIMEOUT - ms(25), ResponseCode::SYSTEM_BUSY));
}

#[test]
fn the_only_broker_is_tried_again_after_a_look_at_the_route() {
    let mut send: VirtualSend<Stored> = VirtualSend::to(&["a"], |plan| plan.retries = 1);
    let SendStep::RefreshRoute(look) = send.refuse(ms(1000), ResponseCode::SERVICE_NOT_AVAILABLE) else {
        panic!("no look at the route");
    };
    assert_eq!((look.since, look.until), (send.now, send.now + ms(1000)), "half of the time that is left");
    send.now += ms(300);
    assert_chooses(send.machine.step(send.now, SendEvent::RouteRefreshed(look)));
    // The broker has moved: the new route is taken.
    send.route = route(&["b"]);
    let error = failure(send.refuse(ms(5), ResponseCode::SERVICE_NOT_AVAILABLE));
    assert_eq!(error.attempts()[1].queue.broker_name(), "b");
    assert_eq!(error.report().unwrap().waited_for_route(), ms(300));
}

#[test]
fn the_only_broker_is_not_dialled_before_its_back_off_is_over() {
    let mut send: VirtualSend<Stored> = VirtualSend::to(&["a"], |_| {});
    let backing_off = DialError::BackingOff {
        address: "a:1".into(),
        wait: ms(80),
        last: Box::new(DialError::Stopped { address: "a:1".into() }),
    };
    let SendStep::RefreshRoute(look) = send.fail(ms(0), RemotingError::Connect(backing_off)) else {
        panic!("no look at the route");
    };
    let resume = send.now + ms(80);
    send.now += ms(30);
    let step = send.machine.step(send.now, SendEvent::RouteRefreshed(look));
    assert!(matches!(step, SendStep::WaitUntil(time) if time == resume), "{step:?}");
}

#[test]
fn a_queue_that_the_caller_chose_is_kept() {
    let mut send: VirtualSend<Stored> = VirtualSend::to(&["a", "b"], |plan| {
        plan.queue = Some(MessageQueue::new("T", "a", 0));
    });
    // The message may not go to the other broker: the machine refreshes the route of its own broker.
    let step = send.refuse(ms(1), ResponseCode::SERVICE_NOT_AVAILABLE);
    assert!(matches!(step, SendStep::RefreshRoute(_)), "{step:?}");
    let mut send = VirtualSend::to(&["a", "b"], |plan| plan.queue = Some(MessageQueue::new("T", "a", 0)));
    let step = send.answer(ms(1), Ok(Stored::Weakly));
    assert!(matches!(step, SendStep::Done(Ok(Stored::Weakly))), "{step:?}");
}

#[test]
fn a_weakly_stored_message_goes_to_another_broker_and_is_no_error_if_that_fails() {
    let mut send = VirtualSend::to(&["a", "b"], |_| {});
    assert_chooses(send.answer(ms(1), Ok(Stored::Weakly)));
    assert!(matches!(send.answer(ms(1), Ok(Stored::Well)), SendStep::Done(Ok(Stored::Well))));

    let mut send = VirtualSend::to(&["a", "b"], |_| {});
    assert_chooses(send.answer(ms(1), Ok(Stored::Weakly)));
    assert_chooses(send.refuse(ms(1), ResponseCode::SERVICE_NOT_AVAILABLE));
    let step = send.refuse(ms(1), ResponseCode::SERVICE_NOT_AVAILABLE);
    assert!(matches!(step, SendStep::Done(Ok(Stored::Weakly))), "{step:?}");
}

#[test]
fn a_weakly_stored_message_is_not_sent_again_for_nothing() {
    let mut only_broker = VirtualSend::to(&["a"], |_| {});
    let mut not_wanted = VirtualSend::to(&["a", "b"], |plan| plan.retry_weakly_stored = false);
    let mut no_retry = VirtualSend::to(&["a", "b"], |plan| plan.retries = 0);
    for send in [&mut only_broker, &mut not_wanted, &mut no_retry] {
        let step = send.answer(ms(1), Ok(Stored::Weakly));
        assert!(matches!(step, SendStep::Done(Ok(Stored::Weakly))), "{step:?}");
    }
}

#[test]
fn a_send_without_a_permit_is_not_stored_and_says_how_long_it_waited() {
    let plan = plan(|_| {});
    let error = plan.no_permit(NoPermit::TimedOut, plan.deadline());
    assert!(matches!(error, MQClientError::TimedOut { timeout: TIMEOUT, .. }), "{error}");
    assert_eq!(error.report().unwrap().waited_for_permits(), TIMEOUT);
    assert_eq!(error.outcome(), Outcome::NotStored);
    let closed = plan.no_permit(NoPermit::Closed, plan.began);
    assert!(matches!(closed, MQClientError::ShutDown { .. }), "{closed}");
}

#[test]
fn the_report_says_where_the_time_went() {
    let plan = plan(|plan| plan.retries = 0);
    let (began, waited) = (plan.began, plan.began + ms(100));
    let report = plan.waited_for_permit(waited);
    let mut machine: SendMachine<Stored> = SendMachine::new(plan, Some(report));
    assert_eq!(machine.begins_at(), None, "the clock has to be looked at");
    let (asked, now) = (began + ms(107), began + ms(150));
    let found = Ok((route(&["a"]), 0));
    let SendStep::Write(attempt) = machine.step(now, SendEvent::RouteLookedUp { asked, found }) else {
        panic!("no attempt");
    };
    let timed_out = MQClientError::from_remoting("a", RemotingError::call("a:1", CallError::TimedOut));
    let error = failure(machine.step(now + ms(5), SendEvent::Answered(attempt, Err(timed_out))));
    let report = error.report().unwrap();
    assert_eq!((report.waited_for_permits(), report.prepared()), (ms(100), ms(7)));
    assert_eq!((report.waited_for_route(), report.attempts()[0].took), (ms(43), ms(5)));
}

#[test]
fn a_send_without_a_route_fails_unless_an_attempt_tells_more() {
    let no_route = || MQClientError::TimedOut {
        timeout: TIMEOUT,
        waited_for: "the route of the topic",
        context: Box::default(),
    };
    let looked_up = |now| SendEvent::RouteLookedUp { asked: now, found: Err(no_route()) };
    let mut send: VirtualSend<Stored> = VirtualSend::to(&["a", "b"], |_| {});
    let error = failure(send.machine.step(send.now, looked_up(send.now)));
    assert!(matches!(error, MQClientError::TimedOut { .. }) && error.attempts().is_empty(), "{error}");

    let mut send: VirtualSend<Stored> = VirtualSend::to(&["a", "b"], |_| {});
    assert_chooses(send.refuse(ms(1), ResponseCode::SERVICE_NOT_AVAILABLE));
    let error = failure(send.machine.step(send.now, looked_up(send.now)));
    assert!(matches!(error, MQClientError::ServiceNotAvailable { .. }), "{error}");
}

#[test]
fn an_attempt_that_may_have_stored_the_message_makes_the_outcome_open() {
    let not_connected = || DialError::GaveUp { address: "a:1".into() };
    for (first, outcome) in [
        (RemotingError::call("a:1", CallError::TimedOut), Outcome::MaybeStored),
        (ended(true), Outcome::MaybeStored),
        (ended(false), Outcome::NotStored),
        (RemotingError::call("a:1", CallError::NoRoom), Outcome::NotStored),
        (RemotingError::Connect(not_connected()), Outcome::NotStored),
    ] {
        let mut send: VirtualSend<Stored> = VirtualSend::to(&["a", "b"], |plan| plan.retries = 1);
        let case = format!("{first:?}");
        assert_chooses(send.fail(ms(1), first));
        let error = failure(send.refuse(ms(1), ResponseCode::SERVICE_NOT_AVAILABLE));
        assert_eq!(error.outcome(), outcome, "{case}");
    }
}

#[test]
fn a_shutdown_on_the_way_leaves_open_what_was_written() {
    // A shutdown ends all connections: a retry would find none.
    let mut send: VirtualSend<Stored> = VirtualSend::to(&["a", "b"], |plan| plan.retries = 1);
    assert_chooses(send.fail(ms(1), ended(true)));
    let error =
        failure(send.fail(ms(1), RemotingError::Connect(DialError::Stopped { address: "a:1".into() })));
    assert_eq!((error.attempts().len(), error.outcome()), (2, Outcome::MaybeStored));
}

#[test]
fn a_one_way_send_ends_once_it_is_written() {
    let mut send =
        VirtualSend::to(&["a", "b"], |plan| (plan.mode, plan.retries) = (CommunicationMode::Oneway, 0));
    assert!(matches!(send.answer(ms(1), Ok(Written)), SendStep::Done(Ok(Written))));
    let mut send: VirtualSend<Written> = VirtualSend::to(&["a", "b"], |plan| plan.retries = 0);
    let error = failure(send.fail(ms(1), RemotingError::call("a:1", CallError::NoRoom)));
    assert_eq!(error.outcome(), Outcome::NotStored);
}

#[test]
fn a_request_goes_out_only_if_its_broker_knows_this_client() {
    let mut send: VirtualSend<Stored> = VirtualSend::to(&["a", "b"], |plan| plan.wants_reply = true);
    let attempt = send.attempt();
    let unknown = MQClientError::NotRegistered {
        broker: "a".into(),
        source: Arc::new(ended(true)),
        context: Box::default(),
    };
    assert_chooses(send.machine.step(send.now, SendEvent::Registered(attempt, Err(unknown))));
    let attempt = send.attempt();
    let step = send.machine.step(send.now, SendEvent::Registered(attempt, Ok(())));
    let SendStep::Write(attempt) = step else { panic!("{step:?}") };
    let refused =
        RemotingError::Refused { address: "a:1".into(), code: ResponseCode::MESSAGE_ILLEGAL, remark: None };
    let answer = Err(MQClientError::from_remoting("a", refused));
    let error = failure(send.machine.step(send.now, SendEvent::Answered(attempt, answer)));
    assert_eq!((error.attempts().len(), error.outcome()), (2, Outcome::NotStored));
}
