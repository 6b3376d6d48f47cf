//! The sample programs of the classic distribution, compiled with the classic headers and linked with the
//! classic libraries, on the installed library. They are not ours, so they are where the environment says:
//!
//! ```console
//! $ SPREAD_SAMPLES=/folder SPREAD_DAEMON=/path/to/spread cargo test --test install samples
//! ```
//!
//! The folder has `spuser`, `sptuser`, `spflooder`, `spping`, `sp_time_memb`, and for the flush layer
//! `flush_user` and `fl_time_memb`, as they come from linking with `-lspread-core`, `-ltspread-core` and
//! `-lspread`. They run on the embedded network, and on a real daemon where one is named; with
//! `SPREAD_CLASSIC_LIB` also on the classic library of that folder, which shows that what is expected
//! here is right.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::installed::prefix;
use crate::places::RealDaemon;
use crate::support::{ProgramCommand, Running, skip};

const LIMIT: Duration = Duration::from_secs(120);

/// One way of running them.
struct Samples {
    programs: PathBuf,
    library: PathBuf,
    daemon: String,
}

impl Samples {
    fn start(&self, program: &str, args: &[&str]) -> Running {
        let file = self.programs.join(program);
        assert!(file.exists(), "{} is not there", file.display());
        // Some of them write to a pipe at their end only.
        ProgramCommand::new("stdbuf")
            .arg("-oL")
            .arg(file)
            .args(["-s", &self.daemon])
            .args(args)
            .env("LD_LIBRARY_PATH", &self.library)
            .limit(LIMIT)
            .spawn()
    }

    /// Starts a program with a menu, and waits for its session.
    fn start_user(&self, program: &str) -> Running {
        let user = self.start(program, &["-u", program]);
        let private_group = format!("#{program}#");
        user.wait_for_line(|line| line.contains("connected to") && line.contains(&private_group));
        user
    }

    /// Runs a program to its end, and gives what it has written.
    fn output(&self, program: &str, args: &[&str]) -> String {
        let mut running = self.start(program, args);
        running.close_input();
        let run = running.finish();
        run.assert_success();
        run.stdout_text() + &run.stderr_text()
    }

    fn all(&self) {
        for program in ["spuser", "sptuser"] {
            let mut user = self.start_user(program);
            user.write_line("j talk");
            user.wait_for_line(|l| l.contains("REGULAR membership for group talk with 1 members"));
            user.wait_for_line(|l| l.contains(&format!("Due to the JOIN of #{program}#")));
            user.write_line("s talk");
            user.write_line("hello there");
            user.wait_for_line(|l| l.ends_with("(12 bytes): hello there"));
            user.write_line("q");
            user.finish().assert_success();
        }

        let told = self.output("spflooder", &["-u", "flooder", "-m", "3000", "-b", "1000"]);
        assert!(
            told.contains("completed multicast of 3000 messages, 1000 bytes each"),
            "{told}"
        );

        let reflector = self.start("spping", &["-u", "reflector", "-ro"]);
        reflector.wait_for_line(|l| l.contains("only reflecting pings"));
        let told = self.output("spping", &["-u", "ping", "-p", "5", "-m", "50"]);
        assert!(told.contains("50 packets transmitted"), "{told}");
        assert!(
            told.contains("round-trip mean"),
            "no ping has come back: {told}"
        );
        drop(reflector);

        let told = self.output(
            "sp_time_memb",
            &["-S", "1", "-g", "timed", "-t", "1", "50", "-f"],
        );
        assert!(told.contains("SP_Join + SP_Leave"), "{told}");

        self.flush_layer();
    }

    fn flush_layer(&self) {
        let mut user = self.start_user("flush_user");
        user.write_line("j talk");
        // It receives when it is told to.
        user.write_line("r");
        user.wait_for_line(|l| l.contains("REGULAR membership for group talk with 1 members"));
        user.wait_for_line(|l| l.contains("Due to the JOIN of #flush_user#"));
        user.write_line("s talk");
        user.write_line("hello there");
        user.write_line("r");
        user.wait_for_line(|l| l.contains("hello there"));
        user.write_line("q");
        user.finish().assert_success();

        let told = self.output(
            "fl_time_memb",
            &["-S", "1", "-g", "timed", "-t", "1", "50", "-f"],
        );
        assert!(told.contains("FL_Join + FL_Leave"), "{told}");
    }
}

fn variable(name: &str) -> Option<PathBuf> {
    Some(PathBuf::from(std::env::var_os(name)?))
}

#[test]
fn classic_samples_run_on_the_installed_library() {
    let Some(programs) = variable("SPREAD_SAMPLES") else {
        return skip("SPREAD_SAMPLES does not name a folder with the classic sample programs");
    };
    let net = prefix().network();
    let mut daemons = vec![net.daemon().to_owned()];
    let real = variable("SPREAD_DAEMON").map(|file| RealDaemon::start(file.as_os_str(), "samples"));
    if let Some(real) = &real {
        // By its unix socket, and by TCP.
        daemons.extend(real.place().names().iter().cloned());
    }
    let classic = variable("SPREAD_CLASSIC_LIB");
    let libraries: Vec<&Path> = classic.iter().map(PathBuf::as_path).collect();
    let ours = prefix().lib();
    for library in libraries.into_iter().chain([ours.as_path()]) {
        for daemon in &daemons {
            let samples = Samples {
                programs: programs.clone(),
                library: library.to_owned(),
                daemon: daemon.clone(),
            };
            samples.all();
        }
    }
}
