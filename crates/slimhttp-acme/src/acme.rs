//! The owner: what a server holds. It says which certificates are wanted, and is told of them; the
//! rest happens on the thread `slimhttp-acme`, which ends with it.

use std::collections::HashSet;
use std::sync::{Arc, mpsc as std_mpsc};
use std::time::Duration;

use parking_lot::Mutex;
use slimhttp_site::acme::{AcmeOptions, Identifier};
use tokio::sync::{mpsc, oneshot};

use crate::account;
use crate::certificate::Certificate;
use crate::challenges::Challenges;
use crate::clock::Clock;
use crate::context::{Context, Judge};
use crate::dns::DnsProvider;
use crate::manager::{self, Command, Entry, Install, Refusal, Shared, State};
use crate::names::Names;
use crate::renewal::{Due, Timing, due};
use crate::status::CertificateStatus;

/// How long the end of the thread is waited for.
const STOP_TIME: Duration = Duration::from_secs(2);
/// How long what blocks, the making of a key or a look-up of a name, may keep the thread then.
const BLOCKING_TIME: Duration = Duration::from_secs(1);

/// What an [`Acme`] is made of.
pub struct Setup {
    /// What the configuration says.
    pub options: Arc<AcmeOptions>,
    /// Who is told of certificates.
    pub installer: Arc<dyn Install>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// How long is waited for what.
    pub timing: Timing,
}

/// Obtains certificates and renews them, for one server. Every method may be called from any
/// thread. Dropped, it stops within two seconds, for which a thread without a runtime waits: an order
/// that is under way is on disk, and whoever has the folder next goes on with it.
pub struct Acme {
    shared: Arc<Shared>,
    thread: Mutex<Option<Thread>>,
    /// One change at a time of what is wanted.
    changes: Mutex<()>,
}

/// The thread while it runs.
struct Thread {
    commands: mpsc::UnboundedSender<Command>,
    /// Dropped, the thread ends.
    stop: Option<oneshot::Sender<()>>,
    /// Closed when it has ended.
    ended: std_mpsc::Receiver<()>,
}

impl Acme {
    /// Starts no thread, and touches no disk.
    pub fn new(setup: Setup) -> Self {
        let Setup { options, installer, clock, timing } = setup;
        let context = Context::new(options, clock, timing);
        let state = Mutex::new(State::default());
        let changed = tokio::sync::Notify::new();
        let shared = Arc::new(Shared { context, installer, state, changed });
        Self { shared, thread: Mutex::new(None), changes: Mutex::new(()) }
    }

    /// Says which certificates are wanted: the whole list, each time. What is on disk already is
    /// installed before this returns, so it reads files; where there is none yet, one that is for
    /// some of the names is installed meanwhile. What is wanted no more stays on disk, and is
    /// renewed no more.
    ///
    /// The thread is started when there is something for it to do. Where a process gives up the
    /// rights of root, that is to happen before: what is written has to belong to who serves.
    pub fn want(&self, wanted: impl IntoIterator<Item = Names>) {
        let _change = self.changes.lock();
        let wanted: HashSet<Names> = wanted.into_iter().collect();
        let new = self.keep(&wanted);
        let loaded: Vec<_> = new.into_iter().map(|names| self.load(names)).collect();
        for (names, entry) in &loaded {
            if let Some(certificate) = &entry.certificate {
                self.shared.installer.install(names, Arc::clone(certificate));
            }
        }
        self.install_others(loaded.iter().filter(|(_, entry)| entry.certificate.is_none()));
        let mut state = self.shared.state.lock();
        for (names, entry) in loaded {
            // A client may have asked for it meanwhile.
            state.entries.entry(names).or_insert(entry).on_demand = false;
        }
        let is_needed = !state.entries.is_empty();
        drop(state);
        if is_needed {
            self.start();
        }
        self.shared.changed.notify_one();
    }

    /// Forgets what is wanted no more; gives what is not known yet.
    fn keep(&self, wanted: &HashSet<Names>) -> Vec<Names> {
        let mut state = self.shared.state.lock();
        state.forget(|names, entry| !entry.on_demand && !wanted.contains(names));
        for (names, entry) in &mut state.entries {
            entry.on_demand &= !wanted.contains(names);
        }
        wanted.iter().filter(|names| !state.entries.contains_key(*names)).cloned().collect()
    }

    /// What is on disk of a certificate.
    fn load(&self, names: Names) -> (Names, Entry) {
        let context = &self.shared.context;
        let folder = context.store.certificate(&names);
        let identity = folder.identity();
        let certificate = folder.certificate().unwrap_or_else(|failure| {
            tracing::warn!("the certificate for {names}: {failure}");
            None
        });
        let meta = folder.meta().unwrap_or_default().for_options(&context.digest);
        let life = certificate.as_ref().map(Certificate::life);
        let due = match due(context.now(), life, &meta, &context.timing) {
            Due::Nothing(at) => Some(at),
            Due::Check | Due::Obtain => None,
        };
        let certificate = certificate.map(Arc::new);
        (names, Entry { certificate, identity, meta, due, ..Entry::default() })
    }

    /// Installs certificates for other names meanwhile, which are on disk and good for some of
    /// those that are wanted: a name that comes to a site leaves the others as they are.
    fn install_others<'e>(&self, missing: impl Iterator<Item = &'e (Names, Entry)>) {
        let missing: Vec<_> = missing.map(|(names, _)| names).collect();
        if missing.is_empty() {
            return;
        }
        let (context, now) = (&self.shared.context, self.shared.context.now());
        let folders = context.store.all_certificates();
        let read = folders.iter().filter_map(|folder| folder.certificate().ok().flatten());
        let valid: Vec<_> = read.filter(|it| it.not_after > now).map(Arc::new).collect();
        for names in missing {
            let covering = valid.iter().filter(|it| it.names.covered(names) > 0);
            let best = covering.max_by_key(|it| (it.names.covered(names), it.not_after));
            if let Some(best) = best {
                self.shared.installer.install(names, Arc::clone(best));
            }
        }
    }

    /// The answers to challenges, for the threads of the server.
    pub fn challenges(&self) -> Challenges {
        self.shared.context.challenges.clone()
    }

    /// A client asks for a name of which there is no certificate: waits until there is one, which
    /// is installed then, or until it is known that there will be none. It takes no longer than
    /// `timeout` of the options, and has to be awaited on a runtime of tokio that has time.
    pub fn on_demand(
        &self,
        name: &str,
    ) -> impl Future<Output = Result<(), Refusal>> + Send + use<> {
        let options = self.shared.context.options.on_demand.clone();
        let asked = match (&options, Identifier::parse(name)) {
            (None, _) => Err(Err(Refusal::Off)),
            (Some(options), Ok(name @ Identifier::Dns(_))) => {
                let now = self.shared.context.now();
                self.shared.state.lock().ask(&name, options, now)
            }
            (Some(_), _) => Err(Err(Refusal::Invalid)),
        };
        if asked.is_ok() {
            self.start();
            self.shared.changed.notify_one();
        }
        async move {
            let limit = options.map_or(Duration::ZERO, |options| options.timeout);
            match asked {
                Err(answer) => answer,
                Ok(receiver) => match tokio::time::timeout(limit, receiver).await {
                    Ok(Ok(answer)) => answer,
                    Ok(Err(_)) => Err(Refusal::Failed("the server stops".to_owned())),
                    Err(_) => Err(Refusal::Late),
                },
            }
        }
    }

    /// How all certificates stand that are wanted or were asked for, by their names.
    pub fn status(&self) -> Vec<CertificateStatus> {
        let state = self.shared.state.lock();
        let status = |(names, entry): (&Names, &Entry)| entry.status(&self.shared.context, names);
        let mut all: Vec<_> = state.entries.iter().map(status).collect();
        drop(state);
        all.sort_by(|one, other| one.names.cmp(&other.names));
        all
    }

    /// Gives the account another key, so that who has seen the old one can do nothing with it.
    /// The error says why it has not come about, in one line.
    pub fn roll_over_account_key(&self) -> impl Future<Output = Result<(), String>> + Send + use<> {
        let (reply, answer) = oneshot::channel();
        self.start();
        if let Some(thread) = &*self.thread.lock() {
            // Where the thread has ended there is no answer either.
            let _ = thread.commands.send(Command::RollOver(reply));
        }
        async move { answer.await.unwrap_or_else(|_| Err("the server stops".to_owned())) }
    }

    /// Has records of dns-01 set by a function of the program, where the configuration does not
    /// say how.
    pub fn set_dns_provider(&self, provider: Option<Arc<dyn DnsProvider>>) {
        self.shared.context.set_dns(provider);
    }

    /// Has a function of the program decide which names may have a certificate on demand, besides
    /// those that the configuration allows.
    pub fn set_judge(&self, judge: Option<Arc<dyn Judge>>) {
        self.shared.context.set_judge(judge);
    }

    /// Starts the thread, if it does not run.
    fn start(&self) {
        let mut thread = self.thread.lock();
        if thread.is_some() {
            return;
        }
        let (commands, received) = mpsc::unbounded_channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let (alive, ended) = std_mpsc::channel::<()>();
        let shared = Arc::clone(&self.shared);
        let work = move || {
            let _alive = alive;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(error) => return tracing::error!("no certificates are obtained: {error}"),
            };
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = manager::run(shared, received) => {}
                }
            });
            runtime.shutdown_timeout(BLOCKING_TIME);
        };
        match std::thread::Builder::new().name("slimhttp-acme".to_owned()).spawn(work) {
            Ok(_) => *thread = Some(Thread { commands, stop: Some(stop), ended }),
            Err(error) => tracing::error!("no certificates are obtained: {error}"),
        }
    }
}

impl Drop for Acme {
    fn drop(&mut self) {
        if let Some(mut thread) = self.thread.lock().take() {
            thread.stop = None;
            // The last owner may be a thread that serves connections, which is not made to wait.
            if tokio::runtime::Handle::try_current().is_ok() {
                return;
            }
            if thread.ended.recv_timeout(STOP_TIME) == Err(std_mpsc::RecvTimeoutError::Timeout) {
                tracing::warn!("the thread `slimhttp-acme` has not ended yet");
            }
        }
    }
}

/// Gives the account of a storage another key, without a server that runs; one that does takes
/// the new key with its next order. It waits for the authority.
///
/// # Errors
/// Why it has not come about, in one line.
pub fn roll_over_account_key(
    options: Arc<AcmeOptions>,
    clock: Arc<dyn Clock>,
) -> Result<(), String> {
    let context = Context::new(options, clock, Timing::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let done = runtime.block_on(account::roll_over(&context));
    runtime.shutdown_timeout(BLOCKING_TIME);
    done.map_err(|failure| failure.to_string())
}
