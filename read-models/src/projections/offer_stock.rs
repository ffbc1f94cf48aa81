//! How many places of an offer are held, sold and left: what every read model that shows it counts
//! alike. Events say how many places they take or free, so that nothing here remembers holds.

use domain::offer::Event as Offer;

/// The numbers of one offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OfferStock {
    /// How many places can be sold.
    pub(super) capacity: u32,
    /// How many of them are held.
    pub(super) held: u32,
    /// How many are sold.
    pub(super) allocated: u32,
    /// Whether it sells nothing new.
    pub(super) closed: bool,
}

impl OfferStock {
    /// The numbers after the event.
    pub(super) fn follow(self, happened: &Offer) -> Self {
        let Self { capacity, held, allocated, closed } = self;
        match happened {
            // Nothing is listed twice; the first one holds.
            Offer::Listed(_) | Offer::Repriced(_) => self,
            Offer::CapacityChanged(changed) => Self { capacity: changed.capacity, ..self },
            Offer::Held(claimed) => {
                Self { held: held.saturating_add(claimed.claim.quantity()), ..self }
            }
            Offer::HoldReleased(released) => {
                let freed = released.claim.as_ref().map_or(0, |claim| claim.quantity());
                Self { held: held.saturating_sub(freed), ..self }
            }
            Offer::HoldExpired(expired) => {
                Self { held: held.saturating_sub(expired.claim.quantity()), ..self }
            }
            Offer::Allocated(sold) => {
                let quantity = sold.claim.quantity();
                let (held, allocated) =
                    (held.saturating_sub(quantity), allocated.saturating_add(quantity));
                Self { capacity, held, allocated, closed }
            }
            Offer::Returned(returned) => {
                let freed = returned.claim.as_ref().map_or(0, |claim| claim.quantity());
                Self { allocated: allocated.saturating_sub(freed), ..self }
            }
            Offer::Closed(_) => Self { closed: true, ..self },
        }
    }

    /// How many places can be bought now: none once it is closed.
    pub(super) fn free(self) -> u32 {
        if self.closed {
            return 0;
        }
        self.capacity.saturating_sub(self.held.saturating_add(self.allocated))
    }
}
