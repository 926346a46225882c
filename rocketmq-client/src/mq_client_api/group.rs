use std::fmt;
use std::sync::Arc;

/// A group: its kind and its name at brokers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Group {
    Producer(Arc<str>),
    Consumer(Arc<str>),
}

impl Group {
    pub(crate) fn name(&self) -> &Arc<str> {
        match self {
            Self::Producer(name) | Self::Consumer(name) => name,
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Producer(name) => write!(f, "producer group {name}"),
            Self::Consumer(name) => write!(f, "consumer group {name}"),
        }
    }
}
