//! RabbitMQ's management interface: what it says of one virtual host, read page by page. Only `GET` is ever sent.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{DeserializeOwned, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use tokio::time::Instant;

use super::http::{Access, Api, HttpError};
use crate::doctor::facts::{Asked, Management, User};
use crate::telemetry::chain;

/// How long all answers may take together: RabbitMQ counts statistics over all its nodes for some, and large clouds have hundreds of pages.
const LOOK_TIME: Duration = Duration::from_secs(120);
/// How many rows one page has: the most that RabbitMQ gives.
const PAGE_ROWS: usize = 500;
/// The most pages of one kind. The largest clouds have some ten thousand queues and connections, a tenth of this.
const PAGES_MAX: u64 = 200;

/// Why what is shown is not asked for.
const OWN_ONLY: &str =
    "the user is shown its own only: it needs the tag `monitoring` (rabbitmqctl set_user_tags)";

/// Rows as they come: a page of them, or all from calls that know no pages.
enum Rows<T> {
    Page(Page<T>),
    All(Vec<T>),
}

#[derive(Deserialize)]
struct Page<T> {
    items: Vec<T>,
    page_count: u64,
}

/// By hand, since an untagged one keeps the whole answer a second time in a form many times its size.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Rows<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = Rows<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a page or a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, rows: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(rows)).map(Rows::All)
            }

            fn visit_map<A: MapAccess<'de>>(self, page: A) -> Result<Self::Value, A::Error> {
                Page::deserialize(MapAccessDeserializer::new(page)).map(Rows::Page)
            }
        }

        from.deserialize_any(Either(PhantomData))
    }
}

/// Of `/api/overview`.
#[derive(Deserialize)]
struct Overview {
    rabbitmq_version: String,
}

/// Asks all that there is to ask; what the user may not know is told as such.
pub(super) async fn look(access: Access, vhost: &str) -> Asked<Management> {
    let name = format!("{access} vhost {vhost}");
    let tls = access.is_tls();
    let failed = |error: HttpError| format!("the management interface cannot be asked: {}", chain(&error));
    let mut api = Api::connect(access, Instant::now() + LOOK_TIME).await.map_err(failed)?;
    // Whoever is not let in here is let in nowhere.
    let myself: User = api.get("whoami").await.map_err(failed)?;
    // To whom has neither tag RabbitMQ lists what is the user's own, as if it were all.
    let sees_all = myself.tags.iter().any(|tag| ["monitoring", "administrator"].contains(&tag.as_str()));
    let sees_all = sees_all.then_some(()).ok_or_else(|| OWN_ONLY.to_owned());
    let vhost = utf8_percent_encode(vhost, NON_ALPHANUMERIC).to_string();
    let version = asked("overview", api.get("overview?columns=rabbitmq_version").await)
        .map(|overview: Overview| overview.rabbitmq_version);
    Ok(Management {
        name,
        tls,
        version,
        exchanges: rows(&mut api, &format!("exchanges/{vhost}"), "name,durable").await,
        queues: rows(
            &mut api,
            &format!("queues/{vhost}"),
            "name,type,messages,consumers,arguments,effective_policy_definition",
        )
        .await,
        bindings: rows(&mut api, &format!("bindings/{vhost}"), "source,destination,routing_key").await,
        consumers: match &sees_all {
            Ok(()) => {
                let columns = "queue.name,channel_details.connection_name,channel_details.user";
                rows(&mut api, &format!("consumers/{vhost}"), columns).await
            }
            Err(why) => Err(why.clone()),
        },
        // Never their hashes.
        users: rows(&mut api, "users", "name,tags").await,
        permissions: rows(&mut api, &format!("vhosts/{vhost}/permissions"), "user,configure,write,read")
            .await,
        policies: rows(&mut api, &format!("policies/{vhost}"), "name,pattern,apply-to,priority,definition")
            .await,
        connections: match &sees_all {
            Ok(()) => {
                let columns = "name,user,ssl,client_properties.connection_name";
                rows(&mut api, &format!("vhosts/{vhost}/connections"), columns).await
            }
            Err(why) => Err(why.clone()),
        },
        myself: Ok(myself),
    })
}

/// All rows of one kind.
async fn rows<T: DeserializeOwned>(api: &mut Api, what: &str, columns: &str) -> Asked<Vec<T>> {
    let mut all = Vec::new();
    for page in 1..=PAGES_MAX {
        let path = format!("{what}?columns={columns}&page={page}&page_size={PAGE_ROWS}&pagination=true");
        match asked(what, api.get::<Rows<T>>(&path).await)? {
            Rows::All(rows) => return Ok(rows),
            Rows::Page(Page { items, .. }) if items.len() > PAGE_ROWS => {
                return Err(format!("`/api/{what}` has more rows on a page than were asked for"));
            }
            Rows::Page(Page { items, page_count }) => {
                all.extend(items);
                if page >= page_count {
                    return Ok(all);
                }
            }
        }
    }
    Err(format!("`/api/{what}` has more than {PAGES_MAX} pages"))
}

fn asked<T>(what: &str, answer: Result<T, HttpError>) -> Asked<T> {
    answer.map_err(|error| format!("`/api/{what}`: {}", chain(&error)))
}
