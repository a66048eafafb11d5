//! The settings of `[snowflake]`: the warehouse of an environment in the cloud, and what watching it may cost.

use serde::{Deserialize, Serialize};

/// How skydeck signs in to Snowflake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnowflakeAuth {
    /// By an RSA key: `private_key`, with `passphrase` where it is encrypted.
    KeyPair,
    /// By `password`.
    Password,
    /// By an OAuth access token that something else renews: `token`.
    Oauth,
    /// By a programmatic access token: `token`.
    Token,
}

/// The warehouse of an environment in the cloud.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SnowflakeSettings {
    /// The account's identifier, as in `org-account`; absent: loads aren't watched.
    pub account: Option<String>,
    /// Where it answers, in the account's own address' stead: a private link's URL.
    pub base_url: Option<String>,
    /// The HTTP proxy that it is reached through.
    pub proxy: Option<String>,
    /// What opens it, `USER:PASSWORD`: a reference.
    pub proxy_credentials: Option<String>,
    /// The user.
    pub user: Option<String>,
    /// Its role; absent is the user's default.
    pub role: Option<String>,
    /// The warehouse that questions about rows and files run in; absent is the user's default.
    pub warehouse: Option<String>,
    /// The pipes' database.
    pub database: Option<String>,
    /// The pipes' schema.
    pub schema: Option<String>,
    /// How to sign in.
    pub auth: SnowflakeAuth,
    /// The user's private key, PKCS#8 PEM: a reference.
    pub private_key: Option<String>,
    /// What that key is encrypted with: a reference.
    pub passphrase: Option<String>,
    /// The user's password: a reference.
    pub password: Option<String>,
    /// The user's token, of OAuth or a programmatic one: a reference.
    pub token: Option<String>,
    /// Names of the pipes that are watched, separated by commas; absent is every pipe of the schema.
    pub pipes: Option<String>,
    /// Credits a day (UTC) that watching may cost, 0.01 to 1000.
    pub credits_per_day: f64,
    /// Times a day (UTC) that watching may wake the warehouse, 0 to 1440.
    pub wakes_per_day: u32,
    /// Seconds that a statement may take before it is cancelled, 5 to 3600.
    pub statement_timeout_s: u32,
}

impl Default for SnowflakeSettings {
    fn default() -> Self {
        Self {
            account: None,
            base_url: None,
            proxy: None,
            proxy_credentials: None,
            user: None,
            role: None,
            warehouse: None,
            database: None,
            schema: None,
            auth: SnowflakeAuth::KeyPair,
            private_key: None,
            passphrase: None,
            password: None,
            token: None,
            pipes: None,
            credits_per_day: 1.0,
            wakes_per_day: 24,
            statement_timeout_s: 60,
        }
    }
}

impl SnowflakeSettings {
    /// The pipes that are named, without the spaces around them; `None` where every pipe is watched.
    #[must_use]
    pub fn named_pipes(&self) -> Option<Vec<String>> {
        let names = self.pipes.as_ref()?.split(',').map(str::trim).filter(|name| !name.is_empty());
        Some(names.map(str::to_owned).collect())
    }
}
