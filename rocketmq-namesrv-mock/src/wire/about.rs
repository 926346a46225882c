//! The topic and the group of a request, under any of their field names.

use std::borrow::Cow;

use rocketmq_remoting::protocol::body::{HeartbeatData, LockBatchRequestBody, decode_body};
use rocketmq_remoting::protocol::{ExtFields, RemotingCommand, RequestCode};

/// The topic of a request, if its header names one.
pub(crate) fn topic(code: RequestCode, fields: &ExtFields) -> Option<Cow<'_, str>> {
    fields.get(match code {
        code if is_short_send(code) => "b",
        RequestCode::CONSUMER_SEND_MSG_BACK => "originTopic",
        _ => "topic",
    })
}

/// The group of producers or consumers that a request names, if any.
pub(crate) fn group(code: RequestCode, fields: &ExtFields) -> Option<Cow<'_, str>> {
    match code {
        code if is_short_send(code) => fields.get("a"),
        RequestCode::CONSUMER_SEND_MSG_BACK => fields.get("group"),
        _ => ["consumerGroup", "producerGroup", "group"].into_iter().find_map(|name| fields.get(name)),
    }
}

/// Whether a request concerns this topic.
pub(crate) fn is_about_topic(request: &RemotingCommand, wanted: &str) -> bool {
    let code = request.request_code();
    match code {
        RequestCode::LOCK_BATCH_MQ | RequestCode::UNLOCK_BATCH_MQ => {
            let body: Option<LockBatchRequestBody> = decode_body(&request.body).ok();
            body.is_some_and(|body| body.mq_set.iter().any(|queue| queue.topic() == wanted))
        }
        _ => topic(code, &request.ext_fields).is_some_and(|topic| topic == wanted),
    }
}

/// Whether a request comes from this group, or concerns it. A heartbeat concerns several groups.
pub(crate) fn is_about_group(request: &RemotingCommand, wanted: &str) -> bool {
    let code = request.request_code();
    match code {
        RequestCode::HEART_BEAT => {
            let body: Option<HeartbeatData> = decode_body(&request.body).ok();
            body.is_some_and(|body| {
                body.consumer_data_set.iter().any(|data| data.group_name == wanted)
                    || body.producer_data_set.iter().any(|data| data.group_name == wanted)
            })
        }
        RequestCode::LOCK_BATCH_MQ | RequestCode::UNLOCK_BATCH_MQ => {
            let body: Option<LockBatchRequestBody> = decode_body(&request.body).ok();
            body.is_some_and(|body| body.consumer_group == wanted)
        }
        // A client may leave as a producer and as a consumer in one request.
        RequestCode::UNREGISTER_CLIENT => ["consumerGroup", "producerGroup"]
            .into_iter()
            .any(|name| request.ext_fields.get(name).is_some_and(|group| group == wanted)),
        _ => group(code, &request.ext_fields).is_some_and(|group| group == wanted),
    }
}

fn is_short_send(code: RequestCode) -> bool {
    matches!(
        code,
        RequestCode::SEND_MESSAGE_V2 | RequestCode::SEND_BATCH_MESSAGE | RequestCode::SEND_REPLY_MESSAGE_V2
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(code: RequestCode, fields: &[(&str, &str)], body: &'static str) -> RemotingCommand {
        let mut request = RemotingCommand::request(code).with_body(body);
        request.ext_fields = fields.iter().map(|(name, value)| (*name, *value)).collect();
        request
    }

    #[test]
    fn topics_and_groups_are_found_under_all_their_names() {
        for (code, fields) in [
            (RequestCode::SEND_MESSAGE, [("topic", "T"), ("producerGroup", "g")]),
            (RequestCode::SEND_MESSAGE_V2, [("b", "T"), ("a", "g")]),
            (RequestCode::PULL_MESSAGE, [("topic", "T"), ("consumerGroup", "g")]),
            (RequestCode::CONSUMER_SEND_MSG_BACK, [("originTopic", "T"), ("group", "g")]),
        ] {
            let request = request(code, &fields, "");
            assert!(is_about_topic(&request, "T") && is_about_group(&request, "g"), "{code}");
            assert!(!is_about_topic(&request, "g") && !is_about_group(&request, "T"), "{code}");
        }
        let heartbeat =
            r#"{"clientID":"c","consumerDataSet":[{"groupName":"g"}],"producerDataSet":[{"groupName":"p"}]}"#;
        let heartbeat = request(RequestCode::HEART_BEAT, &[], heartbeat);
        assert_eq!(["g", "p", "x"].map(|group| is_about_group(&heartbeat, group)), [true, true, false]);
        let lock = r#"{"consumerGroup":"g","mqSet":[{"topic":"T","brokerName":"b","queueId":0}]}"#;
        let lock = request(RequestCode::LOCK_BATCH_MQ, &[], lock);
        assert!(is_about_group(&lock, "g") && is_about_topic(&lock, "T") && !is_about_topic(&lock, "S"));
    }
}
