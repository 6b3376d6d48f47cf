//! C programs: the `SPX_` calls for events, and a classic program whose session comes back by what the
//! environment says.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use spread_testd::{AuthMethod, Network, Timing};

use crate::auto::list;
use crate::support::{Compile, Executable, ProgramCommand, Variant, root, scaled};

fn compile(name: &str) -> Executable {
    let mut common: Vec<PathBuf> = fs::read_dir(root().join("tests/c/lib"))
        .expect("the folder of the common code is there")
        .map(|entry| entry.expect("a folder can be listed").path())
        .filter(|path| path.extension().is_some_and(|e| e == "c"))
        .collect();
    common.sort();
    let mut compile = Compile::new(format!("failover-{name}"))
        .source(root().join("tests/failover/c").join(format!("{name}.c")));
    for source in common {
        compile = compile.source(source);
    }
    compile
        .include(root().join("tests/c"))
        .standard("c11")
        .strict()
        .flags([
            "-D_GNU_SOURCE",
            "-O1",
            "-g",
            "-pthread",
            "-Wno-missing-field-initializers",
        ])
        .libs(["-lpthread", "-lrt"])
        .variant(Variant::from_env())
        .build()
        .unwrap_or_else(|error| panic!("{error:?}"))
}

fn three() -> Network {
    Network::builder()
        .daemons(3)
        .unix(false)
        .timing(Timing::FAST)
        .start()
        .expect("a network")
}

/// Runs a program, and does to the network what it asks for.
fn run(network: &Network, name: &str, mut command: ProgramCommand) {
    let patience =
        scaled(Duration::from_secs(1)).as_secs() * u64::from(Variant::from_env().slowdown());
    command.env("TEST_TIMEOUT_FACTOR", patience.to_string());
    let mut running = command.limit(Duration::from_secs(120)).spawn();
    let end = format!("ok {name}");
    for number in 1.. {
        let start = format!("do {number} ");
        let line = running.wait_for_line(|line| line.starts_with(&start) || line == end);
        let Some(order) = line.strip_prefix(&start) else {
            break;
        };
        let (what, daemon) = order.split_once(' ').expect("what and which");
        let daemon = daemon.parse().expect("a number");
        match what {
            "kill" => network.kill(daemon),
            "restart" => network.restart(daemon),
            _ => panic!("{order:?}"),
        }
        .and_then(|()| network.settle())
        .expect("the network does as it is told");
        running.write_line("done");
    }
    running.finish().assert_success();
}

#[test]
fn events() {
    let executable = compile("events");
    let network = three();
    let mut command = executable.command();
    command.args((0..3).map(|at| network.daemon(at).spread_name()));
    run(&network, "events", command);
}

#[test]
fn auth() {
    let executable = compile("auth");
    let network = Network::builder()
        .daemons(2)
        .unix(false)
        .timing(Timing::FAST)
        .auth_methods([AuthMethod::Challenge {
            name: "SAMPLE".into(),
            secret: b"secret".to_vec(),
        }])
        .start()
        .expect("a network");
    let mut command = executable.command();
    command.args((0..2).map(|at| network.daemon(at).spread_name()));
    run(&network, "auth", command);
}

#[test]
fn full() {
    let executable = compile("full");
    let network = three();
    let mut command = executable.command();
    command.args((0..2).map(|at| network.daemon(at).spread_name()));
    run(&network, "full", command);
}

#[test]
fn forked() {
    let executable = compile("forked");
    let network = three();
    let mut command = executable.command();
    command.arg(list(&network, &[0, 1]));
    run(&network, "forked", command);
}

#[test]
fn plain() {
    let executable = compile("plain");
    let network = three();
    let mut command = executable.command();
    command.arg("4803@nowhere.invalid");
    let two = list(&network, &[0, 1]);
    command.env("SPREAD_MAP", format!("4803@nowhere.invalid={two}"));
    command.env("SPREAD_OPTIONS", "failover=auto&avoid_ms=0");
    run(&network, "plain", command);
}
