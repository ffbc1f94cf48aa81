//! PostgreSQL: a cluster of its own, TCP on the loopback only, a password even there.

use anyhow::{Result, bail};
use rustix::process::Signal;

use super::{
    account::private_file,
    launch::Launch,
    recipe::{PREPARATION, Place, QUESTION, Recipe},
};

pub(super) struct Postgres;

impl Recipe for Postgres {
    fn format(&self, place: &Place<'_>) -> Result<()> {
        let cluster = place.dir.join("cluster");
        let secret = place.dir.join("password");
        private_file(&secret, &place.state.password, place.account)?;
        Launch::new(place.programs.postgres_bin.join("initdb"), &place.dir)
            .args(["--username=waylog", "--auth=scram-sha-256", "--no-locale"])
            .args(["--encoding=UTF8", "--no-sync", "--no-instructions"])
            .arg(format!("--pwfile={}", secret.display()))
            .arg("-D")
            .arg(&cluster)
            .run(place.account, &place.log, "", PREPARATION)?;
        // Single-user mode: the database is there before anybody can connect.
        Launch::new(place.programs.postgres_bin.join("postgres"), &place.dir)
            .args(["--single", "-D"])
            .arg(&cluster)
            .arg("postgres")
            .run(place.account, &place.log, "CREATE DATABASE waylog\n", PREPARATION)
    }

    fn launch(&self, place: &Place<'_>) -> Result<Launch> {
        Ok(Launch::new(place.programs.postgres_bin.join("postgres"), &place.dir)
            .arg("-D")
            .arg(place.dir.join("cluster"))
            .arg("-p")
            .arg(place.entry.port.to_string())
            .args(["-c", "listen_addresses=127.0.0.1"])
            // A socket's path is bounded to 107 bytes, a directory's is not.
            .args(["-c", "unix_socket_directories="])
            .args(["-c", "shared_buffers=64MB", "-c", "max_connections=200"])
            .args(["-c", "log_min_messages=warning"]))
    }

    fn probe(&self, place: &Place<'_>) -> Result<()> {
        let port = place.entry.port;
        let answer = Launch::new(&place.programs.psql, "/")
            .args(["--no-psqlrc", "--no-password", "-tA", "-c", "SELECT 1"])
            .arg(format!("host=127.0.0.1 port={port} user=waylog dbname=waylog"))
            .env("PGPASSWORD", &place.state.password)
            .env("PGCONNECT_TIMEOUT", "2")
            .ask(QUESTION)?;
        if answer.trim() == "1" { Ok(()) } else { bail!("SELECT 1 answers {answer:?}") }
    }

    /// `SIGTERM` would wait for the clients to leave.
    fn farewell(&self) -> Signal {
        Signal::INT
    }

    fn abrupt(&self) -> Signal {
        Signal::QUIT
    }
}
