//! One receiver and the calls to it, one at a time.
//!
//! A call that is under way can be dropped, which resets the receiver: that is the only thing that is heard meanwhile. Time limits are the
//! affair of whoever calls.

use std::time::{Duration, Instant};

use osel_core::forward::{Asked, BatchNumber, Refusal, Taken};
use tokio::sync::mpsc::{Sender, UnboundedReceiver};

use crate::forward::receiver::{Batch, Receiver};

/// What is asked of a receiver.
#[derive(Debug)]
pub(super) enum Call {
    Send(Batch),
    Confirm(Asked),
    /// Drop what is under way, and let go of the connection.
    Reset,
    Close,
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Answer {
    Sent {
        batch: BatchNumber,
        result: Result<Taken, Refusal>,
        /// What is to be kept once all that was sent so far is.
        mark: Option<String>,
        took: Duration,
    },
    Confirmed(Asked, Result<Vec<BatchNumber>, Refusal>),
    Closed(Result<Vec<BatchNumber>, Refusal>),
}

/// Calls a receiver until there is nobody who asks for it, or it is closed.
pub(super) async fn serve(
    mut receiver: Box<dyn Receiver>,
    mut calls: UnboundedReceiver<Call>,
    answers: Sender<Answer>,
) {
    let mut next = calls.recv().await;
    while let Some(call) = next.take() {
        let is_last = matches!(call, Call::Close);
        let outcome = tokio::select! {
            // An answer that is there counts, also when the call was dropped just now.
            biased;
            answer = perform(&mut *receiver, call) => Ok(answer),
            dropped = calls.recv() => Err(dropped),
        };
        next = match outcome {
            Ok(Some(mut answer)) => {
                if let Answer::Sent { mark, .. } = &mut answer {
                    *mark = receiver.mark();
                }
                // Whoever asked may be gone.
                if answers.send(answer).await.is_err() || is_last {
                    return;
                }
                calls.recv().await
            }
            Ok(None) => calls.recv().await,
            Err(dropped) => {
                receiver.reset();
                match dropped {
                    Some(Call::Reset) => calls.recv().await,
                    other => other,
                }
            }
        };
    }
}

async fn perform(receiver: &mut dyn Receiver, call: Call) -> Option<Answer> {
    Some(match call {
        Call::Send(batch) => {
            let began = Instant::now();
            let result = receiver.send(&batch).await;
            Answer::Sent { batch: batch.number, result, mark: None, took: began.elapsed() }
        }
        Call::Confirm(asked) => Answer::Confirmed(asked, receiver.confirm().await),
        Call::Close => Answer::Closed(receiver.close().await),
        Call::Reset => {
            receiver.reset();
            return None;
        }
    })
}
