//! Whole configurations, from text to what they mean or what is wrong with them.

mod barbican;
mod example;
mod expected;
mod forward;
mod forward_amqp;
mod forward_http;
mod forward_kafka;
mod gmp;
mod good;
mod nessus;
mod openstack;
mod people;
mod problems;
mod qualys;
mod receivers;
mod scan;
mod scanner;
mod secrets;
mod store;
mod url;
mod variables;

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Config, Problems, Warning};

/// The smallest sections that are good, with the secret in a variable so that no file is needed.
const SMALLEST: &str =
    "[store]\npath = '/s'\n[[source]]\nname = 'one'\ntype = 'rabbitmq'\ntransport_url = { env = 'URL' }\n";
/// What that variable says.
const URL: (&str, &str) = ("URL", "rabbit://osel:hunter2@rabbit:5672/");

/// A directory of one test that goes afterwards.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("osel-config-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file that only its owner may read.
    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// Loads `osel.toml` of this directory.
    fn load(&self, variables: &[(&str, &str)]) -> Result<(Config, Vec<Warning>), Problems> {
        Config::load(Some(&self.path("osel.toml")), &lookup(variables))
    }

    /// A text in which this directory has no name.
    fn without_path(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.0.display()), "")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An environment of these variables.
fn lookup<'v>(variables: &'v [(&'v str, &'v str)]) -> impl Fn(&str) -> Option<OsString> + 'v {
    move |name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
}

/// What a text means, with these variables.
fn good(text: &str, variables: &[(&str, &str)]) -> (Config, Vec<String>) {
    let place = Place::new();
    place.write("osel.toml", text);
    let (config, warnings) = place.load(variables).unwrap();
    (config, warnings.iter().map(|warning| place.without_path(&warning.to_string())).collect())
}

/// Checks what is said about a text that is not good, a line for each problem.
fn check_bad(text: &str, variables: &[(&str, &str)], wanted: &[&str]) {
    let place = Place::new();
    place.write("osel.toml", text);
    let problems = place.load(variables).unwrap_err();
    let told = place.without_path(&problems.to_string());
    assert_eq!(told.lines().collect::<Vec<_>>(), wanted, "{text}");
}
