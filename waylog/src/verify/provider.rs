//! The payment provider's book, to compare the log with: through its API where a provider is named,
//! else the file of the sandbox inside, read beside whoever writes it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Context as _;
use connectors::payment_provider::{HttpPaymentProvider, Outcome};
use domain::ids::PaymentId;
use domain::invariants::{Books, Invariants, ProviderMoney};
use tokio::runtime::Runtime;

use crate::connectors::SANDBOX_FILE;
use crate::settings::{ConnectorsSection, Mode, Places};

/// Where the book is.
pub(super) enum Ledger {
    /// Behind the provider's API.
    Api(Box<HttpPaymentProvider>),
    /// In the sandbox's file.
    File(PathBuf),
    /// Nowhere that these settings name; why.
    Nowhere(String),
}

/// A comparison, and what was left out of it.
#[derive(Default)]
pub(super) struct Compared {
    pub(super) books: Books,
    /// Payments that no id of ours names.
    pub(super) foreign: u64,
}

/// What came of asking for the book.
pub(super) enum Came {
    Compared(Compared),
    /// The provider does not answer; its stable code.
    Away(&'static str),
}

impl Ledger {
    /// The book that the settings name.
    ///
    /// # Errors
    /// When the settings contradict themselves.
    pub(super) fn of(places: &Places, section: &ConnectorsSection) -> anyhow::Result<Self> {
        section.check()?;
        if let Some(url) = &section.payment_provider_url {
            let secret = section.payment_provider_secret.clone();
            let secret = secret.context("a provider is named together with its secret")?;
            let client = HttpPaymentProvider::new(section.provider(url, secret))?;
            return Ok(Self::Api(Box::new(client)));
        }
        let file = places.data_dir.join(SANDBOX_FILE);
        Ok(match places.mode()? {
            Mode::Embedded if file.exists() => Self::File(file),
            Mode::Embedded => Self::Nowhere(format!(
                "there is no {}, and no --payment-provider-url",
                file.display()
            )),
            Mode::Distributed { .. } => {
                Self::Nowhere("no --payment-provider-url names the provider to ask".to_owned())
            }
        })
    }

    /// Compares every payment of either book. Nothing where there is no book.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn compare(
        &self,
        invariants: &Invariants,
        runtime: &Runtime,
    ) -> anyhow::Result<Option<Came>> {
        let mut pass = Pass { invariants, seen: BTreeSet::new(), compared: Compared::default() };
        match self {
            Self::Nowhere(_) => return Ok(None),
            Self::File(path) => sandbox::totals_of_file(path, |page| {
                for one in page {
                    let currency = one.currency.parse();
                    let money = currency.map(|currency| ProviderMoney {
                        currency,
                        captured: one.captured,
                        refunded: one.refunded,
                        reserved: one.reserved,
                    });
                    pass.take(&one.reference, money.ok());
                }
            })?,
            Self::Api(client) => {
                if let Err(code) = runtime.block_on(pass.ask(client)) {
                    return Ok(Some(Came::Away(code)));
                }
            }
        }
        Ok(Some(Came::Compared(pass.finish())))
    }
}

/// One reading of the provider's book.
struct Pass<'a> {
    invariants: &'a Invariants,
    seen: BTreeSet<PaymentId>,
    compared: Compared,
}

impl Pass<'_> {
    /// Reads the whole book, page by page.
    async fn ask(&mut self, client: &HttpPaymentProvider) -> Result<(), &'static str> {
        let mut after: Option<String> = None;
        loop {
            let page = match client.totals(after.as_deref()).await {
                Outcome::Done(page) => page,
                Outcome::Refused(_) => return Err("provider_refused"),
                Outcome::Unknown(doubt) => return Err(doubt.code()),
                Outcome::NotTried(obstacle) => return Err(obstacle.code()),
            };
            let Some(last) = page.last().map(|one| one.reference.clone()) else { return Ok(()) };
            if after.as_ref().is_some_and(|after| *after >= last) {
                // A page that goes back would be read for ever.
                return Err("provider_unreadable");
            }
            after = Some(last);
            for one in page {
                let money = ProviderMoney {
                    currency: one.currency,
                    captured: one.captured,
                    refunded: one.refunded,
                    reserved: one.reserved,
                };
                self.take(&one.reference, Some(money));
            }
        }
    }

    fn take(&mut self, reference: &str, money: Option<ProviderMoney>) {
        let (Ok(payment_id), Some(money)) = (reference.parse::<PaymentId>(), money) else {
            self.compared.foreign += 1;
            return;
        };
        self.seen.insert(payment_id);
        let logged = self.invariants.payment(payment_id);
        self.compared.books.compare(payment_id, logged, Some(money));
    }

    /// What the log knows and the provider does not.
    fn finish(mut self) -> Compared {
        for (payment_id, logged) in self.invariants.payments() {
            if !self.seen.contains(&payment_id) {
                self.compared.books.compare(payment_id, Some(logged), None);
            }
        }
        self.compared
    }
}
