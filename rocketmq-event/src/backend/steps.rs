use std::time::Duration;

/// The delays of brokers that keep one queue for each delay: a delay is rounded up to one of these.
pub(super) const STEPS: &[Duration] = &[
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(2 * 60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(3_600),
    Duration::from_secs(2 * 3_600),
    Duration::from_secs(6 * 3_600),
    Duration::from_secs(12 * 3_600),
    Duration::from_secs(24 * 3_600),
];

/// The number of the step that keeps a message for this delay; `None` for no delay. A delay above the last step is cut to it.
pub(super) fn step(delay: Duration) -> Option<usize> {
    if delay.is_zero() {
        return None;
    }
    Some(STEPS.partition_point(|step| *step < delay).min(STEPS.len() - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_rounded_up_and_never_down_below_the_last_step() {
        let rounded = |delay| step(delay).map(|number| STEPS[number]);
        assert_eq!(rounded(Duration::ZERO), None);
        assert_eq!(rounded(Duration::from_nanos(1)), Some(Duration::from_millis(100)));
        assert_eq!(rounded(Duration::from_secs(1)), Some(Duration::from_secs(1)));
        assert_eq!(rounded(Duration::from_millis(1_001)), Some(Duration::from_secs(2)));
        assert_eq!(rounded(Duration::from_secs(90_000)), Some(Duration::from_secs(86_400)));
    }
}
