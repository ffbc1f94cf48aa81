//! How an itinerary says no: each variant names the broken rule and carries what a client needs to
//! act on it.

use super::value::Role;
use crate::calendar::{Date, Zone};
use crate::ids::{AccountId, ActivityId, BookingId, CommentId, ItineraryId};
use crate::refusal::refusals;
use crate::time::Timestamp;

refusals! {
    /// A refusal of an itinerary.
    pub enum Refusal {
        // What is not there.

        /// No such trip.
        #[error("there is no such itinerary")]
        ItineraryNotFound = NotFound, "itinerary_not_found";
        /// No such activity, or not any more.
        #[error("the itinerary has no activity {activity_id}")]
        ActivityNotFound {
            /// Which one was asked for.
            activity_id: ActivityId,
        } = NotFound, "activity_not_found";
        /// The account neither collaborates nor is invited.
        #[error("account {account_id} neither collaborates on the itinerary nor is invited")]
        CollaboratorNotFound {
            /// Whose collaboration was to end.
            account_id: AccountId,
        } = NotFound, "collaborator_not_found";

        // What is there already.

        /// The id is taken by a trip.
        #[error("itinerary {itinerary_id} exists already")]
        ItineraryAlreadyExists {
            /// The id that is taken.
            itinerary_id: ItineraryId,
        } = AlreadyExists, "itinerary_already_exists";
        /// The id is taken by an activity of this trip.
        #[error("activity {activity_id} exists already")]
        ActivityAlreadyExists {
            /// The id that is taken.
            activity_id: ActivityId,
        } = AlreadyExists, "activity_already_exists";
        /// The id is taken by a comment on this trip.
        #[error("comment {comment_id} exists already")]
        CommentAlreadyExists {
            /// The id that is taken.
            comment_id: CommentId,
        } = AlreadyExists, "comment_already_exists";
        /// The account collaborates already, in another role than the invitation's.
        #[error("account {account_id} collaborates already; remove it before inviting it anew")]
        AlreadyCollaborator {
            /// Who was invited.
            account_id: AccountId,
            /// What the account is allowed now.
            role: Role,
        } = AlreadyExists, "already_itinerary_collaborator";

        // Who may do what.

        /// Only people change plans.
        #[error("only an account changes an itinerary")]
        AccountRequired = Forbidden, "itinerary_account_required";
        /// Bookings come and go with their sagas.
        #[error("bookings are attached and detached by the booking process alone")]
        SagaRequired = Forbidden, "itinerary_saga_required";
        /// The owner alone may do this.
        #[error("only the owner of the itinerary may do this")]
        OwnerRequired = Forbidden, "itinerary_owner_required";
        /// The owner and editors alone may do this.
        #[error("only the owner and the editors of the itinerary may do this")]
        EditorRequired = Forbidden, "itinerary_editor_required";
        /// The owner and collaborators alone may do this.
        #[error("only the owner and the collaborators of the itinerary may do this")]
        CollaboratorRequired = Forbidden, "itinerary_collaborator_required";
        /// Nobody joins uninvited.
        #[error("the account is not invited to the itinerary")]
        InvitationRequired = Forbidden, "itinerary_invitation_required";

        // What the present state forbids.

        /// It is closed for good.
        #[error("the itinerary is archived")]
        Archived = Rule, "itinerary_archived";
        /// The owner needs no invitation.
        #[error("the owner cannot be invited")]
        OwnerInvited = Rule, "itinerary_owner_invited";
        /// A trip is never without its owner.
        #[error("the owner cannot leave the itinerary")]
        OwnerLeaving = Rule, "itinerary_owner_leaving";
        /// A booking that was taken out never comes back.
        #[error("booking {booking_id} was detached for good")]
        BookingDetached {
            /// Which one.
            booking_id: BookingId,
        } = Rule, "itinerary_booking_detached";
        /// Some activities would lie outside the new days.
        #[error("{} activities would lie outside the days {start} to {end}", activity_ids.len())]
        ActivitiesOutsidePeriod {
            /// Which ones, by id.
            activity_ids: Vec<ActivityId>,
            /// The first day asked for.
            start: Date,
            /// The last day asked for.
            end: Date,
        } = Rule, "activities_outside_period";
        /// The activity would lie outside the trip's days.
        #[error("the activity lies outside the days {start} to {end}, as counted in {zone}")]
        ActivityOutsidePeriod {
            /// The trip's first day.
            start: Date,
            /// The trip's last day.
            end: Date,
            /// Where the days are counted.
            zone: Zone,
        } = Rule, "activity_outside_period";

        // Values that make no sense.

        /// The period ends before it starts.
        #[error("the period ends ({end}) before it starts ({start})")]
        PeriodReversed {
            /// The first day asked for.
            start: Date,
            /// The last day asked for.
            end: Date,
        } = Rule, "itinerary_period_reversed";
        /// The period is too long.
        #[error("the period has {days} days, more than {days_max}")]
        PeriodTooLong {
            /// Days asked for, both ends included.
            days: i32,
            /// Days allowed.
            days_max: i32,
        } = Rule, "itinerary_period_too_long";
        /// The period is not of our times.
        #[error("the period lies outside the years {year_min} to {year_max}")]
        PeriodOutsideCalendar {
            /// The first year allowed.
            year_min: i16,
            /// The last year allowed.
            year_max: i16,
        } = Rule, "itinerary_period_outside_calendar";
        /// The zone does not exist.
        #[error("`{zone}` is not an IANA time zone")]
        ZoneUnknown {
            /// What was asked for.
            zone: Zone,
        } = Rule, "itinerary_zone_unknown";
        /// The activity ends before it starts.
        #[error("the activity ends ({ends_at}) before it starts ({starts_at})")]
        ActivityReversed {
            /// The begin asked for.
            starts_at: Timestamp,
            /// The end asked for.
            ends_at: Timestamp,
        } = Rule, "activity_reversed";
        /// A text that must say something says nothing.
        #[error("`{field}` is blank")]
        TextBlank {
            /// The command's field: `title`, `text` or `preferences`.
            field: &'static str,
        } = Rule, "itinerary_text_blank";
        /// A text is too long.
        #[error("`{field}` has {characters} characters, more than {characters_max}")]
        TextTooLong {
            /// The command's field: `title`, `place`, `details`, `text` or `preferences`.
            field: &'static str,
            /// Characters asked for.
            characters: usize,
            /// Characters allowed.
            characters_max: usize,
        } = Rule, "itinerary_text_too_long";
        /// A text holds control characters.
        #[error("`{field}` holds control characters")]
        TextUnprintable {
            /// The command's field: `title`, `place`, `details`, `text` or `preferences`.
            field: &'static str,
        } = Rule, "itinerary_text_unprintable";
        /// A text about people is no ciphertext.
        #[error("`{field}` is not sealed")]
        TextUnsealed {
            /// The command's field: `text`.
            field: &'static str,
        } = Rule, "itinerary_text_unsealed";
        /// A comment is sealed under a key that its author's erasure would not destroy.
        #[error("the comment is not sealed under its author's key")]
        CommentSealedForAnother = Rule, "comment_sealed_for_another";
        /// An amount is negative or absurd.
        #[error("`{field}` is not between 0 and {amount_max} minor units")]
        AmountOutOfRange {
            /// The command's field: `budget` or `estimated_price`.
            field: &'static str,
            /// Minor units asked for.
            amount: i64,
            /// Minor units allowed.
            amount_max: i64,
        } = Rule, "itinerary_amount_out_of_range";
        /// Nobody travels, or too many.
        #[error("{travellers} travellers are not between 1 and {travellers_max}")]
        TravellersOutOfRange {
            /// How many were asked for.
            travellers: u32,
            /// How many are allowed.
            travellers_max: u32,
        } = Rule, "itinerary_travellers_out_of_range";

        // What there may not be more of.

        /// Too many preferences.
        #[error("an itinerary has at most {preferences_max} preferences")]
        TooManyPreferences {
            /// How many are allowed.
            preferences_max: usize,
        } = Rule, "too_many_preferences";
        /// Too many activities.
        #[error("an itinerary has at most {activities_max} activities")]
        TooManyActivities {
            /// How many are allowed.
            activities_max: usize,
        } = Rule, "too_many_activities";
        /// Too many collaborators and invitations.
        #[error("an itinerary has at most {collaborators_max} collaborators and invitations")]
        TooManyCollaborators {
            /// How many are allowed.
            collaborators_max: usize,
        } = Rule, "too_many_collaborators";
        /// Too many comments.
        #[error("an itinerary has at most {comments_max} comments")]
        TooManyComments {
            /// How many are allowed.
            comments_max: usize,
        } = Rule, "too_many_comments";
        /// Too many bookings.
        #[error("an itinerary has at most {bookings_max} bookings, the detached ones included")]
        TooManyBookings {
            /// How many are allowed.
            bookings_max: usize,
        } = Rule, "too_many_itinerary_bookings";
    }
}

crate::text::faults_refuse!(Refusal);
