use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rocketmq_remoting::net::random;
use tokio::time::{Instant, timeout_at};

use crate::error::NameServerAnswer;
use crate::waiting::first_ready;

/// After this much silence of a server, the next one is asked too.
const ASK_NEXT_AFTER: Duration = Duration::from_millis(200);

/// After a "no" of one server, the others have this much time to give a better answer.
const WAIT_AFTER_NO: Duration = Duration::from_millis(200);

/// The NameServers, and the one that answered last.
#[derive(Debug)]
pub(crate) struct NameServers {
    /// A snapshot: a request keeps the list with which it began.
    list: RwLock<Arc<List>>,
}

#[derive(Debug)]
struct List {
    addresses: Vec<Arc<str>>,
    /// The index of the server to ask first. It starts at random, so that clients spread over the servers.
    current: AtomicUsize,
    /// Why the list is empty, while it is.
    why_empty: Option<NameServerAnswer>,
}

/// Why a server did not give the requested thing.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) text: String,
    /// The server answered "no"; otherwise it could not be asked.
    pub(crate) is_no: bool,
}

/// The answers of the servers when none gave the requested thing.
#[derive(Debug, Clone, Default)]
pub(crate) struct NoAnswer {
    pub(crate) answers: Vec<NameServerAnswer>,
    /// At least one server answered "no"; otherwise the answer is unknown.
    pub(crate) is_no: bool,
}

type Asking<'a, T> = Pin<Box<dyn Future<Output = Result<T, Said>> + Send + 'a>>;

impl NameServers {
    pub(crate) fn new(addresses: Vec<Arc<str>>) -> Self {
        Self { list: RwLock::new(Arc::new(List::new(addresses))) }
    }

    pub(crate) fn addresses(&self) -> Vec<Arc<str>> {
        self.list().addresses.clone()
    }

    /// Takes a list from an address server. The server to ask first stays first if it is still listed.
    pub(crate) fn update(&self, addresses: Vec<Arc<str>>) {
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        if list.addresses == addresses {
            return;
        }
        let new = List::new(addresses);
        let kept = new.addresses.iter().position(|address| Some(address) == list.current());
        if let Some(kept) = kept {
            new.current.store(kept, Ordering::Relaxed);
        }
        tracing::info!(addresses = ?new.addresses, "list of NameServers changed");
        *list = Arc::new(new);
    }

    /// Records why there is no list yet.
    pub(crate) fn not_updated(&self, why: NameServerAnswer) {
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        if list.addresses.is_empty() {
            *list = Arc::new(List { why_empty: Some(why), ..List::new(Vec::new()) });
        }
    }

    fn list(&self) -> Arc<List> {
        self.list.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks one server after the other until one gives the requested thing. A silent server does not delay the others,
    /// and a "no" counts only after the others had a moment to answer: servers may disagree for a while after a
    /// restart. Also returns the server that gave the answer.
    pub(crate) async fn ask<'a, T>(
        &self,
        deadline: Instant,
        ask: impl Fn(Arc<str>) -> Asking<'a, T>,
    ) -> Result<(Arc<str>, T), NoAnswer> {
        let list = self.list();
        let began = Instant::now();
        let (first, count) = (list.current.load(Ordering::Relaxed), list.addresses.len());
        let mut waiting = (0..count).map(|step| (first + step) % count);
        let mut asking: Vec<(usize, Asking<'a, T>)> = Vec::with_capacity(count);
        let mut failed = NoAnswer { answers: list.why_empty.iter().cloned().collect(), is_no: false };
        let mut give_up = deadline;
        loop {
            if let Some(index) = waiting.next() {
                asking.push((index, ask(list.addresses[index].clone())));
            }
            // While another server can be asked: only this long. Then until all have answered.
            let patience =
                if waiting.len() > 0 { give_up.min(Instant::now() + ASK_NEXT_AFTER) } else { give_up };
            let Ok(Some((index, said))) = timeout_at(patience, first_ready(&mut asking)).await else {
                if waiting.len() > 0 && Instant::now() < give_up {
                    continue;
                }
                break;
            };
            let said = match said {
                Ok(wanted) => {
                    list.current.store(index, Ordering::Relaxed);
                    return Ok((list.addresses[index].clone(), wanted));
                }
                Err(said) => said,
            };
            if said.is_no && !std::mem::replace(&mut failed.is_no, true) {
                list.current.store(index, Ordering::Relaxed);
                give_up = deadline.min(Instant::now() + WAIT_AFTER_NO);
            }
            failed.answers.push(NameServerAnswer { address: list.addresses[index].clone(), said: said.text });
            if asking.is_empty() && waiting.len() == 0 {
                break;
            }
        }
        let silent = asking.iter().map(|(index, _)| *index).chain(waiting);
        failed.answers.extend(silent.map(|index| NameServerAnswer {
            address: list.addresses[index].clone(),
            said: format!("no answer within {:?}", Duration::from_millis(began.elapsed().as_millis() as u64)),
        }));
        Err(failed)
    }
}

impl List {
    fn new(addresses: Vec<Arc<str>>) -> Self {
        let current = (random() % addresses.len().max(1) as u64) as usize;
        Self { addresses, current: AtomicUsize::new(current), why_empty: None }
    }

    fn current(&self) -> Option<&Arc<str>> {
        self.addresses.get(self.current.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three servers, each with its delay and its answer; `a` is asked first.
    async fn ask(
        said: [(u64, Result<&'static str, bool>); 3],
        limit_ms: u64,
    ) -> Result<&'static str, NoAnswer> {
        let servers = NameServers::new(vec!["0".into(), "1".into(), "2".into()]);
        servers.list().current.store(0, Ordering::Relaxed);
        let deadline = Instant::now() + Duration::from_millis(limit_ms);
        let answer = servers.ask(deadline, |address| {
            let (takes, what) = said[address.parse::<usize>().unwrap()];
            Box::pin(async move {
                tokio::time::sleep(Duration::from_millis(takes)).await;
                what.map_err(|is_no| Said { text: format!("from {address}"), is_no })
            })
        });
        let (address, what) = answer.await?;
        assert_eq!(said[address.parse::<usize>().unwrap()].1, Ok(what), "the answer is that server's");
        Ok(what)
    }

    const SILENT: (u64, Result<&str, bool>) = (u64::MAX / 2, Err(false));

    #[tokio::test(start_paused = true)]
    async fn a_silent_server_costs_a_moment_not_the_deadline() {
        let began = Instant::now();
        assert_eq!(ask([SILENT, SILENT, (5, Ok("route"))], 3000).await.unwrap(), "route");
        assert_eq!(began.elapsed(), 2 * ASK_NEXT_AFTER + Duration::from_millis(5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_refuses_the_connection_costs_nothing() {
        let began = Instant::now();
        assert_eq!(ask([(0, Err(false)), (0, Err(false)), (5, Ok("route"))], 3000).await.unwrap(), "route");
        assert_eq!(began.elapsed(), Duration::from_millis(5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_no_is_not_believed_while_another_server_knows_better() {
        assert_eq!(ask([(1, Err(true)), (150, Ok("route")), SILENT], 3000).await.unwrap(), "route");
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_no_silent_servers_are_not_waited_for_long() {
        let began = Instant::now();
        let failed = ask([(1, Err(true)), SILENT, SILENT], 3000).await.unwrap_err();
        assert!(failed.is_no);
        assert_eq!(failed.answers.len(), 3, "{failed:?}");
        assert!(began.elapsed() <= WAIT_AFTER_NO + Duration::from_millis(2), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn when_nobody_answers_the_deadline_ends_it_and_all_are_listed() {
        let began = Instant::now();
        let failed = ask([SILENT, (3, Err(false)), SILENT], 1000).await.unwrap_err();
        assert_eq!(began.elapsed(), Duration::from_secs(1));
        let mut said: Vec<(&str, &str)> =
            failed.answers.iter().map(|answer| (&*answer.address, answer.said.as_str())).collect();
        said.sort_unstable();
        assert_eq!(said, [("0", "no answer within 1s"), ("1", "from 1"), ("2", "no answer within 1s")]);
        assert!(!failed.is_no);
    }

    #[test]
    fn a_new_list_keeps_the_server_that_answered_last() {
        let servers = NameServers::new(vec!["0".into(), "1".into(), "2".into()]);
        servers.list().current.store(1, Ordering::Relaxed);
        servers.update(vec!["9".into(), "8".into(), "1".into()]);
        assert_eq!(servers.list().current().map(|address| &**address), Some("1"));
        servers.update(vec!["5".into()]);
        assert_eq!(servers.addresses(), ["5".into()]);
        assert_eq!(servers.list().current().map(|address| &**address), Some("5"));
    }

    #[tokio::test(start_paused = true)]
    async fn an_empty_list_says_why_it_is_empty() {
        let servers = NameServers::new(Vec::new());
        let why = |said: &str| NameServerAnswer { address: "http://a/b".into(), said: said.to_owned() };
        servers.not_updated(why("HTTP status 500"));
        let ask = || servers.ask::<()>(Instant::now(), |_| unreachable!("nobody to ask"));
        assert_eq!(ask().await.unwrap_err().answers[0].said, "HTTP status 500");
        servers.update(vec!["1".into()]);
        servers.not_updated(why("an empty answer"));
        assert_eq!(servers.addresses(), ["1".into()], "a bad answer keeps the last list");
    }
}
