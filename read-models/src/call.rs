//! A call on a pooled connection, within a deadline: the same for every database that has a pool.
//! A call that is given up in the middle gives no busy connection back.

use std::time::Duration;

use deadpool::managed::{Manager, Object};

use crate::store::ReadStoreError;

/// Makes a call on a connection of a pool within a deadline:
/// `call!(connections, deadline, connection => future)`.
macro_rules! call {
    ($connections:expr, $deadline:expr, $connection:ident => $future:expr) => {{
        let mut lent = $crate::call::Lent::new($connections.connection().await?);
        let outcome = {
            let $connection = lent.connection();
            tokio::time::timeout($deadline, $future).await
        };
        $connections.settle(lent.back(), $deadline, outcome)
    }};
}
pub(crate) use call;

/// A connection in the middle of a call. Whoever drops the call drops it too: the connection is
/// closed then, as it may hold a transaction, or an answer that the next caller would wait behind.
pub(crate) struct Lent<M: Manager>(Option<Object<M>>);

impl<M: Manager> Lent<M> {
    pub(crate) const fn new(connection: Object<M>) -> Self {
        Self(Some(connection))
    }

    pub(crate) fn connection(&mut self) -> &mut Object<M> {
        self.0.as_mut().expect("it is given back only at the end")
    }

    /// The connection, after a call that came to its end.
    pub(crate) fn back(mut self) -> Object<M> {
        self.0.take().expect("it is given back only once")
    }
}

impl<M: Manager> Drop for Lent<M> {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(Object::take(connection));
        }
    }
}

/// Nobody answered in time.
pub(crate) fn late(deadline: Duration) -> ReadStoreError {
    ReadStoreError::Unavailable(format!("no answer within {deadline:?}"), None)
}
