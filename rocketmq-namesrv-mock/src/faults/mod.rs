//! Faults on request: rules as data.
//!
//! | to find | look in |
//! |---|---|
//! | what a rule matches, and what it does | here, `action.rs`, `change.rs` |
//! | rules as JSON and as short texts | `data.rs`, `fields.rs`, `text.rs` |
//! | the choice of a rule for a request | `armed.rs` |
//! | carrying it out | `admit.rs` |

mod action;
mod admit;
mod armed;
mod change;
mod data;
mod error;
mod fields;
mod text;

use rocketmq_remoting::protocol::{RemotingCommand, RequestCode};

use crate::wire::about;
pub use action::FaultAction;
pub(crate) use admit::{Admission, GO_AWAY_AFTER, GO_AWAY_REMARK};
pub(crate) use armed::{Faults, Hit};
pub use change::{AnswerChange, RecordDamage};
pub use error::FaultError;

/// Which requests go wrong, and how. See [`MockCluster::inject`](crate::MockCluster::inject).
///
/// A rule is a value: it can be written in Rust, as JSON, or in one line of text, with the same names everywhere.
///
/// ```
/// use rocketmq_namesrv_mock::{Fault, FaultAction};
/// use rocketmq_remoting::protocol::ResponseCode;
///
/// let busy = FaultAction::Refuse { code: ResponseCode::SYSTEM_BUSY, remark: "too busy".into() };
/// let twice = Fault::on_sends(busy).topic("TopicTest").server("broker-a").times(2);
///
/// let line = "on=sends topic=TopicTest server=broker-a times=2 do=refuse code=SYSTEM_BUSY remark='too busy'";
/// assert_eq!(line.parse::<Fault>()?, twice);
/// let json = r#"[{"on": "sends", "topic": "TopicTest", "server": "broker-a", "times": 2,
///                 "do": "refuse", "code": 2, "remark": "too busy"}]"#;
/// assert_eq!(Fault::read_list(json)?, [twice]);
/// # Ok::<(), rocketmq_namesrv_mock::FaultError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Fault {
    /// The request codes to match; empty for all.
    pub codes: Vec<RequestCode>,
    /// Only requests of this topic.
    pub topic: Option<String>,
    /// Only requests of this group of producers or consumers.
    pub group: Option<String>,
    /// Only requests to this server: a broker's name, `namesrv-0` …, or its `ip:port`.
    pub server: Option<String>,
    /// How many matching requests go well first.
    pub after: u32,
    /// How many requests then go wrong; `None` for all.
    pub times: Option<u32>,
    /// The probability that a matching request goes wrong, from 0 to 1; `None` for certain.
    pub probability: Option<f64>,
    /// The seed of the dice: an equal seed gives equal choices in equal order.
    pub seed: u64,
    /// The fault.
    pub action: FaultAction,
}

impl Fault {
    /// For requests of one kind.
    pub fn on(code: RequestCode, action: FaultAction) -> Self {
        Self { codes: vec![code], ..Self::on_all(action) }
    }

    /// For all sends of messages, whichever request carries them: 10, 310, 320, 324, 325.
    pub fn on_sends(action: FaultAction) -> Self {
        Self { codes: data::SENDS.to_vec(), ..Self::on_all(action) }
    }

    /// For all requests.
    pub fn on_all(action: FaultAction) -> Self {
        Self {
            codes: Vec::new(),
            topic: None,
            group: None,
            server: None,
            after: 0,
            times: None,
            probability: None,
            seed: 0,
            action,
        }
    }

    /// Only for requests of this topic.
    #[must_use]
    pub fn topic(self, topic: impl Into<String>) -> Self {
        Self { topic: Some(topic.into()), ..self }
    }

    /// Only for requests of this group of producers or consumers.
    #[must_use]
    pub fn group(self, group: impl Into<String>) -> Self {
        Self { group: Some(group.into()), ..self }
    }

    /// Only for requests to this server: a broker's name, `namesrv-0` …, or its `ip:port`.
    #[must_use]
    pub fn server(self, server: impl Into<String>) -> Self {
        Self { server: Some(server.into()), ..self }
    }

    /// Lets the first `requests` matching requests go well.
    #[must_use]
    pub fn after(self, requests: u32) -> Self {
        Self { after: requests, ..self }
    }

    /// Limits the number of requests that go wrong.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Limits the rule to this probability, from 0 to 1; `seed` makes the choices repeatable.
    #[must_use]
    pub fn probability(self, probability: f64, seed: u64) -> Self {
        Self { probability: Some(probability), seed, ..self }
    }

    fn fits(&self, server: &str, address: &str, request: &RemotingCommand) -> bool {
        let has_code = self.codes.is_empty() || self.codes.contains(&request.request_code());
        let has_server = |wanted: &String| wanted == server || wanted == address;
        has_code
            && self.server.as_ref().is_none_or(has_server)
            && self.topic.as_ref().is_none_or(|wanted| about::is_about_topic(request, wanted))
            && self.group.as_ref().is_none_or(|wanted| about::is_about_group(request, wanted))
    }
}
