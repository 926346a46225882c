use bytes::Bytes;
use rocketmq_common::message_const as names;
use rocketmq_common::{Message, MessageExt, mix_all};

use crate::error::MQClientError;

/// Makes the reply to a received request. Send it with any producer of the cluster: the broker that stores the reply
/// pushes it to the requester. Java: `MessageUtil.createReplyMessage`. Tags and other properties may be set before.
///
/// Sending the reply fails with broker code 1 if the broker has lost its connection to the requester, or gets no
/// acknowledgement from it. The reply is stored nevertheless.
///
/// ```
/// use rocketmq_client::model::{Message, MessageExt, RecordHeader, message_const};
/// use rocketmq_client::producer::reply_message;
///
/// # let mut request = Message::new("Requests", "2 + 3");
/// # for (name, value) in [
/// #     (message_const::PROPERTY_CLUSTER, "DefaultCluster"),
/// #     (message_const::PROPERTY_CORRELATION_ID, "7"),
/// #     (message_const::PROPERTY_MESSAGE_REPLY_TO_CLIENT, "10.0.0.1@42"),
/// # ] {
/// #     request.properties_mut().put_reserved(name, value);
/// # }
/// # let request = MessageExt::new(request, RecordHeader::default());
/// // A consumer received `request`; the reply goes back with any producer of the cluster.
/// let reply = reply_message(&request, "5")?;
/// assert_eq!(reply.topic(), "DefaultCluster_REPLY_TOPIC");
/// # Ok::<(), rocketmq_client::Error>(())
/// ```
///
/// # Errors
/// `InvalidArgument` if the message is no request, or does not name the cluster that stores it.
pub fn reply_message(request: &MessageExt, body: impl Into<Bytes>) -> Result<Message, MQClientError> {
    let property = |name: &'static str, why: &str| {
        request.property(name).ok_or_else(|| {
            let reason = format!("message {} has no property {name}: {why}", request.msg_id());
            MQClientError::argument("request", reason)
        })
    };
    let not_asked = "it was not sent with Producer::request";
    let cluster = property(names::PROPERTY_CLUSTER, "brokers set it on what they deliver")?;
    let correlation_id = property(names::PROPERTY_CORRELATION_ID, not_asked)?;
    let client = property(names::PROPERTY_MESSAGE_REPLY_TO_CLIENT, not_asked)?;
    let mut reply = Message::new(mix_all::reply_topic(cluster), body);
    let properties = reply.properties_mut();
    properties.put_reserved(names::PROPERTY_MESSAGE_TYPE, mix_all::REPLY_MESSAGE_FLAG);
    properties.put_reserved(names::PROPERTY_CORRELATION_ID, correlation_id);
    properties.put_reserved(names::PROPERTY_MESSAGE_REPLY_TO_CLIENT, client);
    if let Some(ttl) = request.property(names::PROPERTY_MESSAGE_TTL) {
        properties.put_reserved(names::PROPERTY_MESSAGE_TTL, ttl);
    }
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use rocketmq_common::message_ext::RecordHeader;

    use super::*;

    fn request(properties: &[(&str, &str)]) -> MessageExt {
        let mut message = Message::new("Requests", "question");
        for (name, value) in properties {
            message.properties_mut().put_reserved(name, value);
        }
        MessageExt::new(message, RecordHeader::default())
    }

    #[test]
    fn a_reply_goes_to_the_cluster_s_topic_and_names_the_request() {
        let asked =
            [("CLUSTER", "C1"), ("CORRELATION_ID", "id"), ("REPLY_TO_CLIENT", "client"), ("TTL", "3000")];
        let reply = reply_message(&request(&asked), "answer").unwrap();
        assert_eq!((reply.topic(), &reply.body()[..]), ("C1_REPLY_TOPIC", &b"answer"[..]));
        let of = |name| reply.property(name);
        assert_eq!((of("MSG_TYPE"), of("CORRELATION_ID")), (Some("reply"), Some("id")));
        assert_eq!((of("REPLY_TO_CLIENT"), of("TTL")), (Some("client"), Some("3000")));
    }

    #[test]
    fn what_is_no_request_has_no_reply() {
        let asked = [("CLUSTER", "C1"), ("CORRELATION_ID", "id"), ("REPLY_TO_CLIENT", "client")];
        for left_out in 0..asked.len() {
            let mut some = asked.to_vec();
            let (name, _) = some.remove(left_out);
            let error = reply_message(&request(&some), "answer").unwrap_err();
            let MQClientError::InvalidArgument { source, .. } = &error else { panic!("{error}") };
            assert!(source.to_string().contains(name), "{source}");
        }
    }
}
