//! `bundle inspect` with the built program: time and bytes read, on both sets.

use std::process::{Command, Stdio};
use std::time::Instant;

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use super::measure::{forget, of_process};
use super::report::{Bar, Report};
use super::{Bench, vendor};

pub(crate) fn bars(bench: &Bench, report: &mut Report) {
    for (name, set) in [("large", bench.large()), ("small", bench.small())] {
        let bundle = vendor::bundle(&set);
        let [mut times, mut read, mut written] = [const { Vec::new() }; 3];
        for _ in 0..bench.rounds {
            forget(&bundle);
            let start = Instant::now();
            let mut child = Command::new(env!("CARGO_BIN_EXE_airlock"))
                .args(["bundle", "inspect"])
                .arg(&bundle)
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            let pid = Pid::from_child(&child);
            waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).unwrap();
            times.push(start.elapsed().as_secs_f64() * 1000.0);
            let taken = of_process(&child.id().to_string());
            read.push(taken.read / f64::from(1 << 20));
            written.push(taken.written);
            assert!(child.wait().unwrap().success());
        }
        report.alone(&format!("inspect {name}: time"), "ms", &times, Bar::AtMost(50.0));
        report.alone(&format!("inspect {name}: read"), "MiB", &read, Bar::AtMost(1.0));
        report.alone(&format!("inspect {name}: written"), "B", &written, Bar::AtMost(0.0));
    }
}
