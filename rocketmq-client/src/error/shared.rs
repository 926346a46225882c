use super::{MQClientError, with_causes};

impl MQClientError {
    /// The same error for another caller whose message was in the same batch. Causes that cannot be copied become
    /// their text.
    pub(crate) fn share(&self) -> Self {
        match self {
            MQClientError::NameServerUnreachable { answers, report } => {
                MQClientError::NameServerUnreachable { answers: answers.clone(), report: report.clone() }
            }
            MQClientError::BrokerNotFound { topic, answers, hint, report } => MQClientError::BrokerNotFound {
                topic: topic.clone(),
                answers: answers.clone(),
                hint,
                report: report.clone(),
            },
            MQClientError::ServiceNotAvailable { broker, remark, report } => {
                MQClientError::ServiceNotAvailable {
                    broker: broker.clone(),
                    remark: remark.clone(),
                    report: report.clone(),
                }
            }
            MQClientError::Broker { broker, code, remark, report } => MQClientError::Broker {
                broker: broker.clone(),
                code: *code,
                remark: remark.clone(),
                report: report.clone(),
            },
            MQClientError::Remoting { broker, source, report } => MQClientError::Remoting {
                broker: broker.clone(),
                source: source.clone(),
                report: report.clone(),
            },
            MQClientError::TimedOut { timeout, waited_for, report } => {
                MQClientError::TimedOut { timeout: *timeout, waited_for, report: report.clone() }
            }
            MQClientError::Abandoned { report } => MQClientError::Abandoned { report: report.clone() },
            MQClientError::BadAnswer { peer, source, report } => MQClientError::BadAnswer {
                peer: peer.clone(),
                source: with_causes(&**source).into(),
                report: report.clone(),
            },
            MQClientError::NotStarted { client } => MQClientError::NotStarted { client },
            MQClientError::ShutDown { client } => MQClientError::ShutDown { client },
            MQClientError::MessageIllegal { source } => MQClientError::illegal(with_causes(&**source)),
            // No send ends with any other.
            other => MQClientError::illegal(with_causes(other)),
        }
    }
}
