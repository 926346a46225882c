//! JSON bodies of requests and answers.

use rocketmq_remoting::protocol::RemotingCommand;
use rocketmq_remoting::protocol::body::{decode_body, encode_body};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Answer, Refusal};

/// The body of a request. Java's exceptions stand for one that is missing or cannot be read.
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
    let no_json =
        |error: &dyn std::fmt::Display| Refusal::exception("com.alibaba.fastjson2.JSONException", error);
    if !body.starts_with(b"{") {
        return Err(no_json(&"expect {"));
    }
    decode_body(body).map(Some).map_err(|error| no_json(&error))
}

/// Success with this body.
pub(crate) fn json_answer<T: Serialize + ?Sized>(body: &T) -> Result<Answer, Refusal> {
    let body = encode_body(body).map_err(|error| Refusal::exception("java.lang.RuntimeException", error))?;
    Ok(Answer::success().with_body(body))
}

/// A value as JSON, to be put into a text.
pub(crate) fn json_text<T: Serialize + ?Sized>(value: &T) -> Result<String, Refusal> {
    serde_json::to_string(value).map_err(|error| Refusal::exception("java.lang.RuntimeException", error))
}
