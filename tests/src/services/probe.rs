//! One question each in the protocols that need no client program: does it answer, and rightly?
//!
//! Every question has a deadline on connecting, sending and each read, and a bound on the answer.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result, bail};

/// Longest answer that is read.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

fn connect(port: u16, limit: Duration) -> Result<TcpStream> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect_timeout(&address, limit)
        .with_context(|| format!("nobody answers on port {port}"))?;
    stream.set_read_timeout(Some(limit)).context("cannot bound a read")?;
    stream.set_write_timeout(Some(limit)).context("cannot bound a write")?;
    Ok(stream)
}

/// The status of `GET path`.
///
/// # Errors
/// When nobody answers in time, or not in HTTP.
pub(super) fn http_status(port: u16, path: &str, limit: Duration) -> Result<u16> {
    let mut stream = connect(port, limit)?;
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).context("the request was not taken")?;
    let mut line = String::new();
    let bound = u64::try_from(ANSWER_BYTES_MAX).context("a bound beyond 64 bits")?;
    BufReader::new(stream.take(bound)).read_line(&mut line).context("no answer")?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.with_context(|| format!("no HTTP answer: {line:?}"))
}

/// `AUTH` and `PING`.
///
/// # Errors
/// When the password is not taken or there is no `PONG` in time.
pub(super) fn redis_ping(port: u16, password: &str, limit: Duration) -> Result<()> {
    let mut stream = connect(port, limit)?;
    stream.write_all(format!("AUTH {password}\r\nPING\r\n").as_bytes()).context("not taken")?;
    let mut lines = BufReader::new(stream.take(1024)).lines();
    for expected in ["+OK", "+PONG"] {
        let line = lines.next().context("the answer breaks off")?.context("no answer")?;
        if line != expected {
            bail!("it answers {line:?}");
        }
    }
    Ok(())
}

/// What a broker says about its cluster.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Metadata {
    /// Numbers of the brokers that it knows of.
    pub(super) nodes: Vec<i32>,
    pub(super) cluster_id: String,
    /// -1 when there is none.
    pub(super) controller: i32,
}

/// Kafka's `Metadata` request, version 2, about no topic.
///
/// # Errors
/// When nobody answers in time, or not in Kafka's protocol.
pub(super) fn kafka_metadata(port: u16, limit: Duration) -> Result<Metadata> {
    const CLIENT: &[u8] = b"waylog-services";
    let mut body = vec![0, 3, 0, 2]; // the key of Metadata, then the version
    body.extend(1_i32.to_be_bytes()); // correlation id
    body.extend(i16::try_from(CLIENT.len()).context("a long client name")?.to_be_bytes());
    body.extend(CLIENT);
    body.extend(0_i32.to_be_bytes()); // no topics
    let mut stream = connect(port, limit)?;
    stream
        .write_all(&u32::try_from(body.len()).context("a long request")?.to_be_bytes())
        .and_then(|()| stream.write_all(&body))
        .context("the request was not taken")?;
    let mut length = [0; 4];
    stream.read_exact(&mut length).context("no answer")?;
    let length = usize::try_from(u32::from_be_bytes(length)).context("a long answer")?;
    if length > ANSWER_BYTES_MAX {
        bail!("an answer of {length} bytes");
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).context("the answer breaks off")?;
    parse_metadata(&answer)
}

fn parse_metadata(answer: &[u8]) -> Result<Metadata> {
    let mut reader = Fields(answer);
    if reader.int()? != 1 {
        bail!("an answer to another question");
    }
    let brokers = usize::try_from(reader.int()?).context("fewer than no brokers")?;
    let mut nodes = Vec::new();
    for _ in 0..brokers {
        nodes.push(reader.int()?);
        reader.text()?; // host
        reader.int()?; // port
        reader.text()?; // rack
    }
    let cluster_id = reader.text()?;
    Ok(Metadata { nodes, cluster_id, controller: reader.int()? })
}

/// Reads the fields of an answer one by one.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take(&mut self, count: usize) -> Result<&[u8]> {
        let (field, rest) = self.0.split_at_checked(count).context("the answer breaks off")?;
        self.0 = rest;
        Ok(field)
    }

    fn int(&mut self) -> Result<i32> {
        Ok(i32::from_be_bytes(self.take(4)?.try_into().context("four bytes")?))
    }

    /// A nullable string; null is empty.
    fn text(&mut self) -> Result<String> {
        let length = i16::from_be_bytes(self.take(2)?.try_into().context("two bytes")?);
        let text = self.take(usize::try_from(length).unwrap_or(0))?;
        String::from_utf8(text.to_vec()).context("a name that is no text")
    }
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);

    /// Answers one connection with these bytes, after the first bytes of a request came.
    fn answering(answer: &'static [u8]) -> (u16, thread::JoinHandle<()>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            assert!(stream.read(&mut [0; 512]).unwrap() > 0);
            stream.write_all(answer).unwrap();
        });
        (port, served)
    }

    #[test]
    fn a_status_is_read_from_the_first_line() {
        let (port, served) = answering(b"HTTP/1.1 503 Service Unavailable\r\n\r\n");

        let status = http_status(port, "/", LIMIT).unwrap();

        assert_eq!(status, 503);
        served.join().unwrap();
    }

    #[test]
    fn a_refused_password_is_not_readiness() {
        let (port, served) = answering(b"-WRONGPASS no\r\n-NOAUTH no\r\n");

        let error = redis_ping(port, "secret", LIMIT).unwrap_err();

        assert!(error.to_string().contains("WRONGPASS"), "{error}");
        served.join().unwrap();
    }

    #[test]
    fn a_cluster_is_read_with_and_without_racks() {
        let answer = [
            &[0, 0, 0, 1, 0, 0, 0, 2][..],
            &[0, 0, 0, 1, 0, 1, b'h', 0, 0, 0, 9, 0xff, 0xff],
            &[0, 0, 0, 2, 0, 1, b'h', 0, 0, 0, 9, 0, 1, b'r'],
            &[0, 2, b'i', b'd', 0, 0, 0, 2],
        ]
        .concat();

        let metadata = parse_metadata(&answer).unwrap();

        let expected = Metadata { nodes: vec![1, 2], cluster_id: "id".to_owned(), controller: 2 };
        assert_eq!(metadata, expected);
        assert!((0..answer.len()).all(|cut| parse_metadata(&answer[..cut]).is_err()));
    }

    #[test]
    fn a_silent_port_is_an_error_within_the_limit() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();

        let error = kafka_metadata(port, Duration::from_millis(50)).unwrap_err();

        assert_eq!(error.to_string(), "no answer");
    }
}
