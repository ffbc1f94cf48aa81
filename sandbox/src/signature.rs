//! How webhooks are signed: `t=<seconds>,v1=<hex>[,v1=<hex>]`, where each `v1` is the HMAC-SHA256
//! of `<seconds>.<body>` under one secret.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::settings::ApiSecret;

/// The header that carries the signature.
pub(crate) const SIGNATURE: &str = "sandbox-signature";

/// The header's value for a body sent at `seconds` since 1970.
pub(crate) fn sign(seconds: i64, body: &[u8], secrets: &[ApiSecret]) -> String {
    let mut value = format!("t={seconds}");
    for secret in secrets {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
            .expect("an HMAC takes keys of any length");
        mac.update(seconds.to_string().as_bytes());
        mac.update(b".");
        mac.update(body);
        value += ",v1=";
        hex(&mut value, &mac.finalize().into_bytes());
    }
    value
}

/// Writes bytes as lower-case hexadecimal digits.
pub(crate) fn hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a string takes every digit");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `openssl dgst -sha256 -hmac 0123456789abcdef` says of `1700000000.{}`.
    const DIGEST: &str = "e4f8e2ecae2295b2ddb2f0b5584c8275e226c0ebe9b3b819e70156bb67122e3e";

    #[test]
    fn each_secret_signs_time_and_body() {
        let secrets = [
            ApiSecret::new("0123456789abcdef").unwrap(),
            ApiSecret::new("fedcba9876543210").unwrap(),
        ];

        let both = sign(1_700_000_000, b"{}", &secrets);
        let first = sign(1_700_000_000, b"{}", &secrets[..1]);
        let later = sign(1_700_000_001, b"{}", &secrets[..1]);

        assert_eq!(first, format!("t=1700000000,v1={DIGEST}"));
        assert!(both.starts_with(&format!("{first},v1=")));
        assert!(!later.contains(DIGEST), "the time is signed, too");
    }
}
