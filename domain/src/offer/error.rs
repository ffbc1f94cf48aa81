//! How an offer says no: each variant names the broken rule and carries what a client needs to act
//! on it.

use super::value::SeatId;
use crate::calendar::Zone;
use crate::ids::{HoldId, OfferId};
use crate::money::Money;
use crate::refusal::refusals;
use crate::time::Timestamp;

refusals! {
    /// A refusal of an offer.
    pub enum Refusal {
        // What is not there, or there already.

        /// No such offer.
        #[error("there is no such offer")]
        OfferNotFound = NotFound, "offer_not_found";
        /// No such hold, or not any more.
        #[error("the offer has no hold {hold_id}")]
        HoldNotFound {
            /// Which one was asked for.
            hold_id: HoldId,
        } = NotFound, "hold_not_found";
        /// The id is taken by an offer.
        #[error("offer {offer_id} exists already")]
        OfferAlreadyExists {
            /// The id that is taken.
            offer_id: OfferId,
        } = AlreadyExists, "offer_already_exists";
        /// The id is taken by a hold of other content.
        #[error("hold {hold_id} exists already and holds something else")]
        HoldAlreadyExists {
            /// The id that is taken.
            hold_id: HoldId,
        } = AlreadyExists, "hold_already_exists";

        // Who may do what.

        /// Selling, taking back and expiring belong to the booking process.
        #[error("places are sold, taken back and freed by the booking process alone")]
        SagaRequired = Forbidden, "offer_saga_required";

        // What the present state forbids.

        /// It sells nothing new.
        #[error("the offer is closed")]
        Closed = Rule, "offer_closed";
        /// It has begun.
        #[error("the offer began at {starts_at}")]
        Started {
            /// When it began.
            starts_at: Timestamp,
        } = Rule, "offer_started";
        /// The price is another one now.
        #[error("the price changed")]
        PriceChanged {
            /// The price that was agreed.
            old_price: Money,
            /// The price now.
            new_price: Money,
        } = Rule, "price_changed";
        /// Too few places are free.
        #[error("{requested} places were asked for, {available} are free")]
        SoldOut {
            /// How many were asked for.
            requested: u32,
            /// How many are free.
            available: u32,
        } = Rule, "sold_out";
        /// Some seats are held or sold.
        #[error("{} of the seats are taken", seats.len())]
        SeatsTaken {
            /// Which ones.
            seats: Vec<SeatId>,
        } = Rule, "seats_taken";
        /// Some seats are not in the seat map.
        #[error("{} of the seats do not exist", seats.len())]
        SeatsUnknown {
            /// Which ones.
            seats: Vec<SeatId>,
        } = Rule, "seats_unknown";
        /// Places have names: say which.
        #[error("the offer has a seat map: seats are to be named")]
        SeatsRequired = Rule, "seats_required";
        /// Places have no names.
        #[error("the offer has no seat map: a quantity is to be named")]
        SeatsNotOffered = Rule, "seats_not_offered";
        /// More is held or sold than the capacity would be.
        #[error("{used} places are held or sold, more than {capacity}")]
        CapacityInUse {
            /// The capacity asked for.
            capacity: u32,
            /// Places held and sold.
            used: u32,
        } = Rule, "offer_capacity_in_use";
        /// Some held or sold seats would be missing in the seat map.
        #[error("{} held or sold seats would be missing", seats.len())]
        SeatsInUse {
            /// Which ones.
            seats: Vec<SeatId>,
        } = Rule, "offer_seats_in_use";
        /// The hold could be asked for until then.
        #[error("the hold could be asked for until {valid_until}")]
        HoldTooLate {
            /// The last instant.
            valid_until: Timestamp,
        } = Rule, "hold_too_late";
        /// The hold was given up, or refused in advance.
        #[error("hold {hold_id} was released for good")]
        HoldReleased {
            /// Which one.
            hold_id: HoldId,
        } = Rule, "hold_released";
        /// The hold's time has passed.
        #[error("hold {hold_id} has expired")]
        HoldExpired {
            /// Which one.
            hold_id: HoldId,
        } = Rule, "hold_expired";
        /// What the hold sold, or would have sold, was taken back.
        #[error("what hold {hold_id} sold was returned for good")]
        HoldReturned {
            /// Which one.
            hold_id: HoldId,
        } = Rule, "hold_returned";
        /// What was held is sold: it can only be returned.
        #[error("what hold {hold_id} set aside is sold")]
        HoldAllocated {
            /// Which one.
            hold_id: HoldId,
        } = Rule, "hold_allocated";
        /// The hold's time has not passed.
        #[error("hold {hold_id} lasts until {expires_at}")]
        HoldNotExpired {
            /// Which one.
            hold_id: HoldId,
            /// Until when it lasts.
            expires_at: Timestamp,
        } = Rule, "hold_not_expired";
        /// Too many holds ended lately to tell a late one from a new one.
        #[error("too many holds ended lately; none is taken until {until}")]
        TooManyEndedHolds {
            /// Until when.
            until: Timestamp,
        } = Rule, "too_many_ended_holds";

        // Values that make no sense.

        /// The zone does not exist.
        #[error("`{zone}` is not an IANA time zone")]
        ZoneUnknown {
            /// What was asked for.
            zone: Zone,
        } = Rule, "offer_zone_unknown";
        /// It ends before it starts.
        #[error("the offer ends ({ends_at}) before it starts ({starts_at})")]
        Reversed {
            /// The begin asked for.
            starts_at: Timestamp,
            /// The end asked for.
            ends_at: Timestamp,
        } = Rule, "offer_reversed";
        /// It is not of our times.
        #[error("the offer lies outside the years {year_min} to {year_max}")]
        OutsideCalendar {
            /// The first year allowed.
            year_min: i16,
            /// The last year allowed.
            year_max: i16,
        } = Rule, "offer_outside_calendar";
        /// Nothing can be sold, or too much.
        #[error("a capacity of {capacity} is not between 1 and {capacity_max}")]
        CapacityOutOfRange {
            /// What was asked for.
            capacity: u32,
            /// What is allowed.
            capacity_max: u32,
        } = Rule, "offer_capacity_out_of_range";
        /// The seat map has not as many seats as can be sold.
        #[error("a seat map of {seats} seats does not have the capacity of {capacity}")]
        SeatsDiffer {
            /// Seats in the map.
            seats: usize,
            /// What can be sold.
            capacity: u32,
        } = Rule, "offer_seats_differ";
        /// The seat map is too large.
        #[error("a seat map has at most {seats_max} seats")]
        TooManySeats {
            /// How many are allowed.
            seats_max: usize,
        } = Rule, "too_many_offer_seats";
        /// A seat's name is not one.
        #[error("a seat's name has 1 to {characters_max} letters, digits and hyphens")]
        SeatInvalid {
            /// Characters allowed.
            characters_max: usize,
        } = Rule, "seat_invalid";
        /// A seat is named twice.
        #[error("seat {seat} is named twice")]
        SeatRepeated {
            /// Which one.
            seat: SeatId,
        } = Rule, "seat_repeated";
        /// Nothing is claimed, or too much at once.
        #[error("{quantity} places are not between 1 and {quantity_max}")]
        QuantityOutOfRange {
            /// How many were asked for.
            quantity: u32,
            /// How many are allowed.
            quantity_max: u32,
        } = Rule, "offer_quantity_out_of_range";
        /// The hold would last no time, or too long.
        #[error("a hold of {ttl_seconds} seconds is not between 1 and {ttl_seconds_max}")]
        TtlOutOfRange {
            /// Seconds asked for.
            ttl_seconds: u32,
            /// Seconds allowed.
            ttl_seconds_max: u32,
        } = Rule, "hold_ttl_out_of_range";
        /// The hold could be asked for too long.
        #[error("a hold can be asked for at most {validity_seconds_max} seconds from now")]
        ValidityTooLong {
            /// The last instant asked for.
            valid_until: Timestamp,
            /// Seconds from now allowed.
            validity_seconds_max: u32,
        } = Rule, "hold_validity_too_long";
        /// A price is negative or absurd.
        #[error("a price of {amount} is not between 0 and {amount_max} minor units")]
        PriceOutOfRange {
            /// Minor units asked for.
            amount: i64,
            /// Minor units allowed.
            amount_max: i64,
        } = Rule, "offer_price_out_of_range";
        /// No place, or too many.
        #[error("{places} places are not between 1 and {places_max}")]
        PlacesOutOfRange {
            /// How many were asked for.
            places: usize,
            /// How many are allowed.
            places_max: usize,
        } = Rule, "offer_places_out_of_range";
        /// The cancellation policy has too many terms.
        #[error("a cancellation policy has at most {terms_max} terms")]
        TooManyTerms {
            /// How many are allowed.
            terms_max: usize,
        } = Rule, "too_many_cancellation_terms";
        /// A term of the cancellation policy makes no sense.
        #[error(
            "a term names at most {hours_max} hours and 100 percent, not {hours_before} hours and \
             {refund_percent} percent"
        )]
        TermOutOfRange {
            /// Hours asked for.
            hours_before: u32,
            /// Percent asked for.
            refund_percent: u8,
            /// Hours allowed.
            hours_max: u32,
        } = Rule, "cancellation_term_out_of_range";
        /// Two terms of the cancellation policy name the same hours.
        #[error("two terms of the cancellation policy name {hours_before} hours")]
        TermRepeated {
            /// The hours.
            hours_before: u32,
        } = Rule, "cancellation_term_repeated";
        /// A text that must say something says nothing.
        #[error("`{field}` is blank")]
        TextBlank {
            /// The command's field: `title`, `supplier` or `places`.
            field: &'static str,
        } = Rule, "offer_text_blank";
        /// A text is too long.
        #[error("`{field}` has {characters} characters, more than {characters_max}")]
        TextTooLong {
            /// The command's field: `title`, `supplier` or `places`.
            field: &'static str,
            /// Characters asked for.
            characters: usize,
            /// Characters allowed.
            characters_max: usize,
        } = Rule, "offer_text_too_long";
        /// A text holds control characters.
        #[error("`{field}` holds control characters")]
        TextUnprintable {
            /// The command's field: `title`, `supplier` or `places`.
            field: &'static str,
        } = Rule, "offer_text_unprintable";
    }
}

crate::text::faults_refuse!(Refusal);
