//! The configuration of a NameServer: 318, 319. Java: `Configuration`.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rocketmq_remoting::protocol::{RemotingCommand, ResponseCode};

use crate::clock::Clock;
use crate::configuration::Configuration;
use crate::wire::{Answer, Refusal};

/// The settings of one NameServer. Three of them have an effect: `orderMessageEnable`, `enableTopicList` and
/// `enableAllTopicList`.
#[derive(Debug)]
pub(crate) struct Setup {
    clock: Arc<Clock>,
    configuration: Mutex<Configuration>,
}

impl Setup {
    /// The settings at the start. `order_message`: whether routes name the queues stored for ordered topics.
    pub(crate) fn new(order_message: bool, clock: Arc<Clock>) -> Self {
        let mut configuration = Configuration::of_name_server(clock.now_ms());
        configuration.set("orderMessageEnable", order_message);
        Self { clock, configuration: Mutex::new(configuration) }
    }

    /// Records the listening address.
    pub(crate) fn note_place(&self, address: SocketAddr) {
        let mut configuration = self.lock();
        configuration.set("bindAddress", address.ip());
        configuration.set("listenPort", address.port());
    }

    /// Whether a setting is on.
    pub(super) fn is_on(&self, name: &str) -> bool {
        self.lock().is_on(name)
    }

    /// Refuses a request that a setting has switched off.
    pub(super) fn check(&self, name: &str) -> Result<(), Refusal> {
        match self.is_on(name) {
            true => Ok(()),
            false => Err(Refusal::new(ResponseCode::SYSTEM_ERROR, "disable")),
        }
    }

    /// 318. Without a body nothing happens.
    pub(super) fn change(&self, request: &RemotingCommand) -> Result<Answer, Refusal> {
        if !request.body.is_empty() {
            let _ = self.lock().update(&request.body, self.clock.now_ms())?;
        }
        Ok(Answer::success())
    }

    /// 319.
    pub(super) fn tell(&self) -> Answer {
        Answer::success().with_body(self.lock().text())
    }

    fn lock(&self) -> MutexGuard<'_, Configuration> {
        self.configuration.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
