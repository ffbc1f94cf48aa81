//! Commands for tests, with defaults for what a case does not care about.

use domain::calendar::Period;
use domain::ids::{AccountId, CommandId, CorrelationId, ItineraryId};
use domain::itinerary::Command as Itinerary;
use domain::{Actor, Category, Command, Digest, StreamName, Tenant};
use lanes::CommandRequest;
use uuid::Uuid;

/// The account that owns every trip here.
pub(crate) const OWNER: AccountId = AccountId(Uuid::from_u128(0xa));

pub(crate) fn stream(number: u128) -> StreamName {
    StreamName::new(Category::Itinerary, Uuid::from_u128(number))
}

pub(crate) fn key(number: u128) -> CommandId {
    CommandId(Uuid::from_u128(0x1_0000 + number))
}

fn request(stream: StreamName, command: Itinerary, command_id: CommandId) -> CommandRequest {
    CommandRequest {
        stream,
        fingerprint: Digest([command_id.0.as_bytes()[15]; 32]),
        command: Command::Itinerary(command),
        command_id,
        actor: Actor::Account(OWNER),
        tenant: Tenant::default(),
        correlation_id: CorrelationId(command_id.0),
        causation_id: command_id.0,
        expected_version: None,
        traceparent: None,
    }
}

pub(crate) fn create(stream: StreamName, number: u128) -> CommandRequest {
    titled(stream, "Lisbon", number)
}

pub(crate) fn titled(stream: StreamName, title: &str, number: u128) -> CommandRequest {
    let period = Period {
        start: "2026-05-01".parse().unwrap(),
        end: "2026-05-09".parse().unwrap(),
        zone: "Europe/Lisbon".parse().unwrap(),
    };
    let itinerary_id = ItineraryId(stream.id);
    let title = title.to_owned();
    request(stream, Itinerary::Create { itinerary_id, title, period, metadata: None }, key(number))
}

pub(crate) fn rename(stream: StreamName, title: &str, number: u128) -> CommandRequest {
    let title = Some(title.to_owned());
    request(stream, Itinerary::Revise { title, period: None, metadata: None }, key(number))
}

pub(crate) fn share(stream: StreamName, number: u128) -> CommandRequest {
    request(stream, Itinerary::Share, key(number))
}

/// Always refused: the owner cannot leave.
pub(crate) fn leave(stream: StreamName, number: u128) -> CommandRequest {
    request(stream, Itinerary::Leave, key(number))
}

pub(crate) trait With: Sized {
    fn expecting(self, version: u64) -> Self;
    fn of_tenant(self, tenant: &str) -> Self;
    fn fingerprinted(self, byte: u8) -> Self;
}

impl With for CommandRequest {
    fn expecting(mut self, version: u64) -> Self {
        self.expected_version = Some(version);
        self
    }

    fn of_tenant(mut self, tenant: &str) -> Self {
        self.tenant = tenant.parse().unwrap();
        self
    }

    fn fingerprinted(mut self, byte: u8) -> Self {
        self.fingerprint = Digest([byte; 32]);
        self
    }
}
