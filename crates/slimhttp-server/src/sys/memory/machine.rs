//! How much memory there is: what the machine has, and what the control groups of
//! the process let it have of that, in either version (cgroups(7)). A container's
//! limit is one of these.

use std::fs;
use std::sync::OnceLock;

/// The memory of which this process may have its part, in bytes; `None` where the
/// system does not say. Looked at once.
pub(crate) fn memory() -> Option<u64> {
    static MEMORY: OnceLock<Option<u64>> = OnceLock::new();
    *MEMORY.get_or_init(|| least(&|path| fs::read_to_string(path).ok()))
}

/// The least of all limits, read from files.
fn least(read: &dyn Fn(&str) -> Option<String>) -> Option<u64> {
    let machine = read("/proc/meminfo").and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        kibibytes.checked_mul(1024)
    });
    let groups = read("/proc/self/cgroup").unwrap_or_default();
    let limits = groups.lines().flat_map(|line| of_group(line, read));
    // Without a limit, version 2 says `max`, version 1 a number that no machine has.
    machine.into_iter().chain(limits).min()
}

/// The limits of a group and of all above it: each holds. `line` is
/// `number:controllers:path`; version 2 has no controllers.
fn of_group(line: &str, read: &dyn Fn(&str) -> Option<String>) -> Vec<u64> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { return Vec::new() };
    let (mount, name) = match controllers {
        "" => ("/sys/fs/cgroup", "memory.max"),
        _ if controllers.split(',').any(|one| one == "memory") => {
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
        }
        _ => return Vec::new(),
    };
    let mut limits = Vec::new();
    // The path may be that of the machine, of which a container sees its own part
    // only: then the folders below are not there, and the mount is its group.
    let mut path = path.trim_end_matches('/');
    loop {
        let limit = read(&format!("{mount}{path}/{name}"));
        limits.extend(limit.and_then(|limit| limit.trim().parse::<u64>().ok()));
        let Some((above, _)) = path.rsplit_once('/') else { return limits };
        path = above;
    }
}

#[cfg(test)]
mod tests;
