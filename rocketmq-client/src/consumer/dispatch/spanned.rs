use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::hooked::{Judged, Messages};
use crate::consumer::listener::{ConsumeContext, ConsumeFailure, Ended, Run, Slot};
use crate::consumer::member::Member;
use crate::otel::{self, ProcessSpan};

/// Puts a span around each call of a listener, with the feature `otel`.
pub(super) fn spanned<M: Messages, O: Judged>(
    member: &Arc<Member>,
    slot: Slot<M, Result<O, ConsumeFailure>>,
) -> Slot<M, Result<O, ConsumeFailure>> {
    if otel::is_on() { Box::new(Spanned { slot, member: member.clone(), span: None }) } else { slot }
}

struct Spanned<M, O> {
    slot: Slot<M, Result<O, ConsumeFailure>>,
    member: Arc<Member>,
    /// Of the handler that runs, and of how many messages.
    span: Option<(ProcessSpan, usize)>,
}

impl<M: Messages, O: Judged> Run<M, Result<O, ConsumeFailure>> for Spanned<M, O> {
    fn start(&mut self, messages: M, context: ConsumeContext) {
        let span = ProcessSpan::begin(self.member.about(), messages.all(), &context.queue);
        let (span, _) = self.span.insert((span, messages.all().len()));
        let _current = span.enter();
        self.slot.start(messages, context);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ended<Result<O, ConsumeFailure>>> {
        let ended = {
            let _current = self.span.as_ref().map(|(span, _)| span.enter());
            ready!(self.slot.poll(cx))
        };
        if let Some((span, count)) = self.span.take() {
            span.end(match &ended {
                Ended::Panicked(text) => Some(("panic", text.clone())),
                Ended::Returned(Err(failure)) => Some(("error", failure.to_string())),
                Ended::Returned(Ok(outcome)) => {
                    let failed = (0..count).find_map(|index| outcome.judge(index).err());
                    failed
                        .map(|why| ("failure", why.unwrap_or_else(|| "not done: it comes again".to_owned())))
                }
            });
        }
        Poll::Ready(ended)
    }

    fn abort(&mut self) {
        self.slot.abort();
        if let Some((span, _)) = self.span.take() {
            span.end(Some(("timeout", "the listener did not end in time".to_owned())));
        }
    }
}
