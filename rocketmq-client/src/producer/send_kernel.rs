use std::sync::Arc;

use rocketmq_common::MessageQueue;
use rocketmq_remoting::client::RemotingError;
use rocketmq_remoting::protocol::header::{
    SendMessageRequestHeaderV2, SendMessageResponseHeader, SendRequestKind,
};
use rocketmq_remoting::protocol::{RemotingCommand, RequestHeader, ResponseCode};
use tokio::time::Instant;

use super::prepared::Prepared;
use crate::conf::ProducerOption;
use crate::error::MQClientError;
use crate::factory::MQClientInstance;
use crate::model::{SendResult, SendStatus};

/// How an attempt travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CommunicationMode {
    Sync,
    Oneway,
}

/// One attempt: one queue, one broker, one deadline.
#[derive(Debug)]
pub(super) struct Attempted<'a> {
    pub(super) queue: &'a MessageQueue,
    pub(super) address: &'a Arc<str>,
    pub(super) deadline: Instant,
}

/// Sends a prepared message to one queue, once. `None` after a one-way send.
/// Java: `DefaultMQProducerImpl.sendKernelImpl`.
pub(super) async fn send_kernel_impl(
    instance: &MQClientInstance,
    option: &ProducerOption,
    prepared: &Prepared,
    attempt: &Attempted<'_>,
    mode: CommunicationMode,
) -> Result<Option<SendResult>, MQClientError> {
    let header = SendMessageRequestHeaderV2 {
        kind: SendRequestKind::Message,
        producer_group: option.group_name().unwrap_or_default(),
        topic: prepared.message.topic(),
        default_topic: option.create_topic_key().unwrap_or_default(),
        default_topic_queue_nums: i32::try_from(option.default_topic_queue_nums()).unwrap_or(i32::MAX),
        queue_id: attempt.queue.queue_id(),
        sys_flag: prepared.sys_flag.bits(),
        born_timestamp: prepared.born_timestamp,
        flag: prepared.message.flag(),
        properties: Some(&prepared.properties),
        reconsume_times: Some(0),
        unit_mode: Some(false),
        max_reconsume_times: None,
        broker_name: Some(attempt.queue.broker_name()),
    };
    let (api, code) = (instance.api(), header.code());
    let broker = attempt.queue.broker_name();
    if mode == CommunicationMode::Oneway {
        let sent =
            api.send_message_oneway(attempt.address, code, &header, &prepared.body, attempt.deadline).await;
        return sent.map(|()| None).map_err(|error| MQClientError::from_remoting(broker, error));
    }
    let answer = api.send_message(attempt.address, code, &header, &prepared.body, attempt.deadline).await;
    let answer = answer.map_err(|error| MQClientError::from_remoting(broker, error))?;
    send_result(prepared, attempt, &answer).map(Some)
}

/// What a broker's answer says of the message. Java: `MQClientAPIImpl.processSendResponse`.
fn send_result(
    prepared: &Prepared,
    attempt: &Attempted<'_>,
    answer: &RemotingCommand,
) -> Result<SendResult, MQClientError> {
    let broker = attempt.queue.shared_broker_name();
    let send_status = match ResponseCode(answer.code) {
        ResponseCode::SUCCESS => SendStatus::SendOk,
        ResponseCode::FLUSH_DISK_TIMEOUT => SendStatus::FlushDiskTimeout,
        ResponseCode::FLUSH_SLAVE_TIMEOUT => SendStatus::FlushSlaveTimeout,
        ResponseCode::SLAVE_NOT_AVAILABLE => SendStatus::SlaveNotAvailable,
        _ => {
            return Err(MQClientError::from_remoting(
                broker,
                RemotingError::refused(attempt.address, answer),
            ));
        }
    };
    let header: SendMessageResponseHeader = answer.header().map_err(|source| MQClientError::BadAnswer {
        peer: broker.clone(),
        source: Box::new(source),
        report: Box::default(),
    })?;
    let queue = attempt.queue;
    let message_queue = if header.queue_id == queue.queue_id() {
        queue.clone()
    } else {
        let (topic, broker) = (queue.shared_topic().clone(), queue.shared_broker_name().clone());
        MessageQueue::new(topic, broker, header.queue_id)
    };
    Ok(SendResult {
        send_status,
        msg_id: prepared.msg_id.clone(),
        offset_msg_id: header.msg_id.into(),
        message_queue,
        queue_offset: header.queue_offset,
        transaction_id: header.transaction_id.map(String::from),
        recall_handle: header.recall_handle.map(String::from),
        region_id: header.msg_region.map(String::from),
        trace_on: header.trace_on.unwrap_or(true),
    })
}
