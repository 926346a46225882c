//! The header of a pull.

use std::borrow::Cow;

use rocketmq_remoting::protocol::RemotingCommand;

use crate::wire::{NumberPolicy, Refusal, read_fields, request_fields};

request_fields! {
    /// Java: `PullMessageRequestHeader`.
    PullFields {
        "consumerGroup" consumer_group: Cow<'a, str>,
        "topic" topic: Cow<'a, str>,
        "queueId" queue_id: i32,
        "queueOffset" queue_offset: i64,
        "maxMsgNums" max_msg_nums: i32,
        "sysFlag" sys_flag: i32,
        "commitOffset" commit_offset: i64,
        "suspendTimeoutMillis" suspend_timeout_millis: i64,
        "subscription" subscription: Cow<'a, str>,
        "subVersion" sub_version: i64,
        "expressionType" expression_type: Cow<'a, str>,
    }
}

impl<'a> PullFields<'a> {
    pub(crate) fn read(command: &'a RemotingCommand) -> Result<Self, Refusal> {
        read_fields(&command.ext_fields, NumberPolicy::Refuse)
    }
}
