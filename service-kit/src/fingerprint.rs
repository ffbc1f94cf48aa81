//! Request fingerprints: whether a key that was seen before comes with the same request.
//!
//! HMAC-SHA256, under a configured key, of method, path and canonical body. The canonical body is
//! the JSON with its members sorted by name (as UTF-8 bytes) and without white space, so that a
//! client may spell the same value differently; numbers and strings stay as they were meant, of a
//! member given twice the last one counts. An empty body is canonical as it is. The key keeps
//! somebody who reads the log from guessing at bodies that hold personal data.

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::Method;
use serde_json::Value;
use sha2::Sha256;

use crate::problem::Problem;

/// Makes fingerprints under one key.
#[derive(Clone)]
pub struct Fingerprinter {
    // Keyed once; each fingerprint starts from a copy.
    keyed: Hmac<Sha256>,
}

impl std::fmt::Debug for Fingerprinter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fingerprinter")
    }
}

/// 32 bytes that tell one request from another; hex when displayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// 43 characters, without padding.
    #[must_use]
    pub fn base64url(&self) -> String {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(self.0)
    }
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Fingerprinter {
    /// Under `key`, which may have any length and should have 32 bytes. All instances of a
    /// deployment need the same; with another, old keys answer `idempotency_mismatch`.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        Self { keyed: Hmac::new_from_slice(key).expect("an HMAC key may have any length") }
    }

    /// Of a request: `path` without its query.
    ///
    /// # Errors
    /// 400 `malformed_json` when the body is neither empty nor JSON.
    pub fn fingerprint(
        &self,
        method: &Method,
        path: &str,
        body: &[u8],
    ) -> Result<Fingerprint, Problem> {
        let canonical = canonical_json(body)?;
        let mut mac = self.keyed.clone();
        // Neither a method nor a path can hold a NUL, so no two requests read alike.
        for part in [method.as_str().as_bytes(), b"\0", path.as_bytes(), b"\0", &canonical] {
            mac.update(part);
        }
        Ok(Fingerprint(mac.finalize().into_bytes().into()))
    }
}

/// Sorted members, no white space; empty stays empty.
fn canonical_json(body: &[u8]) -> Result<Vec<u8>, Problem> {
    if body.is_empty() {
        return Ok(Vec::new());
    }
    let mut value: Value = crate::json::parse(body)?;
    value.sort_all_objects();
    Ok(serde_json::to_vec(&value).expect("what was parsed as JSON can be written as JSON"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: &Method, path: &str, body: &str) -> Fingerprint {
        Fingerprinter::new(b"key").fingerprint(method, path, body.as_bytes()).unwrap()
    }

    #[test]
    fn spelling_does_not_matter() {
        let one = of(&Method::POST, "/v1/offers", r#"{"a": {"x": 1, "b": "é"}, "c": [1, 2]}"#);
        let other = of(&Method::POST, "/v1/offers", r#"{"c":[1,2],"a":{"b":"\u00e9","x":1}}"#);

        assert_eq!(one, other);
    }

    #[test]
    fn everything_else_matters() {
        let body = r#"{"a":[1,2]}"#;
        let first = of(&Method::POST, "/v1/offers", body);

        assert_ne!(first, of(&Method::PATCH, "/v1/offers", body));
        assert_ne!(first, of(&Method::POST, "/v1/offer", body));
        assert_ne!(first, of(&Method::POST, "/v1/offers", r#"{"a":[2,1]}"#));
        assert_ne!(first, of(&Method::POST, "/v1/offers", ""));
        let key = Fingerprinter::new(b"other");
        assert_ne!(first, key.fingerprint(&Method::POST, "/v1/offers", body.as_bytes()).unwrap());
    }

    #[test]
    fn the_value_is_fixed_for_ever() {
        // HMAC-SHA256("key", "DELETE\0/v1/x\0"), computed with OpenSSL.
        let fingerprint = of(&Method::DELETE, "/v1/x", "");

        assert_eq!(
            fingerprint.to_string(),
            "788159dc8421d0f22879c9a5ec2564c93d3450a0bd67dc24b9703fc976d31df4"
        );
        assert_eq!(fingerprint.base64url().len(), 43);
    }

    #[test]
    fn a_body_that_is_not_json_has_none() {
        let fingerprinter = Fingerprinter::new(b"key");

        let problem = fingerprinter.fingerprint(&Method::POST, "/", b"{").unwrap_err();

        assert_eq!(problem.code(), "malformed_json");
    }
}
