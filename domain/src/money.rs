//! Money: integer minor units and an ISO 4217 code; never a float.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// An ISO 4217 currency code: three upper-case letters (`EUR`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

/// The text is not three upper-case letters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an ISO 4217 currency code such as EUR")]
pub struct InvalidCurrency(pub String);

impl Currency {
    /// The code's three letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a currency is made of ASCII letters")
    }
}

impl FromStr for Currency {
    type Err = InvalidCurrency;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match <[u8; 3]>::try_from(text.as_bytes()) {
            Ok(code) if code.iter().all(u8::is_ascii_uppercase) => Ok(Self(code)),
            _ => Err(InvalidCurrency(text.to_owned())),
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// An amount in minor units (cents) of a currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Minor units of the currency (12900 is EUR 129.00).
    pub amount: i64,
    /// ISO 4217 code.
    pub currency: Currency,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn money_reads_back_to_the_last_minor_unit(amount: i64, code in "[A-Z]{3}") {
            let money = Money { amount, currency: code.parse().unwrap() };

            let json = serde_json::to_string(&money).unwrap();

            prop_assert_eq!(&json, &format!(r#"{{"amount":{amount},"currency":"{code}"}}"#));
            prop_assert_eq!(serde_json::from_str::<Money>(&json).unwrap(), money);
        }
    }

    #[test]
    fn a_currency_is_three_upper_case_letters() {
        for text in ["", "EU", "EURO", "eur", "E1R", "€", "ÄB"] {
            assert_eq!(text.parse::<Currency>(), Err(InvalidCurrency(text.to_owned())));
        }
    }

    #[test]
    fn money_is_whole_and_says_nothing_else() {
        for json in [
            r#"{"amount":1.5,"currency":"EUR"}"#,
            r#"{"amount":"1","currency":"EUR"}"#,
            r#"{"amount":1}"#,
            r#"{"amount":1,"currency":"EUR","cents":5}"#,
            r#"{"amount":9223372036854775808,"currency":"EUR"}"#,
        ] {
            assert!(serde_json::from_str::<Money>(json).is_err(), "{json}");
        }
    }
}
