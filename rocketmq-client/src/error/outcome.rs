use std::fmt;

/// What became of a message whose send failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// No broker has the message: sending it again makes no duplicate.
    NotStored,
    /// A broker may have stored the message: sending it again may make a duplicate. Consumers recognise the duplicate
    /// by its `UNIQ_KEY` if the same `Message` with the same id is sent again.
    MaybeStored,
}

impl Outcome {
    /// The former name of [`MaybeStored`](Self::MaybeStored).
    #[allow(non_upper_case_globals)]
    pub const Unknown: Self = Self::MaybeStored;
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Outcome::NotStored => "not stored",
            Outcome::MaybeStored => "maybe stored",
        })
    }
}
