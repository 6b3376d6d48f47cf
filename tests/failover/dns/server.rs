//! A DNS server for tests: one zone in memory, over UDP, with faults.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use simple_dns::rdata::{A, AAAA, RData, SRV};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE};

/// One record of the zone.
#[derive(Clone, Debug)]
pub(crate) enum Record {
    Address(IpAddr),
    Service {
        priority: u16,
        weight: u16,
        port: u16,
        target: String,
    },
}

/// How the server behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    #[default]
    Answers,
    /// "Server failure" to every question.
    Fails,
    /// No answer.
    Silent,
}

#[derive(Debug, Default)]
struct Zone {
    records: HashMap<String, Vec<Record>>,
    mode: Mode,
    questions: usize,
}

/// See the module. Answers until the process ends.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    zone: Arc<Mutex<Zone>>,
}

impl Server {
    /// Starts to answer at `address`.
    pub(crate) fn start(address: SocketAddr) -> Self {
        let socket = UdpSocket::bind(address).expect("the name server's address is free");
        let zone = Arc::new(Mutex::new(Zone::default()));
        let server = Self { zone };
        let own = server.clone();
        std::thread::spawn(move || own.run(&socket));
        server
    }

    fn zone(&self) -> MutexGuard<'_, Zone> {
        self.zone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the addresses of a host.
    pub(crate) fn host(&self, name: &str, addresses: &[&str]) {
        let records = addresses
            .iter()
            .map(|text| Record::Address(text.parse().expect("an address")))
            .collect();
        self.zone().records.insert(name.to_owned(), records);
    }

    /// Sets the SRV records of a name: priority, weight, port, target.
    pub(crate) fn services(&self, name: &str, list: &[(u16, u16, u16, &str)]) {
        let records = list
            .iter()
            .map(|&(priority, weight, port, target)| Record::Service {
                priority,
                weight,
                port,
                target: target.to_owned(),
            })
            .collect();
        self.zone().records.insert(name.to_owned(), records);
    }

    pub(crate) fn set_mode(&self, mode: Mode) {
        self.zone().mode = mode;
    }

    /// How many questions have come.
    pub(crate) fn questions(&self) -> usize {
        self.zone().questions
    }

    fn run(&self, socket: &UdpSocket) {
        let mut buffer = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            if let Some(answer) = self.answer(&buffer[..length]) {
                let _ = socket.send_to(&answer, from);
            }
        }
    }

    fn answer(&self, question: &[u8]) -> Option<Vec<u8>> {
        let query = Packet::parse(question).ok()?;
        let asked = query.questions.first()?.clone();
        let name = asked.qname.to_string().to_ascii_lowercase();
        let mut reply = Packet::new_reply(query.id());
        reply.set_flags(PacketFlag::AUTHORITATIVE_ANSWER | PacketFlag::RECURSION_DESIRED);
        reply.set_flags(PacketFlag::RECURSION_AVAILABLE);
        let mut zone = self.zone();
        zone.questions += 1;
        match zone.mode {
            Mode::Silent => return None,
            Mode::Fails => *reply.rcode_mut() = RCODE::ServerFailure,
            Mode::Answers => match zone.records.get(&name) {
                None => *reply.rcode_mut() = RCODE::NameError,
                Some(records) => {
                    for record in records {
                        if let Some(data) = data_for(record, asked.qtype) {
                            reply.answers.push(ResourceRecord::new(
                                asked.qname.clone(),
                                CLASS::IN,
                                1,
                                data,
                            ));
                        }
                    }
                }
            },
        }
        reply.questions.push(asked);
        reply.build_bytes_vec().ok()
    }
}

/// What a record says to a question of this type.
fn data_for(record: &Record, asked: QTYPE) -> Option<RData<'_>> {
    match (record, asked) {
        (Record::Address(IpAddr::V4(ip)), QTYPE::TYPE(TYPE::A)) => Some(RData::A(A::from(*ip))),
        (Record::Address(IpAddr::V6(ip)), QTYPE::TYPE(TYPE::AAAA)) => {
            Some(RData::AAAA(AAAA::from(*ip)))
        }
        (
            Record::Service {
                priority,
                weight,
                port,
                target,
            },
            QTYPE::TYPE(TYPE::SRV),
        ) => Some(RData::SRV(SRV {
            priority: *priority,
            weight: *weight,
            port: *port,
            target: Name::new_unchecked(target),
        })),
        _ => None,
    }
}
