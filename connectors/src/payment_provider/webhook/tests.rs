//! Tests of proving and reading webhooks.
