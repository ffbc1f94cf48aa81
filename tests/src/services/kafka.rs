//! Apache Kafka in KRaft mode: every process is broker and controller at once.
//!
//! One broker, or three with replication 3 and `min.insync.replicas` 2. Time-outs that decide how
//! fast a dead client or broker is noticed are short: tests wait for them.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use super::{
    account::{private_dir, private_file},
    kind::Kind,
    launch::Launch,
    probe,
    recipe::{PREPARATION, Place, QUESTION, Recipe},
};

/// Warnings to standard output, so that a broker that cannot start says why.
const LOGGING: &str = "\
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{HH:mm:ss.SSS} %p %c{1}: %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = info
";

pub(super) struct Broker;

impl Recipe for Broker {
    fn format(&self, place: &Place<'_>) -> Result<()> {
        if let Some(sibling) = formatted_sibling(place) {
            return clone_format(place, &sibling);
        }
        let properties = place.dir.join("server.properties");
        private_file(&properties, server_properties(place), place.account)?;
        self.java(place, &["-Xmx128m", "-XX:TieredStopAtLevel=1"])
            .args(["kafka.tools.StorageTool", "format", "-t", &place.state.cluster_id, "-c"])
            .arg(properties)
            .run(place.account, &place.log, "", PREPARATION)
    }

    fn launch(&self, place: &Place<'_>) -> Result<Launch> {
        let properties = place.dir.join("server.properties");
        private_file(&properties, server_properties(place), place.account)?;
        let logging = place.dir.join("log4j2.properties");
        private_file(&logging, LOGGING, place.account)?;
        let heap = if place.state.brokers == 1 { "-Xmx512m" } else { "-Xmx320m" };
        Ok(self
            .java(place, &["-Xms128m", heap])
            .arg(format!("-Dlog4j2.configurationFile={}", logging.display()))
            .arg("kafka.Kafka")
            .arg(properties))
    }

    /// Ready is: it belongs to this very cluster, has a controller, and sees itself and as many
    /// brokers as there are at work.
    fn probe(&self, place: &Place<'_>) -> Result<()> {
        let seen = probe::kafka_metadata(place.entry.port, QUESTION)?;
        if seen.cluster_id != place.state.cluster_id {
            bail!("another cluster answers on port {}", place.entry.port);
        }
        let at_work = place.state.nodes(Kind::Kafka).filter(|(_, broker)| broker.at_work()).count();
        let itself = seen.nodes.contains(&i32::from(place.entry.node));
        if !itself || seen.nodes.len() < at_work || seen.controller < 0 {
            bail!("it sees brokers {:?}, of {at_work} at work", seen.nodes);
        }
        Ok(())
    }
}

impl Broker {
    fn java(&self, place: &Place<'_>, options: &[&str]) -> Launch {
        Launch::new(&place.programs.java, &place.dir)
            .args(options)
            .args(["-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xshare:auto"])
            .arg(format!("-Djava.io.tmpdir={}", place.dir.display()))
            .arg("-cp")
            .arg(place.programs.kafka_libs.join("*"))
    }
}

/// The log directory of another broker of this cluster that was formatted already.
fn formatted_sibling(place: &Place<'_>) -> Option<PathBuf> {
    let dirs = place.state.nodes(Kind::Kafka).map(|(name, _)| place.state.data.join(name));
    dirs.filter(|dir| dir.join("formatted").exists()).map(|dir| dir.join("log")).next()
}

/// Formatting differs between brokers in two identities alone, and costs a JVM each time.
fn clone_format(place: &Place<'_>, sibling: &Path) -> Result<()> {
    let log = place.dir.join("log");
    private_dir(&log, place.account)?;
    let read = |name: &str| {
        fs::read_to_string(sibling.join(name)).with_context(|| format!("no {name} to follow"))
    };
    let meta: String = read("meta.properties")?
        .lines()
        .map(|line| match line.split_once('=') {
            Some(("node.id", _)) => format!("node.id={}\n", place.entry.node),
            Some(("directory.id", id)) => format!("directory.id={}\n", other_id(id, place)),
            _ => format!("{line}\n"),
        })
        .collect();
    private_file(&log.join("meta.properties"), meta, place.account)?;
    let bootstrap = fs::read(sibling.join("bootstrap.checkpoint")).context("no checkpoint")?;
    private_file(&log.join("bootstrap.checkpoint"), bootstrap, place.account)
}

/// A directory's id that differs from the sibling's in its first characters: 16 bytes in URL-safe
/// base64, as Kafka wants it.
fn other_id(sibling: &str, place: &Place<'_>) -> String {
    let tail: String = sibling.chars().skip(2).collect();
    let first = if sibling.starts_with('N') { 'M' } else { 'N' };
    format!("{first}{}{tail}", place.entry.node)
}

fn server_properties(place: &Place<'_>) -> String {
    let state = place.state;
    let node = place.entry.node;
    let (port, controller_port) = (place.entry.port, place.entry.controller_port);
    let voters: Vec<String> = state
        .nodes(Kind::Kafka)
        .map(|(_, entry)| format!("{}@127.0.0.1:{}", entry.node, entry.controller_port))
        .collect();
    let replicas = state.brokers;
    let in_sync = if replicas == 1 { 1 } else { 2 };
    let mut text = String::new();
    let mut set = |name: &str, value: &dyn std::fmt::Display| {
        writeln!(text, "{name}={value}").expect("writing to a String cannot fail");
    };
    set("process.roles", &"broker,controller");
    set("node.id", &node);
    set("controller.quorum.voters", &voters.join(","));
    set("controller.listener.names", &"CONTROLLER");
    set(
        "listeners",
        &format!("PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}"),
    );
    set("advertised.listeners", &format!("PLAINTEXT://127.0.0.1:{port}"));
    set("log.dirs", &place.dir.join("log").display());
    set("auto.create.topics.enable", &false);
    set("default.replication.factor", &replicas);
    set("min.insync.replicas", &in_sync);
    set("offsets.topic.replication.factor", &replicas);
    set("offsets.topic.num.partitions", &4);
    set("transaction.state.log.replication.factor", &replicas);
    set("transaction.state.log.min.isr", &in_sync);
    set("transaction.state.log.num.partitions", &4);
    set("share.coordinator.state.topic.replication.factor", &replicas);
    set("share.coordinator.state.topic.min.isr", &in_sync);
    // A test that kills an owner waits for these.
    set("group.initial.rebalance.delay.ms", &0);
    set("group.min.session.timeout.ms", &1000);
    set("transaction.abort.timed.out.transaction.cleanup.interval.ms", &1000);
    set("broker.heartbeat.interval.ms", &500);
    set("broker.session.timeout.ms", &4000);
    // The defaults are for machines that do nothing else.
    set("num.network.threads", &2);
    set("num.io.threads", &4);
    set("log.cleaner.dedupe.buffer.size", &(8 * 1024 * 1024));
    text
}
