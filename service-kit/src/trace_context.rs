//! W3C trace context: reads and writes `traceparent`.
//!
//! A header that does not follow the specification is ignored as if it were missing, as the
//! specification demands. Level 1 of the recommendation; `tracestate` is not carried.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderValue;
use uuid::Uuid;

/// Where a request stands in a distributed trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: u128,
    span_id: u64,
    flags: u8,
}

impl TraceContext {
    /// Starts a trace. The trace id is `seed` itself, so that the trace and the correlation id of
    /// a request that began here are one.
    #[must_use]
    pub fn start(seed: Uuid) -> Self {
        Self { trace_id: seed.as_u128().max(1), span_id: new_span_id(), flags: 0 }
    }

    /// Reads a `traceparent`; `None` when it is malformed, all zero, or of version `ff`.
    #[must_use]
    pub fn parse(header: &[u8]) -> Option<Self> {
        let (fixed, rest) = header.split_at_checked(55)?;
        let version = hex(&fixed[0..2])?;
        // Version 00 is exactly 55 bytes; a later one may go on after another dash.
        let well_ended = match version {
            0xff => return None,
            0 => rest.is_empty(),
            _ => rest.is_empty() || rest[0] == b'-',
        };
        if !well_ended || [fixed[2], fixed[35], fixed[52]] != [b'-'; 3] {
            return None;
        }
        let trace_id = hex(&fixed[3..35])?;
        let span_id = u64::try_from(hex(&fixed[36..52])?).ok()?;
        let flags = u8::try_from(hex(&fixed[53..55])?).ok()?;
        (trace_id != 0 && span_id != 0).then_some(Self { trace_id, span_id, flags })
    }

    /// The same trace with a span of our own below the one that was sent.
    #[must_use]
    pub fn child(self) -> Self {
        // Flags of later versions mean nothing here; `sampled` and `random` are kept.
        Self { span_id: new_span_id(), flags: self.flags & 0b11, ..self }
    }

    /// The trace's id: 16 bytes, never zero.
    #[must_use]
    pub fn trace_id(&self) -> u128 {
        self.trace_id
    }

    /// As a header.
    #[must_use]
    pub fn header_value(&self) -> HeaderValue {
        HeaderValue::try_from(self.to_string()).expect("hex digits and dashes are a header value")
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, self.flags)
    }
}

/// Lower-case hex digits only, at most 32 of them.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0_u128, |value, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u128::from(digit))
    })
}

/// Unique within the process and unpredictable across processes, without a system call.
fn new_span_id() -> u64 {
    static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    static COUNT: AtomicU64 = AtomicU64::new(0);
    SEED.hash_one(COUNT.fetch_add(1, Ordering::Relaxed)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_header_is_written_as_it_was_read() {
        let context = TraceContext::parse(SENT.as_bytes()).unwrap();

        assert_eq!(context.to_string(), SENT);
    }

    #[test]
    fn a_child_stays_in_the_trace_under_a_span_of_its_own() {
        let parent = TraceContext::parse(SENT.as_bytes()).unwrap();

        let (one, two) = (parent.child(), parent.child());

        assert_eq!(one.trace_id(), parent.trace_id());
        assert_ne!(one.span_id, parent.span_id);
        assert_ne!(one.span_id, two.span_id);
        assert_eq!(TraceContext::parse(one.to_string().as_bytes()), Some(one));
    }

    #[test]
    fn what_the_specification_refuses_is_ignored() {
        for sent in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceContext::parse(sent.as_bytes()), None, "{sent}");
        }
    }

    #[test]
    fn a_later_version_may_carry_more() {
        let sent = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-says";

        assert!(TraceContext::parse(sent.as_bytes()).is_some());
    }
}
