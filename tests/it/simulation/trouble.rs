//! Faults of servers and answers.

use std::time::Duration;

use rocketmq_namesrv_mock::{AnswerChange, Fault, FaultAction};
use rocketmq_remoting::protocol::{RequestCode, ResponseCode};

use super::dice::Dice;
use super::plan::{Mode, Plan, TOPIC};

/// A rule for requests, which ends with the troubles of the run.
pub(super) type Trouble = Fault;

/// Requests of consumers and of the producer.
const CODES: [RequestCode; 13] = [
    RequestCode::PULL_MESSAGE,
    RequestCode::PULL_MESSAGE,
    RequestCode::UPDATE_CONSUMER_OFFSET,
    RequestCode::QUERY_CONSUMER_OFFSET,
    RequestCode::GET_CONSUMER_LIST_BY_GROUP,
    RequestCode::HEART_BEAT,
    RequestCode::CONSUMER_SEND_MSG_BACK,
    RequestCode::CONSUMER_SEND_MSG_BACK,
    RequestCode::SEND_MESSAGE_V2,
    RequestCode::GET_ROUTEINFO_BY_TOPIC,
    RequestCode::GET_MAX_OFFSET,
    RequestCode::GET_MIN_OFFSET,
    RequestCode::UNREGISTER_CLIENT,
];
const LOCK_CODES: [RequestCode; 2] = [RequestCode::LOCK_BATCH_MQ, RequestCode::UNLOCK_BATCH_MQ];

/// Requests that a broker may carry out late without an earlier state overwriting a later one: a client cannot take back
/// a commit, a lock or a heartbeat that is on its way.
const MAY_BE_LATE: [RequestCode; 5] = [
    RequestCode::GET_CONSUMER_LIST_BY_GROUP,
    RequestCode::GET_ROUTEINFO_BY_TOPIC,
    RequestCode::GET_MAX_OFFSET,
    RequestCode::GET_MIN_OFFSET,
    RequestCode::SEND_MESSAGE_V2,
];

/// Requests on connections that carry no commit: those that are not read for a while delay all requests on them. Consumers send
/// to topics of their own.
const NOT_WITH_COMMITS: [RequestCode; 2] =
    [RequestCode::GET_ROUTEINFO_BY_TOPIC, RequestCode::SEND_MESSAGE_V2];

/// A lie that a consumer has to see through.
fn lie(dice: &mut Dice, plan: &Plan) -> Option<Fault> {
    let change = AnswerChange::new();
    Some(match dice.range(0..=4) {
        0 => {
            let places = ["0", "1", "5", "40", "100000", "-7", "9223372036854775807"];
            let moved = change.code(ResponseCode::PULL_OFFSET_MOVED).remark("").body("");
            let moved = moved.field("nextBeginOffset", dice.pick(&places));
            Fault::on(RequestCode::PULL_MESSAGE, FaultAction::ChangeAnswer(moved))
        }
        1 => {
            let members = [r#"{"consumerIdList":[]}"#, r#"{"consumerIdList":["10.0.0.9@other"]}"#, "{}", "x"];
            let body = dice.pick(&members);
            let change = FaultAction::ChangeAnswer(change.body(body));
            Fault::on(RequestCode::GET_CONSUMER_LIST_BY_GROUP, change)
        }
        // A group that starts behind the last message has nothing but its offsets to tell that it is not new.
        2 if plan.from == rocketmq::consumer::ConsumeFromWhere::First => {
            let absent = FaultAction::Refuse { code: ResponseCode::QUERY_NOT_FOUND, remark: "no".into() };
            Fault::on(RequestCode::QUERY_CONSUMER_OFFSET, absent)
        }
        3 => {
            let unknown = FaultAction::Refuse { code: ResponseCode::TOPIC_NOT_EXIST, remark: "no".into() };
            Fault::on(RequestCode::GET_ROUTEINFO_BY_TOPIC, unknown)
        }
        4 => {
            let slave = FaultAction::ChangeAnswer(change.field("suggestWhichBrokerId", "1"));
            Fault::on(RequestCode::PULL_MESSAGE, slave)
        }
        _ => return None,
    })
}

pub(super) fn draw(dice: &mut Dice, plan: &Plan) -> Trouble {
    let lie = if dice.percent(20) { lie(dice, plan) } else { None };
    let fault = lie.unwrap_or_else(|| {
        let code = match plan.mode {
            Mode::Orderly if dice.percent(30) => dice.pick(&LOCK_CODES),
            _ => dice.pick(&CODES),
        };
        let action = action(dice, code);
        let of_producer =
            code == RequestCode::SEND_MESSAGE_V2 && matches!(action, FaultAction::StopReading(_));
        let fault = Fault::on(code, action);
        if of_producer { fault.topic(TOPIC) } else { fault }
    });
    let fault = if dice.percent(50) { fault } else { fault.server(broker(dice, plan)) };
    if dice.percent(50) {
        return fault.times(dice.range(1..=6) as u32);
    }
    let probability = dice.pick(&[0.1, 0.3, 0.7, 1.0]);
    fault.probability(probability, dice.next()).times(dice.range(5..=60) as u32)
}

fn broker(dice: &mut Dice, plan: &Plan) -> String {
    broker_name(dice.range(0..=plan.brokers as u64 - 1) as usize)
}

pub(super) fn broker_name(index: usize) -> String {
    format!("broker-{}", ["a", "b", "c"][index])
}

pub(super) fn action(dice: &mut Dice, code: RequestCode) -> FaultAction {
    let refusals = [1, 2, 2, 14, 215, 24, 25, 9999].map(ResponseCode);
    match dice.range(0..=14) {
        0..=3 => FaultAction::Refuse { code: dice.pick(&refusals), remark: "simulated".into() },
        4 => FaultAction::DropRequest,
        5 => FaultAction::DropAnswer,
        6 if MAY_BE_LATE.contains(&code) => FaultAction::Delay(dice.ms(10..=8_000)),
        6 | 7 => FaultAction::DelayAnswer(dice.ms(10..=8_000)),
        8 => FaultAction::Close,
        9 => FaultAction::CloseAfterwards,
        10 => FaultAction::Reset,
        11 => FaultAction::AnswerTwice,
        12 => FaultAction::GoAway,
        13 => FaultAction::StrayAnswer,
        14 if NOT_WITH_COMMITS.contains(&code) => {
            FaultAction::StopReading(Some(Duration::from_millis(dice.range(100..=10_000))))
        }
        _ => FaultAction::DropAnswer,
    }
}
