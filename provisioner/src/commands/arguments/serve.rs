//! Arguments of the server.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::Args;
use ipnet::IpNet;
use latchkey::lifetime::Seconds;

use super::network::network;
use super::{Allow, ClockFlag, OUTPUT, TRUST};
use crate::commands::schedule::interval;
use crate::server::{BasePath, Header};

#[derive(Debug, Args)]
pub(in crate::commands) struct Serve {
    /// Port on this machine; 0 picks a free one
    #[arg(long, default_value_t = 8787, conflicts_with = "listen")]
    pub(in crate::commands) port: u16,
    /// Address and port to listen on, for other machines too, for instance `0.0.0.0:8443`
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(in crate::commands) listen: Option<SocketAddr>,
    /// Certificate chain (PEM); read again when it changes
    #[arg(long, value_name = "FILE", requires = "tls_key", help_heading = TRUST)]
    pub(in crate::commands) tls_cert: Option<PathBuf>,
    /// Private key of the certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert", help_heading = TRUST)]
    pub(in crate::commands) tls_key: Option<PathBuf>,
    /// Network of the proxies before this server: the addresses that they forward are trusted (repeatable, or with commas)
    #[arg(long, value_name = "CIDR", value_parser = network, value_delimiter = ',', help_heading = TRUST)]
    pub(in crate::commands) behind: Vec<IpNet>,
    /// Header in which these proxies forward addresses; the other one is not read
    #[arg(long, value_name = "HEADER", value_enum, default_value_t, requires = "behind", help_heading = TRUST)]
    pub(in crate::commands) forwarded: Header,
    /// Where this server is in its proxy's addresses, for instance `/tokens`
    #[arg(long, value_name = "PATH")]
    pub(in crate::commands) base_path: Option<BasePath>,
    /// Requests a second that one address may make, with a burst of five seconds [default: unlimited]
    #[arg(long, value_name = "NUMBER", help_heading = TRUST)]
    pub(in crate::commands) pace: Option<NonZeroU32>,
    /// Write a JSON line for each request to this file, or to stdout with `-`
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub(in crate::commands) access_log: Option<PathBuf>,
    /// Serve counters in the form of `OpenMetrics` on this address, at `/metrics`
    #[arg(long, value_name = "ADDRESS:PORT", help_heading = OUTPUT)]
    pub(in crate::commands) metrics: Option<SocketAddr>,
    /// Also rotate what is due of this manifest
    #[arg(long, value_name = "FILE")]
    pub(in crate::commands) rotate: Option<PathBuf>,
    /// Interval of `--rotate`
    #[arg(long, value_name = "DURATION", value_parser = interval, default_value = "1h", requires = "rotate")]
    pub(in crate::commands) every: Seconds,
    #[command(flatten)]
    pub(in crate::commands) allow: Allow,
    #[command(flatten)]
    pub(in crate::commands) clock: ClockFlag,
}

impl Serve {
    /// Where it is to listen.
    pub(in crate::commands) fn address(&self) -> SocketAddr {
        self.listen.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, self.port).into())
    }
}
