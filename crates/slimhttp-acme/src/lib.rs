//! Certificates that a server obtains and renews by itself: ACME (RFC 8555), with the authority's
//! say about renewals (ARI, RFC 9773).
//!
//! A server holds an [`Acme`], tells it which certificates are wanted, and is told of those that
//! there are. It answers what [`Challenges`] has on its own threads. Everything else happens on
//! one thread, `slimhttp-acme`, and in one folder, which several processes may share and any of
//! them may be killed with: what an order needs to go on is on disk before it is needed.
//!
//! ```no_run
//! use std::path::Path;
//! use std::sync::Arc;
//!
//! use slimhttp_acme::{Acme, Certificate, Install, Names, Setup, SystemClock, Timing};
//! use slimhttp_site::acme::{AcmeOptions, Identifier};
//!
//! struct Server;
//!
//! impl Install for Server {
//!     fn install(&self, wanted: &Names, certificate: Arc<Certificate>) {
//!         println!("{wanted}: {}", certificate.serial);
//!     }
//! }
//!
//! let acme = Acme::new(Setup {
//!     options: Arc::new(AcmeOptions::new(Path::new("/var/lib/site"))),
//!     installer: Arc::new(Server),
//!     clock: Arc::new(SystemClock),
//!     timing: Timing::default(),
//! });
//! let name = Identifier::parse("www.example.com")?;
//! acme.want(Names::new([name]));
//! // What is answered to `GET /.well-known/acme-challenge/TOKEN`, on any thread.
//! assert!(acme.challenges().http01("TOKEN").is_none());
//! # Ok::<(), &str>(())
//! ```

#![forbid(unsafe_code)]
// A test may be a table of any length.
#![cfg_attr(test, allow(clippy::too_many_lines))]

mod account;
mod acme;
mod certificate;
mod challenges;
mod clock;
mod context;
mod dns;
mod failure;
mod https;
mod manager;
mod names;
mod obtain;
mod protocol;
mod random;
mod renewal;
mod status;
mod store;
mod token;

pub use acme::{Acme, Setup, roll_over_account_key};
pub use certificate::Certificate;
pub use challenges::Challenges;
pub use clock::{Clock, SystemClock};
pub use context::{Judge, JudgeFuture};
pub use dns::{DnsFuture, DnsProvider};
pub use manager::{Install, Refusal};
pub use names::{MOST_NAMES, Names};
pub use renewal::Timing;
pub use status::{CertificateState, CertificateStatus, StoredCertificate, stored_certificates};
