//! `waylog serve --demo-data`: a few trips, the shipped places and some offers to look at, made by
//! real commands through the real port.
//!
//! Every command has an id of its own, for ever: on a log that has them already, each is answered
//! with its stored outcome and nothing changes.

use anyhow::Context as _;
use domain::calendar::{Period, Zone};
use domain::ids::{
    AccountId, ActivityId, CommandId, CommentId, CorrelationId, ItineraryId, OfferId,
};
use domain::itinerary::{Activity, ActivityKind, Command as Ask, Metadata, Role};
use domain::money::Money;
use domain::{
    Actor, Category, Command, Digest, RefusalKind, Sealed, StreamName, Tenant, destination,
    itinerary, offer,
};
use futures::{StreamExt as _, stream};
use keys::{Keyring, Purpose};
use lanes::{CommandError, CommandPort, CommandRequest, derive};
use service_kit::auth::{DEV_ACCOUNT, DEV_TENANT};
use uuid::Uuid;

use crate::seed;

/// What all ids of the demonstration derive from.
const ROOT: CommandId = CommandId(Uuid::from_u128(0x0000_0000_0000_8000_8000_0000_0000_de70));

/// How many of the offers that `waylog seed --generate` makes up.
const OFFERS: u64 = 25;
/// Commands on their way at one time.
const IN_FLIGHT_MAX: usize = 64;

/// A trip of the demonstration.
struct Trip {
    name: &'static str,
    title: &'static str,
    days: (&'static str, &'static str),
    zone: &'static str,
    travellers: u32,
    /// Kind, title, place, begin, end, price in cents.
    plan: &'static [(ActivityKind, &'static str, &'static str, &'static str, &'static str, i64)],
}

const TRIPS: &[Trip] = &[
    Trip {
        name: "porto",
        title: "Port wine and azulejos",
        days: ("2027-04-10", "2027-04-14"),
        zone: "Europe/Lisbon",
        travellers: 2,
        plan: &[
            (
                ActivityKind::Flight,
                "Flight to Porto",
                "Porto, OPO",
                "2027-04-10T08:15:00Z",
                "2027-04-10T10:50:00Z",
                18_900,
            ),
            (
                ActivityKind::Tour,
                "Cellars of Vila Nova de Gaia",
                "Vila Nova de Gaia",
                "2027-04-11T14:00:00Z",
                "2027-04-11T16:30:00Z",
                3_500,
            ),
        ],
    },
    Trip {
        name: "kyoto",
        title: "Kyoto in autumn",
        days: ("2027-11-12", "2027-11-20"),
        zone: "Asia/Tokyo",
        travellers: 4,
        plan: &[(
            ActivityKind::Hotel,
            "Ryokan in Higashiyama",
            "Kyoto",
            "2027-11-12T06:00:00Z",
            "2027-11-19T01:00:00Z",
            142_000,
        )],
    },
    Trip {
        name: "oslo",
        title: "A weekend in Oslo",
        days: ("2027-06-04", "2027-06-06"),
        zone: "Europe/Oslo",
        travellers: 1,
        plan: &[],
    },
];

/// Plays the demonstration's commands.
///
/// # Errors
/// When one is not accepted.
pub(crate) async fn play(port: &dyn CommandPort, keyring: &Keyring) -> anyhow::Result<()> {
    let mut shown =
        stream::iter(catalogue()?)
            .map(|(stream, command)| async move {
                send(port, stream, command, &stream.to_string()).await
            })
            .buffer_unordered(IN_FLIGHT_MAX);
    while let Some(sent) = shown.next().await {
        sent?;
    }
    for trip in TRIPS {
        let stream = StreamName::new(Category::Itinerary, derive::derived_id(ROOT, trip.name));
        let comment = sealed_comment(keyring).await?;
        let asked = trip.commands(ItineraryId(stream.id), comment)?;
        for (index, ask) in asked.into_iter().enumerate() {
            let step = format!("{} {index}", trip.name);
            send(port, stream, Command::Itinerary(ask), &step).await?;
        }
    }
    tracing::info!(trips = TRIPS.len(), offers = OFFERS, "the demonstration's data is there");
    Ok(())
}

/// The places and the first offers of `waylog seed`, which so finds them done.
fn catalogue() -> anyhow::Result<Vec<(StreamName, Command)>> {
    let tenant = DEV_TENANT.parse::<Tenant>()?;
    let mut asked = Vec::new();
    for place in seed::places() {
        let destination_id = domain::derive::destination(&tenant, &place.slug);
        let description = place.description()?;
        let command = destination::Command::Describe { destination_id, description };
        let stream = StreamName::new(Category::Destination, destination_id.0);
        asked.push((stream, Command::Destination(command)));
    }
    let generator = seed::Generator::new(seed::SEED, seed::FIRST_DAY);
    for number in 0..OFFERS {
        let (offer_id, terms) = (OfferId(generator.id(number)), generator.listing(number));
        let command = offer::Command::List { offer_id, terms: Box::new(terms) };
        let stream = StreamName::new(Category::Offer, offer_id.0);
        asked.push((stream, Command::Offer(command)));
    }
    Ok(asked)
}

async fn send(
    port: &dyn CommandPort,
    stream: StreamName,
    command: Command,
    step: &str,
) -> anyhow::Result<()> {
    let command_id = CommandId(derive::derived_id(ROOT, step));
    let request = CommandRequest {
        stream,
        command,
        command_id,
        fingerprint: Digest::default(),
        actor: Actor::Account(AccountId(DEV_ACCOUNT)),
        tenant: DEV_TENANT.parse::<Tenant>()?,
        correlation_id: CorrelationId(derive::derived_id(ROOT, "correlation")),
        causation_id: command_id.0,
        expected_version: None,
        traceparent: None,
    };
    match port.send(request).await {
        Ok(_) => Ok(()),
        // Somebody seeded the same offer.
        Err(CommandError::Refused(refusal)) if refusal.kind == RefusalKind::AlreadyExists => Ok(()),
        Err(error) => Err(error).with_context(|| format!("the demonstration stops at {step}")),
    }
}

async fn sealed_comment(keyring: &Keyring) -> anyhow::Result<Sealed> {
    let author = AccountId(DEV_ACCOUNT).into();
    let text = itinerary::comment_text("Who brings the travel guide?")?;
    let sealed = keyring.seal(author, Purpose::ItineraryComment, &text).await;
    sealed.context("the demonstration's comments cannot be sealed")
}

impl Trip {
    fn commands(&self, itinerary_id: ItineraryId, comment: Sealed) -> anyhow::Result<Vec<Ask>> {
        let part = |what: &str| derive::derived_id(ROOT, &format!("{} {what}", self.name));
        let zone: Zone = self.zone.parse()?;
        let period =
            Period { start: self.days.0.parse()?, end: self.days.1.parse()?, zone: zone.clone() };
        let metadata = Metadata { travellers: Some(self.travellers), ..Metadata::default() };
        let title = self.title.to_owned();
        let mut asked = vec![Ask::Create { itinerary_id, title, period, metadata: Some(metadata) }];
        for (kind, title, place, starts_at, ends_at, cents) in self.plan {
            let price = Money { amount: *cents, currency: "EUR".parse()? };
            asked.push(Ask::AddActivity {
                activity_id: ActivityId(part(title)),
                activity: Activity {
                    kind: *kind,
                    title: (*title).to_owned(),
                    place: (*place).to_owned(),
                    starts_at: starts_at.parse()?,
                    ends_at: ends_at.parse()?,
                    zone: zone.clone(),
                    details: None,
                    estimated_price: Some(price),
                },
            });
        }
        asked.push(Ask::Invite { account_id: AccountId(part("friend")), role: Role::Editor });
        asked.push(Ask::Comment { comment_id: CommentId(part("comment")), text: comment });
        Ok(asked)
    }
}
