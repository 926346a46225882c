//! A handler and its test, which needs no broker and, on virtual time, does not wait for retries:
//! `cargo test -p rocketmq-event --example handler_test`.

use rocketmq_event::{Context, Event, EventType, Failure};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct UserCreated {
    email: String,
}

impl EventType for UserCreated {
    const NAMES: &'static [&'static str] = &["user.created"];
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct MailQueued {
    to: String,
}

impl EventType for MailQueued {
    const NAMES: &'static [&'static str] = &["mail.queued"];
}

async fn welcome(event: Event<UserCreated>, context: Context) -> Result<(), Failure> {
    if event.data.email.is_empty() {
        return Err(Failure::permanent("the user has no address"));
    }
    if context.attempt() == 1 && event.data.email.ends_with("@slow.example") {
        return Err("the address is not known yet".into());
    }
    context.publish("mails", MailQueued { to: event.data.email })?;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    use rocketmq_event::test::Harness;

    let mut tested = Harness::start(|consumer| consumer.on(welcome)).await?;
    println!("{:?}", tested.deliver(UserCreated { email: "ann@example.com".to_owned() }).await?);
    println!("{:?}", tested.published::<MailQueued>("mails").await?);
    println!("{:?}", tested.deliver(UserCreated { email: String::new() }).await?);
    println!("{:?}", tested.deliver_raw("user.created", "{broken").await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rocketmq_event::event::FailureKind;
    use rocketmq_event::test::{HandlerOutcome, Harness};

    use super::*;

    fn user(email: &str) -> UserCreated {
        UserCreated { email: email.to_owned() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_mail_is_queued_when_the_address_is_known() {
        let mut tested = Harness::start(|consumer| consumer.on(welcome)).await.unwrap();
        let first = tested.deliver(user("bob@slow.example")).await.unwrap();
        assert_eq!(first, HandlerOutcome::Retried { attempt: 1, after: Duration::from_secs(1) });
        assert!(tested.published::<MailQueued>("mails").await.unwrap().is_empty());
        assert_eq!(tested.next().await.unwrap(), HandlerOutcome::Acknowledged);
        let mails = tested.published::<MailQueued>("mails").await.unwrap();
        assert_eq!((mails.len(), &*mails[0].data.to), (1, "bob@slow.example"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_can_never_succeed_is_a_dead_letter() {
        let mut tested = Harness::start(|consumer| consumer.on(welcome)).await.unwrap();
        tested.deliver(user("")).await.unwrap();
        let broken = tested.deliver_raw("user.created", "{broken").await.unwrap();
        assert!(
            matches!(broken, HandlerOutcome::DeadLettered { kind: FailureKind::Decode, .. }),
            "{broken:?}"
        );
        let kinds: Vec<FailureKind> =
            tested.dead_letters().await.unwrap().iter().map(|letter| letter.kind).collect();
        assert_eq!(kinds, [FailureKind::Permanent, FailureKind::Decode]);
    }
}
