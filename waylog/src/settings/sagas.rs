//! What sagas are allowed, and how hard they are worked on.

use std::time::Duration;

use clap::Args;
use domain::calendar::Zone;
use domain::saga;
use sagas::DispatcherSettings;

use super::WrongUse;

/// What every saga that starts from now on is allowed, and the pace of the dispatcher.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Sagas")]
pub(crate) struct SagasSection {
    /// Seconds from a booking's request until it is paid or given up
    #[arg(long, env = "WAYLOG_PAYMENT_DEADLINE_SECONDS", default_value_t = 900)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=43_200))]
    pub(crate) payment_deadline_seconds: u32,
    /// Seconds that a booking's holds outlive that deadline
    #[arg(long, env = "WAYLOG_HOLD_MARGIN_SECONDS", default_value_t = 300)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=43_200))]
    pub(crate) hold_margin_seconds: u32,
    /// Who sells, as invoices say; with the year it names the series that numbers are drawn from
    #[arg(long, env = "WAYLOG_SELLER", value_name = "NAME", default_value = "waylog")]
    pub(crate) seller: String,
    /// Where the seller's years begin and end: an IANA zone
    #[arg(long, env = "WAYLOG_SELLER_ZONE", value_name = "ZONE", default_value = "UTC")]
    pub(crate) seller_zone: Zone,
    /// The language in which travellers are told of things, such as `en` or `de-AT`
    #[arg(long, env = "WAYLOG_LOCALE", value_name = "TAG", default_value = "en")]
    pub(crate) locale: String,
    /// Commands of sagas on their way to one shard at one time
    #[arg(long, env = "WAYLOG_SAGA_COMMANDS_MAX", default_value_t = 64)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) saga_commands_max: u16,
    /// Milliseconds between two looks for sagas' work while there is none; under load there are
    /// five times as many looks
    #[arg(long, env = "WAYLOG_SAGA_LOOK_MS", default_value_t = 50)]
    #[arg(value_parser = clap::value_parser!(u64).range(5..=60_000))]
    pub(crate) saga_look_ms: u64,
}

impl SagasSection {
    /// Refuses what would leave every saga's last steps refused.
    ///
    /// # Errors
    /// A sentence that names the setting.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        self.allowed().check().map_err(|refusal| {
            WrongUse::because(format!(
                "--payment-deadline-seconds, --hold-margin-seconds, --seller or --locale cannot \
                 be: {} ({})",
                refusal.message, refusal.code
            ))
        })
    }

    /// What the dispatcher is told.
    pub(crate) fn dispatcher(&self) -> DispatcherSettings {
        let look_idle = Duration::from_millis(self.saga_look_ms);
        DispatcherSettings {
            commands_in_flight_max: self.saga_commands_max.into(),
            look_idle,
            look_busy: look_idle / 5,
            sagas: self.allowed(),
            ..DispatcherSettings::default()
        }
    }

    fn allowed(&self) -> saga::Settings {
        saga::Settings {
            payment_deadline_seconds: self.payment_deadline_seconds,
            hold_margin_seconds: self.hold_margin_seconds,
            seller: self.seller.clone(),
            seller_zone: self.seller_zone.clone(),
            locale: self.locale.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::settings;
    use super::*;

    #[test]
    fn what_is_not_said_is_the_domains_default() {
        let said = settings(&[]).sagas.dispatcher();

        let default = DispatcherSettings::default();
        assert_eq!(said.sagas, default.sagas);
        assert_eq!(said.commands_in_flight_max, default.commands_in_flight_max);
        assert_eq!((said.look_busy, said.look_idle), (default.look_busy, default.look_idle));
    }

    #[test]
    fn what_is_said_is_what_sagas_get() {
        let flags = [
            ["--payment-deadline-seconds", "2"],
            ["--hold-margin-seconds", "1"],
            ["--seller", "Sample tours"],
            ["--seller-zone", "Europe/Lisbon"],
            ["--locale", "de-AT"],
        ];

        let sagas = settings(&flags.concat()).sagas;

        sagas.check().unwrap();
        let said = sagas.dispatcher().sagas;
        assert_eq!((said.payment_deadline_seconds, said.hold_margin_seconds), (2, 1));
        assert_eq!((said.seller.as_str(), said.locale.as_str()), ("Sample tours", "de-AT"));
        assert_eq!(said.seller_zone.to_string(), "Europe/Lisbon");
    }

    #[test]
    fn what_the_last_steps_would_refuse_is_refused_at_start() {
        for flags in [["--seller", " "], ["--locale", "english please"]] {
            let error = settings(&flags).sagas.check().unwrap_err().to_string();

            assert!(error.contains(flags[0]), "{error}");
        }
    }
}
