//! The bodies of booking requests, and what they become.
//!
//! What is sealed is judged here: nobody can judge it afterwards.

use domain::booking::{Line, limits::LINES_MAX};
use domain::calendar::Date;
use domain::ids::OfferId;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use service_kit::Problem;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fields::{MoneyBody, id, own_id};
use crate::offer::claim;

/// Characters of a traveller's name; at least 1.
const NAME_CHARACTERS_MAX: usize = 200;
/// Characters of an e-mail address.
const EMAIL_CHARACTERS_MAX: usize = 254;
/// Characters of a telephone number.
const PHONE_CHARACTERS_MAX: usize = 32;
/// Characters of a reason; at least 1.
const REASON_CHARACTERS_MAX: usize = 1_000;

/// One thing to buy: a quantity or seats of an offer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LineBody {
    /// What is bought.
    #[serde(deserialize_with = "id")]
    offer_id: Uuid,
    /// How many places, 1 to 500.
    quantity: Option<u32>,
    /// Which seats, where there is a seat map.
    seats: Option<Vec<String>>,
    /// What was agreed for one place; another price by then rejects the booking.
    unit_price: MoneyBody,
}

/// Somebody who travels. Kept sealed under the key of whoever sends it.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TravellerBody {
    /// 1 to 200 characters.
    #[schema(example = "Ada Lovelace")]
    name: String,
    /// At most 254 characters, as in `ada@example.org`.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// At most 32 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    /// A calendar date.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Date)]
    born_on: Option<Date>,
}

/// How a booking is paid.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PaymentBody {
    /// A name or a token, never a card's number: 1 to 64 letters, digits, hyphens and underscores.
    #[schema(example = "card_approved")]
    pub(super) method: String,
}

/// A purchase: all of its lines or nothing.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestBooking {
    /// An id of the client's own; derived from the idempotency key when missing.
    #[serde(default, deserialize_with = "own_id")]
    pub(super) id: Option<Uuid>,
    /// The trip that it belongs to.
    #[serde(deserialize_with = "id")]
    pub(super) itinerary_id: Uuid,
    /// 1 to 20, in one currency.
    pub(super) lines: Vec<LineBody>,
    /// Who travels, 1 to 50.
    pub(super) travellers: Vec<TravellerBody>,
    pub(super) payment: PaymentBody,
}

/// Who travels from now on; replaces what was said before.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeBookingTravellers {
    /// Who travels, 1 to 50.
    pub(super) travellers: Vec<TravellerBody>,
}

/// A wish to undo a booking.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CancelBooking {
    /// Why, 1 to 1000 characters. Kept sealed under the key of whoever sends it.
    reason: String,
}

/// The lines, numbered from 1.
pub(super) fn lines(bodies: Vec<LineBody>) -> Result<Vec<Line>, Problem> {
    // Longer lists are the domain's to refuse, unread.
    let numbered = (1..).zip(bodies.into_iter().take(LINES_MAX + 1));
    let line = |(line, body): (u32, LineBody)| {
        let place = format!("lines[{}].", line - 1);
        Ok(Line {
            line,
            offer_id: OfferId(body.offer_id),
            claim: claim(&place, body.quantity, body.seats)?,
            unit_price: body.unit_price.into(),
        })
    };
    numbered.map(line).collect()
}

impl TravellerBody {
    /// The JSON document that is sealed.
    pub(super) fn document(&self, index: usize) -> Result<String, Problem> {
        let place = |field: &str| format!("travellers[{index}].{field}");
        let kept = Self {
            name: said(place("name"), &self.name, NAME_CHARACTERS_MAX)?,
            email: self.email.as_deref().map(|email| address(place("email"), email)).transpose()?,
            phone: optional(place("phone"), self.phone.as_deref(), PHONE_CHARACTERS_MAX)?,
            born_on: self.born_on,
        };
        serde_json::to_string(&kept).map_err(|error| Problem::defect(&error))
    }
}

impl CancelBooking {
    /// The text that is sealed.
    pub(super) fn text(&self) -> Result<String, Problem> {
        said("reason".to_owned(), &self.reason, REASON_CHARACTERS_MAX)
    }
}

fn optional(
    field: String,
    text: Option<&str>,
    characters_max: usize,
) -> Result<Option<String>, Problem> {
    text.map(|text| said(field, text, characters_max)).transpose()
}

/// Where mail can be sent to; whether anybody reads it there is not known.
fn address(field: String, text: &str) -> Result<String, Problem> {
    let text = said(field.clone(), text, EMAIL_CHARACTERS_MAX)?;
    let whole = |part: &str| !part.is_empty() && !part.contains(char::is_whitespace);
    match text.rsplit_once('@') {
        Some((name, host)) if whole(name) && whole(host) => Ok(text),
        _ => Err(unkept(field, "is not an address such as ada@example.org".to_owned())),
    }
}

/// A text that says something, without white space around it.
fn said(field: String, text: &str, characters_max: usize) -> Result<String, Problem> {
    let text = text.trim();
    let wrong = if text.is_empty() {
        "is blank".to_owned()
    } else if text.chars().count() > characters_max {
        format!("has more than {characters_max} characters")
    } else if text.chars().any(char::is_control) {
        "holds control characters".to_owned()
    } else {
        return Ok(text.to_owned());
    };
    Err(unkept(field, wrong))
}

fn unkept(field: String, wrong: String) -> Problem {
    let title = "Personal data cannot be kept";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "personal_data_invalid", title)
        .field(field, wrong)
}
