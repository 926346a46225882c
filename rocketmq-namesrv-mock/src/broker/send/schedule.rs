//! Messages that are not to be delivered at once. Java: `HookUtils.handleScheduleMessage`.

use rocketmq_common::sysflag::{MessageSysFlag, TransactionType};
use rocketmq_remoting::protocol::ResponseCode;

use super::properties::KnownProperties;
use crate::wire::Refusal;

/// The farthest that a timer may reach: three days.
const TIMER_MAX_DELAY_MS: i64 = 259_200_000;

/// Turns down what this broker would have to keep back: half messages, delay levels and timers. A timer whose time
/// has come makes an ordinary message, as for Apache's broker.
pub(super) fn check(
    properties: &KnownProperties<'_>,
    sys_flag: MessageSysFlag,
    now_ms: i64,
) -> Result<(), Refusal> {
    if properties.is_half() {
        return Err(Refusal::not_supported("a half message (TRAN_MSG)"));
    }
    if !matches!(sys_flag.transaction_type(), TransactionType::NotTransaction | TransactionType::Commit) {
        return Err(Refusal::not_supported("a transaction type in the system flag"));
    }
    if delay_level(properties)? > 0 {
        return Err(Refusal::not_supported("a delay level (DELAY)"));
    }
    match timer(properties, now_ms)? {
        Some(deliver_ms) if deliver_ms > now_ms => Err(Refusal::not_supported("a timer (TIMER_*)")),
        _ => Ok(()),
    }
}

/// The level that a message asks for; 0 and less are none.
pub(super) fn delay_level(properties: &KnownProperties<'_>) -> Result<i32, Refusal> {
    match properties.delay_level {
        None => Ok(0),
        Some(text) => text.parse().map_err(|_| {
            let detail = format_args!("For input string: \"{text}\"");
            Refusal::exception("java.lang.NumberFormatException", detail)
        }),
    }
}

/// When a timer message is due. None if there is no timer, or a broker has set it already.
pub(super) fn timer(properties: &KnownProperties<'_>, now_ms: i64) -> Result<Option<i64>, Refusal> {
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

    fn outcome(wire: &str) -> Result<(), (ResponseCode, String)> {
        let wire = wire.replace('=', "\u{1}").replace(' ', "\u{2}");
        let known = KnownProperties::read(&wire);
        check(&known, MessageSysFlag::default(), NOW).map_err(|refusal| (refusal.code, refusal.remark.into()))
    }

    fn code(wire: &str) -> Option<ResponseCode> {
        outcome(wire).err().map(|(code, _)| code)
    }

    #[test]
    fn timers_whose_time_has_come_make_ordinary_messages() {
        assert_eq!(outcome("TIMER_DELAY_SEC=0"), Ok(()));
        assert_eq!(outcome("TIMER_DELAY_MS=-5"), Ok(()));
        assert_eq!(outcome("TIMER_DELIVER_MS=1"), Ok(()));
        assert_eq!(outcome("TIMER_DELAY_SEC=9 TIMER_OUT_MS=1"), Ok(()));
    }

    #[test]
    fn timers_reach_three_days_at_most_and_are_numbers() {
        let (_, remark) = outcome("TIMER_DELAY_SEC=259200").unwrap_err();
        assert!(remark.contains("not supported by this mock"), "{remark}");
        let illegal = Some(ResponseCode::MESSAGE_ILLEGAL);
        assert_eq!(code("TIMER_DELAY_SEC=259201"), illegal);
        assert_eq!(code("TIMER_DELAY_SEC=x"), illegal);
        assert_eq!(code("TIMER_DELIVER_MS=1 TIMER_DEL_UNIQKEY=k"), illegal);
    }

    #[test]
    fn levels_are_numbers_and_only_positive_ones_delay() {
        assert_eq!((outcome("DELAY=0"), outcome("DELAY=-1")), (Ok(()), Ok(())));
        assert!(outcome("DELAY=1").unwrap_err().1.contains("not supported by this mock"));
        assert_eq!(code("DELAY=x"), Some(ResponseCode::SYSTEM_ERROR));
        assert!(outcome("TRAN_MSG=true").unwrap_err().1.contains("not supported by this mock"));
        assert_eq!(outcome("TRAN_MSG=false"), Ok(()));
    }
}
