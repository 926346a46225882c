//! Event sourcing: a bank account whose state is what its events make of it. Appends with the version that was read, conflicts,
//! a snapshot, a replay of one account and of all.
//!
//! Without an argument it runs on a mock of RocketMQ; an address may be `memory:`, `rocketmq://…`, `kafka://…` or `amqp://…`.

mod support;

use std::time::SystemTime;

use futures_util::TryStreamExt;
use rocketmq_event::backend::Positions;
use rocketmq_event::event::{self, DecodeError, EncodeError, Format};
use rocketmq_event::store::{Aggregate, AppendError, Expected, Loaded};
use rocketmq_event::{EventStore, EventType};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct Cents {
    cents: u64,
}

#[derive(Debug, Serialize, Deserialize)]
enum AccountEvent {
    Deposited(Cents),
    Withdrawn(Cents),
}

impl EventType for AccountEvent {
    const NAMES: &'static [&'static str] = &["account.deposited", "account.withdrawn"];

    fn name(&self) -> &str {
        match self {
            Self::Deposited(_) => "account.deposited",
            Self::Withdrawn(_) => "account.withdrawn",
        }
    }

    fn encode(&self, format: Format) -> Result<bytes::Bytes, EncodeError> {
        let (Self::Deposited(cents) | Self::Withdrawn(cents)) = self;
        event::encode(cents, format)
    }

    fn decode(name: &str, _: u32, format: Format, bytes: &[u8]) -> Result<Self, DecodeError> {
        match name {
            "account.deposited" => event::decode(name, format, bytes).map(Self::Deposited),
            "account.withdrawn" => event::decode(name, format, bytes).map(Self::Withdrawn),
            _ => Err(DecodeError::Name { name: name.to_owned() }),
        }
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Account {
    cents: u64,
}

impl Aggregate for Account {
    type Event = AccountEvent;

    fn apply(&mut self, event: &AccountEvent) {
        match event {
            AccountEvent::Deposited(Cents { cents }) => self.cents += cents,
            AccountEvent::Withdrawn(Cents { cents }) => self.cents -= cents,
        }
    }
}

type Accounts = EventStore<AccountEvent>;

/// Decides by the state, and appends with its version. After a conflict it decides again: the money may be gone.
async fn withdraw(accounts: &Accounts, mut account: Loaded<Account>, cents: u64) -> support::Result<u64> {
    loop {
        if account.state.cents < cents {
            return Err(format!("{} has only {} cents", account.id, account.state.cents).into());
        }
        let withdrawn = AccountEvent::Withdrawn(Cents { cents });
        match accounts.append(&account.id, Expected::Version(account.version), &[withdrawn]).await {
            Ok(version) => return Ok(version),
            Err(conflict @ AppendError::Conflict { .. }) => println!("{conflict}: deciding again"),
            Err(error) => return Err(error.into()),
        }
        account = accounts.load(&account.id).await?;
    }
}

#[tokio::main]
async fn main() -> support::Result {
    let bus = support::connect().await?;
    // A further run on the same broker finds accounts of its own.
    let run = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis();
    let (ann, bob) = (format!("ann-{run}"), format!("bob-{run}"));
    let accounts = Accounts::open(&bus, "accounts").await?;
    let deposited = |cents| AccountEvent::Deposited(Cents { cents });
    accounts.append(&ann, Expected::New, &[deposited(100), deposited(50)]).await?;
    accounts.append(&bob, Expected::New, &[deposited(10)]).await?;

    let read = accounts.load::<Account>(&ann).await?;
    println!("{ann} has {} cents at version {}", read.state.cents, read.version);
    // Meanwhile somebody else is faster.
    accounts.append_event(&ann, AccountEvent::Withdrawn(Cents { cents: 120 })).await?;
    match withdraw(&accounts, read, 100).await {
        Ok(version) => println!("withdrawn, version {version}"),
        Err(error) => println!("not withdrawn: {error}"),
    }

    accounts.save_snapshot(&accounts.load::<Account>(&ann).await?).await?;
    accounts.append_event(&ann, deposited(1)).await?;
    let read = accounts.load::<Account>(&ann).await?;
    println!(
        "{ann} has {} cents: the snapshot of version {}, and what came then",
        read.state.cents, read.snapshot
    );

    for recorded in accounts.read(&ann, 1).try_collect::<Vec<_>>().await? {
        println!("{} {}: {:?}", recorded.aggregate, recorded.version, recorded.event.data);
    }
    // A projection: it keeps its positions with what it made, and goes on from there.
    let (mut total, mut positions) = (0, Positions::beginning());
    for _ in 0..2 {
        let mut count = 0;
        for recorded in accounts.read_all(positions.clone()).try_collect::<Vec<_>>().await? {
            match recorded.event.data {
                AccountEvent::Deposited(Cents { cents }) => total += cents,
                AccountEvent::Withdrawn(Cents { cents }) => total -= cents,
            }
            recorded.pass(&mut positions);
            count += 1;
        }
        println!("{count} new events; all accounts have {total} cents");
        accounts.append_event(&bob, deposited(5)).await?;
    }
    Ok(bus.close().await?)
}
