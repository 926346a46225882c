//! Requests that are forwarded to a client: 307, 309, and 223, for which the broker sends 221. Java: `Broker2Client`.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use rocketmq_common::OffsetMsgId;
use rocketmq_remoting::net::CallError;
use rocketmq_remoting::protocol::body::{GetConsumerStatusBody, decode_body};
use rocketmq_remoting::protocol::header::{ConsumeMessageDirectlyFields, GetConsumerStatusFields};
use rocketmq_remoting::protocol::{
    CommandRef, ExtFields, NoHeader, RemotingCommand, RequestCode, ResponseCode,
};

use crate::broker::state::{Broker, ClientChannelInfo, State};
use crate::clock::deadline;
use crate::wire::{NOT_SET, Refusal, Reply, json_answer, read_fields, required};

/// The longest wait for a client's answer.
const CALL_LIMIT: Duration = Duration::from_secs(10);

/// The longest wait for each client's offsets.
const STATUS_LIMIT: Duration = Duration::from_secs(5);

/// Older clients (below 3.1.8) support neither 307 nor 309.
const V3_1_8_SNAPSHOT: i32 = 62;

/// Older clients (below 3.0.7) do not support 221.
const V3_0_7_SNAPSHOT: i32 = 28;

/// 307, 309. The client's answer goes back unchanged, with its language and version.
pub(crate) fn forward(broker: &Broker, command: RemotingCommand, reply: Reply) {
    let prepared = prepare(broker, &mut broker.lock(), &command);
    let (member, fields, body, who) = match prepared {
        Ok(prepared) => prepared,
        Err(refusal) => return refusal.send(reply),
    };
    broker.tasks.spawn(async move {
        let question = CommandRef::request(command.request_code(), &NoHeader);
        let question = question.with_fields(&fields).with_body(&body);
        match member.connection.call(&question, deadline(CALL_LIMIT)).await {
            Ok(answer) => reply.forward(&answer),
            Err(error) => failure(&who, &error).send(reply),
        }
    });
}

/// A prepared request: the client, the fields, the body, and the client's name in remarks.
type Prepared = (ClientChannelInfo, ExtFields, Bytes, String);

fn prepare(broker: &Broker, state: &mut State, command: &RemotingCommand) -> Result<Prepared, Refusal> {
    let fields: ConsumeMessageDirectlyFields<'_> = read_fields(&command.ext_fields)?;
    let group = required(fields.consumer_group.as_deref(), "consumerGroup")?;
    let (mut extra, mut body) = (command.ext_fields.clone(), command.body.clone());
    if command.request_code() == RequestCode::CONSUME_MESSAGE_DIRECTLY {
        extra.insert("brokerName", &*broker.name);
        if let Some(topic) = fields.topic.as_deref().and_then(|topic| state.topics.get(topic)) {
            extra.insert("topicSysFlag", topic.config.sys_flag.to_string());
        }
        if let Some(config) = state.groups.find(group) {
            extra.insert("groupSysFlag", config.group_sys_flag.to_string());
        }
        body = message(state, &required(fields.msg_id, "msgId")?)?;
    }
    let client_id = fields.client_id.as_deref().unwrap_or("null");
    let Some(member) = state.consumers.find(group, client_id) else {
        let remark = format!("The Consumer <{group}> <{client_id}> not online");
        return Err(Refusal::new(ResponseCode::SYSTEM_ERROR, remark));
    };
    if member.version < V3_1_8_SNAPSHOT {
        let remark = format!(
            "The Consumer <{client_id}> Version <{}> too low to finish, please upgrade it to V3_1_8_SNAPSHOT",
            version_name(member.version)
        );
        return Err(Refusal::new(ResponseCode::SYSTEM_ERROR, remark));
    }
    Ok((member.clone(), extra, body, format!("<{group}> <{client_id}>")))
}

/// The record that an offset id names.
fn message(state: &State, msg_id: &str) -> Result<Bytes, Refusal> {
    let id: OffsetMsgId =
        msg_id.parse().map_err(|_| Refusal::exception("java.nio.BufferUnderflowException", "msgId"))?;
    let record = state.log.record_at(id.commit_log_offset);
    record.cloned().ok_or_else(|| Refusal::null("selectMappedBufferResult"))
}

fn failure(who: &str, error: &CallError) -> Refusal {
    match error {
        CallError::TimedOut => {
            let remark = format!("consumer {who} Timeout: {error}");
            Refusal::new(ResponseCode::CONSUME_MSG_TIMEOUT, remark)
        }
        _ => {
            let remark = format!("invoke consumer {who} Exception: {error}");
            Refusal::new(ResponseCode::SYSTEM_ERROR, remark)
        }
    }
}

/// 223. Clients without a proper answer are left out.
pub(crate) fn consumer_status(broker: &Broker, command: RemotingCommand, reply: Reply) {
    let (members, fields) = match asked(&broker.lock(), &command) {
        Ok(asked) => asked,
        Err(refusal) => return refusal.send(reply),
    };
    broker.tasks.spawn(async move {
        let mut consumer_table = BTreeMap::new();
        for member in members {
            if let Some(status) = status(&member, &fields).await {
                consumer_table.insert(member.client_id, status);
            }
        }
        let body = GetConsumerStatusBody { consumer_table, ..GetConsumerStatusBody::default() };
        match json_answer(&body) {
            Ok(answer) => answer.with_remark(NOT_SET).send(reply),
            Err(refusal) => refusal.send(reply),
        }
    });
}

/// The clients to ask, and the fields of the request to them.
fn asked(state: &State, command: &RemotingCommand) -> Result<(Vec<ClientChannelInfo>, ExtFields), Refusal> {
    let fields: GetConsumerStatusFields<'_> = read_fields(&command.ext_fields)?;
    let group = required(fields.group.as_deref(), "group")?;
    let found = required(state.consumers.group(group), "getConsumerGroupInfo(String)")?;
    if let Some(old) = found.members.iter().find(|member| member.version < V3_0_7_SNAPSHOT) {
        let version = version_name(old.version);
        let remark = format!("the client does not support this feature. version={version}");
        return Err(Refusal::new(ResponseCode::SYSTEM_ERROR, remark));
    }
    let wanted = fields.client_addr.as_deref().filter(|wanted| !wanted.trim().is_empty());
    let mut members = found.members.clone();
    members.retain(|member| wanted.is_none_or(|wanted| wanted == member.client_id));
    let topic = fields.topic.as_deref().map(|topic| ("topic", topic));
    Ok((members, [("group", group)].into_iter().chain(topic).collect()))
}

/// The offsets that a client reports, by queue.
async fn status(member: &ClientChannelInfo, fields: &ExtFields) -> Option<serde_json::Value> {
    let code = RequestCode::GET_CONSUMER_STATUS_FROM_CLIENT;
    let question = CommandRef::request(code, &NoHeader).with_fields(fields);
    let answer = member.connection.call(&question, deadline(STATUS_LIMIT)).await.ok()?;
    if answer.code != ResponseCode::SUCCESS.0 || answer.body.is_empty() {
        return None;
    }
    let body: GetConsumerStatusBody = decode_body(&answer.body).ok()?;
    // Through a `Value`, because queues as keys become texts there.
    serde_json::to_value(body).ok()?.get_mut("messageQueueTable").map(serde_json::Value::take)
}

/// Java's name of a version before 3.2.0.
fn version_name(version: i32) -> String {
    const FIRST: [&str; 16] = [
        "SNAPSHOT",
        "ALPHA1",
        "BETA1",
        "BETA2",
        "BETA3",
        "BETA4",
        "BETA5",
        "BETA6_SNAPSHOT",
        "BETA6",
        "BETA7_SNAPSHOT",
        "BETA7",
        "BETA8_SNAPSHOT",
        "BETA8",
        "BETA9_SNAPSHOT",
        "BETA9",
        "FINAL",
    ];
    let first = usize::try_from(version).ok().and_then(|version| FIRST.get(version));
    if let Some(first) = first {
        return format!("V3_0_0_{first}");
    }
    let (minor, patch) = if version < 46 { (0, (version - 14) / 2) } else { (1, (version - 46) / 2) };
    let snapshot = if version % 2 == 0 { "_SNAPSHOT" } else { "" };
    format!("V3_{minor}_{patch}{snapshot}")
}

#[cfg(test)]
mod tests {
    use super::version_name;

    #[test]
    fn old_versions_have_java_s_names() {
        let names = [0, 10, 15, 16, 27, 28, 45, 46, 61].map(version_name);
        assert_eq!(
            names,
            [
                "V3_0_0_SNAPSHOT",
                "V3_0_0_BETA7",
                "V3_0_0_FINAL",
                "V3_0_1_SNAPSHOT",
                "V3_0_6",
                "V3_0_7_SNAPSHOT",
                "V3_0_15",
                "V3_1_0_SNAPSHOT",
                "V3_1_7",
            ]
        );
    }
}
