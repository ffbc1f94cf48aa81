//! What travellers do, each in a journey of its own, and how it has to end.

use serde_json::Value;
use uuid::Uuid;

use crate::stage::{Stage, Traveller, line, uuid};

/// A booking whose saga is over.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) kind: Kind,
    pub(crate) id: Uuid,
    pub(crate) status: String,
    /// Why it was rejected.
    pub(crate) code: Option<String>,
    /// The saga that ended it.
    pub(crate) saga_id: Option<Uuid>,
    /// What its request and everything behind it have in common.
    pub(crate) correlation: Uuid,
    /// Cents.
    pub(crate) total: i64,
    pub(crate) captured: i64,
    pub(crate) refunded: i64,
}

/// What happens on a journey.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// One thing is bought.
    Bought,
    /// Several things are bought: all of them or nothing.
    BoughtWhole,
    /// The provider's answer gets lost, after it has done its work.
    AnswerLost,
    /// The provider says 500, after it has done its work.
    ErrorAfterWork,
    /// The provider takes its time.
    SlowCard,
    /// The provider tells late what it did.
    LateWebhook,
    /// The bank says no.
    Declined,
    /// The bank says why, too.
    NoFunds,
    /// More than is left of one thing; the others are released.
    SoldOut,
    /// Another price than was agreed.
    PriceChanged,
    /// Bought, and cancelled for a part of the price.
    Cancelled,
    /// Cancelled before it is bought.
    MindChanged,
    /// Nobody hears of the money before the booking's time is over.
    Expired,
}

impl Kind {
    /// What the next journey is; any twenty in a row hold every kind.
    pub(super) const fn of(number: u64) -> Self {
        const MIX: [Kind; 20] = [
            Kind::Bought,
            Kind::BoughtWhole,
            Kind::Declined,
            Kind::Cancelled,
            Kind::AnswerLost,
            Kind::SoldOut,
            Kind::Bought,
            Kind::PriceChanged,
            Kind::ErrorAfterWork,
            Kind::MindChanged,
            Kind::Expired,
            Kind::BoughtWhole,
            Kind::NoFunds,
            Kind::Bought,
            Kind::LateWebhook,
            Kind::Cancelled,
            Kind::BoughtWhole,
            Kind::SlowCard,
            Kind::Bought,
            Kind::Declined,
        ];
        MIX[(number % 20) as usize]
    }

    /// What it is where nobody knows how much time a booking has: nobody is too late.
    pub(super) const fn in_time(self) -> Self {
        match self {
            Self::Expired => Self::SlowCard,
            other => other,
        }
    }

    /// For people.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Bought => "bought",
            Self::BoughtWhole => "several lines bought",
            Self::AnswerLost => "provider's answer lost",
            Self::ErrorAfterWork => "provider's error after work",
            Self::SlowCard => "slow provider",
            Self::LateWebhook => "late webhook",
            Self::Declined => "card declined",
            Self::NoFunds => "insufficient funds",
            Self::SoldOut => "sold out",
            Self::PriceChanged => "price changed",
            Self::Cancelled => "cancelled, part refunded",
            Self::MindChanged => "cancelled at once",
            Self::Expired => "not paid in time",
        }
    }

    const fn card(self) -> &'static str {
        match self {
            Self::AnswerLost => "card_lost_answer",
            Self::ErrorAfterWork => "card_error_after_work",
            Self::SlowCard => "card_slow",
            Self::Expired => "card_silent",
            Self::LateWebhook => "card_webhook_late",
            Self::Declined => "card_declined",
            Self::NoFunds => "card_insufficient_funds",
            _ => "card_approved",
        }
    }

    /// The status in which its booking has to end, and why, if it is rejected.
    const fn end(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Declined => ("rejected", Some("card_declined")),
            Self::NoFunds => ("rejected", Some("insufficient_funds")),
            Self::SoldOut => ("rejected", Some("sold_out")),
            Self::PriceChanged => ("rejected", Some("price_changed")),
            Self::Cancelled | Self::MindChanged => ("cancelled", None),
            Self::Expired => ("expired", None),
            _ => ("confirmed", None),
        }
    }

    /// Why a booking did not end as it had to; nothing when it did.
    pub(super) fn surprise(self, ended: &Ended) -> Option<String> {
        let (status, code) = self.end();
        let known = code.is_none_or(|code| ended.code.as_deref() == Some(code));
        let kept = ended.captured - ended.refunded;
        let money = match self {
            Self::Cancelled => kept > 0 && kept < ended.total,
            Self::MindChanged => kept >= 0 && kept < ended.total,
            _ if status == "confirmed" => kept == ended.total,
            _ => kept == 0,
        };
        if ended.status == status && known && money {
            return None;
        }
        let why = ended.code.as_deref().map_or_else(String::new, |code| format!(" ({code})"));
        Some(format!(
            "booking {}, {}: {}{why}, {} of {} kept",
            ended.id,
            self.name(),
            ended.status,
            kept,
            ended.total
        ))
    }
}

/// Plays one journey to its end.
///
/// # Errors
/// When the system refuses what it should take, or the booking does not end in time.
pub(super) async fn play(stage: &Stage, number: u64, kind: Kind) -> anyhow::Result<Ended> {
    let traveller = Traveller::new(number);
    let lines = lines(stage, kind, number).await?;
    let trip = stage.plan_trip(&traveller, number).await?;
    let correlation = Uuid::now_v7();
    let id = stage.book(&traveller, trip, &lines, kind.card(), correlation).await?;
    match kind {
        Kind::Cancelled => {
            stage.settled(id, "confirmed").await?;
            stage.cancel(&traveller, id, "It rains.").await?;
        }
        Kind::MindChanged => stage.cancel(&traveller, id, "A slip of the finger.").await?,
        _ => {}
    }
    let (status, _) = kind.end();
    let booking = stage.settled(id, status).await?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let payments = stage.get(&format!("/v1/payments?booking_id={id}")).await?;
    let sum = |field: &str| {
        let all = payments["data"].as_array().into_iter().flatten();
        all.filter_map(|payment| payment[field]["amount"].as_i64()).sum()
    };
    Ok(Ended {
        kind,
        id,
        status: text(&booking["status"]).unwrap_or_default(),
        code: text(&booking["rejection"]["code"]),
        saga_id: uuid(&booking["saga"]["id"]).ok(),
        correlation,
        total: booking["total"]["amount"].as_i64().unwrap_or_default(),
        captured: sum("captured"),
        refunded: sum("refunded"),
    })
}

/// Waits until the booking's money was set aside and given back.
///
/// # Errors
/// When that takes too long.
pub(super) async fn given_back(stage: &Stage, booking: Uuid) -> anyhow::Result<()> {
    let given_back = |payments: &Value| {
        let payment = &payments["data"][0];
        payment["authorized_at"].is_string() && payment["status"] == "voided"
    };
    stage.until(&format!("/v1/payments?booking_id={booking}"), given_back).await?;
    Ok(())
}

/// What is to be bought: lines of a booking's request.
async fn lines(stage: &Stage, kind: Kind, number: u64) -> anyhow::Result<Vec<Value>> {
    let sale = stage.sale(number);
    Ok(match kind {
        Kind::BoughtWhole => {
            let more = [stage.sale(number + 1), stage.sale(number + 2)];
            std::iter::once(sale).chain(more).map(|sale| line(sale, 1)).collect()
        }
        Kind::SoldOut => {
            let scarce = stage.list(number, 1).await?;
            vec![line(sale, 1), line(&scarce, 2)]
        }
        Kind::PriceChanged => {
            let agreed = stage.list(number, 10).await?;
            stage.reprice(&agreed).await?;
            vec![line(&agreed, 1)]
        }
        _ => vec![line(sale, 1 + number % 3)],
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn any_twenty_journeys_in_a_row_hold_every_kind() {
        for first in [0, 7, 19] {
            let kinds: BTreeSet<Kind> = (first..first + 20).map(Kind::of).collect();

            assert_eq!(kinds.len(), 13);
        }
    }

    #[test]
    fn a_booking_that_ends_otherwise_is_a_surprise() {
        let ended = |status: &str, code: Option<&str>, captured, refunded| Ended {
            kind: Kind::Bought,
            id: Uuid::nil(),
            status: status.to_owned(),
            code: code.map(str::to_owned),
            saga_id: None,
            correlation: Uuid::nil(),
            total: 100,
            captured,
            refunded,
        };

        assert_eq!(Kind::Bought.surprise(&ended("confirmed", None, 100, 0)), None);
        assert_eq!(Kind::Cancelled.surprise(&ended("cancelled", None, 100, 50)), None);
        let rejected = ended("rejected", Some("sold_out"), 0, 0);
        assert_eq!(Kind::SoldOut.surprise(&rejected), None);
        assert!(Kind::Declined.surprise(&rejected).is_some_and(|said| said.contains("sold_out")));
        assert_eq!(Kind::Expired.surprise(&ended("expired", None, 0, 0)), None);
        assert!(Kind::Expired.in_time().surprise(&ended("expired", None, 0, 0)).is_some());
        assert!(Kind::Bought.surprise(&ended("confirmed", None, 99, 0)).is_some());
        assert!(Kind::Cancelled.surprise(&ended("cancelled", None, 100, 100)).is_some());
    }
}
