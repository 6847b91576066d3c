//! The memory of machines and containers, by what their files say.

use crate::sys::memory::machine::least;

const MACHINE: (&str, &str) = ("/proc/meminfo", "MemTotal:       16000000 kB\nMemFree:  1 kB\n");
const ALL: u64 = 16_000_000 * 1024;

#[track_caller]
fn check(files: &[(&str, &str)], memory: Option<u64>) {
    let read = |path: &str| {
        files.iter().find(|(name, _)| *name == path).map(|(_, text)| (*text).to_owned())
    };
    assert_eq!(least(&read), memory, "{files:?}");
}

#[test]
fn a_machine_without_limits_has_what_it_has() {
    check(&[], None);
    check(&[MACHINE], Some(ALL));
    check(
        &[MACHINE, ("/proc/self/cgroup", "0::/\n"), ("/sys/fs/cgroup/memory.max", "max\n")],
        Some(ALL),
    );
    check(&[("/proc/meminfo", "nothing\n"), ("/proc/self/cgroup", "nonsense\n0::\n")], None);
}

#[test]
fn version_2_has_the_least_limit_on_the_way_up() {
    let path = ("/proc/self/cgroup", "0::/a.slice/b.service\n");
    let at = |path, limit| (path, limit);
    check(
        &[MACHINE, path, at("/sys/fs/cgroup/a.slice/b.service/memory.max", "1000\n")],
        Some(1000),
    );
    check(
        &[
            MACHINE,
            path,
            at("/sys/fs/cgroup/a.slice/b.service/memory.max", "max\n"),
            at("/sys/fs/cgroup/a.slice/memory.max", "2000\n"),
        ],
        Some(2000),
    );
    // A container that sees the machine's path and its own files.
    check(&[MACHINE, path, at("/sys/fs/cgroup/memory.max", "536870912\n")], Some(512 << 20));
    check(&[path, at("/sys/fs/cgroup/memory.max", "536870912\n")], Some(512 << 20));
}

#[test]
fn version_1_has_a_controller_of_its_own() {
    let groups = ("/proc/self/cgroup", "5:cpu,cpuacct:/d\n4:memory:/d/c\n0::/d\n");
    let file = "/sys/fs/cgroup/memory/d/c/memory.limit_in_bytes";
    check(&[MACHINE, groups, (file, "9223372036854771712\n")], Some(ALL));
    check(&[MACHINE, groups, (file, "700\n")], Some(700));
    let mount = "/sys/fs/cgroup/memory/memory.limit_in_bytes";
    check(&[MACHINE, groups, (mount, "800\n")], Some(800));
    check(&[MACHINE, groups, (mount, "800\n"), (file, "900\n")], Some(800));
}
