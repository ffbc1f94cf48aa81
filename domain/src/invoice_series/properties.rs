//! Comes with the decisions.
