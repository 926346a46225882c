//! Pulling messages: 11, 361.

use super::macros::headers;
use crate::protocol::fields::HeaderField;
use crate::protocol::{FieldsView, RequestCode, RequestHeader};
use bytestring::ByteString;

/// Java `PullSysFlag.FLAG_LITE_PULL_MESSAGE`.
const LITE_PULL: i32 = 0x10;

headers! {
    /// Reads messages from one queue. Java `PullMessageRequestHeader`; `PULL_MESSAGE` 11, or
    /// `LITE_PULL_MESSAGE` 361 when the lite bit of `sys_flag` is set.
    pub struct PullMessageRequestHeader as PullMessageFields {
        /// The consumer group.
        "consumerGroup" consumer_group: ByteString,
        /// The topic.
        "topic" topic: ByteString,
        /// The queue.
        "queueId" queue_id: i32,
        /// The first offset to read.
        "queueOffset" queue_offset: i64,
        /// The largest number of messages; brokers give at most 32 by default, whatever the request says.
        "maxMsgNums" max_msg_nums: i32,
        /// Bits: 1 commits `commit_offset`, 2 waits, 4 `subscription` is set, 8 class filter, 16 lite; Java
        /// `PullSysFlag`.
        "sysFlag" sys_flag: i32,
        /// The offset to commit with this request.
        "commitOffset" commit_offset: i64,
        /// How long to wait for new messages, in milliseconds. The broker checks only every 5 s.
        "suspendTimeoutMillis" suspend_timeout_millis: i64,
        /// The filter expression.
        "subscription" subscription: Option<ByteString>,
        /// Version of the subscription, milliseconds since 1970.
        "subVersion" sub_version: i64,
        /// `TAG` or `SQL92`.
        "expressionType" expression_type: Option<ByteString>,
        /// The largest number of bytes; brokers ignore it.
        "maxMsgBytes" max_msg_bytes: Option<i32>,
        /// The origin of the request, set by proxies.
        "requestSource" request_source: Option<i32>,
        /// The client behind a proxy. The wire name has this spelling.
        "proxyFrowardClientId" proxy_forward_client_id: Option<ByteString>,
        /// The broker's name.
        "bname" broker_name: Option<ByteString>,
    }

    /// Where to continue, on answers with code 0, 19, 20 and 21. The remark names the broker's status. Java
    /// `PullMessageResponseHeader`.
    pub struct PullMessageResponseHeader {
        /// The broker to ask next time: 0 is the master.
        "suggestWhichBrokerId" suggest_which_broker_id: i64,
        /// The offset to continue from.
        "nextBeginOffset" next_begin_offset: i64,
        /// The first offset that still exists.
        "minOffset" min_offset: i64,
        /// The offset behind the last message.
        "maxOffset" max_offset: i64,
        /// Static topics: the difference to add to the offsets of the messages (5.0).
        "offsetDelta" offset_delta: Option<i64>,
        /// The topic's flags (5.0).
        "topicSysFlag" topic_sys_flag: Option<i32>,
        /// The group's flags (5.0).
        "groupSysFlag" group_sys_flag: Option<i32>,
        /// The reason for code 16: 1 broker, 2 group, 3 topic, 4 broadcast, 5 subscription.
        "forbiddenType" forbidden_type: Option<i32>,
    }
}

impl RequestHeader for PullMessageRequestHeader {
    type Response = PullMessageResponseHeader;

    fn code(&self) -> RequestCode {
        if self.sys_flag & LITE_PULL == 0 {
            RequestCode::PULL_MESSAGE
        } else {
            RequestCode::LITE_PULL_MESSAGE
        }
    }
}

/// What a consumer goes by of an answer to a pull, read where the answer lies. A number that is missing or cannot be read
/// is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PullMessageAnswer {
    /// The broker to ask next time: 0 is the master.
    pub suggest_which_broker_id: Option<i64>,
    /// The offset to go on from.
    pub next_begin_offset: Option<i64>,
    /// The first offset that is left.
    pub min_offset: Option<i64>,
    /// The offset behind the last message.
    pub max_offset: Option<i64>,
    /// The reason for code 16: 1 broker, 2 group, 3 topic, 4 broadcast, 5 subscription.
    pub forbidden_type: Option<i64>,
}

impl From<FieldsView<'_>> for PullMessageAnswer {
    fn from(fields: FieldsView<'_>) -> Self {
        let mut answer = Self::default();
        fields.each(|name, value| {
            let field = match name {
                "suggestWhichBrokerId" => &mut answer.suggest_which_broker_id,
                "nextBeginOffset" => &mut answer.next_begin_offset,
                "minOffset" => &mut answer.min_offset,
                "maxOffset" => &mut answer.max_offset,
                "forbiddenType" => &mut answer.forbidden_type,
                _ => return,
            };
            *field = value.and_then(i64::decode);
        });
        answer
    }
}
