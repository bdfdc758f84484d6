//! Which certificates are trusted: those of this machine, and the configured one. TLS is rustls with ring.

use std::path::Path;
use std::sync::Arc;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use watchkeeper_core::Problem;
use watchkeeper_core::text::clean;

use super::config::CheckConfig;
use super::failure::reason;
use crate::CollectError;

/// Files of certificates that cannot be used, at `N.ca`: what the start of the checks would refuse. Contacts nobody.
pub fn unusable_certificates(checks: &[CheckConfig]) -> Vec<Problem> {
    let problem = |(index, check): (usize, &CheckConfig)| {
        let error = own(check.ca.as_deref()?).err()?;
        let sentence = match &error {
            CollectError::Certificates { source, .. } => format!("{error}: {}", reason(source)),
            _ => error.to_string(),
        };
        let problem = Problem::new(format!("{index}.ca"), clean(&sentence, 500));
        Some(problem.help("name a PEM file with the certificate of the authority, readable for the watch"))
    };
    checks.iter().enumerate().filter_map(problem).collect()
}

/// The authorities of this machine, read once for all checks.
#[derive(Default)]
pub(super) struct Trust {
    machine: Option<Vec<Certificate<'static>>>,
}

impl Trust {
    /// What to trust for an URL: the machine's authorities, and those in the PEM file `ca`.
    pub(super) fn config(&mut self, ca: Option<&Path>) -> Result<TlsConfig, CollectError> {
        let mut roots = self.machine.get_or_insert_with(machine).clone();
        if let Some(path) = ca {
            roots.extend(own(path)?);
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Ok(TlsConfig::builder()
            .root_certs(RootCerts::Specific(Arc::new(roots)))
            .unversioned_rustls_crypto_provider(provider)
            .build())
    }
}

fn machine() -> Vec<Certificate<'static>> {
    // What cannot be read is missing among the trusted: the check says so when a server's certificate needs it.
    let found = rustls_native_certs::load_native_certs();
    found.certs.iter().map(|der| Certificate::from_der(der).to_owned()).collect()
}

fn own(path: &Path) -> Result<Vec<Certificate<'static>>, CollectError> {
    let pem = std::fs::read(path).map_err(|source| CollectError::Certificates { path: path.to_owned(), source })?;
    let certificates: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(CollectError::NoCertificate { path: path.to_owned() });
    }
    Ok(certificates)
}
