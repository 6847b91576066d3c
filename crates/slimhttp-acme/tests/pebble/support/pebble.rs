//! Pebble, the test authority of those who run the usual one (package `pebble` of Debian): a
//! process of its own, ended with this.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::pki::pki;
use super::wait_until;

/// What a test says of the authority.
#[derive(Clone)]
pub(crate) struct Wishes {
    /// Where it looks for http-01, for tls-alpn-01 and in the DNS.
    pub(crate) http: u16,
    pub(crate) tls: u16,
    pub(crate) dns: SocketAddr,
    /// Percent of the nonces that it refuses.
    pub(crate) refused_nonces: u8,
    /// Percent of the proofs that it takes for a later order too.
    pub(crate) reused_proofs: u8,
    /// Keys of accounts elsewhere, without one of which there is no account.
    pub(crate) external_keys: Option<Value>,
    /// Whether it looks at once, or in its own time as it likes to.
    pub(crate) at_once: bool,
}

pub(crate) struct Pebble {
    child: Child,
    pub(crate) address: SocketAddr,
    _folder: TempDir,
}

/// Where it is; `None`: nowhere.
pub(crate) fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut found = std::env::split_paths(&path).map(|folder| folder.join("pebble"));
    found.find(|path| path.is_file())
}

impl Pebble {
    pub(crate) fn start(wishes: &Wishes) -> Self {
        let program = program().expect("the test was to be skipped");
        let folder = tempfile::tempdir().unwrap();
        let [_, cert, key] = pki().write(folder.path());
        // It cannot say which free port it has taken, so one is looked for.
        let address = free_address();
        let mut config = json!({
            "listenAddress": address.to_string(),
            "managementListenAddress": "",
            "certificate": cert,
            "privateKey": key,
            "httpPort": wishes.http,
            "tlsPort": wishes.tls,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": wishes.external_keys.is_some(),
        });
        if let Some(keys) = &wishes.external_keys {
            config["externalAccountMACKeys"] = keys.clone();
        }
        let path = folder.path().join("config.json");
        std::fs::write(&path, json!({"pebble": config}).to_string()).unwrap();
        let mut command = Command::new(program);
        command.arg("-config").arg(&path).arg("-strict").arg("-dnsserver");
        command.arg(wishes.dns.to_string());
        if wishes.at_once {
            command.env("PEBBLE_VA_NOSLEEP", "1");
        } else {
            command.env("PEBBLE_VA_SLEEPTIME", "1");
        }
        command.env("PEBBLE_WFE_NONCEREJECT", wishes.refused_nonces.to_string());
        command.env("PEBBLE_AUTHZREUSE", wishes.reused_proofs.to_string());
        command.env("PEBBLE_WFE_ORDERS_PER_PAGE", "50");
        if std::env::var_os("SLIMHTTP_TEST_PEBBLE_LOG").is_none() {
            command.stdout(Stdio::null()).stderr(Stdio::null());
        }
        let child = command.spawn().unwrap();
        let pebble = Self { child, address, _folder: folder };
        wait_until("pebble listens", || TcpStream::connect(address).is_ok());
        pebble
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
