//! `[store]`: a directory or a database, and never both.

use super::files;
use super::look;
use super::parts::StoreConfig;
use super::postgres_url::{PostgresConfig, RootCertificates};
use super::reference::{is_given, open_to_others, secret_if};
use super::section::{Section, text};
use super::tree::Origin;

/// `[store]`.
pub(super) fn store(mut section: Section<'_>) -> Option<StoreConfig> {
    let wants_url = is_given(&section, "url");
    let path = section.read("path", |node| Ok((text(node)?.to_owned(), node.origin.clone())));
    let wants_path = section.was_given("path");
    let store = match (wants_path, wants_url) {
        (false, true) => url(&mut section),
        (true, true) => {
            let origin = section.take("url").map_or_else(|| section.origin().clone(), |node| node.origin);
            section.problem(
                &origin,
                "url",
                "excludes `path`: a store is a database or a directory, not both",
            );
            None
        }
        (is_given, false) => {
            // It is known, though nobody asks for it.
            section.take("url");
            if !is_given {
                section.missing(
                    "path",
                    "name the directory of the store, such as \"/var/lib/osel\", or a database of PostgreSQL by `url`",
                );
            }
            path.and_then(|(text, origin)| {
                if text.contains("://") {
                    section.problem(&origin, "path", "is meant as a URL, it seems: name a database by `url`");
                    return None;
                }
                let path = section.reading().resolve(&origin, &text);
                look::store(&section, &origin, &path);
                Some(StoreConfig::Directory(path))
            })
        }
    };
    section.finish();
    store
}

fn url(section: &mut Section<'_>) -> Option<StoreConfig> {
    let has_password =
        |url: &str| PostgresConfig::parse(url, &|_| None).map_or(true, |config| config.password.is_some());
    let example = "name a database, such as \"postgresql://osel@db/osel\"";
    let (url, origin) = secret_if(has_password, section, "url", example)?;
    let parsed = PostgresConfig::parse(&url, &|name| section.reading().variable(name));
    let config = match parsed {
        Ok(config) => config,
        Err(error) => {
            section.problem(&origin, "url", error.to_string());
            return None;
        }
    };
    let mut is_good = true;
    let certificates = config.client_certificate.iter().flat_map(|(certificate, key)| [certificate, key]);
    let roots = match &config.root_certificates {
        Some(RootCertificates::File(file)) => Some(file),
        Some(RootCertificates::System) | None => None,
    };
    for file in roots.into_iter().chain(certificates) {
        if let Err(error) = files::check_readable(file) {
            section.problem(&origin, "url", format!("names `{}`, which {error}", file.display()));
            is_good = false;
        }
    }
    warn(section, &origin, &config);
    is_good.then_some(StoreConfig::Postgres(config))
}

fn warn(section: &Section<'_>, origin: &Origin, config: &PostgresConfig) {
    if config.may_be_deceived() {
        let what = "does not make sure that the database is the right one: add `sslmode=verify-full`, and `sslrootcert` for an \
                    authority of your own";
        section.warning(origin, "url", what);
    }
    if let Some(file) = &config.ignored_password_file {
        let what = format!("takes no password from a file: {}", open_to_others(file));
        section.warning(origin, "url", what);
    }
}
