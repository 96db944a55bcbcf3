//! `osel inventory`: API dumps into the model, and out of an API.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Subcommand;

use super::StoreArg;
use super::inventory_export::{self, ExportArgs};
use super::open::now;
use super::order;
use super::output::note;
use super::replay::import;
use crate::source::inventory;

/// API dumps that start or correct the model: taking them, and reading them.
#[derive(Debug, Subcommand)]
pub enum InventoryCommand {
    /// Starts or corrects the model from API dumps.
    ///
    /// Each file is one JSON object whose keys are collection names (ports, security_groups, security_group_rules, floatingips,
    /// address_groups, routers, networks, subnets, trunks, rbac_policies, address_scopes, subnetpools, firewall_groups,
    /// firewall_policies, firewall_rules, loadbalancers, listeners, users, projects, domains, groups, roles), with the
    /// objects as the API returns them. A missing key means "not said", an empty list "there are none". An optional
    /// taken_at says when it was read; what the bus said of an earlier time then no longer counts. An optional partial lists the
    /// collections of which only a part is there: what is missing from them is not taken as gone.
    Import {
        #[command(flatten)]
        store: StoreArg,
        /// The region that the files are from.
        #[arg(long, value_name = "NAME")]
        region: Option<String>,
        /// Inventories, in this order.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    Export(ExportArgs),
}

pub(super) fn run(command: &InventoryCommand) -> anyhow::Result<ExitCode> {
    let (store, region, files) = match command {
        InventoryCommand::Export(args) => return inventory_export::run(args),
        InventoryCommand::Import { store, region, files } => (store, region, files),
    };
    let summaries = files.iter().map(|file| inventory::check(file)).collect::<Result<Vec<_>, _>>()?;
    let region: Option<Arc<str>> = region.as_deref().map(Arc::from);
    let mut recorder = order::recorder(store.writer()?, &store.config()?, store.file())?;
    for (file, summary) in files.iter().zip(&summaries) {
        let now = now();
        let at = summary.taken_at.unwrap_or(now);
        import(&mut recorder, file, summary, region.as_ref(), now, at, summary.taken_at.is_some())?;
        note(format_args!("{}: {} objects read", file.display(), summary.objects));
    }
    recorder.finish()?;
    Ok(ExitCode::SUCCESS)
}
