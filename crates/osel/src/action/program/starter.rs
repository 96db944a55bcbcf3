//! The thread that starts all programs and never ends before osel does.
//!
//! That a program dies with its parent is tied to the thread that started it, not to the process: threads of the runtime come and go.

use std::io;
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

type Start = Box<dyn FnOnce() + Send>;

/// Starts a program on that thread.
pub(super) async fn start(mut command: tokio::process::Command) -> io::Result<tokio::process::Child> {
    static STARTER: OnceLock<Sender<Start>> = OnceLock::new();
    let (answer, started) = oneshot::channel();
    let runtime = Handle::current();
    let start = move || {
        let _within = runtime.enter();
        // Who does not wait any more drops the child, which kills it.
        let _ = answer.send(command.spawn());
    };
    let starter = STARTER.get_or_init(|| {
        let (sender, receiver) = channel::<Start>();
        // Without the thread the receiver is gone, which every start then finds.
        let _ = thread::Builder::new().name("osel-starter".to_owned()).spawn(move || {
            for start in receiver {
                start();
            }
        });
        sender
    });
    let gone = || io::Error::other("the thread that starts programs is not there");
    starter.send(Box::new(start)).map_err(|_| gone())?;
    started.await.map_err(|_| gone())?
}
