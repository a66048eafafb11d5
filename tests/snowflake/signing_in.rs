use skydeck::ingestion::warehouse::snowflake::{Account, Snowflake, SnowflakeError, statements};
use skydeck::settings::{SnowflakeAuth, SnowflakeSettings};

use super::peer::{Fault, Server, encrypted_key, pkcs1_key, plain_key};
use super::place::{secret, settings};

fn snowflake(settings: &SnowflakeSettings) -> Snowflake {
    Snowflake::new(Account::of(settings).expect("complete").expect("an account"))
}

async fn pipes(snowflake: &Snowflake) -> Result<usize, SnowflakeError> {
    let rows = snowflake.ask(&statements::show_pipes(snowflake.account())).await?;
    Ok(rows.len())
}

#[tokio::test]
async fn a_key_signs_in_plain_and_encrypted() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().expect("temporary folder"));
    assert_eq!(pipes(&snowflake(&settings(&server, folder.path(), &plain_key()))).await, Ok(3));
    let encrypted = SnowflakeSettings {
        passphrase: Some(secret(folder.path(), "passphrase", "open-sesame\n")),
        ..settings(&server, folder.path(), &encrypted_key())
    };
    assert_eq!(pipes(&snowflake(&encrypted)).await, Ok(3));
    let wrong = SnowflakeSettings { passphrase: Some(secret(folder.path(), "wrong", "sesame")), ..encrypted };
    let words = pipes(&snowflake(&wrong)).await.expect_err("refused").to_string();
    assert!(words.contains("passphrase"), "{words}");
    assert_eq!(server.lock().seen.logins, 2);
    server.assert_all_known();
}

#[tokio::test]
async fn a_key_that_cannot_sign_in_is_told_before_anything_is_sent() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().expect("temporary folder"));
    let words =
        pipes(&snowflake(&settings(&server, folder.path(), &pkcs1_key()))).await.expect_err("refused").to_string();
    assert!(words.contains("PKCS#1") && words.contains("openssl pkcs8 -topk8"), "{words}");
    assert_eq!(server.lock().seen.logins, 0);
}

#[tokio::test]
async fn passwords_and_tokens_sign_in_and_a_wrong_one_is_refused_without_being_shown() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().expect("temporary folder"));
    let base = settings(&server, folder.path(), &plain_key());
    let by = |auth, text: &str| {
        let reference = Some(secret(folder.path(), "word", text));
        SnowflakeSettings { auth, password: reference.clone(), token: reference, ..base.clone() }
    };
    for (auth, text) in [
        (SnowflakeAuth::Password, "correct horse"),
        (SnowflakeAuth::Token, "correct horse"),
        (SnowflakeAuth::Oauth, "ver:1-oauth"),
    ] {
        assert_eq!(pipes(&snowflake(&by(auth, text))).await, Ok(3), "{auth:?}");
        let words = pipes(&snowflake(&by(auth, "s3cret-and-wrong"))).await.expect_err("refused").to_string();
        assert!(words.contains("refuses user SKYDECK_STAGING") && !words.contains("s3cret"), "{words}");
    }
}

#[tokio::test]
async fn an_expired_session_is_signed_in_again_once() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().expect("temporary folder"));
    let snowflake = snowflake(&settings(&server, folder.path(), &plain_key()));
    assert_eq!(pipes(&snowflake).await, Ok(3));
    server.fail_with(&[Fault::Expired]);
    assert_eq!(pipes(&snowflake).await, Ok(3));
    assert_eq!(server.lock().seen.logins, 2);
    // Twice in a row is no expired session but something else.
    server.fail_with(&[Fault::Expired, Fault::Expired]);
    assert!(matches!(pipes(&snowflake).await, Err(SnowflakeError::Refused { .. })));
    assert_eq!(server.lock().seen.logins, 3);
}

#[tokio::test]
async fn asynchronous_answers_and_503_are_what_they_are() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().expect("temporary folder"));
    let snowflake = snowflake(&settings(&server, folder.path(), &plain_key()));
    server.fail_with(&[Fault::Asynchronous, Fault::Unavailable]);
    assert_eq!(pipes(&snowflake).await, Ok(3));
    let error = pipes(&snowflake).await.expect_err("unavailable");
    assert!(matches!(&error, SnowflakeError::Unreachable { reason, .. } if reason.contains("503")), "{error}");
    assert_eq!(pipes(&snowflake).await, Ok(3));
}

#[tokio::test]
async fn what_takes_too_long_is_cancelled_at_snowflake() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().expect("temporary folder"));
    let quick = SnowflakeSettings { statement_timeout_s: 1, ..settings(&server, folder.path(), &plain_key()) };
    let snowflake = snowflake(&quick);
    assert_eq!(pipes(&snowflake).await, Ok(3));
    server.fail_with(&[Fault::Hangs]);
    let error = pipes(&snowflake).await.expect_err("too slow");
    assert!(matches!(error, SnowflakeError::TimedOut { .. }), "{error}");
    assert_eq!(server.lock().seen.aborted.len(), 1);
}

#[tokio::test]
async fn an_account_that_is_not_there_is_named() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().expect("temporary folder"));
    let nowhere = SnowflakeSettings {
        base_url: Some("http://127.0.0.1:1".to_owned()),
        ..settings(&server, folder.path(), &plain_key())
    };
    let error = pipes(&snowflake(&nowhere)).await.expect_err("nobody there");
    assert!(matches!(&error, SnowflakeError::Unreachable { account, .. } if account == "org-account"), "{error}");
}

#[tokio::test]
async fn through_a_proxy_with_its_password_and_nobody_else_is_asked() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().expect("temporary folder"));
    let through = SnowflakeSettings {
        // Where nobody answers: the server stands for the proxy, which is asked for everything.
        base_url: Some("http://localhost:9".to_owned()),
        proxy: Some(server.url()),
        proxy_credentials: Some(secret(folder.path(), "proxy", "ada:pass word")),
        ..settings(&server, folder.path(), &plain_key())
    };
    assert_eq!(pipes(&snowflake(&through)).await, Ok(3));
    assert_eq!(server.lock().seen.proxy_keys, ["Basic YWRhOnBhc3Mgd29yZA=="; 2]);
}

#[tokio::test]
async fn a_name_that_is_not_known_and_somebody_who_reads_along_are_told_apart() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().expect("temporary folder"));
    let at = |url: String| {
        let settings = SnowflakeSettings { base_url: Some(url), ..settings(&server, folder.path(), &plain_key()) };
        snowflake(&settings)
    };
    let words = pipes(&at("https://no-such-account.invalid".to_owned())).await.expect_err("nowhere").to_string();
    assert!(words.contains("DNS"), "{words}");
    let port = somebody_between().await;
    let words = pipes(&at(format!("https://127.0.0.1:{port}"))).await.expect_err("not trusted").to_string();
    assert!(words.contains("isn't trusted here") && words.contains("can't be turned off"), "{words}");
}

/// A server whose certificate nobody signed.
async fn somebody_between() -> u16 {
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()])
        .and_then(|of| of.self_signed(&key))
        .expect("a certificate");
    let der = rustls::pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config =
        rustls::ServerConfig::builder_with_provider(std::sync::Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], der)
            .expect("a server");
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Whoever doesn't trust it hangs up.
            drop(acceptor.accept(stream).await);
        }
    });
    port
}
