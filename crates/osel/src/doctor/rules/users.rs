//! Who may do what on the broker, and who logs in as whom.

use std::collections::{BTreeMap, BTreeSet};

use super::pattern::permits;
use super::text::{BUS, MANAGEMENT, NO_SERVICE_CONFIG, SERVICE_CONFIG, joined, names, quoted};
use crate::doctor::facts::{Asked, Bus, Connection, Facts, Management, Permission, User};
use crate::doctor::id::Id;
use crate::doctor::verdict::Report;

/// The user that RabbitMQ makes at its first start.
const GUEST: &str = "guest";
/// The tag of who may do everything.
const ADMINISTRATOR: &str = "administrator";
/// A name that no service has: a pattern that matches it was not made for one.
const NOBODYS: &str = "a name that nobody has";
/// What osel must not write to, and what it must not read from.
const EXCHANGE_OF_A_SERVICE: &str = "neutron";
const QUEUE_OF_SERVICES: &str = "notifications.info";
/// Programs that run any service: their names say nothing.
const HOSTS_OF_SERVICES: [&str; 6] = ["uwsgi", "httpd", "apache2", "mod_wsgi", "gunicorn", "python3"];
/// How osel's own connections begin: the one that asks is among them.
const OURS: &str = "osel ";

pub(super) fn judge(facts: &Facts, report: &mut Report) {
    default_user(facts, report);
    shared_by_files(facts, report);
    match &facts.management {
        Ok(management) => {
            shared_by_connections(management, report);
            let bus = facts.bus.as_ref().ok();
            administrators(management, bus, report);
            permissions(management, bus, report);
        }
        Err(why) => {
            let ids = [Id::SharedUser, Id::AdministratorTag, Id::WidePermissions];
            ids.into_iter().for_each(|id| report.unchecked(id, MANAGEMENT, why));
        }
    }
}

fn default_user(facts: &Facts, report: &mut Report) {
    let id = Id::DefaultUser;
    // Who logs in as another says nothing of whether it is there: only the list of all users does.
    match &facts.bus {
        Ok(bus) if bus.user == GUEST => report.found(id, &bus.name, format!("logs in as {}", quoted(GUEST))),
        Ok(_) => {}
        Err(why) => report.unchecked(id, BUS, why),
    }
    match &facts.management {
        Ok(Management { name, users: Ok(users), .. }) => {
            let is_found = users.iter().any(|user| user.name == GUEST);
            let seen = format!("users: {}", names(users.iter().map(|user| user.name.as_str())));
            report.judged(id, name, is_found, seen);
        }
        Ok(Management { name, users: Err(why), .. }) => report.unchecked(id, name, why),
        Err(why) => report.unchecked(id, MANAGEMENT, why),
    }
    for (path, file) in &facts.services {
        match file.as_ref().map_err(Clone::clone).and_then(|file| file.bus.clone()) {
            Ok(bus) => {
                if bus.users.iter().any(|user| user == GUEST) {
                    let seen = format!("logs in as {}", names(bus.users.iter().map(String::as_str)));
                    report.found(id, path, seen);
                }
            }
            Err(why) => report.unchecked(id, path, why),
        }
    }
    if facts.services.is_empty() {
        report.unchecked(id, SERVICE_CONFIG, NO_SERVICE_CONFIG);
    }
}

/// Services by the user that they log in as.
type Logins = BTreeMap<String, BTreeSet<String>>;

fn shared_by_files(facts: &Facts, report: &mut Report) {
    let mut logins = Logins::new();
    let mut services: BTreeSet<&str> = BTreeSet::new();
    for file in facts.services.iter().filter_map(|(_, file)| file.as_ref().ok()) {
        for user in file.bus.iter().flat_map(|bus| &bus.users) {
            services.insert(&file.service);
            logins.entry(user.clone()).or_default().insert(file.service.clone());
        }
    }
    if services.len() < 2 {
        let why = "needs the files of two services: give --service-config FILE for each";
        return report.unchecked(Id::SharedUser, SERVICE_CONFIG, why);
    }
    shared(SERVICE_CONFIG, &logins, report);
}

fn shared_by_connections(management: &Management, report: &mut Report) {
    let connections = match &management.connections {
        Ok(connections) => connections,
        Err(why) => return report.unchecked(Id::SharedUser, &management.name, why),
    };
    let mut logins = Logins::new();
    for connection in connections {
        if let Some(service) = service_of(connection) {
            logins.entry(connection.user.clone()).or_default().insert(service);
        }
    }
    if logins.is_empty() {
        let why = "no connection says which service it is of";
        return report.unchecked(Id::SharedUser, &management.name, why);
    }
    shared(&management.name, &logins, report);
}

/// The service by its program's name: `nova` of `nova-conductor`.
fn service_of(connection: &Connection) -> Option<String> {
    let program = connection.program().filter(|program| !program.starts_with(OURS))?;
    let is_any = HOSTS_OF_SERVICES.iter().any(|host| program.starts_with(host));
    let service = program.split(['-', '_']).next().unwrap_or(program);
    (!is_any).then(|| service.to_owned())
}

fn shared(source: &str, logins: &Logins, report: &mut Report) {
    let of = |(user, services): (&String, &BTreeSet<String>)| {
        let services = names(services.iter().map(String::as_str));
        format!("{services} as {}", quoted(user))
    };
    let shared: Vec<String> = logins.iter().filter(|(_, services)| services.len() > 1).map(of).collect();
    let is_found = !shared.is_empty();
    let seen = if is_found { shared } else { logins.iter().map(of).collect() };
    report.judged(Id::SharedUser, source, is_found, joined(&seen));
}

fn administrators(management: &Management, bus: Option<&Bus>, report: &mut Report) {
    let id = Id::AdministratorTag;
    let is_administrator = |user: &User| user.tags.iter().any(|tag| tag == ADMINISTRATOR);
    let ours = |name: &str| bus.is_some_and(|bus| bus.user == name);
    match (&management.users, &management.myself) {
        (Ok(users), _) => {
            let connections = management.connections.as_deref().unwrap_or_default();
            let is_in_use =
                |name: &str| ours(name) || connections.iter().any(|connection| connection.user == name);
            let found: Vec<&str> = users
                .iter()
                .filter(|user| is_administrator(user) && is_in_use(&user.name))
                .map(|user| user.name.as_str())
                .collect();
            match &management.connections {
                _ if !found.is_empty() => {
                    report.found(id, &management.name, format!("{}, connected to the bus", names(found)));
                }
                Ok(connections) if connections.is_empty() => {
                    report.unchecked(id, &management.name, "nobody is connected to the bus");
                }
                Ok(_) => {
                    report.clear(id, &management.name, "no user that is connected to the bus has the tag");
                }
                Err(why) => report.unchecked(id, &management.name, why),
            }
        }
        (Err(_), Ok(myself)) if ours(&myself.name) => {
            let seen = format!(
                "{} has the tags {}",
                quoted(&myself.name),
                names(myself.tags.iter().map(String::as_str))
            );
            if is_administrator(myself) {
                report.found(id, &management.name, seen);
            } else {
                // Of the other users on the bus nothing is known.
                let why = format!("{seen}; the other users are shown to administrators only");
                report.unchecked(id, &management.name, why);
            }
        }
        (Err(why), _) => report.unchecked(id, &management.name, why),
    }
}

fn permissions(management: &Management, bus: Option<&Bus>, report: &mut Report) {
    let id = Id::WidePermissions;
    let rows: &Asked<Vec<Permission>> = &management.permissions;
    let rows = match rows {
        Ok(rows) => rows,
        Err(why) => return report.unchecked(id, &management.name, why),
    };
    let (mut wide, mut unknown): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for row in rows {
        let mut may: Vec<String> = Vec::new();
        for (what, pattern, not_for_osel) in [
            ("configure", &row.configure, EXCHANGE_OF_A_SERVICE),
            ("write", &row.write, EXCHANGE_OF_A_SERVICE),
            ("read", &row.read, QUEUE_OF_SERVICES),
        ] {
            match width(pattern, not_for_osel, is_of(bus, row)) {
                Ok(Some(which)) => may.push(format!("{what} {which} ({})", quoted(pattern))),
                Ok(None) => {}
                Err(why) => unknown.push(format!("what {} may {what}: {why}", quoted(&row.user))),
            }
        }
        if !may.is_empty() {
            wide.push(format!("{} may {}", quoted(&row.user), may.join(", ")));
        }
    }
    if !wide.is_empty() {
        report.found(id, &management.name, joined(&wide));
    }
    if !unknown.is_empty() {
        report.unchecked(id, &management.name, joined(&unknown));
    } else if rows.is_empty() {
        report.unchecked(id, &management.name, "nobody has permissions there");
    } else if wide.is_empty() {
        let users = names(rows.iter().map(|row| row.user.as_str()));
        report.clear(id, &management.name, format!("users with narrow permissions: {users}"));
    }
}

/// What a pattern means that it should not: everything, or what of services osel has no business with.
fn width(pattern: &str, not_for_osel: &str, is_osel: bool) -> Result<Option<String>, String> {
    if permits(pattern, NOBODYS)? {
        return Ok(Some("everything".to_owned()));
    }
    Ok((is_osel && permits(pattern, not_for_osel)?).then(|| format!("`{not_for_osel}`")))
}

/// Whether a row is of the user that osel logs in as.
fn is_of(bus: Option<&Bus>, row: &Permission) -> bool {
    bus.is_some_and(|bus| bus.user == row.user)
}
