//! Where the services are, as the token's catalog says.

use serde::Deserialize;

use super::clouds::{Cloud, Interface};

/// What is asked besides Keystone, which is where one logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// Neutron.
    Network,
    /// Octavia.
    LoadBalancer,
    /// Keystone.
    Identity,
    /// Nova.
    Compute,
    /// Barbican.
    KeyManager,
    /// Swift.
    ObjectStore,
}

impl Service {
    /// Its types, the official one first.
    fn types(self) -> &'static [&'static str] {
        match self {
            Self::Network => &["network"],
            Self::LoadBalancer => &["load-balancer", "octavia"],
            Self::Identity => &["identity"],
            Self::Compute => &["compute"],
            Self::KeyManager => &["key-manager"],
            Self::ObjectStore => &["object-store"],
        }
    }

    /// The version that is asked, as it stands in URLs; none where it is not ours to choose.
    fn version(self) -> Option<&'static str> {
        match self {
            Self::Network => Some("v2.0"),
            Self::LoadBalancer => Some("v2"),
            Self::Identity => Some("v3"),
            Self::Compute => Some("v2.1"),
            Self::KeyManager => Some("v1"),
            // Its address has the account behind the version, as `/v1/AUTH_PROJECT`.
            Self::ObjectStore => None,
        }
    }
}

/// The services of a cloud.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Catalog(Vec<Entry>);

#[derive(Clone, Debug, Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    service_type: String,
    #[serde(default)]
    endpoints: Vec<Endpoint>,
}

#[derive(Clone, Debug, Deserialize)]
struct Endpoint {
    #[serde(default)]
    interface: String,
    #[serde(default)]
    region_id: Option<String>,
    /// The same, from before regions had ids.
    #[serde(default)]
    region: Option<String>,
    #[serde(default)]
    url: String,
}

impl Endpoint {
    fn region(&self) -> Option<&str> {
        self.region_id.as_deref().or(self.region.as_deref())
    }
}

impl Catalog {
    /// Where a service answers, with its version at the end; none where the cloud has none in this region.
    pub(super) fn url(&self, service: Service, cloud: &Cloud) -> Option<String> {
        if service == Service::Identity {
            // Where one logs in is reachable, which the catalog's address need not be.
            return Some(cloud.auth_url.clone());
        }
        let own = Self::own_url(service, cloud);
        let found = || {
            service.types().iter().find_map(|name| {
                let entries = self.0.iter().filter(|entry| entry.service_type == *name);
                let mut fitting: Vec<&str> = entries
                    .flat_map(|entry| &entry.endpoints)
                    .filter(|endpoint| Interface::parse(&endpoint.interface) == Some(cloud.interface))
                    .filter(|endpoint| {
                        cloud.region_name.is_none() || endpoint.region() == cloud.region_name.as_deref()
                    })
                    .map(|endpoint| endpoint.url.as_str())
                    .filter(|url| !url.is_empty())
                    .collect();
                // A catalog has no order.
                fitting.sort_unstable();
                fitting.first().map(|url| (*url).to_owned())
            })
        };
        own.cloned().or_else(found).map(|url| match service.version() {
            Some(version) => versioned(&url, version),
            None => url.trim_end_matches('/').to_owned(),
        })
    }

    /// Where the account itself says that a service answers.
    pub(super) fn own_url(service: Service, cloud: &Cloud) -> Option<&String> {
        service.types().iter().find_map(|name| cloud.endpoints.get(&name.replace('-', "_")))
    }

    /// The regions that have a service, sorted: for whoever named another.
    pub(super) fn regions(&self, service: Service) -> Vec<&str> {
        let entries = self.0.iter().filter(|entry| service.types().contains(&entry.service_type.as_str()));
        let mut regions: Vec<&str> =
            entries.flat_map(|entry| &entry.endpoints).filter_map(Endpoint::region).collect();
        regions.sort_unstable();
        regions.dedup();
        regions
    }
}

/// An endpoint stands in the catalog as somebody configured it, with or without its version, and of old Novas with the project behind it.
fn versioned(url: &str, version: &str) -> String {
    let url = url.trim_end_matches('/');
    let is_version = |part: &str| {
        part.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let parent =
        |url: &'_ str| url.rsplit_once('/').map(|(parent, last)| (parent.to_owned(), last.to_owned()));
    let root = match parent(url) {
        Some((root, last)) if is_version(&last) => root,
        Some((above, _)) => match parent(&above) {
            Some((root, last)) if is_version(&last) => root,
            _ => url.to_owned(),
        },
        None => url.to_owned(),
    };
    format!("{}/{version}", root.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::openstack::clouds::{Selection, read};

    fn cloud(more: &[(&str, &str)]) -> Cloud {
        let mut selection = Selection::default();
        let account = [
            ("OS_AUTH_URL", "http://keystone.example:5000"),
            ("OS_USERNAME", "osel"),
            ("OS_USER_DOMAIN_ID", "default"),
            ("OS_PASSWORD", "a word"),
        ];
        selection.environment =
            account.iter().chain(more).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let mut cloud = read(&selection).unwrap();
        if let Some((_, region)) = more.iter().find(|(key, _)| *key == "OS_REGION_NAME") {
            assert_eq!(cloud.region_name.as_deref(), Some(*region));
        }
        cloud.files.clear();
        cloud
    }

    fn catalog() -> Catalog {
        let endpoint = |interface, region, url| json!({"interface": interface, "region": region, "region_id": region, "url": url});
        serde_json::from_value(json!([
            {"type": "network", "name": "neutron", "endpoints": [
                endpoint("public", "two", "https://b.example:9696/"),
                endpoint("internal", "two", "http://b.internal:9696"),
                endpoint("public", "one", "https://a.example/network/v2.0/"),
            ]},
            {"type": "load-balancer", "endpoints": [endpoint("public", "one", "https://a.example/load-balancer")]},
            {"type": "identity", "endpoints": [endpoint("public", "one", "http://not.asked/")]},
        ]))
        .unwrap()
    }

    #[test]
    fn the_version_of_an_endpoint_is_ours_whatever_stands_there() {
        for (said, wanted) in [
            ("https://a.example:8774", "https://a.example:8774/v2.1"),
            ("https://a.example:8774/v2.1/", "https://a.example:8774/v2.1"),
            ("https://a.example/compute/v2/", "https://a.example/compute/v2.1"),
            ("https://a.example:8774/v2.1/0e0000000000000000000000000000e0", "https://a.example:8774/v2.1"),
            ("https://a.example/compute/api", "https://a.example/compute/api/v2.1"),
        ] {
            assert_eq!(versioned(said, "v2.1"), wanted);
        }
    }

    #[test]
    fn a_service_is_found_by_type_interface_and_region() {
        let url = |service, more: &[(&str, &str)]| catalog().url(service, &cloud(more));
        let one = ("OS_REGION_NAME", "one");
        let two = ("OS_REGION_NAME", "two");
        assert_eq!(url(Service::Network, &[one]).unwrap(), "https://a.example/network/v2.0");
        assert_eq!(url(Service::Network, &[two]).unwrap(), "https://b.example:9696/v2.0");
        assert_eq!(
            url(Service::Network, &[two, ("OS_INTERFACE", "internalURL")]).unwrap(),
            "http://b.internal:9696/v2.0"
        );
        assert_eq!(url(Service::Network, &[one, ("OS_INTERFACE", "admin")]), None);
        assert_eq!(url(Service::Network, &[("OS_REGION_NAME", "three")]), None);
        assert_eq!(
            url(Service::Network, &[]).unwrap(),
            "https://a.example/network/v2.0",
            "any, and always the same"
        );
        assert_eq!(url(Service::LoadBalancer, &[one]).unwrap(), "https://a.example/load-balancer/v2");
        assert_eq!(url(Service::LoadBalancer, &[two]), None);
        assert_eq!(url(Service::Identity, &[one]).unwrap(), "http://keystone.example:5000/v3");
        let own = ("OS_NETWORK_ENDPOINT_OVERRIDE", "http://127.0.0.1:9696");
        assert_eq!(url(Service::Network, &[two, own]).unwrap(), "http://127.0.0.1:9696/v2.0");
        assert_eq!(catalog().regions(Service::Network), ["one", "two"]);
    }
}
