//! What one connection is doing, and how long it may go on doing it.
//!
//! A connection has one timer. Traffic never touches it: reads, writes and requests only note
//! what they do here, and when the timer fires, [`Activity::verdict`] says whether the connection
//! has outstayed its limit or when to look again. Deadlines are therefore kept at the latest one
//! look late, and a busy connection pays a few relaxed stores per request.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Buf;
use futures::task::AtomicWaker;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::http_server::Limits;

/// How long a connection that was asked to close may take to do so.
const CLOSING_GRACE: Duration = Duration::from_secs(5);

/// `0` where nothing has happened; otherwise milliseconds since `opened`, plus one.
type Stamp = AtomicU64;

pub(crate) struct Activity {
    opened: Instant,
    /// Requests whose answer has not been handed over completely.
    in_flight: AtomicU32,
    /// Since when no request is in flight.
    waiting_since: Stamp,
    /// When the first byte arrived since then.
    first_byte: Stamp,
    /// Since when the client takes nothing of what we write.
    blocked_since: Stamp,
    closing_since: Stamp,
    served: AtomicBool,
    multiplexed: AtomicBool,
    /// Wakes the connection's task when the server wants something of it.
    pub(crate) waker: AtomicWaker,
}

/// What the timer's firing means for a connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing yet; look again after this long.
    LookAgain(Duration),
    /// It has been idle long enough: close it in good order.
    Close,
    /// It hangs: drop it.
    Cut,
}

impl Activity {
    pub(crate) fn new() -> Self {
        Self {
            opened: Instant::now(),
            in_flight: AtomicU32::new(0),
            waiting_since: Stamp::new(1),
            first_byte: Stamp::new(0),
            blocked_since: Stamp::new(0),
            closing_since: Stamp::new(0),
            served: AtomicBool::new(false),
            multiplexed: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        }
    }

    pub(crate) fn requests_in_flight(&self) -> u32 {
        self.in_flight.load(Relaxed)
    }

    /// A request's head has been read.
    pub(crate) fn begin(self: &Arc<Self>, multiplexed: bool) -> InFlight {
        self.in_flight.fetch_add(1, Relaxed);
        self.served.store(true, Relaxed);
        if multiplexed {
            self.multiplexed.store(true, Relaxed);
        }
        InFlight(Arc::clone(self))
    }

    pub(crate) fn closing(&self) {
        if self.closing_since.load(Relaxed) == 0 {
            self.closing_since.store(self.now(), Relaxed);
        }
    }

    /// How long the timer may run without a look, so that every limit is noticed in time.
    pub(crate) fn glance(limits: &Limits) -> Duration {
        limits.idle_timeout.min(limits.write_stall_timeout).min(limits.header_read_timeout)
    }

    /// When the head that is arriving right now must be complete, if one is.
    pub(crate) fn head_deadline(&self, limits: &Limits) -> Option<Duration> {
        let first = self.first_byte.load(Relaxed);
        let arriving = first != 0 && self.requests_in_flight() == 0;
        let arriving = arriving && !self.multiplexed.load(Relaxed);
        arriving.then(|| left(first, limits.header_read_timeout, self.now()))
    }

    pub(crate) fn verdict(&self, limits: &Limits) -> Verdict {
        match self.judge(limits) {
            // While it waits, a request may begin and stall; no look may be later than that.
            Verdict::LookAgain(left) => Verdict::LookAgain(left.min(limits.write_stall_timeout)),
            verdict => verdict,
        }
    }

    fn judge(&self, limits: &Limits) -> Verdict {
        let now = self.now();
        let closing = self.closing_since.load(Relaxed);
        let blocked = self.blocked_since.load(Relaxed);
        if blocked != 0 && left(blocked, limits.write_stall_timeout, now).is_zero() {
            return Verdict::Cut;
        }
        if self.requests_in_flight() > 0 {
            // Handlers and bodies have deadlines of their own.
            return Verdict::LookAgain(limits.idle_timeout);
        }
        if closing != 0 {
            return or_else(left(closing, CLOSING_GRACE, now), Verdict::Cut);
        }
        if let Some(left) = self.head_deadline(limits) {
            return or_else(left, Verdict::Cut);
        }
        let waiting = self.waiting_since.load(Relaxed);
        if self.served.load(Relaxed) {
            or_else(left(waiting, limits.idle_timeout, now), Verdict::Close)
        } else {
            or_else(left(waiting, limits.header_read_timeout, now), Verdict::Cut)
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    fn received(&self) {
        if self.first_byte.load(Relaxed) == 0 && self.requests_in_flight() == 0 {
            self.first_byte.store(self.now(), Relaxed);
        }
    }

    fn wrote(&self, blocked: bool) {
        let noted = self.blocked_since.load(Relaxed) != 0;
        if blocked != noted {
            self.blocked_since.store(if blocked { self.now() } else { 0 }, Relaxed);
        }
    }
}

/// What is left at `now` of a `limit` that began at `since`.
fn left(since: u64, limit: Duration, now: u64) -> Duration {
    limit.saturating_sub(Duration::from_millis(now.saturating_sub(since)))
}

fn or_else(left: Duration, over: Verdict) -> Verdict {
    if left.is_zero() { over } else { Verdict::LookAgain(left) }
}

/// A request in flight; dropped when its answer was handed over, or given up.
pub(crate) struct InFlight(Arc<Activity>);

impl Drop for InFlight {
    fn drop(&mut self) {
        let activity = &*self.0;
        if activity.in_flight.fetch_sub(1, Relaxed) == 1 {
            activity.first_byte.store(0, Relaxed);
            activity.waiting_since.store(activity.now(), Relaxed);
        }
    }
}

pin_project! {
    /// A response body that keeps its request in flight until it is through.
    pub(crate) struct TrackedBody<B> {
        #[pin]
        inner: B,
        in_flight: InFlight,
    }
}

impl<B> TrackedBody<B> {
    pub(crate) fn new(inner: B, in_flight: InFlight) -> Self {
        Self { inner, in_flight }
    }
}

impl<B: Body> Body for TrackedBody<B>
where
    B::Data: Buf,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.project().inner.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A socket that notes its traffic.
pub(crate) struct Watched<S> {
    pub(crate) socket: S,
    pub(crate) activity: Arc<Activity>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.socket).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.activity.received();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.activity.wrote(polled.is_pending());
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write_vectored(cx, pieces);
        self.activity.wrote(polled.is_pending());
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        connections_max: 1,
        header_bytes_max: 8192,
        streams_per_connection_max: 1,
        header_read_timeout: Duration::from_secs(10),
        body_read_timeout: Duration::from_secs(20),
        idle_timeout: Duration::from_secs(75),
        write_stall_timeout: Duration::from_secs(30),
        drain_timeout: Duration::from_secs(20),
    };

    /// A connection as it is `seconds` after it did what is told next.
    fn aged(activity: Activity, seconds: u64) -> Arc<Activity> {
        let opened = activity.opened.checked_sub(Duration::from_secs(seconds)).unwrap();
        Arc::new(Activity { opened, ..activity })
    }

    fn served() -> Activity {
        let activity = Arc::new(Activity::new());
        drop(activity.begin(false));
        Arc::into_inner(activity).unwrap()
    }

    #[test]
    fn a_connection_that_never_asked_anything_is_cut_after_the_head_limit() {
        assert!(matches!(aged(Activity::new(), 9).verdict(&LIMITS), Verdict::LookAgain(_)));
        assert_eq!(aged(Activity::new(), 10).verdict(&LIMITS), Verdict::Cut);
    }

    #[test]
    fn a_connection_that_was_served_may_idle_longer_and_is_closed_in_good_order() {
        assert!(matches!(aged(served(), 74).verdict(&LIMITS), Verdict::LookAgain(_)));
        assert_eq!(aged(served(), 76).verdict(&LIMITS), Verdict::Close);
    }

    #[test]
    fn a_next_head_has_the_head_limit_but_not_on_a_multiplexed_connection() {
        let (next, multiplexed) = (served(), served());
        multiplexed.multiplexed.store(true, Relaxed);
        next.received();
        multiplexed.received();

        assert_eq!(aged(next, 11).verdict(&LIMITS), Verdict::Cut);
        assert!(matches!(aged(multiplexed, 11).verdict(&LIMITS), Verdict::LookAgain(_)));
    }

    #[test]
    fn a_request_in_flight_keeps_a_connection_that_is_being_read() {
        let (reading, stalled) = (served(), served());
        stalled.wrote(true);
        let (reading, stalled) = (aged(reading, 3600), aged(stalled, 31));
        let _in_flight = (reading.begin(false), stalled.begin(false));

        assert_eq!(reading.verdict(&LIMITS), Verdict::LookAgain(LIMITS.write_stall_timeout));
        assert_eq!(stalled.verdict(&LIMITS), Verdict::Cut);
    }

    #[test]
    fn a_connection_that_will_not_close_is_cut() {
        let closing = served();
        closing.closing();

        assert_eq!(aged(closing, 6).verdict(&LIMITS), Verdict::Cut);
    }
}
