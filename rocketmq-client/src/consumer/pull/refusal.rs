use std::sync::Arc;
use std::time::Duration;

use rocketmq_remoting::protocol::ResponseCode;
use tokio::time::Instant;

use super::PullRefusal;

/// A refusal is final after this time. An operator who deletes a group by mistake or changes a key, and a broker that reads its
/// rules again, need less.
const FINAL_AFTER: Duration = Duration::from_secs(60);
/// A refusal is final after this number of refusing answers in a row, if the time is over, too.
const FINAL_ANSWERS: u32 = 3;

/// How a broker has refused a queue since its last other answer.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) why: PullRefusal,
    /// The remark of the last refusing answer.
    pub(crate) remark: Arc<str>,
    pub(crate) since: Instant,
    /// When the last answer refused.
    last: Instant,
    answers: u32,
}

impl PullRefusal {
    /// The refusal that the code of an answer to another request than a pull means.
    pub(crate) fn of(code: Option<ResponseCode>) -> Option<Self> {
        match code? {
            ResponseCode::NO_PERMISSION => Some(PullRefusal::NoPermission),
            ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST => Some(PullRefusal::GroupNotExist),
            _ => None,
        }
    }

    pub(crate) fn code(self) -> ResponseCode {
        match self {
            PullRefusal::NoPermission | PullRefusal::SwitchedOff => ResponseCode::NO_PERMISSION,
            PullRefusal::GroupNotExist => ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST,
        }
    }
}

impl Refusal {
    /// The refusal after another answer of this kind.
    pub(crate) fn after(before: Option<Self>, now: Instant, why: PullRefusal, remark: &str) -> Self {
        let (since, answers) = match before {
            Some(before) if before.why == why => (before.since, before.answers),
            _ => (now, 0),
        };
        Self { why, remark: remark.into(), since, last: now, answers: answers.saturating_add(1) }
    }

    fn is_final(&self) -> bool {
        self.why != PullRefusal::SwitchedOff
            && self.answers >= FINAL_ANSWERS
            && self.last >= self.since + FINAL_AFTER
    }
}

/// The refusal that a consumer cannot recover from, if *all* its queues are refused for good. A queue that is paused, out of
/// reach or served proves the opposite, or nothing; so does a consumer without a queue.
pub(crate) fn final_refusal(refusals: impl IntoIterator<Item = Option<Refusal>>) -> Option<Refusal> {
    let mut last = None;
    for refusal in refusals {
        last = Some(refusal.filter(Refusal::is_final)?);
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A refusal that was answered at each of these seconds.
    fn refused(began: Instant, why: PullRefusal, seconds: &[u64]) -> Option<Refusal> {
        seconds.iter().fold(None, |before, second| {
            Some(Refusal::after(before, began + Duration::from_secs(*second), why, "no"))
        })
    }

    #[test]
    fn only_refusals_of_all_queues_that_last_and_are_repeated_are_final() {
        use PullRefusal::{GroupNotExist, NoPermission, SwitchedOff};
        let began = Instant::now();
        let until = |last, why| refused(began, why, &[0, 1, 3, 7, 15, 31, last]);
        for why in [GroupNotExist, NoPermission] {
            let long = until(61, why);
            let found = final_refusal([long.clone(), long.clone()]).unwrap();
            assert_eq!((found.why, &*found.remark), (why, "no"));
            assert!(final_refusal([until(59, why)]).is_none(), "too early");
            assert!(final_refusal([refused(began, why, &[0, 600])]).is_none(), "too few answers");
            assert!(final_refusal([long.clone(), None]).is_none(), "another queue is served");
            let late = refused(began, why, &[30, 31, 61]);
            assert!(final_refusal([long, late]).is_none(), "another broker has just begun");
        }
        assert!(final_refusal([until(600, SwitchedOff)]).is_none(), "operators switch on again");
        assert!(final_refusal([]).is_none(), "a consumer without a queue was refused nothing");
        let at = began + Duration::from_secs(62);
        let other = Refusal::after(until(61, NoPermission), at, GroupNotExist, "gone");
        assert!(final_refusal([Some(other)]).is_none(), "another reason begins anew");
    }
}
