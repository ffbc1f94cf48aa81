//! How a booking says no: each variant names the broken rule and carries what a client needs to act
//! on it.

use super::value::Status;
use crate::ids::{BookingId, TravellerId};
use crate::money::Currency;
use crate::refusal::refusals;

refusals! {
    /// A refusal of a booking.
    pub enum Refusal {
        // What is not there, or there already.

        /// No such booking.
        #[error("there is no such booking")]
        BookingNotFound = NotFound, "booking_not_found";
        /// The id is taken by a booking.
        #[error("booking {booking_id} exists already")]
        BookingAlreadyExists {
            /// The id that is taken.
            booking_id: BookingId,
        } = AlreadyExists, "booking_already_exists";

        // Who may do what.

        /// Only people buy.
        #[error("only an account books, cancels and says who travels")]
        AccountRequired = Forbidden, "booking_account_required";
        /// Somebody else's booking.
        #[error("only the owner of the booking may do this")]
        OwnerRequired = Forbidden, "booking_owner_required";
        /// The steps of a purchase belong to the booking process.
        #[error("a booking is held, confirmed and ended by the booking process alone")]
        SagaRequired = Forbidden, "booking_saga_required";

        // What the present state forbids.

        /// Its lines are not held.
        #[error("the booking is requested; its lines are not held yet")]
        NotHeld = Rule, "booking_not_held";
        /// It is held already, otherwise.
        #[error("the booking is held with other holds")]
        AlreadyHeld = Rule, "booking_already_held";
        /// It is confirmed: it can only be cancelled.
        #[error("the booking is confirmed; it can only be cancelled")]
        AlreadyConfirmed = Rule, "booking_already_confirmed";
        /// It is being undone.
        #[error("the booking is being cancelled")]
        Cancelling = Rule, "booking_cancelling";
        /// Nobody asked to undo it.
        #[error("the booking is {}; nobody asked to cancel it", .booking_status.name())]
        NotCancelling {
            /// Where it stands.
            booking_status: Status,
        } = Rule, "booking_not_cancelling";
        /// It is over.
        #[error("the booking ended: it is {}", .booking_status.name())]
        Ended {
            /// How it ended.
            booking_status: Status,
        } = Rule, "booking_ended";
        /// What is held is not what was asked for.
        #[error("what is held is not what was asked for")]
        HeldLinesDiffer = Rule, "booking_held_lines_differ";

        // Values that make no sense.

        /// Nothing is bought, or too much at once.
        #[error("{lines} lines are not between 1 and {lines_max}")]
        LinesOutOfRange {
            /// How many were asked for.
            lines: usize,
            /// How many are allowed.
            lines_max: usize,
        } = Rule, "booking_lines_out_of_range";
        /// Lines are numbered from 1 in their order.
        #[error("line {line} is numbered out of order")]
        LineMisnumbered {
            /// The number in the wrong place.
            line: u32,
        } = Rule, "booking_line_misnumbered";
        /// A line asks for no place, or for too many.
        #[error("line {line} asks for {quantity} places, not between 1 and {quantity_max}")]
        QuantityOutOfRange {
            /// Which line.
            line: u32,
            /// How many were asked for.
            quantity: u32,
            /// How many are allowed.
            quantity_max: u32,
        } = Rule, "booking_quantity_out_of_range";
        /// A line names a seat that no offer has, or twice.
        #[error("line {line} names a seat that is none, or one twice")]
        SeatsInvalid {
            /// Which line.
            line: u32,
        } = Rule, "booking_seats_invalid";
        /// A price is negative or absurd.
        #[error("line {line} has a price that is not between 0 and {amount_max} minor units")]
        PriceOutOfRange {
            /// Which line.
            line: u32,
            /// Minor units agreed.
            amount: i64,
            /// Minor units allowed.
            amount_max: i64,
        } = Rule, "booking_price_out_of_range";
        /// A booking is paid in one currency.
        #[error("a booking has one currency, not {first} and {other}")]
        CurrenciesDiffer {
            /// The first line's.
            first: Currency,
            /// Another line's.
            other: Currency,
        } = Rule, "booking_currencies_differ";
        /// Nobody travels, or too many.
        #[error("{travellers} travellers are not between 1 and {travellers_max}")]
        TravellersOutOfRange {
            /// How many were named.
            travellers: usize,
            /// How many are allowed.
            travellers_max: usize,
        } = Rule, "booking_travellers_out_of_range";
        /// A traveller is named twice.
        #[error("traveller {traveller_id} is named twice")]
        TravellerRepeated {
            /// Which one.
            traveller_id: TravellerId,
        } = Rule, "booking_traveller_repeated";
        /// What should be sealed is not.
        #[error("`{field}` is not sealed")]
        NotSealed {
            /// The command's field: `travellers` or `reason`.
            field: &'static str,
        } = Rule, "booking_not_sealed";
        /// The way to pay is neither a name nor a token.
        #[error(
            "a payment method is a letter and at most {characters_max} letters, digits, hyphens \
             and underscores"
        )]
        PaymentMethodInvalid {
            /// Characters allowed.
            characters_max: usize,
        } = Rule, "booking_payment_method_invalid";
        /// The facts of a rejection are not a JSON object.
        #[error("the facts of a rejection are not a JSON object")]
        FactsInvalid = Rule, "booking_facts_invalid";
        /// A text that must say something says nothing.
        #[error("`{field}` is blank")]
        TextBlank {
            /// The command's field: `code` or `message`.
            field: &'static str,
        } = Rule, "booking_text_blank";
        /// A text is too long.
        #[error("`{field}` has {characters} characters, more than {characters_max}")]
        TextTooLong {
            /// The command's field: `code`, `message` or `facts`.
            field: &'static str,
            /// Characters asked for.
            characters: usize,
            /// Characters allowed.
            characters_max: usize,
        } = Rule, "booking_text_too_long";
        /// A text holds control characters.
        #[error("`{field}` holds control characters")]
        TextUnprintable {
            /// The command's field: `code`, `message` or `facts`.
            field: &'static str,
        } = Rule, "booking_text_unprintable";
    }
}

crate::text::faults_refuse!(Refusal);
