//! `AsyncConnection` on tokio: `cargo test -p spread-client --features tokio --test tasks`.

use std::future::Future;
use std::time::Duration;

use spread_client::{AsyncConnection, Connection, Error, Service};
use spread_testd::Network;

fn run<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .expect("a runtime");
    runtime.block_on(future)
}

#[test]
fn messages_come_to_tasks_as_they_are_sent() {
    let network = Network::builder().start().unwrap();
    let daemon = network.daemon(0);
    for name in [daemon.unix_name().unwrap(), daemon.spread_name()] {
        run(async {
            let connection = AsyncConnection::connect(Connection::to(&name))
                .await
                .unwrap();
            connection.join("tasks").await.unwrap();
            assert!(connection.receive().await.unwrap().is_regular_membership());
            for size in [0, 10, 100_000] {
                let body = vec![7; size];
                connection
                    .multicast(Service::Agreed, &["tasks"], 3, &body)
                    .await
                    .unwrap();
                let message = connection.receive().await.unwrap();
                assert_eq!((message.mess_type, &message.body), (3, &body));
            }
            // Another one, at the same time: thousands, each waited for.
            let sender = Connection::to(&name).connect().unwrap();
            let thread = std::thread::spawn(move || {
                for number in 0..3000_u32 {
                    let body = number.to_le_bytes();
                    sender
                        .multicast(Service::Fifo, &["tasks"], 0, &body)
                        .unwrap();
                    if number % 100 == 0 {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                }
                sender
            });
            for number in 0..3000_u32 {
                let message = connection.receive().await.unwrap();
                assert_eq!(message.body, number.to_le_bytes());
            }
            drop(thread.join().unwrap());
            connection.leave("tasks").await.unwrap();
            assert!(connection.receive().await.unwrap().is_membership());
            assert_eq!(connection.stats().unwrap().messages_out, 3);
            connection.close().await.unwrap();
        });
    }
}

#[test]
fn the_end_of_the_connection_wakes_a_task() {
    let network = Network::builder().start().unwrap();
    let name = network.daemon(0).spread_name();
    run(async {
        let connection = AsyncConnection::connect(Connection::to(&name))
            .await
            .unwrap();
        let killer = std::thread::spawn(move || network.control().kill(0));
        assert_eq!(connection.receive().await, Err(Error::ConnectionClosed));
        assert_eq!(connection.receive().await, Err(Error::NetError));
        let _ = killer.join();
    });
}
