//! `waylog bench rebuild`: how fast a projection is built anew, by a server that goes on serving;
//! and beside it, in the same run, how long COPY takes for the rows that were built.

use std::time::Instant;

use anyhow::{Context as _, bail};
use domain::PositionVector;
use read_models::postgres::{Copied, copy_again};
use read_models::{
    Generation, Home, PostgresReadStore, PostgresSettings, Projection, ReadStore as _,
};
use serde_json::{Value, json};
use service_kit::secret::ConnectionUrl;

use crate::projection::follow;
use crate::server::{Server, ServerArgs};

/// Which projection, of which server.
#[derive(Debug, clap::Args)]
pub(crate) struct Rebuild {
    #[command(flatten)]
    server: ServerArgs,
    /// Which projection.
    #[arg(long, default_value = "audit")]
    projection: String,
    /// The PostgreSQL of the server's read models: its COPY of the same rows, into tables with the
    /// same keys and indexes, is measured too, and the rates are compared.
    #[arg(long, value_name = "URL")]
    postgres_url: Option<ConnectionUrl>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Starts a rebuild over the server's API, follows it until it has reached the live tables, copies
/// what it wrote, and drops it again. The time includes the comparison with the live tables.
///
/// # Errors
/// When the server or its database cannot be reached, or the rebuild fails.
pub(super) fn run(rebuild: &Rebuild) -> anyhow::Result<String> {
    let name = &rebuild.projection;
    let server = Server::new(&rebuild.server)?;
    let live = server.get(&format!("/v1/projections/{name}"))?;
    let yardstick = match &rebuild.postgres_url {
        Some(url) => Some(Yardstick::new(url, name, &live)?),
        None => None,
    };

    let path = format!("/v1/projections/{name}/rebuilds");
    let begin = Instant::now();
    let started = server.call(http::Method::POST, &path, None)?;
    let number = started["id"].as_u64().and_then(|id| u32::try_from(id).ok());
    let number = number.context("the server names no rebuild")?;
    let path = format!("{path}/{number}");
    let built = follow(&server, &path)?;
    let seconds = begin.elapsed().as_secs_f64();
    // Its tables are dropped whatever becomes of the copying.
    let copied = yardstick.map(|yardstick| yardstick.copy(number, &built)).transpose();
    let dropped = server.call(http::Method::DELETE, &path, None);
    let copied = copied?;
    dropped?;

    Ok(Figures { name, built: &built, seconds, copied }.print(rebuild.json))
}

/// The database that holds what is rebuilt.
struct Yardstick {
    settings: PostgresSettings,
    projection: Box<dyn Projection>,
    runtime: tokio::runtime::Runtime,
}

impl Yardstick {
    /// Refuses, before anything is built, a database that cannot be the server's.
    fn new(url: &ConnectionUrl, name: &str, live: &Value) -> anyhow::Result<Self> {
        let mut all = read_models::projections().into_iter();
        let projection =
            all.find(|known| known.name() == name && known.home() != Home::Mysql).with_context(
                || format!("`{name}` is not kept in PostgreSQL: leave --postgres-url out"),
            )?;
        let settings = PostgresSettings::new(url.expose());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let number = live["generation"].as_u64().and_then(|number| u32::try_from(number).ok());
        let number = number.context("the server has no live tables of it")?;
        let state = runtime.block_on(async {
            let store = PostgresReadStore::read_only(&settings)?;
            store.state(&Generation { projection: name.to_owned(), number }).await
        });
        if state.context("the database of --postgres-url")?.is_none() {
            bail!(
                "the database of --postgres-url does not hold generation {number} of `{name}`: it \
                 is not the one of this server"
            );
        }
        Ok(Self { settings, projection, runtime })
    }

    fn copy(self, number: u32, built: &Value) -> anyhow::Result<Copied> {
        let generation = Generation { projection: self.projection.name().to_owned(), number };
        let vector = built["vector"].as_str().and_then(|vector| vector.parse().ok());
        let vector: PositionVector = vector.context("the server names no vector")?;
        self.runtime.block_on(async {
            let store = PostgresReadStore::read_only(&self.settings)?;
            // The one that was built, and none of the same number that somebody else keeps there.
            let state = store.state(&generation).await?;
            if !state.is_some_and(|state| !state.live && state.vector.covers(&vector)) {
                bail!("the database of --postgres-url does not hold what this server has built");
            }
            let copying = copy_again(&self.settings, &generation, self.projection.tables());
            copying.await.context("copying the rows")
        })
    }
}

/// What was measured.
struct Figures<'a> {
    name: &'a str,
    built: &'a Value,
    seconds: f64,
    copied: Option<Copied>,
}

impl Figures<'_> {
    fn print(&self, as_json: bool) -> String {
        let Self { name, seconds, .. } = *self;
        let records = self.built["records_done"].as_f64().unwrap_or_default();
        let verdict = self.built["comparison"]["verdict"].as_str().unwrap_or("not compared");
        let per_second = records / seconds;
        let beside = self.copied.map(|Copied { rows, time }| (rows, time.as_secs_f64()));
        if as_json {
            let copy = beside.map(|(rows, copying)| {
                json!({ "rows": rows, "seconds": copying, "share_of_copy": copying / seconds })
            });
            let figures = json!({
                "projection": name, "records": records, "seconds": seconds,
                "per_second": per_second, "verdict": verdict, "copy": copy,
            });
            return format!("{figures:#}");
        }
        let rebuilt = format!(
            "{name}: {records} records in {seconds:.1} s, {per_second:.0} per second, {verdict}"
        );
        match beside {
            Some((rows, copying)) => format!(
                "{rebuilt}\nCOPY of the {rows} rows in {copying:.1} s: the rebuild has {:.0} % of \
                 its rate",
                100.0 * copying / seconds
            ),
            None => rebuilt,
        }
    }
}
