//! SRV records (RFC 2782): where a service is, by priority and weight.

use simple_dns::{Packet, rdata::RData};

use crate::random::Random;

/// What one record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SrvRecord {
    /// Smaller ones come first.
    pub(crate) priority: u16,
    /// Share of the first tries among those of the same priority.
    pub(crate) weight: u16,
    pub(crate) port: u16,
    /// Host name without the dot at its end; empty: the service is not offered here.
    pub(crate) host: Vec<u8>,
}

/// The records of a DNS answer; those of other types are left out. `None`: the bytes are no answer.
pub(crate) fn parse(answer: &[u8]) -> Option<Vec<SrvRecord>> {
    let packet = Packet::parse(answer).ok()?;
    let records = packet
        .answers
        .iter()
        .filter_map(|record| match &record.rdata {
            RData::SRV(srv) => Some(SrvRecord {
                priority: srv.priority,
                weight: srv.weight,
                port: srv.port,
                host: srv.target.to_string().trim_end_matches('.').into(),
            }),
            _ => None,
        });
    Some(records.collect())
}

/// The order in which RFC 2782 has the records tried.
pub(crate) fn order(mut records: Vec<SrvRecord>, random: &mut Random) -> Vec<SrvRecord> {
    records.retain(|record| !record.host.is_empty());
    // Those of weight 0 first, so that they have a small chance beside the others.
    records.sort_by_key(|record| (record.priority, record.weight));
    let mut ordered = Vec::with_capacity(records.len());
    while let Some(first) = records.first() {
        let priority = first.priority;
        let group = records
            .iter()
            .take_while(|record| record.priority == priority)
            .count();
        let sum: u64 = records[..group].iter().map(|r| u64::from(r.weight)).sum();
        let chosen = random.below(sum + 1);
        let mut running = 0;
        let at = records[..group]
            .iter()
            .position(|record| {
                running += u64::from(record.weight);
                running >= chosen
            })
            .unwrap_or(0);
        ordered.push(records.remove(at));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(priority: u16, weight: u16, host: &str) -> SrvRecord {
        SrvRecord {
            priority,
            weight,
            port: 4803,
            host: host.into(),
        }
    }

    #[test]
    fn priorities_come_in_order_and_weights_by_their_share() {
        let records = vec![
            record(20, 0, "last"),
            record(10, 3, "often"),
            record(10, 1, "seldom"),
            record(10, 0, "hardly"),
        ];
        let mut random = Random::seeded(3);
        let mut first = std::collections::HashMap::new();
        for _ in 0..10_000 {
            let ordered = order(records.clone(), &mut random);
            assert_eq!(ordered.len(), 4);
            assert_eq!(ordered[3].host, b"last");
            *first.entry(ordered[0].host.clone()).or_insert(0) += 1;
        }
        // Of 0..=4: 0 takes "hardly", 1 "seldom", 2 to 4 "often".
        assert!((1800..2200).contains(&first[&b"hardly"[..]]), "{first:?}");
        assert!((1800..2200).contains(&first[&b"seldom"[..]]), "{first:?}");
        assert!((5800..6200).contains(&first[&b"often"[..]]), "{first:?}");
    }

    #[test]
    fn a_service_that_is_not_offered_has_no_hosts() {
        let mut random = Random::seeded(3);
        assert_eq!(order(vec![record(0, 0, "")], &mut random), []);
    }

    #[test]
    fn rubbish_is_no_answer() {
        for length in 0..64 {
            let _ = parse(&vec![0xff; length]);
            let _ = parse(&vec![0xc0; length]);
        }
        assert_eq!(parse(&[]), None);
        // A header that announces more than there is.
        assert_eq!(parse(&[0, 0, 0x80, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0]), None);
    }

    #[test]
    fn records_of_an_answer_are_read() {
        // Header: one answer. Owner: root. SRV, IN, TTL 1; 10 5 4803 a.example.
        let mut answer = vec![0, 1, 0x81, 0x80, 0, 0, 0, 1, 0, 0, 0, 0];
        answer.extend([0, 0, 33, 0, 1, 0, 0, 0, 1, 0, 17]);
        answer.extend([0, 10, 0, 5, 0x12, 0xc3]);
        answer.extend(b"\x01a\x07example\0");
        assert_eq!(
            parse(&answer),
            Some(vec![SrvRecord {
                weight: 5,
                ..record(10, 5, "a.example")
            }])
        );
    }
}
