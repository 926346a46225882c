//! JSON bodies of requests and answers.

use bytes::Bytes;
use rocketmq_remoting::protocol::RemotingCommand;
use rocketmq_remoting::protocol::body::{decode_body, encode_body};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Answer, Refusal};

const JSON_EXCEPTION: &str = "com.alibaba.fastjson2.JSONException";

/// The body of a request. A missing or unreadable body is refused with Java's exception.
pub(crate) fn json_body<T: DeserializeOwned>(command: &RemotingCommand, what: &str) -> Result<T, Refusal> {
    optional_json_body(command)?.ok_or_else(|| Refusal::null(what))
}

/// The body of a request, if there is one.
pub(crate) fn optional_json_body<T: DeserializeOwned>(
    command: &RemotingCommand,
) -> Result<Option<T>, Refusal> {
    let body = command.body.trim_ascii();
    if body.is_empty() || body == b"null" {
        return Ok(None);
    }
    if !body.starts_with(b"{") {
        return Err(Refusal::exception(JSON_EXCEPTION, "expect {"));
    }
    decode_json(body).map(Some)
}

/// Decodes a JSON value.
pub(crate) fn decode_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    decode_body(body).map_err(|error| Refusal::exception(JSON_EXCEPTION, error))
}

/// Encodes a value as a JSON body.
pub(crate) fn encode_json<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, Refusal> {
    encode_body(value).map_err(|error| Refusal::exception("java.lang.RuntimeException", error))
}

/// Success with this body.
pub(crate) fn json_answer<T: Serialize + ?Sized>(body: &T) -> Result<Answer, Refusal> {
    Ok(Answer::success().with_body(encode_json(body)?))
}

/// Encodes a value as JSON text.
pub(crate) fn json_text<T: Serialize + ?Sized>(value: &T) -> Result<String, Refusal> {
    serde_json::to_string(value).map_err(|error| Refusal::exception("java.lang.RuntimeException", error))
}
