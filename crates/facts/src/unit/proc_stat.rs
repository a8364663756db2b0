//! When a process started: `/proc/PID/stat` and the `btime` of `/proc/stat`, see proc(5).

/// Clock ticks a second in `/proc`: `USER_HZ`, which is 100 on every Linux architecture that
/// libvirt's hypervisors run on.
pub const TICKS_PER_SECOND: i64 = 100;

/// Start of a process in ticks after boot: field 22 of `/proc/PID/stat`. The program name in
/// the second field may hold spaces and parentheses; it ends at the last `)`.
pub fn start_ticks(stat: &str) -> Option<i64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(19)?.parse().ok()
}

/// When the kernel booted, seconds since 1970: the `btime` line of `/proc/stat`.
pub fn boot_time(stat: &str) -> Option<i64> {
    stat.lines()
        .find_map(|line| line.strip_prefix("btime "))?
        .trim()
        .parse()
        .ok()
}

/// When a process started, seconds since 1970 (rounded down).
pub fn started_at(process_stat: &str, system_stat: &str) -> Option<i64> {
    boot_time(system_stat)?.checked_add(start_ticks(process_stat)? / TICKS_PER_SECOND)
}
