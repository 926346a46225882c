use rocketmq_remoting::protocol::ResponseCode;

/// The answers after which another attempt may succeed: one table for all requests to brokers.
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
