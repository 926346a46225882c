//! The settings of a broker: 25, 26. Java: `Configuration`.

use std::sync::PoisonError;

use crate::broker::state::Broker;
use crate::wire::{Answer, Refusal, Request, json_text};

/// 26: all settings of Apache's broker, as the text of a properties file. Settings with an effect have the mock's
/// values; all others have Apache's, unless they were changed.
pub(crate) fn config(broker: &Broker, _: &Request<'_>) -> Result<Answer, Refusal> {
    let settings = broker.settings.read().unwrap_or_else(PoisonError::into_inner);
    let version = json_text(settings.configuration.version())?;
    Ok(Answer::success().with_field("version", version).with_body(settings.configuration.text()))
}

/// 25. Without a body nothing happens.
pub(crate) fn change(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let text = &request.command.body;
    if !text.is_empty() {
        broker.change_settings(text)?;
    }
    Ok(Answer::success())
}
