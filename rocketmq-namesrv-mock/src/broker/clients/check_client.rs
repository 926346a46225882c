//! Checks a subscription: 46. Java: `ClientManageProcessor.checkClientConfig`.

use rocketmq_remoting::protocol::ResponseCode;
use rocketmq_remoting::protocol::body::SubscriptionData;
use serde::Deserialize;

use crate::broker::filters::{Selector, TagFilter, no_property_filter};
use crate::broker::state::Broker;
use crate::wire::{Answer, Refusal, Request, decode_json};

/// Java: `CheckClientRequestBody`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CheckClientRequestBody {
    subscription_data: Option<SubscriptionData>,
}

/// 46.
pub(crate) fn check_client(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let body = request.command.body.trim_ascii();
    if body.is_empty() {
        return Ok(Answer::success());
    }
    let body: CheckClientRequestBody = decode_json(body)?;
    let Some(subscription) = body.subscription_data else { return Ok(Answer::success()) };
    let language = subscription.expression_type;
    if TagFilter::is_language(&language) {
        return Ok(Answer::success());
    }
    if !broker.obeyed().property_filter {
        return Err(no_property_filter(&language));
    }
    let compiled = Selector::compile(&language, &subscription.sub_string);
    compiled.map_err(|remark| Refusal::new(ResponseCode::SUBSCRIPTION_PARSE_FAILED, remark))?;
    Ok(Answer::success())
}
