//! A service writes users and their events, each pair in one transaction. A relay in a process of its own publishes the events, and is killed
//! after the broker has them and before the table knows it. A second relay publishes them again, with their ids. The reader handles each
//! event once: it notes the id in the transaction of its own work.
//!
//! With no argument it starts a mock of RocketMQ; `-- rocketmq://host:9876` takes a broker.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rocketmq_event::outbox::{Backlog, OutboxError, OutboxEvent, OutboxRow, OutboxStore, Relay};
use rocketmq_event::{Bus, Context, Event, EventType, Failure, Format};
use rocketmq_namesrv_mock::MockCluster;
use rocketmq_outbox_example::{Database, SqliteOutbox, add, first_time};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

const USERS: usize = 20;
/// Events that a relay publishes before it tells the table.
const AT_A_TIME: usize = 8;

#[derive(Debug, Serialize, Deserialize)]
struct UserCreated {
    username: String,
}

impl EventType for UserCreated {
    const NAMES: &'static [&'static str] = &["user.created"];
}

#[tokio::main]
async fn main() -> Result<(), OutboxError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["relay", address, stream, file] => {
            relay(address, stream, SqliteOutbox::new(Database::open(file)?)).await
        }
        ["relay-that-hangs", address, stream, file] => {
            relay(address, stream, HangsBeforeTheMark(SqliteOutbox::new(Database::open(file)?))).await
        }
        [address] => show(address).await,
        _ => {
            let cluster = MockCluster::start().await?;
            show(&format!("rocketmq://{}", cluster.name_server_addr())).await
        }
    }
}

async fn show(address: &str) -> Result<(), OutboxError> {
    // A stream of its own: earlier runs may have left events at the broker.
    let run = format!("outbox-example-{}", std::process::id());
    let folder = Folder(std::env::temp_dir().join(&run));
    std::fs::create_dir_all(&folder.0)?;
    let file = folder.0.join("shop.sqlite");
    let shop = Database::open(&file)?;
    shop.transaction(|shop| Ok(shop.execute("CREATE TABLE user (name TEXT PRIMARY KEY)", [])?)).await?;

    let bus = Bus::connect(address).await?;
    bus.producer(run.clone()).await?;
    let (tell, mut handled) = mpsc::channel(1_000);
    let mails = Database::open(folder.0.join("mails.sqlite"))?;
    mails.transaction(|mails| Ok(mails.execute("CREATE TABLE mail (receiver TEXT)", [])?)).await?;
    let database = mails.clone();
    let welcome = move |event: Event<UserCreated>, _: Context| {
        let (mails, tell) = (mails.clone(), tell.clone());
        async move {
            let is_first = mails
                .transaction(move |mails| {
                    let is_first = first_time(mails, "mailer", event.id.as_str())?;
                    if is_first {
                        mails.execute("INSERT INTO mail VALUES (?1)", [&event.data.username])?;
                    }
                    Ok(is_first)
                })
                .await?;
            tell.send(is_first).await?;
            Ok::<(), Failure>(())
        }
    };
    let mailer = bus.consumer(run.clone(), "mailer").on(welcome).start().await?;

    for number in 0..USERS {
        create_user(&shop, format!("user {number}")).await?;
    }
    // This transaction fails after it wrote its event: neither the row nor the event is there.
    let taken = create_user(&shop, "user 0".to_owned()).await;
    println!("a second \"user 0\": {}", taken.err().ok_or("the name was taken")?);

    let mut first = start("relay-that-hangs", [address, &run], &file)?;
    let output = first.stdout.take().ok_or("no output")?;
    let line = BufReader::new(output).lines().next_line().await?;
    println!("first relay: {}", line.ok_or("the relay ended")?);
    first.kill().await?;
    println!("first relay: killed");
    let second = start("relay", [address, &run], &file)?.wait_with_output().await?;
    print!("second relay: {}", String::from_utf8_lossy(&second.stdout));

    let mut deliveries = Vec::new();
    while deliveries.len() < USERS + AT_A_TIME {
        deliveries.push(handled.recv().await.ok_or("the handler is gone")?);
    }
    let once = deliveries.iter().filter(|is_first| **is_first).count();
    println!("reader: {} deliveries, {once} of them handled", deliveries.len());
    let rows = names(&shop, "SELECT name FROM user ORDER BY 1").await?;
    let mails = names(&database, "SELECT receiver FROM mail ORDER BY 1").await?;
    if rows.len() != USERS || rows != mails {
        return Err(format!("{} rows, {} mails", rows.len(), mails.len()).into());
    }
    println!("{} users, {} mails: each row has exactly one", rows.len(), mails.len());
    println!("{:?}", mailer.shutdown(Duration::from_secs(10)).await?);
    Ok(bus.close().await?)
}

/// The row and its event, in one transaction.
async fn create_user(shop: &Database, username: String) -> Result<(), OutboxError> {
    let event = Event::new(UserCreated { username: username.clone() }).with_key(username.clone());
    let event = OutboxEvent::new(&event, Format::Json)?;
    shop.transaction(move |shop| {
        add(shop, &event)?;
        shop.execute("INSERT INTO user VALUES (?1)", [username])?;
        Ok(())
    })
    .await
}

/// The process of a relay: it publishes all that is there, and ends.
async fn relay(address: &str, stream: &str, outbox: impl OutboxStore) -> Result<(), OutboxError> {
    let bus = Bus::connect(address).await?;
    let publisher = Arc::new(bus.producer(stream.to_owned()).await?);
    let relay = Relay::builder(Arc::new(outbox), publisher).name("users").at_a_time(AT_A_TIME).start();
    relay.wait_until_empty().await?;
    println!("{:?}", relay.shutdown(Duration::from_secs(10)).await);
    Ok(bus.close().await?)
}

/// Tells when the broker has the first events, and never marks them.
#[derive(Debug)]
struct HangsBeforeTheMark(SqliteOutbox);

#[async_trait]
impl OutboxStore for HangsBeforeTheMark {
    async fn unpublished(&self, after: u64, limit: usize) -> Result<Vec<OutboxRow>, OutboxError> {
        self.0.unpublished(after, limit).await
    }

    async fn mark_published(&self, sequences: &[u64]) -> Result<(), OutboxError> {
        println!("published {} events, and the table does not know it", sequences.len());
        std::future::pending().await
    }

    async fn refuse(&self, sequence: u64, reason: &str) -> Result<(), OutboxError> {
        self.0.refuse(sequence, reason).await
    }

    async fn backlog(&self) -> Result<Backlog, OutboxError> {
        self.0.backlog().await
    }
}

fn start(what: &str, bus: [&str; 2], file: &std::path::Path) -> Result<Child, OutboxError> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(what).args(bus).arg(file).stdout(Stdio::piped()).kill_on_drop(true);
    Ok(command.spawn()?)
}

async fn names(database: &Database, sql: &'static str) -> Result<Vec<String>, OutboxError> {
    database
        .transaction(move |database| {
            let mut rows = database.prepare(sql)?;
            let names = rows.query_map([], |row| row.get(0))?;
            Ok(names.collect::<Result<Vec<String>, _>>()?)
        })
        .await
}

/// Deleted at the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // The files of the example: nothing is lost if they stay.
        _ = std::fs::remove_dir_all(&self.0);
    }
}
