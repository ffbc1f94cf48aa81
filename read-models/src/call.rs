//! A call on a pooled connection, within a deadline: the same for every database that has a pool.

use std::time::Duration;

use crate::store::ReadStoreError;

/// Makes a call on a connection of a pool within a deadline:
/// `call!(connections, deadline, connection => future)`.
macro_rules! call {
    ($connections:expr, $deadline:expr, $connection:ident => $future:expr) => {{
        let mut connection = $connections.connection().await?;
        let outcome = {
            let $connection = &mut connection;
            tokio::time::timeout($deadline, $future).await
        };
        $connections.settle(connection, $deadline, outcome)
    }};
}
pub(crate) use call;

/// Nobody answered in time.
pub(crate) fn late(deadline: Duration) -> ReadStoreError {
    ReadStoreError::Unavailable(format!("no answer within {deadline:?}"), None)
}
