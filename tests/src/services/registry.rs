//! The schema registry: Apicurio, through the API of Confluent's that it also speaks.
//!
//! Its schemas live in a file of the set's directory: ids stay valid over a restart, as those in
//! the log's records must.

use std::time::Duration;

use anyhow::{Result, bail};

use super::{
    launch::Launch,
    probe,
    recipe::{Place, QUESTION, Recipe},
};

/// Where Confluent's API begins.
pub(super) const API: &str = "/apis/ccompat/v7";

pub(super) struct Registry;

impl Recipe for Registry {
    fn format(&self, _place: &Place<'_>) -> Result<()> {
        Ok(())
    }

    fn launch(&self, place: &Place<'_>) -> Result<Launch> {
        let dir = place.dir.display();
        Ok(Launch::new(&place.programs.java, &place.dir)
            .args(["-Xms64m", "-Xmx384m", "-XX:TieredStopAtLevel=1"])
            .args(["-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xshare:auto"])
            .arg(format!("-Djava.io.tmpdir={dir}"))
            .args(["-Dquarkus.http.host=127.0.0.1", "-Dquarkus.log.level=WARN"])
            .arg(format!("-Dquarkus.http.port={}", place.entry.port))
            .args(["-Dapicurio.storage.kind=sql", "-Dapicurio.storage.sql.kind=h2"])
            .arg(format!("-Dapicurio.datasource.url=jdbc:h2:file:{dir}/schemas"))
            .arg("-jar")
            .arg(&place.programs.registry_jar))
    }

    fn probe(&self, place: &Place<'_>) -> Result<()> {
        let path = format!("{API}/subjects");
        match probe::http_status(place.entry.port, &path, QUESTION.max(Duration::from_secs(5)))? {
            200 => Ok(()),
            status => bail!("GET {path} answers {status}"),
        }
    }
}
