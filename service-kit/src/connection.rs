//! Drives one connection: its requests, its timer, and what the server wants of it.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::activity::{Activity, Verdict, Watched};
use crate::http_server::{Phase, Server};

/// Serves a connection to its end: the client's, a limit's, or the server's.
pub(crate) async fn drive(
    server: &Arc<Server>,
    socket: TcpStream,
    peer: SocketAddr,
    activity: Arc<Activity>,
) {
    let io = TokioIo::new(Watched { socket, activity: Arc::clone(&activity) });
    let service = service_fn({
        let (server, activity) = (Arc::clone(server), Arc::clone(&activity));
        move |request: Request<Incoming>| server.answer(request, peer, &activity)
    });
    let mut connection = pin!(server.builder.serve_connection(io, service));
    let mut timer = pin!(sleep(Activity::glance(&server.limits)));
    let mut closing = false;
    let mut head_timed = false;
    let outcome = poll_fn(|cx| {
        // Registered before the phase is read, so that no change of it is missed.
        activity.waker.register(cx.waker());
        loop {
            let phase = server.phase();
            if phase == Phase::Cutting {
                return Poll::Ready(Ok("cut at shutdown"));
            }
            if phase == Phase::Draining && !closing {
                closing = true;
                connection.as_mut().graceful_shutdown();
            }
            if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                return Poll::Ready(ended.map(|()| "closed"));
            }
            // The common case never gets here: a head arrives in one piece and is in flight.
            match activity.head_deadline(&server.limits) {
                Some(left) if !head_timed => {
                    head_timed = true;
                    timer.as_mut().reset(Instant::now() + left);
                }
                Some(_) => {}
                None => head_timed = false,
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let wait = match activity.verdict(&server.limits) {
                Verdict::Cut => return Poll::Ready(Ok("cut: a limit was exceeded")),
                Verdict::LookAgain(wait) => wait,
                Verdict::Close => {
                    closing = true;
                    activity.closing();
                    connection.as_mut().graceful_shutdown();
                    Duration::from_secs(1)
                }
            };
            timer.as_mut().reset(Instant::now() + wait);
        }
    })
    .await;
    match outcome {
        Ok(ended) => tracing::trace!(%peer, ended, "connection"),
        Err(error) => tracing::debug!(%peer, error, "connection failed"),
    }
}
