//! How many messages per second one network passes from one sender to one receiver.
//!
//! Sender and receiver do next to nothing themselves: whole buffers of frames are written, and what
//! comes is counted in bytes. `cargo bench -p spread-testd`.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark's report"
)]

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use spread_proto::service::FIFO_MESS;
use spread_proto::{ByteOrder, ClientHandshake, ConnectRequest, Frame, HandshakeStep, Hint, Name};
use spread_testd::{Daemon, Network};

trait Socket: Read + Write + Send {}
impl Socket for TcpStream {}
impl Socket for UnixStream {}

fn connect(daemon: &Daemon, unix: bool, name: &str) -> (Box<dyn Socket>, Name) {
    let mut socket: Box<dyn Socket> = if unix {
        Box::new(UnixStream::connect(daemon.unix_path().unwrap()).unwrap())
    } else {
        Box::new(TcpStream::connect(daemon.addr()).unwrap())
    };
    let request = ConnectRequest {
        version: [5, 0, 1],
        membership: false,
        priority: false,
        private_name: name.into(),
    };
    let mut handshake = ClientHandshake::new(request, &[b"NULL".to_vec()]);
    loop {
        match handshake.step() {
            HandshakeStep::Write(bytes) => {
                socket.write_all(&bytes).unwrap();
                handshake.wrote();
            }
            HandshakeStep::Read(count) => {
                let mut buffer = vec![0; count];
                let count = socket.read(&mut buffer).unwrap();
                handshake.input(&buffer[..count]);
            }
            HandshakeStep::RunMethods => handshake.methods_done(true),
            HandshakeStep::Done(accepted) => return (socket, accepted.private_group),
            HandshakeStep::Failed(failure) => panic!("{failure:?}"),
        }
    }
}

fn run(unix: bool, size: usize, count: usize, receivers: usize) -> io::Result<()> {
    let network = Network::builder().start().unwrap();
    let daemon = network.daemon(0);
    let (mut sender, sender_name) = connect(daemon, unix, "s");
    let group = Name::new(b"g");
    let mut reading = Vec::new();
    let frame_len = 48 + 32 + size;
    for index in 0..receivers {
        let (mut receiver, name) = connect(daemon, unix, &format!("r{index}"));
        receiver.write_all(&Frame::join(name, group).encode())?;
        // Comes back behind the join.
        let echo = Frame::new(
            FIFO_MESS,
            name,
            Hint::NONE,
            ByteOrder::NATIVE,
            vec![name],
            vec![],
        );
        let echo = echo.encode();
        receiver.write_all(&echo)?;
        receiver.read_exact(&mut vec![0; echo.len()])?;
        reading.push(std::thread::spawn(move || {
            let mut left = frame_len * count;
            let mut buffer = vec![0; 1 << 18];
            while left > 0 {
                match receiver.read(&mut buffer).unwrap() {
                    0 => panic!("dropped with {left} bytes to go"),
                    n => left -= n,
                }
            }
        }));
    }
    let frame = Frame::new(
        FIFO_MESS,
        sender_name,
        Hint::NONE,
        ByteOrder::NATIVE,
        vec![group],
        vec![b'x'; size],
    );
    let frame = frame.encode();
    let per_write = (64 * 1024 / frame.len()).max(1);
    let buffer = frame.repeat(per_write);
    let start = Instant::now();
    let mut left = count;
    while left > 0 {
        let now = left.min(per_write);
        sender.write_all(&buffer[..now * frame.len()])?;
        left -= now;
    }
    for thread in reading {
        thread.join().unwrap();
    }
    let seconds = start.elapsed().as_secs_f64();
    let kind = if unix { "unix" } else { "tcp " };
    #[expect(clippy::cast_precision_loss, reason = "a figure to read")]
    let (rate, bytes) = (count as f64 / seconds, (count * frame_len) as f64 / seconds);
    println!(
        "{kind} {size:6} B, {receivers} receiver(s): {:9.0} messages/s, {:6.0} MB/s",
        rate,
        bytes / 1e6
    );
    Ok(())
}

fn main() -> io::Result<()> {
    for unix in [true, false] {
        for (size, count) in [
            (100, 2_000_000),
            (1000, 500_000),
            (10_000, 100_000),
            (100_000, 10_000),
        ] {
            run(unix, size, count, 1)?;
        }
        run(unix, 100, 500_000, 4)?;
    }
    Ok(())
}
