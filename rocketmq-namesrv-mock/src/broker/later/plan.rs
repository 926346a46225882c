//! Decides when a message is due. Java: `HookUtils.handleScheduleMessage`.

use rocketmq_common::sysflag::{MessageSysFlag, TransactionType};
use rocketmq_remoting::protocol::ResponseCode;

use crate::broker::records::KnownProperties;
use crate::wire::Refusal;

/// The longest delay of a timer: three days.
pub(crate) const TIMER_MAX_DELAY_MS: i64 = 259_200_000;

/// The precision of timers. Java: `timerPrecisionMs`.
pub(crate) const TIMER_PRECISION_MS: i64 = 1000;

/// The seconds of each delay level, from level 1 on.
const LEVEL_SECONDS: [u16; 18] =
    [1, 5, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1200, 1800, 3600, 7200];

/// The way of a new message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plan {
    /// It goes to its queue.
    AtOnce,
    /// It waits for the time of this level, from 1 to 18.
    Level(i32),
    /// It waits until the second after this time.
    Timer {
        /// A whole second in milliseconds since 1970.
        out_ms: i64,
    },
}

/// Decides the way of a message. A level takes precedence over a timer. A timer whose time has passed makes a plain
/// message.
pub(crate) fn plan(
    properties: &KnownProperties<'_>,
    sys_flag: MessageSysFlag,
    now_ms: i64,
) -> Result<Plan, Refusal> {
    if !matches!(sys_flag.transaction_type(), TransactionType::NotTransaction | TransactionType::Commit) {
        return Err(Refusal::not_supported("a transaction type in the system flag"));
    }
    let level = delay_level(properties)?;
    if level > 0 {
        return Ok(Plan::Level(level.min(LEVEL_SECONDS.len() as i32)));
    }
    match timer(properties, now_ms)? {
        Some(deliver_ms) if deliver_ms > now_ms => {
            let over = deliver_ms.rem_euclid(TIMER_PRECISION_MS);
            // Java's rounding takes a second even from an exact time.
            let over = if over == 0 { TIMER_PRECISION_MS } else { over };
            Ok(Plan::Timer { out_ms: deliver_ms - over })
        }
        _ => Ok(Plan::AtOnce),
    }
}

/// The delay of a level in milliseconds.
pub(crate) fn level_ms(level: i32) -> i64 {
    let seconds = usize::try_from(level - 1).ok().and_then(|index| LEVEL_SECONDS.get(index));
    seconds.map_or(0, |seconds| i64::from(*seconds) * 1000)
}

/// The delay level of a message; 0 and less mean none.
pub(crate) fn delay_level(properties: &KnownProperties<'_>) -> Result<i32, Refusal> {
    match properties.delay_level {
        None => Ok(0),
        Some(text) => text.parse().map_err(|_| {
            let detail = format_args!("For input string: \"{text}\"");
            Refusal::exception("java.lang.NumberFormatException", detail)
        }),
    }
}

/// The time of a timer message; `None` without a timer, or if a broker has set it already.
pub(crate) fn timer(properties: &KnownProperties<'_>, now_ms: i64) -> Result<Option<i64>, Refusal> {
    if properties.timer_out_ms.is_some() {
        return Ok(None);
    }
    let number = |text: &str| text.parse::<i64>().map_err(|_| timer_illegal());
    let deliver_ms = if let Some(seconds) = properties.timer_delay_sec {
        now_ms.wrapping_add(number(seconds)?.wrapping_mul(1000))
    } else if let Some(millis) = properties.timer_delay_ms {
        now_ms.wrapping_add(number(millis)?)
    } else if let Some(at) = properties.timer_deliver_ms {
        number(at)?
    } else {
        return Ok(None);
    };
    let delay = deliver_ms.saturating_sub(now_ms);
    if delay > TIMER_MAX_DELAY_MS || delay <= 0 && properties.timer_delete.is_some() {
        return Err(timer_illegal());
    }
    Ok(Some(deliver_ms))
}

fn timer_illegal() -> Refusal {
    let remark = format!(
        "timer message illegal, the delay time should not be bigger than the max delay {TIMER_MAX_DELAY_MS}ms; \
         or if set del msg, the delay time should be bigger than the current time"
    );
    Refusal::new(ResponseCode::MESSAGE_ILLEGAL, remark)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_500;

    fn outcome(wire: &str) -> Result<Plan, ResponseCode> {
        let wire = wire.replace('=', "\u{1}").replace(' ', "\u{2}");
        let known = KnownProperties::read(&wire);
        plan(&known, MessageSysFlag::default(), NOW).map_err(|refusal| refusal.code)
    }

    #[test]
    fn timers_whose_time_has_come_make_ordinary_messages() {
        for wire in [
            "TIMER_DELAY_SEC=0",
            "TIMER_DELAY_MS=-5",
            "TIMER_DELIVER_MS=1",
            "TIMER_DELAY_SEC=9 TIMER_OUT_MS=1",
        ] {
            assert_eq!(outcome(wire), Ok(Plan::AtOnce), "{wire}");
        }
    }

    #[test]
    fn timers_reach_three_days_at_most_and_are_numbers() {
        let illegal = Err(ResponseCode::MESSAGE_ILLEGAL);
        assert!(matches!(outcome("TIMER_DELAY_SEC=259200"), Ok(Plan::Timer { .. })));
        assert_eq!(outcome("TIMER_DELAY_SEC=259201"), illegal);
        assert_eq!(outcome("TIMER_DELAY_SEC=x"), illegal);
        assert_eq!(outcome("TIMER_DELIVER_MS=1 TIMER_DEL_UNIQKEY=k"), illegal);
    }

    #[test]
    fn timers_are_noted_for_the_second_before() {
        let out_ms = |wire| match outcome(wire) {
            Ok(Plan::Timer { out_ms }) => out_ms - (NOW - 500),
            other => panic!("{other:?}"),
        };
        assert_eq!(out_ms("TIMER_DELAY_SEC=2"), 2000);
        assert_eq!([out_ms("TIMER_DELAY_MS=400"), out_ms("TIMER_DELAY_MS=500")], [0, 0]);
        assert_eq!(out_ms("TIMER_DELAY_MS=501"), 1000);
        assert_eq!(out_ms("TIMER_DELAY_SEC=2 TIMER_DELAY_MS=9000 TIMER_DELIVER_MS=1700000009000"), 2000);
    }

    #[test]
    fn levels_are_numbers_end_at_18_and_count_more_than_timers() {
        assert_eq!([outcome("DELAY=0"), outcome("DELAY=-1")], [Ok(Plan::AtOnce); 2]);
        assert_eq!([outcome("DELAY=1"), outcome("DELAY=99")], [Ok(Plan::Level(1)), Ok(Plan::Level(18))]);
        assert_eq!(outcome("DELAY=1 TIMER_DELAY_SEC=60"), Ok(Plan::Level(1)));
        assert_eq!(outcome("DELAY=x"), Err(ResponseCode::SYSTEM_ERROR));
        assert_eq!([level_ms(1), level_ms(4), level_ms(18)], [1000, 30_000, 7_200_000]);
    }
}
