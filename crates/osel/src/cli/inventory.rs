//! `osel inventory`: API dumps into the model, and out of an API.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use super::inventory_export::{self, ExportArgs};
use super::{StoreArg, import};
use crate::config::region_name;

/// API dumps that start or correct the model: taking them, and reading them.
#[derive(Debug, Subcommand)]
pub enum InventoryCommand {
    /// Starts or corrects the model from API dumps.
    ///
    /// Each file is one JSON object whose keys are collection names (ports, security_groups, security_group_rules, floatingips,
    /// port_forwardings, address_groups, routers, networks, subnets, trunks, rbac_policies, address_scopes, subnetpools, firewall_groups,
    /// firewall_policies, firewall_rules, loadbalancers, listeners, users, projects, domains, groups, roles,
    /// role_assignments, servers), with the objects as the API returns them. A missing key means "not said", an empty list "there are none". An optional
    /// taken_at says when it was read, which must not be later than now; what the bus said of an earlier time then no longer counts. An optional partial lists the
    /// collections of which only a part is there: what is missing from them is not taken as gone.
    ///
    /// A running osel is handed the objects over its socket, part by part; where none runs the store is written by this command. What is
    /// wrong with a file is said before anything is changed.
    Import {
        #[command(flatten)]
        store: StoreArg,
        /// The region that the files are from, by the name that it has in the configuration; needed where all sources or all that is known have one, and one of a source's where all sources have one.
        #[arg(long, value_name = "NAME", value_parser = region_name)]
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
    import::run(store, region.as_deref(), files)
}
