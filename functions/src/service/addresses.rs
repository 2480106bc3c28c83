//! From where a token was used, and that somebody is told when it is used from elsewhere.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::notices::News;
use super::usage::{FirstUse, is_token};
use super::{Event, Service};
use crate::bounds::ADDRESSES_MAX;
use crate::event::EventKind;
use crate::table::{ADDRESSES, Condition, Item, TableError, TransactError, Transaction, Update, Value, Write, keys};

/// What counts as one address: an IPv4 address, or the /64 of an IPv6 address, which is the least that one network has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Network(IpNet);

impl Network {
    /// The one that an address is in.
    pub(super) fn of(address: IpAddr) -> Self {
        let network = IpNet::from(address.to_canonical());
        match network {
            IpNet::V4(_) => Self(network),
            IpNet::V6(whole) => Self(ipnet::Ipv6Net::new(whole.addr(), 64).map_or(network, |net| net.trunc().into())),
        }
    }

    fn read(text: &str) -> Option<Self> {
        text.parse::<IpAddr>().ok().map(IpNet::from).or_else(|| text.parse().ok()).map(Self)
    }

    /// As it is stored: an IPv4 address as it is.
    fn text(self) -> String {
        match self.0 {
            IpNet::V4(network) => network.addr().to_string(),
            IpNet::V6(network) => network.to_string(),
        }
    }
}

/// From where uses of a token are no news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Known {
    /// From anywhere: it is not known yet, or there are as many as are kept apart.
    Any,
    /// From these.
    These(BTreeSet<Network>),
}

impl Known {
    /// What a note of a use from `network` showed. One without an address shows nothing, so the next that has one is news.
    pub(super) fn of(noted: &Item, network: Option<Network>) -> Self {
        if network.is_none() {
            return Self::These(BTreeSet::new());
        }
        let Some(Value::Ss(addresses)) = noted.get(ADDRESSES) else { return Self::Any };
        if addresses.len() >= ADDRESSES_MAX {
            return Self::Any;
        }
        Self::These(addresses.iter().filter_map(|text| Network::read(text)).collect())
    }

    /// Whether a use from there is news, which it is once.
    pub(super) fn learns(&mut self, from: Option<IpAddr>) -> bool {
        match (self, from) {
            (Self::Any, _) | (Self::These(_), None) => false,
            (Self::These(known), Some(from)) => known.insert(Network::of(from)),
        }
    }
}

impl Service {
    /// Adds a network to those of the token that an update is of, and answers the condition under which nobody is told
    /// of it: it is one of them, or the first. While notices are off nobody is, up to as many as are kept.
    pub(super) fn admitted_silently(&self, update: &mut Update, network: Network) -> Condition {
        let text = network.text();
        update.add_to_set(ADDRESSES, [text.clone()]);
        let known = Condition::absent(ADDRESSES).or(Condition::Contains(ADDRESSES.into(), text));
        if self.queues_notices() {
            return known;
        }
        known.or(Condition::Fewer(ADDRESSES.into(), ADDRESSES_MAX))
    }

    /// Adds a network that is new, with the event and the notice that say so. Whether it was: not where another process
    /// told it, where as many as are kept are known, or the token is gone.
    pub(super) async fn tell_new_address(&self, first: &FirstUse, network: Network) -> Result<bool, TableError> {
        if !self.queues_notices() {
            return Ok(false);
        }
        let text = network.text();
        let mut update = Update::default();
        update.add_to_set(ADDRESSES, [text.clone()]);
        let unknown = Condition::Not(Box::new(Condition::Contains(ADDRESSES.into(), text)));
        let condition = is_token(first).and(unknown).and(Condition::Fewer(ADDRESSES.into(), ADDRESSES_MAX));
        let mut transaction = Transaction::default();
        transaction.add(Write::Update { key: keys::token(&first.token.key), update, condition });
        let event = Event::on_use(EventKind::TokenNewAddress, &first.token, first.from, first.at);
        let news = News::of_use(first.manifest.clone(), first.version, first.expires);
        let event = event.with(format!("version {}", first.version));
        transaction.add(self.event_with(&event, Some(&news))?);
        match self.table.transact(transaction).await {
            Ok(()) => Ok(true),
            Err(TransactError::Cancelled(_)) => Ok(false),
            Err(TransactError::Table(error)) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(address: &str) -> Network {
        Network::of(address.parse().unwrap())
    }

    #[test]
    fn an_ipv4_address_stands_for_itself_and_an_ipv6_address_for_its_64() {
        for (address, text) in [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ] {
            assert_eq!(network(address).text(), text);
            assert_eq!(Network::read(text), Some(network(address)));
        }
        assert_eq!(Network::read("nowhere"), None);
        let longest = network("2001:1db8:1111:2222:3333:4444:5555:6666").text();
        assert!(longest.len() * ADDRESSES_MAX < 800, "{longest}");
    }

    #[test]
    fn an_address_is_news_once_and_none_is_where_all_that_are_kept_are_known() {
        let noted = |count: usize| {
            let addresses = (0..count).map(|number| format!("192.0.2.{number}")).collect();
            Item::from([(ADDRESSES.to_owned(), Value::Ss(addresses))])
        };
        let here = Some(network("192.0.2.0"));
        let mut known = Known::of(&noted(2), here);
        assert!(!known.learns(Some("192.0.2.1".parse().unwrap())));
        assert!(!known.learns(None));
        assert!(known.learns(Some("192.0.2.2".parse().unwrap())));
        assert!(!known.learns(Some("192.0.2.2".parse().unwrap())));
        for anywhere in [Known::of(&noted(ADDRESSES_MAX), here), Known::of(&Item::new(), here)] {
            assert_eq!(anywhere, Known::Any);
        }
        assert!(Known::of(&noted(2), None).learns(Some("192.0.2.1".parse().unwrap())), "it is to be looked at");
        assert!(!Known::Any.learns(Some("192.0.2.2".parse().unwrap())));
    }
}
