use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use rocketmq::consumer::{ConsumeContext, ConsumeFailure};
use rocketmq::model::{MessageExt, MessageQueue};
use rocketmq_namesrv_mock::MockCluster;

/// What a handler of a test returns; its end is in the record.
pub(crate) type Handling = Pin<Box<dyn Future<Output = Result<(), ConsumeFailure>> + Send>>;

/// Everything that the listeners of all members of a group saw, in order. Cloning gives the same record.
#[derive(Clone)]
pub(crate) struct Record {
    cluster: Arc<MockCluster>,
    log: Arc<Mutex<Log>>,
}

#[derive(Default)]
struct Log {
    /// Counts starts and ends of handlers together.
    moments: u64,
    runs: Vec<Run>,
    /// The messages that are done.
    done: BTreeSet<String>,
    running: usize,
}

/// One run of a handler.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) member: Arc<str>,
    /// The queue that stores the message: of the retry topic for what comes again.
    pub(crate) queue: MessageQueue,
    pub(crate) offset: i64,
    pub(crate) id: String,
    pub(crate) body: String,
    pub(crate) began: Moment,
    /// `None` while it runs.
    pub(crate) ended: Option<(Moment, End)>,
}

/// When something happened: its place in the order of all moments of the record, and the time of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) number: u64,
    pub(crate) at: SystemTime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    Failed,
    /// The future was dropped: after its time, or with its consumer.
    Dropped,
}

impl Run {
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.ended, Some((_, End::Done)))
    }
}

impl Record {
    pub(crate) fn new(cluster: &Arc<MockCluster>) -> Self {
        Self { cluster: cluster.clone(), log: Arc::default() }
    }

    /// A listener that notes each run of `work` under the name of a member.
    pub(crate) fn listener<F, Fut>(
        &self,
        member: &str,
        work: F,
    ) -> impl Fn(Arc<MessageExt>, ConsumeContext) -> Handling + Send + Sync + 'static
    where
        F: Fn(Arc<MessageExt>, ConsumeContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), ConsumeFailure>> + Send + 'static,
    {
        let (record, member) = (self.clone(), Arc::<str>::from(member));
        move |message, context| {
            let running = record.begin(&member, &message, &context.queue);
            let work = work(message, context);
            Box::pin(async move {
                let result = work.await;
                running.end(if result.is_ok() { End::Done } else { End::Failed });
                result
            })
        }
    }

    /// Notes the start of a run, for listeners that are written by hand.
    pub(crate) fn begin(&self, member: &Arc<str>, message: &MessageExt, queue: &MessageQueue) -> Running {
        let mut log = self.log.lock().unwrap();
        let began = self.moment(&mut log);
        log.running += 1;
        log.runs.push(Run {
            member: member.clone(),
            queue: queue.clone(),
            offset: message.queue_offset(),
            id: message.msg_id().to_owned(),
            body: String::from_utf8_lossy(message.body()).into_owned(),
            began,
            ended: None,
        });
        Running { record: self.clone(), index: log.runs.len() - 1, has_ended: false }
    }

    fn moment(&self, log: &mut Log) -> Moment {
        log.moments += 1;
        Moment { number: log.moments, at: self.cluster.now() }
    }

    pub(crate) fn runs(&self) -> Vec<Run> {
        self.log.lock().unwrap().runs.clone()
    }

    /// How many different messages are done.
    pub(crate) fn done(&self) -> usize {
        self.log.lock().unwrap().done.len()
    }

    /// How many handlers run now.
    pub(crate) fn running(&self) -> usize {
        self.log.lock().unwrap().running
    }
}

/// A handler that runs. Dropping it notes that its future was dropped.
pub(crate) struct Running {
    record: Record,
    index: usize,
    has_ended: bool,
}

impl Running {
    pub(crate) fn end(mut self, end: End) {
        self.note(end);
    }

    fn note(&mut self, end: End) {
        self.has_ended = true;
        let mut log = self.record.log.lock().unwrap();
        let moment = self.record.moment(&mut log);
        log.running -= 1;
        if end == End::Done {
            let id = log.runs[self.index].id.clone();
            log.done.insert(id);
        }
        log.runs[self.index].ended = Some((moment, end));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.has_ended {
            self.note(End::Dropped);
        }
    }
}
