//! Apache CloudStack's agent on KVM: its heartbeat writes to each NFS primary storage, and where
//! that fails long enough `kvmheartbeat.sh` reboots the host.

use super::Rebooter;

/// The agent's setting that decides it (agent.properties); the default is `true`.
pub const SETTING: &str = "reboot.host.and.alert.management.on.heartbeat.timeout";

/// What an agent.properties says of it: `None` where the agent does not reboot the host.
/// Where the setting is absent it does, and the evidence is the file as a whole (line 0).
pub fn parse(file: &str, text: &str) -> Option<Rebooter> {
    let mut found = Rebooter {
        program: "cloudstack-agent".into(),
        file: file.to_owned(),
        text: format!("{SETTING} is not set; its default is true"),
        trigger: "the heartbeat on an NFS primary storage fails".into(),
        ..Rebooter::default()
    };
    let mut reboots = true;
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.starts_with('#') || trimmed.starts_with('!') {
            continue;
        }
        if let Some((key, value)) = trimmed.split_once(['=', ':'])
            && key.trim() == SETTING
        {
            reboots = !value.trim().eq_ignore_ascii_case("false");
            found.line = u32::try_from(index + 1).unwrap_or(u32::MAX);
            found.text = line.to_owned();
        }
    }
    reboots.then_some(found)
}
