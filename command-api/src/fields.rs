//! Fields that the bodies of several aggregates' requests have.

use domain::calendar::Zone;
use domain::ids;
use domain::money::{Currency, Money};
use serde::{Deserialize, Deserializer, de::Error as _};
use utoipa::ToSchema;
use uuid::Uuid;

/// An amount of money.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MoneyBody {
    /// Minor units of the currency: 12900 is EUR 129.00.
    #[schema(example = 12900)]
    amount: i64,
    /// ISO 4217 code.
    #[schema(value_type = String, example = "EUR")]
    currency: Currency,
}

impl From<MoneyBody> for Money {
    fn from(body: MoneyBody) -> Self {
        Self { amount: body.amount, currency: body.currency }
    }
}

/// A zone of the database: what is not one never reaches a command.
pub(crate) fn known_zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Zone, D::Error> {
    std::borrow::Cow::<str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

/// A UUID in its hyphenated form.
pub(crate) fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
    let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
    ids::parse_uuid(&text).map_err(D::Error::custom)
}

/// A client's own id: as [`id`], and neither nil nor all ones, which name nothing.
pub(crate) fn own_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Uuid>, D::Error> {
    let id = id(deserializer)?;
    if id.is_nil() || id.is_max() {
        return Err(D::Error::custom("this UUID names nothing"));
    }
    Ok(Some(id))
}
