//! Recalls timer messages.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use rocketmq_common::{mix_all, namespace, validators};
use tokio::time::Instant;

use super::default_mq_producer_impl::{BoxFuture, DefaultMQProducerImpl};
use crate::error::MQClientError;
use crate::model::RecallResult;
use crate::trace::TraceRecord;

/// The encoding of handles. Java pads them, but a handle copied by hand may have lost its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The content of a recall handle: `v1 topic broker timestamp id` in Base64. Java: `RecallMessageHandle.HandleV1`.
#[derive(Debug, PartialEq, Eq)]
struct RecallHandle {
    /// The topic, under its name at brokers.
    topic: String,
    broker_name: String,
    msg_id: String,
}

/// Why a text is no recall handle of this topic.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum IllegalRecall {
    #[error("it is no URL-safe Base64 of a UTF-8 text: take `recall_handle` of the send result as it is")]
    NotBase64,
    #[error("it has {0} parts, and needs 5 with spaces between them: version, topic, broker, time, id")]
    Parts(usize),
    #[error("it is of version {0:?}; this client knows v1")]
    Version(String),
    #[error("it is of a message of topic {0}, not of {1}")]
    OtherTopic(String, String),
    #[error("messages of retry and dead-letter topics cannot be recalled")]
    RetryOrDlq,
}

impl RecallHandle {
    fn decode(handle: &str) -> Result<Self, IllegalRecall> {
        let bytes = BASE64.decode(handle).map_err(|_| IllegalRecall::NotBase64)?;
        let text = String::from_utf8(bytes).map_err(|_| IllegalRecall::NotBase64)?;
        let parts: Vec<&str> = text.split(' ').collect();
        match parts.as_slice() {
            ["v1", topic, broker, _, id, ..] => Ok(Self {
                topic: (*topic).to_owned(),
                broker_name: (*broker).to_owned(),
                msg_id: (*id).to_owned(),
            }),
            [version, _, _, _, _, ..] => Err(IllegalRecall::Version((*version).to_owned())),
            few => Err(IllegalRecall::Parts(few.len())),
        }
    }
}

impl DefaultMQProducerImpl {
    /// Recalls a timer message. Java: `DefaultMQProducerImpl.recallMessage`.
    pub(super) fn recall<'a>(&'a self, topic: &'a str, handle: &'a str) -> BoxFuture<'a, RecallResult> {
        Box::pin(self.ask_to_recall(topic, handle))
    }

    async fn ask_to_recall(&self, given: &str, handle: &str) -> Result<RecallResult, MQClientError> {
        let running = self.running()?;
        let illegal = |argument, source: Box<dyn std::error::Error + Send + Sync>| {
            MQClientError::argument(argument, source)
        };
        validators::check_topic(given).map_err(|error| illegal("topic", error.into()))?;
        let topic = self.option().namespace().map_or(given.into(), |ns| namespace::wrap_namespace(ns, given));
        if mix_all::is_retry_topic(&topic) || mix_all::is_dlq_topic(&topic) {
            return Err(illegal("topic", IllegalRecall::RetryOrDlq.into()));
        }
        let decoded = RecallHandle::decode(handle).and_then(|decoded| match decoded.topic == *topic {
            true => Ok(decoded),
            false => Err(IllegalRecall::OtherTopic(decoded.topic, topic.to_string())),
        });
        let decoded = decoded.map_err(|error| illegal("recall handle", error.into()))?;
        let broker = &decoded.broker_name;
        let deadline = Instant::now() + self.timeout();
        let address = running.instance.read_address(&topic, broker, deadline).await?;
        let group = &running.producer_group;
        let answer = running.instance.api().recall_message(&address, group, &topic, handle, broker, deadline);
        let recalled = answer.await;
        if let Some(trace) = self.trace() {
            let (group, topic) = (self.option().group_name().unwrap_or_default(), given);
            let success = recalled.is_ok();
            trace.append(TraceRecord::of_recall(group, topic, &decoded.msg_id, success));
        }
        Ok(RecallResult { msg_id: recalled? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_names_topic_broker_and_message() {
        let expected = RecallHandle {
            topic: "TopicTest".to_owned(),
            broker_name: "broker-a".to_owned(),
            msg_id: "7F000001".to_owned(),
        };
        let handle = BASE64.encode("v1 TopicTest broker-a 1700000000001 7F000001");
        assert!(handle.ends_with('='), "as Java writes it");
        assert_eq!(RecallHandle::decode(&handle).as_ref(), Ok(&expected));
        assert_eq!(RecallHandle::decode(handle.trim_end_matches('=')), Ok(expected));
    }

    #[test]
    fn what_is_no_handle_says_why() {
        let decode = |text: &str| RecallHandle::decode(&BASE64.encode(text)).unwrap_err();
        assert_eq!(decode("v2 t b 1 id"), IllegalRecall::Version("v2".to_owned()));
        assert_eq!(decode("v1 t b 1"), IllegalRecall::Parts(4));
        assert_eq!(decode(""), IllegalRecall::Parts(1));
        assert_eq!(RecallHandle::decode("no handle!").unwrap_err(), IllegalRecall::NotBase64);
        assert_eq!(RecallHandle::decode("_-__").unwrap_err(), IllegalRecall::NotBase64, "no UTF-8");
    }
}
