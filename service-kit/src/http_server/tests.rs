//! Accept errors, and the one answer that is written by hand.

use std::collections::VecDeque;

use tokio::time::timeout;

use super::*;

/// A listener that fails as it is told, then works.
struct Failing {
    listener: TcpListener,
    errors: Mutex<VecDeque<i32>>,
}

impl Accept for Failing {
    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let error = self.errors.lock().unwrap().pop_front();
        match error {
            Some(code) => Err(io::Error::from_raw_os_error(code)),
            None => self.listener.accept().await,
        }
    }
}

async fn answered_after(errors: impl Into<VecDeque<i32>>) -> Result<Vec<u8>, ServeError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut socket = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let listener = Failing { listener, errors: Mutex::new(errors.into()) };
    let shutdown = CancellationToken::new();
    let server = serve_from(listener, Router::new(), Limits::default(), shutdown.clone());
    let client = async {
        let mut answer = Vec::new();
        socket.write_all(b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n").await.unwrap();
        socket.read_to_end(&mut answer).await.unwrap();
        shutdown.cancel();
        answer
    };
    timeout(Duration::from_secs(10), async {
        let server = std::pin::pin!(server);
        let client = std::pin::pin!(client);
        match futures::future::select(server, client).await {
            futures::future::Either::Left((ended, _)) => Err(ended.unwrap_err()),
            futures::future::Either::Right((answer, server)) => server.await.map(|_| answer),
        }
    })
    .await
    .expect("it ends in time")
}

#[tokio::test]
async fn running_out_of_file_descriptors_is_waited_out() {
    let (emfile, aborted) = (24, 103);

    let answer = answered_after([emfile, aborted, emfile]).await.unwrap();

    assert!(answer.starts_with(b"HTTP/1.1 404"), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn a_broken_listener_ends_the_server() {
    let ebadf = 9;

    let error = answered_after([ebadf]).await.unwrap_err();

    assert_eq!(error.code(), "listener_broken");
}

#[test]
fn the_refusal_states_its_length() {
    let text = std::str::from_utf8(REFUSAL).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();

    assert!(head.ends_with(&format!("content-length: {}", body.len())), "{}", body.len());
    assert!(serde_json::from_str::<serde_json::Value>(body).is_ok());
}
