//! Signatures of requests in the way of Standard Webhooks: a receiver can tell that a request is from us, is whole, and is not an old one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use hyper::header::{HeaderName, HeaderValue};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::config::Secret;
use crate::forward::receiver::Item;

/// Names a request: the same whenever it is sent.
const ID: HeaderName = HeaderName::from_static("webhook-id");
/// When it was sent, in seconds.
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
/// One signature for each key.
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// What names a request with these items. Receivers that have seen a name leave its request out, so that two requests of one name must have
/// the same in them: where there are several items, the first alone would not do, since more may have come when it is sent again.
pub(super) fn id(items: &[Item]) -> String {
    match items {
        [] => String::new(),
        [only] => only.id.clone(),
        [first, .., last] => format!("{}_{}_{}", first.id, last.id, items.len()),
    }
}

/// The headers of a request: its name and time, and its signatures where there are keys. Keys are base64.
///
/// # Panics
/// Never: names are letters, digits, `-` and `_`, the rest is digits and base64.
pub(super) fn headers(
    id: &str,
    seconds: u64,
    body: &[u8],
    keys: &[Secret],
) -> Vec<(HeaderName, HeaderValue)> {
    let value = |text: &str| HeaderValue::from_str(text).expect("letters, digits and signs are a header's");
    let mut headers = vec![(ID, value(id)), (TIMESTAMP, value(&seconds.to_string()))];
    let signatures: Vec<String> = keys.iter().filter_map(|key| signature(id, seconds, body, key)).collect();
    if !signatures.is_empty() {
        headers.push((SIGNATURE, value(&signatures.join(" "))));
    }
    headers
}

/// One signature; none by a key that is none, which the configuration has refused.
fn signature(id: &str, seconds: u64, body: &[u8], key: &Secret) -> Option<String> {
    let key = Zeroizing::new(STANDARD.decode(key.expose()).ok()?);
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(format!("{id}.{seconds}.").as_bytes());
    mac.update(body);
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::http::tests::item;

    #[test]
    fn a_signature_is_that_of_the_specification() {
        // The example of the specification's own libraries.
        let key = Secret::new("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned());
        let other = Secret::new("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx".to_owned());
        let headers =
            headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#, &[key, other]);
        let told: Vec<&str> = headers.iter().map(|(_, value)| value.to_str().unwrap()).collect();
        let (first, second) = told[2].split_once(' ').unwrap();
        assert_eq!(told[..2], ["msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330"]);
        assert_eq!(first, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert!(second.starts_with("v1,") && second != first);
    }

    #[test]
    fn requests_of_one_name_have_the_same_in_them() {
        let items: Vec<_> = (1..=4).map(|seq| item(seq, "{}")).collect();
        assert_eq!(id(&items[..1]), "00-1");
        assert_eq!(id(&items[..3]), "00-1_00-3_3");
        assert_ne!(id(&items), id(&items[..3]));
        let headers = headers(&id(&items), 1, b"", &[]);
        assert_eq!(headers.len(), 2, "without a key nothing is signed");
    }
}
