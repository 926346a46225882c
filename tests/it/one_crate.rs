//! A user depends on `rocketmq` alone: each type that its interface shows has a path under it. Most of this file only
//! has to compile, and must not name a crate below `rocketmq`.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use rocketmq::admin::{
    BoundaryType, Connection, MQAdmin, PermName, PullResult, TopicQueueMappingInfo, TopicRouteData,
};
use rocketmq::conf::{CompressionType, ProducerOption, SerializeType};
use rocketmq::error::{
    BatchError, BodyError, CallError, CompressError, ConnectionEnd, Context, DecompressError, DialError,
    EncodeError, FrameError, HeaderError, MQClientError, NameError, NameRule, NameServerAnswer, Named,
    OffsetMsgIdError, PeerHint, PropertyError, PropertyProblem, RecordError, RecordProblem, RemotingError,
    ResponseCode, SharedError, UnknownCompressionType,
};
use rocketmq::hook::RpcHook;
use rocketmq::model::{
    Bytes, Message, MessageBatch, MessageExt, MessageProperties, MessageSysFlag, OffsetMsgId, RecordHeader,
    TransactionType, UniqueIdParts, message_const, mix_all, namespace, validators,
};
use rocketmq::producer::Producer;
use rocketmq::remoting::{ByteString, CommandFlag, ExtFields, LanguageCode, RemotingCommand, RequestCode};
use rocketmq_namesrv_mock::MockCluster;

#[allow(dead_code, reason = "never called")]
fn each_error_and_its_parts(error: &MQClientError) {
    let _: Option<ResponseCode> = error.response_code();
    let _: Option<&Context> = error.context();
    match error {
        MQClientError::Remoting { source, .. } => each_remoting_error(source),
        MQClientError::MessageIllegal { source, .. } | MQClientError::BadAnswer { source, .. } => {
            let source: &SharedError = source;
            let _ = (source.downcast_ref::<PropertyError>(), source.downcast_ref::<NameError>());
            let _ = (source.downcast_ref::<BatchError>(), source.downcast_ref::<CompressError>());
            let _ = (source.downcast_ref::<HeaderError>(), source.downcast_ref::<BodyError>());
            let _ = (source.downcast_ref::<RecordError>(), source.downcast_ref::<OffsetMsgIdError>());
        }
        MQClientError::BrokerNotFound { answers, .. } => {
            let _: Option<&NameServerAnswer> = answers.first();
        }
        _ => {}
    }
}

fn each_remoting_error(error: &RemotingError) {
    match error {
        RemotingError::Connect(error) => {
            let _: &DialError = error;
        }
        RemotingError::Call {
            source: CallError::Ended { end: ConnectionEnd::BadFrame(frame), .. }, ..
        } => {
            if let FrameError::TooLarge { hint, .. } = &**frame {
                let _: &PeerHint = hint;
            }
        }
        RemotingError::Call { source: CallError::Encode(error), .. } => {
            let _: &EncodeError = error;
        }
        _ => {}
    }
}

#[allow(dead_code, reason = "never called")]
fn each_part_of_a_message(message: &MessageExt) -> Result<(), rocketmq::Error> {
    let _: RecordHeader = message.header();
    let flag: MessageSysFlag = message.sys_flag();
    let _: Result<CompressionType, UnknownCompressionType> = flag.compression_type();
    let _: TransactionType = flag.transaction_type();
    let _: &MessageProperties = message.message().properties();
    let _: &ByteString = message.message().shared_topic();
    let _: &Bytes = message.message().body();
    let _: Option<PropertyProblem> =
        message.message().properties().check().err().map(|error| error.problem());
    let _: Result<Bytes, BatchError> = MessageBatch::new(Vec::new()).and_then(|batch| batch.encode());
    let _: Result<OffsetMsgId, OffsetMsgIdError> = OffsetMsgId::parse(message.offset_msg_id());
    let _: Option<UniqueIdParts> = UniqueIdParts::parse(message.msg_id());
    let _: Option<&str> = message.property(message_const::PROPERTY_TAGS);
    let _: Cow<'_, str> = namespace::wrap_namespace("ns", "T");
    let _: (String, bool) = (mix_all::retry_topic("G"), validators::is_system_topic("T"));
    let _: Result<(), (Named, NameRule)> =
        validators::check_topic("T").map_err(|error| (error.named(), error.rule()));
    Ok(())
}

#[allow(dead_code, reason = "never called")]
async fn each_answer_of_an_admin(admin: &MQAdmin, result: PullResult) -> rocketmq::Result<()> {
    let route: TopicRouteData = admin.route("T").await?;
    let mapping: Option<&TopicQueueMappingInfo> =
        route.topic_queue_mapping_by_broker.as_ref().and_then(|table| table.get("b"));
    let _ = (mapping, PermName(6), BoundaryType::Lower);
    let _ = |connection: &Connection| -> LanguageCode { connection.language };
    for record in result.messages {
        let record: Result<MessageExt, RecordError> = record;
        if let Err(error) = record {
            let problem: &RecordProblem = error.problem();
            if let RecordProblem::Decompress(error) = problem {
                let _: &DecompressError = error;
            }
        }
    }
    Ok(())
}

/// What a hook can see of requests and answers.
struct Looks(Mutex<Vec<RequestCode>>);

impl RpcHook for Looks {
    fn before_request(&self, _: &str, request: &mut RemotingCommand) {
        let _: (LanguageCode, CommandFlag, SerializeType) =
            (request.language, request.flag, request.serialize_type);
        let _: (&ExtFields, &Bytes, &Option<ByteString>) =
            (&request.ext_fields, &request.body, &request.remark);
        self.0.lock().unwrap().push(request.request_code());
    }
}

#[tokio::test]
async fn a_function_that_serializes_and_sends_has_one_error_and_its_hooks_one_crate() {
    async fn place(
        name_server: String,
        order: &impl serde::Serialize,
        hook: Arc<Looks>,
    ) -> rocketmq::Result<String> {
        let mut option = ProducerOption::default();
        option.set_name_server_addr(name_server).set_group_name("one_crate").add_rpc_hook(hook);
        let producer = Producer::new(option);
        producer.start().await?;
        let sent = producer.send(Message::new("Orders", serde_json::to_vec(order)?)).await?;
        producer.shutdown().await?;
        Ok(sent.msg_id)
    }
    let cluster = MockCluster::start().await.unwrap();
    let seen = Arc::new(Looks(Mutex::default()));
    place(cluster.name_server_addr(), &("pencil", 3), seen.clone()).await.unwrap();
    assert!(seen.0.lock().unwrap().contains(&RequestCode::SEND_MESSAGE_V2));
    let unreadable = std::collections::HashMap::from([(vec![1], "a key that is no text")]);
    let error = place(cluster.name_server_addr(), &unreadable, seen).await.unwrap_err();
    assert_eq!(error.to_string(), "JSON cannot be written or read: key must be a string");
    assert_eq!(error.outcome(), rocketmq::error::Outcome::NotStored);
}
