//! What Apache's broker answers about parts that it has switched off by default, and that the mock lacks: light topics,
//! users and rules of ACL 2.0, controllers, RocksDB.

use rocketmq_remoting::protocol::ResponseCode;
use serde_json::json;

use crate::broker::state::{Broker, INVALID_GROUP, INVALID_TOPIC, State};
use crate::wire::{Answer, NOT_SET, Refusal, Request, json_answer, required};

/// Java: `ResponseCode.ILLEGAL_OPERATION` of light subscriptions.
const ILLEGAL_OPERATION: ResponseCode = ResponseCode(604);

/// Answers a request at once.
type AtOnce = fn(&Broker, &Request<'_>) -> Result<Answer, Refusal>;

/// What answers a request about such a part; `None` if the request is about none of them.
pub(crate) fn unused(code: i32) -> Option<AtOnce> {
    Some(match code {
        200_056 => nothing_to_do,
        200_070 => pop_light,
        200_071 => subscribe_light,
        200_074 => light_info,
        200_075..=200_077 => light_topic,
        200_078 | 200_079 => light_group,
        3001..=3010 => auth,
        _ => return None,
    })
}

/// 200056. Pops are not in RocksDB.
fn nothing_to_do(_: &Broker, _: &Request<'_>) -> Result<Answer, Refusal> {
    Ok(Answer::success().with_remark(NOT_SET))
}

/// 200070.
fn pop_light(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields = &request.command.ext_fields;
    let topic = required(fields.get("topic"), "topic")?;
    let group = required(fields.get("consumerGroup"), "consumerGroup")?;
    let state = &mut *broker.lock();
    no_light_topic(state, &topic).and_then(|()| no_light_group(state, &group)).map(|()| Answer::success())
}

/// 200071. Nobody dispatches to light topics, so that what clients subscribe to does not matter.
fn subscribe_light(_: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let body: Option<serde_json::Value> = crate::wire::optional_json_body(request.command)?;
    let refuse = |remark| Err(Refusal::new(ILLEGAL_OPERATION, remark));
    match body {
        None => refuse("Request body is null."),
        Some(body) if body["subscriptionSet"].as_array().is_none_or(Vec::is_empty) => {
            refuse("LiteSubscriptionCtlRequestBody is empty.")
        }
        Some(_) => Ok(Answer::success()),
    }
}

/// 200074. Java: `GetBrokerLiteInfoResponseBody`.
fn light_info(broker: &Broker, _: &Request<'_>) -> Result<Answer, Refusal> {
    let state = broker.lock();
    let written =
        state.topics.all().filter(|topic| topic.queues().iter().any(|queue| queue.max_offset() > 0));
    json_answer(&json!({
        "cqTableSize": written.count(),
        "currentLmqNum": 0,
        "eventMapSize": 0,
        "groupMeta": {},
        "liteSubscriptionCount": 0,
        "maxLmqNum": 20_000,
        "offsetTableSize": state.offsets.all_committed().len(),
        "orderInfoCount": 0,
        "storeType": "default",
        "topicMeta": {},
    }))
}

/// 200075, 200076, 200077.
fn light_topic(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let name = if request.command.code == 200_075 { "topic" } else { "parentTopic" };
    let topic = required(request.command.ext_fields.get(name), name)?;
    no_light_topic(&broker.lock(), &topic).map(|()| Answer::success())
}

/// 200078, 200079.
fn light_group(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let group = required(request.command.ext_fields.get("group"), "group")?;
    no_light_group(&mut broker.lock(), &group).map(|()| Answer::success())
}

/// Whatever topic it is, it is no light one.
fn no_light_topic(state: &State, topic: &str) -> Result<(), Refusal> {
    Err(match state.topics.get(topic) {
        Some(_) => Refusal::new(INVALID_TOPIC, format!("Topic [{topic}] type not match.")),
        None => Refusal::new(ResponseCode::TOPIC_NOT_EXIST, format!("Topic [{topic}] not exist.")),
    })
}

/// Whatever group it is, it is no light one.
fn no_light_group(state: &mut State, group: &str) -> Result<(), Refusal> {
    Err(match state.groups.find(group) {
        Some(_) => Refusal::new(INVALID_GROUP, format!("Group [{group}] is not a LITE group.")),
        None => {
            let remark = format!("Group [{group}] not exist.");
            Refusal::new(ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST, remark)
        }
    })
}

/// 3001 – 3010. A broker without ACL has neither users nor rules, and fails over it.
fn auth(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    if broker.options.acl.is_some() {
        return Err(Refusal::not_supported("a change of users and rules"));
    }
    let command = request.command;
    let is_named = |name| command.ext_fields.get(name).is_some_and(|value| !value.is_empty());
    let refuse = |code, remark| Err(Refusal::new(code, remark));
    match command.code {
        3001 | 3002 | 3004 if !is_named("username") => {
            refuse(ResponseCode::INVALID_PARAMETER, "The username is blank")
        }
        3001 | 3002 if command.body.is_empty() => Err(Refusal::null("userInfo")),
        3003 if !is_named("username") => refuse(ResponseCode::NO_PERMISSION, "username can not be blank"),
        3006 | 3007 if command.body.is_empty() => {
            let class = "org.apache.rocketmq.auth.authorization.exception.AuthorizationException";
            Err(Refusal::exception(class, "The body of acl is null"))
        }
        3008 | 3009 if !is_named("subject") => refuse(ResponseCode::NO_PERMISSION, "The subject is null."),
        3010 => Err(Refusal::exception("java.lang.IllegalStateException", "no rules")),
        _ => refuse(ResponseCode::SYSTEM_ERROR, "An system error occurred, please try again later."),
    }
}
