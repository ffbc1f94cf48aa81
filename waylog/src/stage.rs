//! A running system as travellers and sellers meet it: what it has for sale, and what can be done
//! there, through its API alone. For demonstrations and measurements.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use jiff::civil::Date;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::{Api, Request, Trouble};
use crate::seed::Generator;

/// How long the system may be away in the middle of a journey.
const AWAY_MAX: Duration = Duration::from_secs(30);
/// Between two looks at a booking, at first and at most.
const LOOK: (Duration, Duration) = (Duration::from_millis(25), Duration::from_millis(400));
/// Seconds for which partners hold places.
const HOLD_SECONDS: u32 = 2;

/// What a booking never leaves.
const ENDS: [&str; 3] = ["rejected", "expired", "cancelled"];

/// Something to buy.
#[derive(Clone, Debug)]
pub(crate) struct Sale {
    pub(crate) id: Uuid,
    /// Cents for one.
    pub(crate) amount: i64,
}

/// Somebody who travels.
pub(crate) struct Traveller {
    account: Uuid,
    name: &'static str,
}

/// A system with things for sale.
pub(crate) struct Stage {
    api: Api,
    generator: Generator,
    first_day: Date,
    sales: Vec<Sale>,
    /// How long a booking may take.
    patience: Duration,
}

impl Traveller {
    /// One of many.
    pub(crate) fn new(number: u64) -> Self {
        let names = ["Ada Lovelace", "Marco Polo", "Nellie Bly", "Ibn Battuta", "Jeanne Baret"];
        let name = names[usize::try_from(number % 5).expect("below five")];
        Self { account: Uuid::now_v7(), name }
    }

    fn sign<'a>(&self, request: Request<'a>) -> Request<'a> {
        request
            .with("waylog-dev-actor", format!("account:{}", self.account))
            .with("waylog-dev-roles", "traveller".to_owned())
    }
}

impl Stage {
    /// Puts up so many things for sale, with room for everybody.
    ///
    /// # Errors
    /// When the system does not take them.
    pub(crate) async fn set(
        api: Api,
        offers: u64,
        buyers: u64,
        patience: Duration,
    ) -> anyhow::Result<Self> {
        api.reach().await?;
        // Far enough for refunds.
        let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
        let first_day = today.saturating_add(jiff::Span::new().days(60));
        let generator = Generator::new(buyers, first_day);
        let mut stage = Self { api, generator, first_day, sales: Vec::new(), patience };
        for number in 0..offers {
            let capacity = u32::try_from(buyers * 3 + 10)?.min(10_000);
            let sale = stage.list(number, capacity).await?;
            stage.sales.push(sale);
        }
        Ok(stage)
    }

    /// The same where the system is now.
    pub(crate) fn moved(self, api: Api) -> Self {
        Self { api, ..self }
    }

    /// What the journey of that number buys.
    pub(crate) fn sale(&self, number: u64) -> &Sale {
        let index = number % self.sales.len() as u64;
        &self.sales[usize::try_from(index).expect("below a length")]
    }

    /// Lists an offer of its own; half of its price is returned until a day before.
    ///
    /// # Errors
    /// When the system does not take it.
    pub(crate) async fn list(&self, number: u64, capacity: u32) -> anyhow::Result<Sale> {
        let mut body = json!(self.generator.listing(number));
        body["capacity"] = json!(capacity);
        body["cancellation"] = json!([{ "hours_before": 24, "refund_percent": 50 }]);
        if let Some(body) = body.as_object_mut() {
            body.remove("seats");
        }
        let listed = self.post("/v1/offers", &body, None).await?;
        let amount = body["price"]["amount"].as_i64().context("an offer has a price")?;
        Ok(Sale { id: uuid(&listed["id"])?, amount })
    }

    /// Asks a tenth more from now on.
    ///
    /// # Errors
    /// When the system does not take it.
    pub(crate) async fn reprice(&self, sale: &Sale) -> anyhow::Result<()> {
        let price = json!({ "amount": sale.amount + sale.amount / 10 + 1, "currency": "EUR" });
        let path = format!("/v1/offers/{}/price", sale.id);
        self.post(&path, &json!({ "price": price }), None).await?;
        Ok(())
    }

    /// An itinerary; now and then with something planned in it.
    ///
    /// # Errors
    /// When the system does not take it.
    pub(crate) async fn plan_trip(
        &self,
        traveller: &Traveller,
        number: u64,
    ) -> anyhow::Result<Uuid> {
        let end = self.first_day.saturating_add(jiff::Span::new().days(365));
        let period =
            json!({ "start": self.first_day.to_string(), "end": end.to_string(), "zone": "UTC" });
        let body = json!({ "title": format!("Trip {}", number + 1), "period": period });
        let trip = self.post("/v1/itineraries", &body, Some(traveller)).await?;
        let id = uuid(&trip["id"])?;
        if number.is_multiple_of(4) {
            let activity = json!({
                "kind": "free", "title": "A day for nothing at all", "place": "Wherever",
                "starts_at": format!("{}T09:00:00Z", self.first_day),
                "ends_at": format!("{}T18:00:00Z", self.first_day), "zone": "UTC",
            });
            let path = format!("/v1/itineraries/{id}/activities");
            self.post(&path, &activity, Some(traveller)).await?;
        }
        Ok(id)
    }

    /// Requests a booking.
    ///
    /// # Errors
    /// When the system does not take it.
    pub(crate) async fn book(
        &self,
        traveller: &Traveller,
        trip: Uuid,
        lines: &[Value],
        card: &str,
        correlation: Uuid,
    ) -> anyhow::Result<Uuid> {
        let body = json!({
            "itinerary_id": trip, "lines": lines, "payment": { "method": card },
            "travellers": [{ "name": traveller.name, "email": "traveller@example.org" }],
        });
        let request = Request::post("/v1/bookings", &body, Uuid::now_v7());
        let request = traveller.sign(request).with("x-request-id", correlation.to_string());
        let requested = self.api.insist(&request, AWAY_MAX).await?;
        uuid(&requested.body["id"])
    }

    /// Asks for a cancellation.
    ///
    /// # Errors
    /// When the system does not take it.
    pub(crate) async fn cancel(
        &self,
        traveller: &Traveller,
        id: Uuid,
        reason: &str,
    ) -> anyhow::Result<()> {
        let path = format!("/v1/bookings/{id}/cancellation");
        self.post(&path, &json!({ "reason": reason }), Some(traveller)).await?;
        Ok(())
    }

    /// The booking, once its saga is over and it has that status, or another that it cannot leave.
    ///
    /// # Errors
    /// When that takes too long: how it stands then.
    pub(crate) async fn settled(&self, id: Uuid, status: &str) -> anyhow::Result<Value> {
        let path = format!("/v1/bookings/{id}");
        let over = |booking: &Value| {
            let now = booking["status"].as_str().unwrap_or_default();
            let saga = booking["saga"]["state"].as_str().unwrap_or_default();
            let last = ENDS.contains(&now);
            (now == status || last) && matches!(saga, "completed" | "compensated" | "resolved")
        };
        self.until(&path, over).await.with_context(|| format!("booking {id} did not end"))
    }

    /// A partner holds places and forgets them: they are free again when the hold's time is over.
    ///
    /// # Errors
    /// When they are not, in time.
    pub(crate) async fn forgotten_hold(&self, number: u64) -> anyhow::Result<()> {
        let sale = self.list(number, 4).await?;
        let price = json!({ "amount": sale.amount, "currency": "EUR" });
        let body = json!({ "quantity": 3, "unit_price": price, "ttl_seconds": HOLD_SECONDS });
        self.post(&format!("/v1/offers/{}/holds", sale.id), &body, None).await?;
        let path = format!("/v1/offers/{}", sale.id);
        self.until(&path, |offer| offer["held"] == 3).await?;
        let freed = self.until(&path, |offer| offer["held"] == 0).await;
        freed.with_context(|| format!("a hold of offer {} did not expire", sale.id))?;
        Ok(())
    }

    /// What is read there.
    ///
    /// # Errors
    /// When nobody answers, or with a problem.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let request = Request::new(http::Method::GET, path, None);
        Ok(self.api.insist(&request, AWAY_MAX).await?.body)
    }

    /// What is read there, if it can be read now.
    ///
    /// # Errors
    /// When it cannot.
    pub(crate) async fn once(&self, path: &str) -> Result<Value, Trouble> {
        Ok(self.api.once(&Request::new(http::Method::GET, path, None)).await?.body)
    }

    /// What is read there, once it is as it should be.
    ///
    /// # Errors
    /// When it is not in time: how it is then.
    pub(crate) async fn until(
        &self,
        path: &str,
        reached: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Value> {
        let (deadline, mut pause) = (Instant::now() + self.patience, LOOK.0);
        let request = Request::new(http::Method::GET, path, None);
        loop {
            let last = match self.api.insist(&request, AWAY_MAX).await {
                Ok(answer) if reached(&answer.body) => return Ok(answer.body),
                Ok(answer) => answer.body.to_string(),
                // The read model may not know it yet.
                Err(trouble) => trouble.to_string(),
            };
            if Instant::now() > deadline {
                bail!("after {} s it is: {last}", self.patience.as_secs());
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(LOOK.1);
        }
    }

    async fn post(
        &self,
        path: &str,
        body: &Value,
        traveller: Option<&Traveller>,
    ) -> anyhow::Result<Value> {
        let mut request = Request::post(path, body, Uuid::now_v7());
        if let Some(traveller) = traveller {
            request = traveller.sign(request);
        }
        let done = self.api.insist(&request, AWAY_MAX).await.with_context(|| path.to_owned())?;
        Ok(done.body)
    }
}

/// A line of a booking's request: so many places of what is for sale.
pub(crate) fn line(sale: &Sale, quantity: u64) -> Value {
    let price = json!({ "amount": sale.amount, "currency": "EUR" });
    json!({ "offer_id": sale.id, "quantity": quantity, "unit_price": price })
}

/// An id in an answer.
///
/// # Errors
/// When there is none.
pub(crate) fn uuid(value: &Value) -> anyhow::Result<Uuid> {
    value.as_str().and_then(|text| text.parse().ok()).context("the server names no id")
}
