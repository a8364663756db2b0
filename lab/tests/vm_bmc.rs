//! A BMC's power commands act on its machine.
//!
//! Needs root, QEMU, OpenIPMI's simulator and ipmitool.

use std::time::Duration;

use lab::{Bmc, Lab};
use serde_json::Value;

#[test]
fn the_bmc_cuts_and_gives_power() {
    let host = Lab::host().unwrap();
    let mut bmc = Bmc::of(&host).unwrap();
    let status = |bmc: &Bmc| bmc.ipmitool(&["chassis", "power", "status"]).unwrap();
    assert_eq!(status(&bmc).trim(), "Chassis Power is on");
    host.ok("touch /run/alive").unwrap();
    bmc.ipmitool(&["chassis", "power", "off"]).unwrap();
    assert_eq!(status(&bmc).trim(), "Chassis Power is off");
    let state = host.qemu("query-status", Value::Null).unwrap();
    assert_eq!(state["running"], false, "{state}");
    bmc.ipmitool(&["chassis", "power", "on"]).unwrap();
    assert_eq!(status(&bmc).trim(), "Chassis Power is on");
    host.await_agent(lab::machine::BOOT).unwrap();
    let output = host
        .run("test -e /run/alive", Duration::from_secs(20))
        .unwrap();
    assert_eq!(output.code, 1, "what was in memory survived the power cut");
    bmc.kill();
    assert!(bmc.ipmitool(&["chassis", "power", "status"]).is_err());
}
