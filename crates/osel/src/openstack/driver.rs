//! The task of one cloud: carries out orders, several at once, each with connections of its own.
//!
//! It decides nothing. An order that was given up tells no more, but for what was on its way; when whoever orders is gone, so is it.

use std::collections::BTreeMap;
use std::sync::Arc;

use osel_core::event::Kind;
use osel_core::ids::Id;
use osel_core::survey::ApiTrouble;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{AbortHandle, JoinSet};

use super::client::{Client, ReadError, Shared};
use super::handing::Pages;
use super::settings::{Account, Settings};
use super::words::{ApiEvent, ApiOrder, Ticket};
use super::{one, whole};

/// How many pages may be ahead of whoever takes them: as many objects as two of an API's own pages, so that one is worked on while the next
/// one comes.
pub const PAGES_AHEAD: usize = 20;
/// How many orders are carried out at once; further ones wait. A read of everything leaves room for many looks.
const ORDERS_AT_ONCE: usize = 8;

/// Whom events are told.
pub(super) type Tell = Arc<dyn Fn(ApiEvent) + Send + Sync>;

/// An order that is under way.
struct Running {
    task: AbortHandle,
    credits: Arc<Semaphore>,
}

/// What an order asks for.
enum Wanted {
    All,
    One(Kind, Id),
}

/// Carries out orders until nobody gives any.
pub async fn run(
    settings: Settings,
    mut orders: UnboundedReceiver<ApiOrder>,
    tell: impl Fn(ApiEvent) + Send + Sync + 'static,
) {
    let tell: Tell = Arc::new(tell);
    let shared = Arc::new(Shared::new(settings.clock));
    let places = Arc::new(Semaphore::new(ORDERS_AT_ONCE));
    let mut tasks = JoinSet::new();
    let mut running: BTreeMap<Ticket, Running> = BTreeMap::new();
    loop {
        let order = tokio::select! {
            order = orders.recv() => order,
            Some(ended) = tasks.join_next(), if !tasks.is_empty() => {
                // One that was given up is no longer known.
                match ended {
                    Ok(ticket) => {
                        running.remove(&ticket);
                    }
                    Err(error) => {
                        let broken = running.extract_if(.., |_, order| order.task.id() == error.id());
                        for (ticket, _) in broken {
                            let words = "its reader broke down".to_owned();
                            tell(ApiEvent::Failed { ticket, trouble: ApiTrouble::Broken, words });
                        }
                    }
                }
                continue;
            }
        };
        let (ticket, wanted) = match order {
            None => return,
            Some(ApiOrder::ReadAll { ticket }) => (ticket, Wanted::All),
            Some(ApiOrder::ReadOne { ticket, kind, id }) => (ticket, Wanted::One(kind, id)),
            Some(ApiOrder::Taken { ticket }) => {
                if let Some(order) = running.get(&ticket)
                    && order.credits.available_permits() < PAGES_AHEAD
                {
                    order.credits.add_permits(1);
                }
                continue;
            }
            Some(ApiOrder::Abort { ticket }) => {
                if let Some(order) = running.remove(&ticket) {
                    order.task.abort();
                }
                continue;
            }
        };
        let credits = Arc::new(Semaphore::new(PAGES_AHEAD));
        let pages = Pages::new(Arc::clone(&tell), ticket, Arc::clone(&credits));
        let (settings, shared, tell) = (settings.clone(), Arc::clone(&shared), Arc::clone(&tell));
        let places = Arc::clone(&places);
        let task = tasks.spawn(async move {
            let _place = places.acquire_owned().await;
            if let Err((trouble, words)) = carried_out(&settings, shared, wanted, ticket, pages, &tell).await
            {
                tell(ApiEvent::Failed { ticket, trouble, words });
            }
            ticket
        });
        running.insert(ticket, Running { task, credits });
    }
}

async fn carried_out(
    settings: &Settings,
    shared: Arc<Shared>,
    wanted: Wanted,
    ticket: Ticket,
    pages: Pages,
    tell: &Tell,
) -> Result<(), (ApiTrouble, String)> {
    let account = account(settings).await.map_err(|words| (ApiTrouble::Denied, words))?;
    let in_words = |error: ReadError| (error.trouble(), error.words());
    let mut client = Client::new(shared, account).await.map_err(in_words)?;
    match wanted {
        Wanted::All => whole::read(&mut client, settings.names, pages).await.map_err(in_words),
        Wanted::One(kind, id) => {
            tell(one::read(&mut client, ticket, kind, id).await.map_err(in_words)?);
            Ok(())
        }
    }
}

async fn account(settings: &Settings) -> Result<Account, String> {
    let read = Arc::clone(&settings.account);
    match tokio::task::spawn_blocking(move || read()).await {
        Ok(account) => account,
        Err(error) => Err(format!("the account cannot be read: {error}")),
    }
}
