use std::error::Error;

/// An error and its causes in one line, separated by `: `.
///
/// `{}` of an error prints only its own layer; [`source`](Error::source) returns the causes. A cause whose text already
/// ends the line is left out: some errors print their cause themselves.
///
/// ```
/// use rocketmq_client::error::with_causes;
///
/// let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
/// assert_eq!(with_causes(&refused), "connection refused");
/// ```
pub fn with_causes(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !line.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        cause = error.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read the file: {source}")]
    struct PrintsItsCause {
        source: std::io::Error,
    }

    #[derive(Debug, thiserror::Error)]
    #[error("no settings")]
    struct Top(#[source] PrintsItsCause);

    #[test]
    fn a_cause_that_an_error_prints_itself_is_not_repeated() {
        let source = std::io::Error::from(std::io::ErrorKind::NotFound);
        assert_eq!(
            with_causes(&Top(PrintsItsCause { source })),
            "no settings: cannot read the file: entity not found"
        );
    }
}
