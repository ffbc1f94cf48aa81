//! What is left of offers: look-ups, answered by Redis where it holds a copy.

use std::collections::BTreeMap;

use domain::ids::OfferId;
use domain::{PositionVector, Tenant};

use super::itineraries::read;
use super::look_up::{By, LookUp};
use super::{Answer, QueryError, ReadQueries};
use crate::projections::{AvailabilityRow, OfferRow};
use crate::row::Cell as _;
use crate::table::Row as _;

const PROJECTION: &str = "availability";

impl ReadQueries {
    /// What is left of these offers of the tenant; what is not known is left out.
    ///
    /// # Errors
    /// [`QueryError::Store`].
    pub async fn availability(
        &self,
        tenant: &Tenant,
        offers: impl IntoIterator<Item = OfferId>,
        at_least: &PositionVector,
    ) -> Result<Answer<BTreeMap<OfferId, AvailabilityRow>>, QueryError> {
        let keys = offers.into_iter().map(|offer| vec![offer.into_value()]).collect();
        let question = LookUp { table: AvailabilityRow::TABLE, by: By::Keys(keys) };
        let mut answer = self.look_up(PROJECTION, vec![question], at_least).await?;
        let rows: Vec<AvailabilityRow> = read(answer.value.remove(0))?;
        let of_tenant = rows.into_iter().filter(|row| row.tenant == *tenant);
        let value = of_tenant.map(|row| (row.offer_id, row)).collect();
        Ok(Answer { value, at: answer.at })
    }

    /// Brings the numbers of offers up to what is known of them by now: an offer's row and what is
    /// left of it are read models of their own, and for each offer the newer one tells.
    pub(super) async fn refresh(
        &self,
        tenant: &Tenant,
        offers: &mut [OfferRow],
    ) -> Result<(), QueryError> {
        if offers.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = offers.iter().map(|row| row.offer_id).collect();
        let left = self.availability(tenant, ids, &PositionVector::empty()).await?.value;
        for offer in offers {
            if let Some(newer) = left.get(&offer.offer_id).filter(|row| row.version > offer.version)
            {
                offer.refresh(newer);
            }
        }
        Ok(())
    }
}
