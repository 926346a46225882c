use super::MQConsumerInner;
use crate::client::MQClient;
use crate::conf::ConsumerOption;
use crate::consumer::subscription::MessageSelector;
use crate::error::MQClientError;

/// A consumer in the making: the common part of the builders of push and pull consumers.
#[derive(Debug)]
pub(crate) struct ConsumerDraft {
    pub(crate) option: ConsumerOption,
    /// The client that it shares; none for one of its own.
    client: Option<MQClient>,
    pub(crate) subscriptions: Vec<(String, MessageSelector)>,
}

impl ConsumerDraft {
    pub(crate) fn new(group: String) -> Self {
        let mut option = ConsumerOption::default();
        option.set_group_name(group);
        Self { option, client: None, subscriptions: Vec::new() }
    }

    /// A consumer of a shared client, with the options of the client.
    pub(crate) fn of_client(client: &MQClient, group: String) -> Self {
        let mut draft = Self::new(group);
        draft.option.set_client_option(client.option());
        draft.client = Some(client.clone());
        draft
    }

    /// The consumer, not started. `InvalidOption` if an option of the shared client is not as the client has it.
    pub(crate) fn build(self) -> Result<MQConsumerInner, MQClientError> {
        let inner = match self.client {
            None => MQConsumerInner::new(self.option),
            Some(client) => {
                client.check(|option| self.option.differs_from(option))?;
                MQConsumerInner::of_client(client, self.option)
            }
        };
        inner.wishes().subscriptions = self.subscriptions.into_iter().collect();
        Ok(inner)
    }
}
