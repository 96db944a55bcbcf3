//! `osel witness`: a witness of other osels' logs.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use osel_core::trail::log::{KeyKind, KeyName, VerifierKey};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::output::{Failure, note, print_bytes};
use crate::config::{LogConfig, LogFormat};
use crate::telemetry;
use crate::web::serve_witness;
use crate::witness::{Witness, own_key};

/// Witnesses the logs of other osels: remembers the largest checkpoint that it has seen of each, and cosigns only what goes on from it.
///
/// A signed log shows that nothing in it was changed; it cannot show that it is not an older copy of itself, or another one that the same key
/// signed. A witness on another machine can: an osel that has one (`[[witness]]`) and comes back shorter or different stops with an
/// alarm. It speaks C2SP's tlog-witness and needs neither a store nor a bus: a laptop will do. docs/witness.md says how two osels witness
/// each other.
///
/// First `osel witness --dir ~/witness --name witness.example/laptop --show-key` for the configuration of the log's side, then
/// `osel witness --dir ~/witness --log "$(ssh cloud osel log key)" --listen 192.0.2.7:8481`.
#[derive(Debug, Args)]
pub struct WitnessArgs {
    /// The folder for what it remembers, and for its key. It is made when it is missing; whoever loses it has seen nothing.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The verifier key of a log to witness, as `osel log key` prints it; once for each, and after a rotation for each key.
    #[arg(long, value_name = "KEY")]
    log: Vec<VerifierKey>,
    /// What the witness is called: a URL without `https://`, say. It is needed when its key is made, and kept.
    #[arg(long, value_name = "NAME")]
    name: Option<KeyName>,
    /// Where it listens. Any other address than one of the loopback lets other machines in; it answers plain HTTP.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8481")]
    listen: SocketAddr,
    /// Prints the verifier key of the witness, for the configuration of the logs' side, and ends.
    #[arg(long)]
    show_key: bool,
}

pub(super) fn run(args: &WitnessArgs) -> anyhow::Result<ExitCode> {
    fs::create_dir_all(&args.dir).with_context(|| format!("cannot make `{}`", args.dir.display()))?;
    let key = own_key(&args.dir, args.name.as_ref())?;
    if args.show_key {
        print_bytes(format!("{}\n", key.verifier()).as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.log.is_empty() {
        let what = "--log is missing: name at least one log by its verifier key (`osel log key`)";
        return Err(Failure::Usage(what.to_owned()).into());
    }
    if let Some(other) = args.log.iter().find(|key| key.kind() != KeyKind::Ed25519) {
        return Err(Failure::Usage(format!("--log {other}: is the key of a witness, not of a log")).into());
    }
    let _log = telemetry::start(&LogConfig { format: LogFormat::Text, ..LogConfig::default() })?;
    let verifier = key.verifier().to_string();
    let witness = Witness::open(&args.dir, key, args.log.clone())?;
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the system has no threads")?;
    let ended = tokio.block_on(async {
        let listener = TcpListener::bind(args.listen)
            .await
            .with_context(|| format!("cannot listen on {}", args.listen))?;
        let mut stop = signal(SignalKind::terminate()).context("cannot wait for signals")?;
        let address = listener.local_addr().context("the socket has no address")?;
        let keys = if args.log.len() == 1 { "key" } else { "keys" };
        note(format_args!("witnessing logs by {} {keys} on http://{address}/ as {verifier}", args.log.len()));
        tokio::select! {
            () = serve_witness(&listener, witness) => {}
            _ = stop.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        Ok(ExitCode::SUCCESS)
    });
    // A disk that does not answer keeps nobody from ending.
    tokio.shutdown_background();
    ended
}
