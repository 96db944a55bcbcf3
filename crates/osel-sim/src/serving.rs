//! What all simulated services over HTTP have in common: a thread that accepts connections, plain or with TLS, and hands on requests.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use hyper::body::{Body, Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// Who answers requests.
pub(crate) trait Responder: Send + Sync + 'static {
    /// The body of an answer.
    type Body: Body<Data = Bytes, Error = io::Error> + Send + 'static;

    /// The answer to one; an error ends the connection.
    fn respond(
        &self,
        request: hyper::Request<Incoming>,
    ) -> impl Future<Output = io::Result<hyper::Response<Self::Body>>> + Send;
}

/// A place to be served at. Its port is known before there is anybody to answer.
#[derive(Debug)]
pub(crate) struct Place {
    listener: std::net::TcpListener,
    /// Where it is.
    pub(crate) address: SocketAddr,
}

impl Place {
    /// Listens; connections wait until they are served.
    ///
    /// # Errors
    /// What the system says where it cannot.
    pub(crate) fn listen(at: SocketAddr) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(at)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Serves in a thread of that name, until the value is dropped. It may be called from within a runtime.
    ///
    /// # Errors
    /// What the system says where it cannot make a thread.
    pub(crate) fn serve(
        self,
        name: &str,
        tls: Option<Arc<ServerConfig>>,
        responder: impl Responder,
    ) -> io::Result<Serving> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let (responder, tls) = (Arc::new(responder), tls.map(TlsAcceptor::from));
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            runtime.block_on(async {
                // It only fails in a thread without a runtime.
                if let Ok(listener) = TcpListener::from_std(self.listener) {
                    accept(listener, stopped, tls, responder).await;
                }
            });
            runtime.shutdown_background();
        })?;
        Ok(Serving { stop: Some(stop), thread: Some(thread) })
    }
}

/// A service that is being served; it ends with this value.
#[derive(Debug)]
pub(crate) struct Serving {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Serving {
    /// Serves until the process ends.
    pub(crate) fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            // It only ends by a panic, which it has told already.
            let _ = thread.join();
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // Nobody hears it where the thread is gone, and then it need not.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            // A panic of it was told when it happened.
            let _ = thread.join();
        }
    }
}

async fn accept(
    listener: TcpListener,
    mut stopped: oneshot::Receiver<()>,
    tls: Option<TlsAcceptor>,
    responder: Arc<impl Responder>,
) {
    loop {
        let accepted = tokio::select! {
            _ = &mut stopped => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        let (responder, tls) = (Arc::clone(&responder), tls.clone());
        tokio::spawn(async move {
            match tls {
                None => talk(stream, &*responder).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        talk(stream, &*responder).await;
                    }
                }
            }
        });
    }
}

async fn talk(stream: impl AsyncRead + AsyncWrite + Unpin, responder: &impl Responder) {
    let service = service_fn(|request| responder.respond(request));
    // How a connection ends is the client's affair, or the failure that was wanted.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
