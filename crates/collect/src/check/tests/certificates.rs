//! Certificates that are trusted, and those that are not.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;

/// A server with TLS on loopback whose certificate is for `name`, and the PEM of the authority that made it.
fn secure(name: &str, is_expired: bool) -> (SocketAddr, String) {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = authority.self_signed(&authority_key).unwrap().pem();
    let key = KeyPair::generate().unwrap();
    let mut own = CertificateParams::new(vec![name.to_owned()]).unwrap();
    if is_expired {
        own.not_before = rcgen::date_time_ymd(2020, 1, 1);
        own.not_after = rcgen::date_time_ymd(2021, 1, 1);
    }
    let certificate = own.signed_by(&key, &Issuer::new(authority, authority_key)).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(certificate.der().to_vec())],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let config = Arc::new(config);
    let address = server(move |stream| {
        let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
        if request(&mut stream).is_empty() {
            return;
        }
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        stream.conn.send_close_notify();
        let _ = stream.flush();
    });
    (address, pem)
}

fn https(address: SocketAddr) -> CheckConfig {
    CheckConfig {
        name: "web".to_owned(),
        http: Some(format!("https://127.0.0.1:{}/", address.port())),
        contains: Some("ok".to_owned()),
        timeout: Span::from_secs(20),
        ..CheckConfig::default()
    }
}

#[test]
fn a_certificate_is_accepted_if_its_authority_is_trusted_and_refused_with_a_reason_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("authority.pem");
    for (name, is_expired, is_trusted, expected) in [
        (
            "127.0.0.1",
            false,
            false,
            "the certificate is not of an authority that is trusted here; `ca` names the file of another one",
        ),
        ("127.0.0.1", false, true, ""),
        ("127.0.0.1", true, true, "the certificate has expired"),
        ("other.example", false, true, "the certificate is for another name"),
    ] {
        let (address, pem) = secure(name, is_expired);
        std::fs::write(&ca, pem).unwrap();
        let config = CheckConfig { ca: is_trusted.then(|| ca.clone()), ..https(address) };
        assert_eq!(said(&config), expected, "{name}");
    }
}

#[test]
fn a_server_without_tls_is_no_success() {
    let address = server(|mut stream| stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap_or_default());
    assert_eq!(said(&https(address)), "no TLS is spoken there");
}

#[test]
fn what_is_wrong_with_a_certificate_is_said_in_words_for_people() {
    use rustls::{CertificateError as C, OtherError};
    let authority = C::Other(OtherError(Arc::new(std::io::Error::other("CaUsedAsEndEntity"))));
    for (error, expected) in [
        (C::NotValidYet, "the certificate is not valid yet"),
        (C::InvalidPurpose, failure::NOT_OF_A_SERVER),
        (authority, failure::NOT_OF_A_SERVER),
        (C::BadSignature, "the certificate cannot be verified"),
        (C::Revoked, "the certificate cannot be verified"),
    ] {
        let error = rustls::Error::InvalidCertificate(error);
        assert_eq!(Failure::tls(&error).to_string(), expected, "{error:?}");
    }
}

#[test]
fn whoever_drips_a_handshake_is_cut_at_the_deadline() {
    let address = server(|mut stream| {
        std::thread::spawn(move || {
            // The head of a long record, and then a byte now and then.
            let mut piece = &[0x16_u8, 3, 3, 0x3f, 0xff, 2][..];
            while stream.write_all(piece).is_ok() {
                piece = &[0];
                std::thread::sleep(Duration::from_millis(20));
            }
        });
    });
    let begun = Instant::now();
    assert_eq!(said(&CheckConfig { timeout: Span::from_ms(400), ..https(address) }), "no answer within 400ms");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

#[test]
fn a_file_of_certificates_that_cannot_be_used_is_named_before_anything_begins() {
    let folder = tempfile::tempdir().unwrap();
    let (missing, empty) = (folder.path().join("missing.pem"), folder.path().join("empty.pem"));
    std::fs::write(&empty, "nothing\n").unwrap();
    for (path, expected) in [(&missing, "cannot read the certificates in "), (&empty, "there is no certificate in ")] {
        let config = CheckConfig { ca: Some(path.clone()), ..https(closed()) };
        let error = Checks::new(&[config]).err().expect("it cannot be used");
        assert_eq!(error.to_string(), format!("{expected}{}", path.display()));
    }
    // The same is known without a start.
    let with = |path: &std::path::Path| CheckConfig { ca: Some(path.to_owned()), ..https(closed()) };
    let found = unusable_certificates(&[https(closed()), with(&missing), with(&empty)]);
    let found: Vec<_> = found.iter().map(|problem| (problem.key_path.as_str(), problem.message.as_str())).collect();
    let expected = [
        ("1.ca", format!("cannot read the certificates in {}: no such file or directory", missing.display())),
        ("2.ca", format!("there is no certificate in {}", empty.display())),
    ];
    assert_eq!(found, expected.each_ref().map(|(key_path, message)| (*key_path, message.as_str())));
}
