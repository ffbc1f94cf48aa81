//! The three topics of a log: created when missing, checked otherwise. A topic that could lose or
//! reorder facts is refused with the way out; nothing that exists is ever altered.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;

use super::KafkaSettings;
use super::clients::{self, Quiet, signed};
use crate::{Durability, LogError};

/// The largest batch that a topic must take, in bytes.
pub(super) const MESSAGE_BYTES_MAX: usize = 1_000_000;
/// The largest record that we append, in bytes; the rest is for the batch around it.
pub(super) const RECORD_BYTES_MAX: usize = 900_000;

const REFUSALS_RETENTION_MS: &str = "604800000";
/// The lane judges time; the broker must not refuse a record for it.
const TIMESTAMPS_AHEAD_MAX_MS: &str = "9223372036854775807";
/// From this many brokers on, records are kept three times.
const BROKERS_FOR_REPLICATION: usize = 3;
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// One topic as it should be.
struct Wanted {
    name: String,
    partitions: u32,
    settings: Vec<(&'static str, String)>,
}

/// How the records are kept.
#[derive(Clone, Debug)]
pub(super) struct Safekeeping {
    replicas: usize,
    in_sync_min: usize,
}

impl Safekeeping {
    pub(super) fn durability(&self) -> Durability {
        let Self { replicas, in_sync_min } = *self;
        if replicas >= 2 && in_sync_min >= 2 {
            let description = format!(
                "acknowledged after {in_sync_min} of {replicas} brokers have the records; survives \
                 a power cut of one machine"
            );
            return Durability { survives_power_cut: true, description };
        }
        let description = format!(
            "acknowledged by {in_sync_min} of {replicas} brokers, from memory; survives a crash of \
             the process, not a power cut: run three brokers"
        );
        Durability { survives_power_cut: false, description }
    }
}

fn wanted(settings: &KafkaSettings, in_sync_min: usize) -> [Wanted; 3] {
    let common = [
        ("min.insync.replicas", in_sync_min.to_string()),
        ("unclean.leader.election.enable", "false".to_owned()),
        ("message.timestamp.after.max.ms", TIMESTAMPS_AHEAD_MAX_MS.to_owned()),
        ("max.message.bytes", (MESSAGE_BYTES_MAX + 48_576).to_string()),
    ];
    let with = |own: &[(&'static str, &str)]| {
        let own = own.iter().map(|&(name, value)| (name, value.to_owned()));
        own.chain(common.iter().cloned()).collect()
    };
    [
        Wanted {
            name: settings.events(),
            partitions: settings.partitions,
            settings: with(&[
                ("cleanup.policy", "delete"),
                ("retention.ms", "-1"),
                ("retention.bytes", "-1"),
                ("message.timestamp.type", "CreateTime"),
            ]),
        },
        Wanted {
            name: settings.shards_topic(),
            partitions: settings.shards,
            // Stamped by the broker: that is how its clock is read.
            settings: with(&[
                ("cleanup.policy", "compact"),
                ("message.timestamp.type", "LogAppendTime"),
            ]),
        },
        Wanted {
            name: settings.refusals(),
            partitions: settings.shards,
            settings: with(&[
                ("cleanup.policy", "delete"),
                ("retention.ms", REFUSALS_RETENTION_MS),
                ("message.timestamp.type", "CreateTime"),
            ]),
        },
    ]
}

/// Creates what is missing and checks what is there. Also whether this very call created the shard
/// topic: of all who begin at the same moment, the broker lets one.
pub(super) fn ensure(
    settings: &KafkaSettings,
    looker: &BaseConsumer<Quiet>,
) -> Result<(Safekeeping, bool), LogError> {
    let mut founded = false;
    let safekeeping = visit(settings, looker, |office, topic, replicas| {
        let created = office.create(topic, replicas)?;
        founded |= created && topic.name == settings.shards_topic();
        Ok(())
    })?;
    Ok((safekeeping, founded))
}

/// Checks what is there, and creates nothing.
pub(super) fn inspect(
    settings: &KafkaSettings,
    looker: &BaseConsumer<Quiet>,
) -> Result<Safekeeping, LogError> {
    visit(settings, looker, |_, topic, _| {
        Err(LogError::Mismatch(format!(
            "topic {} is not there: nothing was ever served under this prefix; run `waylog serve`, \
             or say another --kafka-topic-prefix",
            topic.name
        )))
    })
}

fn visit(
    settings: &KafkaSettings,
    looker: &BaseConsumer<Quiet>,
    mut missing: impl FnMut(&Office<'_>, &Wanted, i32) -> Result<(), LogError>,
) -> Result<Safekeeping, LogError> {
    let admin: AdminClient<Quiet> = clients::admin(settings)
        .create_with_context(Quiet)
        .map_err(|error| clients::failed("create an administrative client", error))?;
    let office =
        Office { settings, looker, admin, deadline: Instant::now() + settings.connect_timeout };
    let brokers = office.metadata(&settings.events())?.brokers().len();
    let (replicas, in_sync_min) = match brokers {
        0 | 1 => (1, 1),
        2 => (2, 1),
        _ => (3, 2),
    };
    let topics = wanted(settings, in_sync_min);
    for topic in &topics {
        if !office.exists(&topic.name)? {
            missing(&office, topic, replicas)?;
        }
    }
    let mut kept = Safekeeping { replicas: usize::MAX, in_sync_min: usize::MAX };
    for topic in &topics {
        let found = office.check(topic, brokers >= BROKERS_FOR_REPLICATION)?;
        kept.replicas = kept.replicas.min(found.replicas);
        kept.in_sync_min = kept.in_sync_min.min(found.in_sync_min);
    }
    Ok(kept)
}

/// Asks and orders, until a deadline.
struct Office<'a> {
    settings: &'a KafkaSettings,
    looker: &'a BaseConsumer<Quiet>,
    admin: AdminClient<Quiet>,
    deadline: Instant,
}

impl Office<'_> {
    fn metadata(&self, topic: &str) -> Result<Metadata, LogError> {
        self.looker
            .fetch_metadata(Some(topic), self.settings.request_timeout)
            .map_err(|error| clients::failed(&format!("look up topic {topic}"), error))
    }

    fn exists(&self, topic: &str) -> Result<bool, LogError> {
        loop {
            let metadata = self.metadata(topic)?;
            match metadata.topics().first().and_then(|topic| topic.error()) {
                None => return Ok(true),
                Some(error) => match RDKafkaErrorCode::from(error) {
                    RDKafkaErrorCode::UnknownTopicOrPartition => return Ok(false),
                    code => self.pause(&format!("look up topic {topic}"), code)?,
                },
            }
        }
    }

    /// Whether this call created it: somebody else doing so at the same moment is as good.
    fn create(&self, topic: &Wanted, replicas: i32) -> Result<bool, LogError> {
        let what = format!("create topic {}", topic.name);
        let replication = TopicReplication::Fixed(replicas);
        let mut new = NewTopic::new(&topic.name, signed(topic.partitions), replication);
        for (name, value) in &topic.settings {
            new = new.set(name, value);
        }
        let options = self.options().operation_timeout(Some(self.settings.request_timeout));
        let created = self.admin.create_topics([&new], &options);
        let results = self.answer(&what, created)?;
        match results.into_iter().next() {
            Some(Ok(_)) => {
                tracing::info!(topic = topic.name, replicas, "topic created");
                Ok(true)
            }
            Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(false),
            Some(Err((_, code))) => Err(clients::failed(&what, KafkaError::Global(code))),
            None => Err(LogError::Failed { reason: format!("no answer to: {what}"), source: None }),
        }
    }

    fn check(&self, topic: &Wanted, replicated: bool) -> Result<Safekeeping, LogError> {
        let replicas = self.check_shape(topic)?;
        if replicated && replicas < BROKERS_FOR_REPLICATION {
            return Err(LogError::Mismatch(format!(
                "topic {} has partitions with {replicas} replicas; raise them to 3 with \
                 kafka-reassign-partitions",
                topic.name
            )));
        }
        let found = self.describe(topic)?;
        let in_sync_min = value(&found, "min.insync.replicas").parse().unwrap_or(1);
        for (name, expected) in &topic.settings {
            let actual = value(&found, name);
            if !satisfies(name, actual, expected) {
                return Err(LogError::Mismatch(format!(
                    "topic {} has {name}={actual}; set it with kafka-configs --alter --topic {} \
                     --add-config {name}={expected}",
                    topic.name, topic.name
                )));
            }
        }
        Ok(Safekeeping { replicas, in_sync_min })
    }

    /// Waits until every partition has a leader; gives the fewest replicas of any.
    fn check_shape(&self, topic: &Wanted) -> Result<usize, LogError> {
        loop {
            let metadata = self.metadata(&topic.name)?;
            let Some(found) = metadata.topics().first() else { continue };
            let partitions = found.partitions();
            let ready = found.error().is_none()
                && partitions.iter().all(|partition| partition.leader() >= 0);
            if ready && partitions.len() == topic.partitions as usize {
                let replicas = partitions.iter().map(|partition| partition.replicas().len());
                return Ok(replicas.min().unwrap_or(0));
            }
            if ready && !partitions.is_empty() {
                return Err(LogError::Mismatch(format!(
                    "topic {} has {} partitions and the settings say {}; start with the log's own \
                     numbers, or under another topic prefix",
                    topic.name,
                    partitions.len(),
                    topic.partitions
                )));
            }
            self.pause(
                &format!("find a leader of every partition of {}", topic.name),
                RDKafkaErrorCode::LeaderNotAvailable,
            )?;
        }
    }

    /// A broker that has not heard of a new topic yet is asked again.
    fn describe(&self, topic: &Wanted) -> Result<ConfigResource, LogError> {
        let what = format!("read the settings of topic {}", topic.name);
        loop {
            let options = self.options();
            let asked = [ResourceSpecifier::Topic(&topic.name)];
            let described = self.admin.describe_configs(&asked, &options);
            match self.answer(&what, described)?.into_iter().next() {
                Some(Ok(found)) if !found.entries.is_empty() => return Ok(found),
                Some(Err(code)) => self.pause(&what, code)?,
                // The library gives such a broker's answer as one without settings.
                Some(Ok(_)) | None => {
                    self.pause(&what, RDKafkaErrorCode::UnknownTopicOrPartition)?
                }
            }
        }
    }

    fn options(&self) -> AdminOptions {
        AdminOptions::new().request_timeout(Some(self.settings.request_timeout))
    }

    fn answer<T>(
        &self,
        what: &str,
        asked: impl Future<Output = Result<T, KafkaError>>,
    ) -> Result<T, LogError> {
        // The library bounds the request; the second bound is for the library.
        match wait(asked, self.settings.request_timeout * 2) {
            Some(answer) => answer.map_err(|error| clients::failed(what, error)),
            None => Err(LogError::Unavailable { reason: format!("cannot {what}"), source: None }),
        }
    }

    fn pause(&self, what: &str, code: RDKafkaErrorCode) -> Result<(), LogError> {
        if Instant::now() >= self.deadline {
            return Err(clients::failed(what, KafkaError::Global(code)));
        }
        thread::sleep(RETRY_PAUSE);
        Ok(())
    }
}

fn value<'a>(found: &'a ConfigResource, name: &str) -> &'a str {
    found.get(name).and_then(|entry| entry.value.as_deref()).unwrap_or("")
}

/// Bounds may be wider than asked for; everything else is exact.
fn satisfies(name: &str, actual: &str, expected: &str) -> bool {
    let number = |text: &str| text.parse::<i64>().ok();
    match name {
        "min.insync.replicas" | "max.message.bytes" => number(actual) >= number(expected),
        // Evidence may be kept longer, also for ever.
        "retention.ms" if expected != "-1" => actual == "-1" || number(actual) >= number(expected),
        // Set by brokers that know it; older ones refuse nothing.
        "message.timestamp.after.max.ms" => actual.is_empty() || actual == expected,
        _ => actual == expected,
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for an answer of the library on this thread.
fn wait<T>(asked: impl Future<Output = T>, patience: Duration) -> Option<T> {
    let mut asked = pin!(asked);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let deadline = Instant::now() + patience;
    loop {
        if let Poll::Ready(answer) = asked.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(answer);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        thread::park_timeout(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_may_be_wider_and_everything_else_is_exact() {
        assert!(satisfies("min.insync.replicas", "3", "2"));
        assert!(!satisfies("min.insync.replicas", "1", "2"));
        assert!(!satisfies("retention.ms", "604800000", "-1"));
        assert!(satisfies("retention.ms", "-1", "604800000"));
        assert!(!satisfies("retention.ms", "1000", "604800000"));
        assert!(!satisfies("cleanup.policy", "compact,delete", "compact"));
    }

    #[test]
    fn one_broker_is_not_said_to_survive_a_power_cut() {
        let alone = Safekeeping { replicas: 1, in_sync_min: 1 };
        let three = Safekeeping { replicas: 3, in_sync_min: 2 };

        assert!(!alone.durability().survives_power_cut);
        assert!(three.durability().survives_power_cut);
    }

    #[test]
    fn an_answer_that_does_not_come_is_not_waited_for_for_ever() {
        let never = std::future::pending::<()>();

        assert_eq!(wait(never, Duration::from_millis(5)), None);
        assert_eq!(wait(std::future::ready(7), Duration::ZERO), Some(7));
    }
}
