use crate::backend::Durability;
use crate::event::{EventId, Position};

/// The broker has the event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// The id of the event.
    pub id: EventId,
    /// Where the event lies.
    pub position: Position,
    /// How sure that is.
    pub durability: Durability,
}

impl Receipt {
    pub(crate) fn new(id: EventId, position: Position, durability: Durability) -> Self {
        Self { id, position, durability }
    }
}
