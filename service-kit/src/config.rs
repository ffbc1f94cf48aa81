//! Building blocks for settings: sections of clap arguments, and what is in effect.
//!
//! Each field is flag, `WAYLOG_…` variable, default and documentation at once. A service flattens
//! the sections it needs into its own arguments. [`effective`] lists every setting with its value
//! and where it came from; what must not be seen is redacted. An argument is a secret when it is
//! marked `hide_env_values = true`, which also keeps it out of `--help`.

use std::net::SocketAddr;
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, ValueEnum};
use serde::Serialize;

use crate::http_server::Limits;
use crate::secret::{REDACTED, Secret, redact};

/// Where and how HTTP is served.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "HTTP")]
pub struct HttpSection {
    /// The address to listen on; port 0 takes a free one
    #[arg(long, env = "WAYLOG_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Connections served at the same time; one more is answered 503
    #[arg(long, env = "WAYLOG_HTTP_CONNECTIONS_MAX", default_value_t = 4096)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub http_connections_max: u32,
    /// Bytes of a request's head
    #[arg(long, env = "WAYLOG_HTTP_HEADER_BYTES_MAX", default_value_t = 32 * 1024)]
    #[arg(value_parser = clap::value_parser!(u32).range(8192..=1024 * 1024))]
    pub http_header_bytes_max: u32,
    /// HTTP/2 requests on one connection at the same time
    #[arg(long, env = "WAYLOG_HTTP_STREAMS_PER_CONNECTION_MAX", default_value_t = 128)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub http_streams_per_connection_max: u32,
    /// Seconds for the head of a request to arrive
    #[arg(long, env = "WAYLOG_HTTP_HEADER_READ_TIMEOUT_SECONDS", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub http_header_read_timeout_seconds: u64,
    /// Seconds for the body of a request to arrive
    #[arg(long, env = "WAYLOG_HTTP_BODY_READ_TIMEOUT_SECONDS", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub http_body_read_timeout_seconds: u64,
    /// Seconds a request may be worked on before its answer begins
    #[arg(long, env = "WAYLOG_HTTP_HANDLING_TIMEOUT_SECONDS", default_value_t = 30)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub http_handling_timeout_seconds: u64,
    /// Seconds a kept-alive connection may be idle
    #[arg(long, env = "WAYLOG_HTTP_IDLE_TIMEOUT_SECONDS", default_value_t = 75)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub http_idle_timeout_seconds: u64,
    /// Seconds a client may take nothing of its answer
    #[arg(long, env = "WAYLOG_HTTP_WRITE_STALL_TIMEOUT_SECONDS", default_value_t = 30)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub http_write_stall_timeout_seconds: u64,
    /// Seconds for requests in flight at shutdown
    #[arg(long, env = "WAYLOG_HTTP_DRAIN_TIMEOUT_SECONDS", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u64).range(0..=3600))]
    pub http_drain_timeout_seconds: u64,
}

impl HttpSection {
    /// For [`crate::http_server::serve`].
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            connections_max: self.http_connections_max as usize,
            header_bytes_max: self.http_header_bytes_max as usize,
            streams_per_connection_max: self.http_streams_per_connection_max,
            header_read_timeout: Duration::from_secs(self.http_header_read_timeout_seconds),
            body_read_timeout: Duration::from_secs(self.http_body_read_timeout_seconds),
            idle_timeout: Duration::from_secs(self.http_idle_timeout_seconds),
            write_stall_timeout: Duration::from_secs(self.http_write_stall_timeout_seconds),
            drain_timeout: Duration::from_secs(self.http_drain_timeout_seconds),
        }
    }

    /// For [`crate::request_layer::wrap`].
    #[must_use]
    pub fn handling_timeout(&self) -> Duration {
        Duration::from_secs(self.http_handling_timeout_seconds)
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// What is told about the running process.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Telemetry")]
pub struct TelemetrySection {
    /// How log lines look
    #[arg(long, env = "WAYLOG_LOG_FORMAT", value_enum, default_value = "auto")]
    pub log_format: LogFormat,
    /// The least severe level logged, or directives such as `info,waylog::access=debug`
    #[arg(long, env = "WAYLOG_LOG_LEVEL", default_value = "info")]
    pub log_level: String,
}

/// Who may do what.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Authentication")]
pub struct AuthSection {
    /// Take every request for one from the development account; never on a public address
    #[arg(long, env = "WAYLOG_DEV_IDENTITY", value_name = "BOOL")]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub dev_identity: Option<bool>,
    /// What instances of one deployment prove to each other; at least 16 bytes
    #[arg(long, env = "WAYLOG_CLUSTER_SECRET", hide_env_values = true)]
    pub cluster_secret: Option<Secret>,
    /// The key of request fingerprints, the same for all instances, for ever; at least 16 bytes
    #[arg(long, env = "WAYLOG_FINGERPRINT_KEY", hide_env_values = true)]
    pub fingerprint_key: Option<Secret>,
}

/// Where a setting's value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The command line.
    Flag,
    /// A `WAYLOG_…` variable.
    Env,
    /// The built-in default.
    Default,
    /// Nowhere: it has no value.
    Unset,
}

/// One setting in effect, fit to be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// The flag, without dashes.
    pub name: String,
    /// The variable.
    pub env: Option<String>,
    /// The value, redacted where it must be; several are joined by commas.
    pub value: Option<String>,
    /// Where the value came from.
    pub source: Source,
}

/// Every setting of `command` as `matches` has it, in the order of the help.
#[must_use]
pub fn effective(command: &Command, matches: &ArgMatches) -> Vec<Setting> {
    let settings = command.get_arguments().filter_map(|argument| {
        let id = argument.get_id().as_str();
        let name = argument.get_long()?;
        if matches!(id, "help" | "version") {
            return None;
        }
        let raw = matches.try_get_raw(id).ok().flatten();
        let value = raw.map(|values| {
            let shown = values.map(|value| match argument.is_hide_env_values_set() {
                true => REDACTED.to_owned(),
                false => redact(&value.to_string_lossy()),
            });
            shown.collect::<Vec<_>>().join(",")
        });
        let source = match matches.value_source(id) {
            Some(ValueSource::CommandLine) => Source::Flag,
            Some(ValueSource::EnvVariable) => Source::Env,
            Some(_) => Source::Default,
            None => Source::Unset,
        };
        let env = argument.get_env().map(|env| env.to_string_lossy().into_owned());
        Some(Setting { name: name.to_owned(), env, value, source })
    });
    settings.collect()
}

/// Says at start what was set otherwise than by default.
pub fn log_settings(settings: &[Setting]) {
    for setting in settings {
        if matches!(setting.source, Source::Flag | Source::Env) {
            let (value, source) = (setting.value.as_deref().unwrap_or_default(), setting.source);
            tracing::info!(setting = %setting.name, value, ?source, "configured");
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, FromArgMatches as _, Parser};

    use super::*;
    use crate::secret::ConnectionUrl;

    #[derive(Debug, Parser)]
    struct Everything {
        #[command(flatten)]
        http: HttpSection,
        #[command(flatten)]
        telemetry: TelemetrySection,
        #[command(flatten)]
        auth: AuthSection,
        #[arg(long)]
        postgres_url: Option<ConnectionUrl>,
    }

    fn parse(arguments: &[&str]) -> Result<(Everything, Vec<Setting>), clap::Error> {
        let command = Everything::command();
        let arguments = std::iter::once("waylog").chain(arguments.iter().copied());
        let matches = command.clone().try_get_matches_from(arguments)?;
        Ok((Everything::from_arg_matches(&matches)?, effective(&command, &matches)))
    }

    fn setting(settings: &[Setting], name: &str) -> Setting {
        settings.iter().find(|setting| setting.name == name).unwrap().clone()
    }

    #[test]
    fn without_any_setting_the_documented_defaults_hold() {
        let (all, settings) = parse(&[]).unwrap();

        assert_eq!(all.http.limits(), Limits::default());
        assert_eq!(all.http.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(all.auth.dev_identity, None);
        assert_eq!(all.telemetry.log_format, LogFormat::Auto);
        assert_eq!(setting(&settings, "listen").source, Source::Default);
        assert_eq!(setting(&settings, "cluster-secret").source, Source::Unset);
    }

    #[test]
    fn a_setting_says_where_it_came_from() {
        let (all, settings) = parse(&["--listen", "0.0.0.0:1", "--dev-identity"]).unwrap();

        let listen = setting(&settings, "listen");
        assert_eq!(listen.value.as_deref(), Some("0.0.0.0:1"));
        assert_eq!((listen.env.as_deref(), listen.source), (Some("WAYLOG_LISTEN"), Source::Flag));
        assert_eq!(all.auth.dev_identity, Some(true));
    }

    #[test]
    fn secrets_and_passwords_are_in_effect_but_not_shown() {
        let (all, settings) = parse(&[
            "--cluster-secret=correct horse battery",
            "--postgres-url=postgres://app:s3cr3t@db/waylog",
        ])
        .unwrap();

        assert!(all.auth.cluster_secret.unwrap().matches(b"correct horse battery"));
        assert!(all.postgres_url.unwrap().expose().contains("s3cr3t"));
        assert_eq!(setting(&settings, "cluster-secret").value.as_deref(), Some(REDACTED));
        let shown = serde_json::to_string(&settings).unwrap();
        assert!(!shown.contains("horse") && !shown.contains("s3cr3t"), "{shown}");
    }

    #[test]
    fn every_setting_of_the_sections_is_flag_and_variable_at_once() {
        let (_, settings) = parse(&[]).unwrap();

        for setting in settings.iter().filter(|setting| setting.name != "postgres-url") {
            let expected = format!("WAYLOG_{}", setting.name.to_uppercase().replace('-', "_"));
            assert_eq!(setting.env.as_deref(), Some(expected.as_str()));
        }
    }

    #[test]
    fn values_outside_their_bounds_are_refused() {
        assert!(parse(&["--http-header-bytes-max", "100"]).is_err());
        assert!(parse(&["--http-idle-timeout-seconds", "0"]).is_err());
        let error = parse(&["--cluster-secret", "short"]).unwrap_err().to_string();
        assert!(error.contains("at least 16 bytes"), "{error}");
    }
}
