//! How much one caller may ask: a bucket for each address, so that nobody takes what others need.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use latchkey::mutex::Mutex;
use tokio::time::Instant;

/// How many seconds of its pace a caller may use at once.
const BURST: u32 = 5;
/// How many addresses are kept. Those that have been quiet are forgotten now and then; those for whom there is no room share
/// one bucket, so that a flood from many networks costs neither memory nor time.
const KEPT_MAX: usize = 65_536;
/// Whose bucket that is.
const OTHERS: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// The pace of every caller, by the generic cell rate algorithm (ITU-T I.371): what is kept of a caller is the time at
/// which its bucket is full again.
#[derive(Debug)]
pub(super) struct Pace {
    apart: Duration,
    buckets: Mutex<Buckets>,
}

#[derive(Debug, Default)]
struct Buckets {
    /// When each is full again.
    full: HashMap<IpAddr, Instant>,
    /// When the quiet ones were forgotten last.
    swept: Option<Instant>,
}

impl Pace {
    pub(super) fn new(per_second: NonZeroU32) -> Self {
        Self { apart: Duration::from_secs(1) / per_second.get(), buckets: Mutex::default() }
    }

    /// Counts a request; how long to wait when it is one too many.
    pub(super) fn count(&self, caller: IpAddr, now: Instant) -> Result<(), Duration> {
        let burst = Duration::from_secs(u64::from(BURST));
        let mut buckets = self.buckets.lock();
        let Buckets { full, swept } = &mut *buckets;
        if full.len() >= KEPT_MAX && swept.is_none_or(|swept| now >= swept + burst) {
            full.retain(|_, at| *at > now);
            *swept = Some(now);
        }
        let network = network(caller);
        let key = if full.len() < KEPT_MAX || full.contains_key(&network) { network } else { OTHERS };
        let held = full.entry(key).or_insert(now);
        let next = (*held).max(now) + self.apart;
        if next > now + burst {
            return Err(next - (now + burst));
        }
        *held = next;
        Ok(())
    }
}

/// Whoever has one IPv6 address has its whole network.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_has_its_pace_and_a_burst_and_takes_nothing_from_others() {
        let pace = Pace::new(NonZeroU32::new(10).unwrap());
        let start = Instant::now();
        let (one, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let allowed = (0..100).filter(|_| pace.count(one, start).is_ok()).count();
        assert_eq!(allowed, 50);
        let wait = pace.count(one, start).unwrap_err();
        assert_eq!(wait, Duration::from_millis(100));
        assert!(pace.count(other, start).is_ok());
        assert!(pace.count(one, start + wait).is_ok() && pace.count(one, start + wait).is_err());
        let later = start + Duration::from_mins(1);
        assert_eq!((0..100).filter(|_| pace.count(one, later).is_ok()).count(), 50, "it is full again, and no fuller");
    }

    #[test]
    fn all_addresses_of_one_ipv6_network_are_one_caller() {
        let pace = Pace::new(NonZeroU32::MIN);
        let now = Instant::now();
        let counted = (0..20_u16).filter(|last| {
            let address: IpAddr = format!("2001:db8::{last:x}").parse().unwrap();
            pace.count(address, now).is_ok()
        });
        assert_eq!(counted.count(), 5);
    }

    #[test]
    fn who_was_quiet_is_forgotten() {
        let pace = Pace::new(NonZeroU32::MIN);
        let now = Instant::now();
        for number in 0..u32::try_from(KEPT_MAX).unwrap() {
            assert!(pace.count(IpAddr::from(number.to_be_bytes()), now).is_ok());
        }
        // There is no room for more: all others have one bucket, and nobody who is kept loses by them.
        let others = (0..20_u8).filter(|last| pace.count(IpAddr::from([255, 0, 0, *last]), now).is_ok());
        assert_eq!(others.count(), 5);
        assert!(pace.count(IpAddr::from([0, 0, 0, 1]), now).is_ok());
        assert_eq!(pace.buckets.lock().full.len(), KEPT_MAX + 1);
        let later = now + Duration::from_mins(1);
        assert!(pace.count(IpAddr::from([255, 0, 0, 1]), later).is_ok());
        assert_eq!(pace.buckets.lock().full.len(), 1);
    }
}
