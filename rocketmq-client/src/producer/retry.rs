use rocketmq_remoting::protocol::ResponseCode;

/// The answers after which another attempt may succeed: one table for all ways to send.
/// Java: `DefaultMQProducer.retryResponseCodes`.
const RETRYABLE: [ResponseCode; 8] = [
    ResponseCode::TOPIC_NOT_EXIST,
    ResponseCode::SERVICE_NOT_AVAILABLE,
    ResponseCode::SYSTEM_ERROR,
    ResponseCode::SYSTEM_BUSY,
    ResponseCode::NO_PERMISSION,
    ResponseCode::NO_BUYER_ID,
    ResponseCode::NOT_IN_CURRENT_UNIT,
    ResponseCode::GO_AWAY,
];

/// Whether an answer with this code is worth another attempt.
pub(crate) fn is_retryable(code: ResponseCode) -> bool {
    RETRYABLE.contains(&code)
}

/// Whether an answer with this code says for certain that the message was not stored. `SYSTEM_ERROR` does not:
/// brokers answer it to any exception, also one that came after the store.
pub(crate) fn is_refusal(code: ResponseCode) -> bool {
    code != ResponseCode::SYSTEM_ERROR
}

/// Whether an answer with this code hints at an old route.
pub(crate) fn wants_fresh_route(code: ResponseCode) -> bool {
    [
        ResponseCode::TOPIC_NOT_EXIST,
        ResponseCode::SERVICE_NOT_AVAILABLE,
        ResponseCode::NO_PERMISSION,
        ResponseCode::INVALID_PARAMETER,
        ResponseCode::GO_AWAY,
    ]
    .contains(&code)
}
