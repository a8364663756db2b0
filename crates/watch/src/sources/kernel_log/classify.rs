//! What a line of the kernel's log means: pure. The words are those of the kernel's sources
//! (fs/nfs, net/sunrpc, block, mm/oom_kill.c, drivers/md, drivers/ata, drivers/nvme, fs/ext4,
//! fs/xfs, kernel/hung_task.c, kernel/watchdog.c, mce, EDAC).

use crate::event::Kind;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The kind of event.
    pub kind: Kind,
    /// What it happened to.
    pub subject: String,
    /// The guest, where QEMU is named.
    pub guest: Option<String>,
    /// One sentence.
    pub message: String,
}

/// What a line means; `None` for the many that mean no trouble.
pub fn classify(line: &str) -> Option<Finding> {
    nfs(line)
        .or_else(|| memory(line))
        .or_else(|| raid(line))
        .or_else(|| file_system(line))
        .or_else(|| disk(line))
        .or_else(|| machine(line))
}

fn found(kind: Kind, subject: &str, message: String) -> Option<Finding> {
    Some(Finding {
        kind,
        subject: subject.trim_matches(['(', ')', ':', ',', ' ']).to_owned(),
        guest: None,
        message,
    })
}

/// The word that follows `mark`.
fn after<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(mark)?;
    rest.split([' ', ',', ':', ')'])
        .find(|word| !word.is_empty())
}

fn nfs(line: &str) -> Option<Finding> {
    if line.contains("nfs: server ") || line.contains("RPC: server ") {
        // An IPv6 address holds colons.
        let server = line.split_once("server ")?.1.split(' ').next()?;
        if line.contains("not responding") {
            let how = if line.contains("timed out") {
                "requests fail"
            } else {
                "whoever touches it waits"
            };
            return found(
                Kind::KernelNfsNotResponding,
                server,
                format!("the file server does not respond: {how}"),
            );
        }
        if line.ends_with(" OK") {
            return found(
                Kind::KernelNfsOk,
                server,
                "the file server responds again".into(),
            );
        }
    }
    if line.contains("CIFS:") && line.contains("has not responded") {
        let server = after(line, "\\\\").unwrap_or("cifs");
        return found(
            Kind::KernelNfsNotResponding,
            server,
            "the file server does not respond".into(),
        );
    }
    None
}

fn memory(line: &str) -> Option<Finding> {
    let (_, rest) = line.split_once("Killed process ")?;
    let name = rest
        .split_once('(')
        .and_then(|(_, r)| r.split_once(')'))
        .map_or("?", |(name, _)| name);
    let pid = rest.split_whitespace().next().unwrap_or("?");
    let qemu = name.starts_with("qemu") || name.starts_with("CPU ") || name == "kvm";
    let what = if qemu {
        "QEMU, and with it a guest,"
    } else {
        "a process"
    };
    found(
        Kind::KernelOomKill,
        name,
        format!("the kernel killed {what} for lack of memory: {name} (process {pid})"),
    )
}

fn raid(line: &str) -> Option<Finding> {
    let rest = line
        .strip_prefix("md/")
        .or_else(|| line.strip_prefix("md: "))?;
    if line.contains("Disk failure on") {
        let array = rest
            .split_once(':')
            .map_or("md", |(_, r)| r.split(':').next().unwrap_or("md"));
        let disk = after(line, "Disk failure on ").unwrap_or("a disk");
        return found(Kind::KernelRaid, array, format!("its member {disk} failed"));
    }
    if line.contains("not enough operational") || line.contains("Cannot continue operation") {
        let array = rest.split(':').nth(1).unwrap_or("md");
        return found(Kind::KernelRaid, array, "too few members are left".into());
    }
    None
}

fn file_system(line: &str) -> Option<Finding> {
    for name in ["EXT4-fs", "XFS", "BTRFS", "F2FS-fs"] {
        let Some(rest) = line.strip_prefix(name) else {
            continue;
        };
        let device = rest
            .split_once('(')
            .and_then(|(_, r)| r.split_once(')'))
            .map_or("?", |(d, _)| d);
        let device = device.trim_start_matches("device ");
        let device = device.split([':', ' ']).next().unwrap_or(device);
        let bad = [
            "error",
            "orrupt",
            "Remounting filesystem read-only",
            "forced readonly",
            "Shutting down filesystem",
            "shutdown",
        ];
        // An error in an option at mount time is no damage.
        if bad.iter().any(|word| line.contains(word)) && !line.contains("errors=") {
            return found(
                Kind::KernelFsError,
                device,
                "the kernel found its file system damaged or gave it up".into(),
            );
        }
    }
    None
}

fn disk(line: &str) -> Option<Finding> {
    if line.contains("I/O error, dev ") {
        let device = after(line, "dev ")?;
        return found(
            Kind::KernelIoError,
            device,
            "a request to the disk failed".into(),
        );
    }
    if line.contains("Buffer I/O error on dev") {
        let device = after(line, "Buffer I/O error on device ")
            .or_else(|| after(line, "Buffer I/O error on dev "))?;
        return found(
            Kind::KernelIoError,
            device,
            "a request to the disk failed".into(),
        );
    }
    if let Some(rest) = line.strip_prefix("nvme ") {
        let name = rest.split(':').next()?;
        let name = rest
            .split_whitespace()
            .next()
            .map_or(name, |w| w.trim_end_matches(':'));
        if [
            "controller is down",
            "timeout, ",
            "Removing after probe failure",
            "Device not ready",
        ]
        .iter()
        .any(|w| line.contains(w))
        {
            return found(
                Kind::KernelDisk,
                name,
                "the NVMe controller does not answer".into(),
            );
        }
    }
    if line.starts_with("ata")
        && (line.contains("failed command")
            || line.contains("hard resetting link")
            || line.contains("disabled"))
    {
        let port = line.split([':', ' ']).next()?;
        return found(
            Kind::KernelDisk,
            port,
            "a disk's port was reset or a command failed".into(),
        );
    }
    if line.starts_with("sd ")
        && (line.contains("rejecting I/O to offline device")
            || line.contains("Medium Error")
            || line.contains("Unrecovered read error"))
    {
        let name = line
            .split_once('[')
            .and_then(|(_, r)| r.split_once(']'))
            .map_or("sd", |(n, _)| n);
        return found(
            Kind::KernelDisk,
            name,
            "the disk has bad places or is offline".into(),
        );
    }
    if line.contains("multipath: ") && line.contains("Failing path") {
        return found(
            Kind::KernelDisk,
            after(line, "Failing path ").unwrap_or("path"),
            "a path to a disk failed".into(),
        );
    }
    None
}

fn machine(line: &str) -> Option<Finding> {
    if line.contains("blocked for more than") && line.starts_with("INFO: task ") {
        let task = line.strip_prefix("INFO: task ")?.split(':').next()?;
        return found(
            Kind::KernelHung,
            task,
            "the task hangs in the kernel".into(),
        );
    }
    if line.contains("soft lockup")
        || line.contains("hard LOCKUP")
        || line.contains("rcu_sched self-detected stall")
    {
        let cpu = after(line, "CPU#").unwrap_or("processor");
        return found(Kind::KernelHung, cpu, "a processor is stuck".into());
    }
    if line.contains("Machine check events logged")
        || line.contains("[Hardware Error]")
        || line.starts_with("mce: ") && line.contains("CPU") && line.contains("Machine Check")
    {
        return found(
            Kind::KernelHardware,
            "processor",
            "the hardware reported an error".into(),
        );
    }
    if line.starts_with("EDAC ") && (line.contains(" CE ") || line.contains(" UE ")) {
        return found(
            Kind::KernelHardware,
            "memory",
            "a memory module gave an error".into(),
        );
    }
    if line.contains(": segfault at ")
        || line.contains("general protection fault") && line.contains("ip:")
    {
        let name = line.split('[').next()?.trim();
        return found(Kind::KernelSegfault, name, "the process crashed".into());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_real_kernels() {
        for (line, kind, subject) in [
            (
                "nfs: server 10.50.1.70 not responding, still trying",
                Kind::KernelNfsNotResponding,
                "10.50.1.70",
            ),
            (
                "nfs: server fd00::1 not responding, timed out",
                Kind::KernelNfsNotResponding,
                "fd00::1",
            ),
            ("nfs: server 10.50.1.70 OK", Kind::KernelNfsOk, "10.50.1.70"),
            (
                "CIFS: VFS: \\\\nas-01 has not responded in 180 seconds. Reconnecting...",
                Kind::KernelNfsNotResponding,
                "nas-01",
            ),
            (
                "Out of memory: Killed process 4242 (qemu-system-x86) total-vm:5242880kB, anon-rss:4194304kB, file-rss:0kB, shmem-rss:0kB, UID:64055 pgtables:9000kB oom_score_adj:0",
                Kind::KernelOomKill,
                "qemu-system-x86",
            ),
            (
                "Memory cgroup out of memory: Killed process 7 (CPU 0/KVM) total-vm:1kB",
                Kind::KernelOomKill,
                "CPU 0/KVM",
            ),
            (
                "md/raid1:md0: Disk failure on sdb1, disabling device.",
                Kind::KernelRaid,
                "md0",
            ),
            (
                "md/raid:md127: Cannot continue operation (2/4 failed).",
                Kind::KernelRaid,
                "md127",
            ),
            (
                "EXT4-fs error (device sda2): ext4_lookup:1611: inode #2: comm ls: deleted inode referenced: 12",
                Kind::KernelFsError,
                "sda2",
            ),
            (
                "EXT4-fs (dm-3): Remounting filesystem read-only",
                Kind::KernelFsError,
                "dm-3",
            ),
            (
                "XFS (sdb1): Corruption of in-memory data (0x8) detected at xfs_defer_finish_noroll",
                Kind::KernelFsError,
                "sdb1",
            ),
            (
                "BTRFS error (device sdc1: state EA): parent transid verify failed",
                Kind::KernelFsError,
                "sdc1",
            ),
            (
                "blk_update_request: I/O error, dev sdb, sector 2048 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 0",
                Kind::KernelIoError,
                "sdb",
            ),
            (
                "I/O error, dev nvme0n1, sector 99 op 0x1:(WRITE) flags 0x800 phys_seg 1 prio class 2",
                Kind::KernelIoError,
                "nvme0n1",
            ),
            (
                "Buffer I/O error on dev sdb1, logical block 0, async page read",
                Kind::KernelIoError,
                "sdb1",
            ),
            (
                "nvme nvme0: controller is down; will reset: CSTS=0xffffffff, PCI_STATUS=0x10",
                Kind::KernelDisk,
                "nvme0",
            ),
            (
                "ata3.00: failed command: READ FPDMA QUEUED",
                Kind::KernelDisk,
                "ata3.00",
            ),
            (
                "sd 2:0:0:0: [sdb] tag#0 Sense Key : Medium Error [current]",
                Kind::KernelDisk,
                "sdb",
            ),
            (
                "INFO: task qemu-system-x86:4242 blocked for more than 120 seconds.",
                Kind::KernelHung,
                "qemu-system-x86",
            ),
            (
                "watchdog: BUG: soft lockup - CPU#3 stuck for 22s! [kworker/3:1:77]",
                Kind::KernelHung,
                "3",
            ),
            (
                "mce: [Hardware Error]: Machine check events logged",
                Kind::KernelHardware,
                "processor",
            ),
            (
                "EDAC MC0: 1 CE memory read error on CPU_SrcID#0_Ha#0_Chan#1_DIMM#0",
                Kind::KernelHardware,
                "memory",
            ),
            (
                "qemu-system-x86[4242]: segfault at 0 ip 0000 sp 0000 error 4 in qemu-system-x86_64",
                Kind::KernelSegfault,
                "qemu-system-x86",
            ),
        ] {
            let found = classify(line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(
                (found.kind, found.subject.as_str()),
                (kind, subject),
                "{line}"
            );
        }
    }

    #[test]
    fn what_is_no_trouble() {
        for line in [
            "",
            "EXT4-fs (sda2): mounted filesystem with ordered data mode. Quota mode: none. Opts: errors=remount-ro",
            "EXT4-fs (sda2): re-mounted. Opts: errors=remount-ro",
            "md/raid1:md0: active with 2 out of 2 mirrors",
            "nvme nvme0: 4/0/0 default/read/poll queues",
            "ata3: SATA link up 6.0 Gbps (SStatus 133 SControl 300)",
            "br-mgmt: port 2(vnet3) entered forwarding state",
            "XFS (sdb1): Mounting V5 Filesystem",
            "Killed",
        ] {
            assert_eq!(classify(line), None, "{line}");
        }
    }
}
