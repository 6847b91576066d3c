//! Both ways of opening, the kernel's and ours, against the same trees.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::*;

const METHODS: &[OpenMethod] = &[
    #[cfg(target_os = "linux")]
    OpenMethod::Openat2,
    OpenMethod::ComponentWalk,
];

/// The tree of one test.
struct Tree(TempDir);

impl Tree {
    fn new() -> Self {
        let tree = TempDir::new().expect("a folder");
        let root = tree.path();
        std::fs::create_dir_all(root.join("site/sub/sub")).expect("a tree");
        std::fs::create_dir_all(root.join("outside/sub")).expect("a tree");
        for (name, text) in [
            ("secret", "secret"),
            ("outside/deep", "secret"),
            ("outside/sub/deep", "secret"),
            ("site/page", "page"),
            ("site/code.py", "code"),
            ("site/sub/deep", "deep"),
            ("site/sub/sub/deeper", "deeper"),
        ] {
            std::fs::write(root.join(name), text).expect("a file");
        }
        for (name, target) in LINKS {
            let target = target.replace("{}", root.to_str().expect("text"));
            symlink(target, root.join("site").join(name)).expect("a link");
        }
        symlink("site", root.join("by-link")).expect("a link");
        Self(tree)
    }

    fn root(&self, method: OpenMethod) -> Root {
        Root::at(self.0.path().join("site").into(), method).expect("the root")
    }
}

/// Links below `site`; `{}` is the folder around it.
const LINKS: &[(&str, &str)] = &[
    ("out", "../secret"),
    ("out_absolute", "{}/secret"),
    ("out_folder", "../outside"),
    ("out_by_prefix", "{}/site2/page"),
    ("out_dotted", "{}/site/../secret"),
    ("out_deep", "sub/../../secret"),
    ("out_chain", "sub/chain"),
    ("sub/chain", "../out"),
    ("slash", "/"),
    ("up", ".."),
    ("proc", "/proc/self/root"),
    ("in", "sub/deep"),
    ("in_absolute", "{}/site/sub/deep"),
    ("in_other_name", "{}/by-link/sub/deep"),
    ("in_chain", "sub/sub/back"),
    ("sub/sub/back", "../../in"),
    ("in_dotted", "./sub/./../sub/deep"),
    ("in_around", "../site/page"),
    ("in_script", "code.py"),
    ("folder", "sub"),
    ("folder_absolute", "{}/site/sub"),
    ("here", "."),
    ("sub/root", "{}/site"),
    ("loop", "loop"),
    ("loop_a", "loop_b"),
    ("loop_b", "loop_a"),
    ("dangling", "missing"),
];

/// What a file holds, and its real name where the way to it leads over a link.
type Found = (&'static str, Option<&'static str>);

/// A path, and what is found there.
const CASES: &[(&str, Option<Found>)] = &[
    ("page", Some(("page", None))),
    ("sub/deep", Some(("deep", None))),
    ("sub/sub/deeper", Some(("deeper", None))),
    ("in", Some(("deep", Some("sub/deep")))),
    ("in_absolute", Some(("deep", Some("sub/deep")))),
    ("in_chain", Some(("deep", Some("sub/deep")))),
    ("in_dotted", Some(("deep", Some("sub/deep")))),
    ("in_around", Some(("page", Some("page")))),
    ("in_script", Some(("code", Some("code.py")))),
    ("folder/deep", Some(("deep", Some("sub/deep")))),
    ("folder/sub/deeper", Some(("deeper", Some("sub/sub/deeper")))),
    ("folder_absolute/deep", Some(("deep", Some("sub/deep")))),
    ("here/here/page", Some(("page", Some("page")))),
    ("sub/root/page", Some(("page", Some("page")))),
    ("sub/root/folder/root/in", Some(("deep", Some("sub/deep")))),
    ("up/site/page", Some(("page", Some("page")))),
    // A name of the root's folder that no configuration gave is not looked up.
    ("in_other_name", None),
    ("out", None),
    ("out_absolute", None),
    ("out_folder/deep", None),
    ("out_folder/sub/deep", None),
    ("out_by_prefix", None),
    ("out_dotted", None),
    ("out_deep", None),
    ("out_chain", None),
    ("slash/etc/hostname", None),
    ("up/secret", None),
    ("up/outside/deep", None),
    ("proc/etc/hostname", None),
    ("loop", None),
    ("loop/x", None),
    ("loop_a", None),
    ("dangling", None),
    ("missing", None),
    ("missing/x", None),
    ("page/below", None),
    ("in/below", None),
];

fn safe(path: &str) -> SafePath {
    path.split('/')
        .filter(|name| !name.is_empty())
        .fold(SafePath::root(), |safe, name| safe.join(name).expect("a plain name"))
}

fn text(mut file: File) -> String {
    let mut text = String::new();
    file.read_to_string(&mut text).expect("readable");
    text
}

#[test]
fn c5_2_only_what_stays_below_the_root_opens() {
    let tree = Tree::new();
    for &method in METHODS {
        let root = tree.root(method);
        for (path, expected) in CASES {
            let outcome = root.open(&safe(path), FollowSymlinks::Inside);
            if let Err(error) = &outcome {
                assert_eq!(error.kind(), io::ErrorKind::NotFound, "{path}, {method:?}");
            }
            let found = outcome.ok().map(|opened| (text(opened.file), opened.real_name));
            let expected = expected.map(|(text, real_name)| (text.to_owned(), real_name.map(safe)));
            assert_eq!(found, expected, "{path}, {method:?}");
        }
    }
}

#[test]
fn c5_2_it_is_said_why_a_link_is_not_followed() {
    let tree = Tree::new();
    for &method in METHODS {
        let root = tree.root(method);
        for (path, links, why) in [
            ("out", FollowSymlinks::Inside, LEADS_OUT),
            ("out_folder/deep", FollowSymlinks::Inside, LEADS_OUT),
            ("out_chain", FollowSymlinks::Inside, LEADS_OUT),
            ("in", FollowSymlinks::Never, NOT_FOLLOWED),
            ("folder/deep", FollowSymlinks::Never, NOT_FOLLOWED),
            ("missing", FollowSymlinks::Inside, "entity not found"),
        ] {
            let error = root.open(&safe(path), links).expect_err(path);
            assert_eq!(error.to_string(), why, "{path}, {method:?}");
        }
    }
}

#[test]
fn c5_2_without_links_only_plain_paths_open() {
    let tree = Tree::new();
    for &method in METHODS {
        let root = tree.root(method);
        for (path, expected) in CASES {
            let plain = expected.filter(|(_, real_name)| real_name.is_none());
            let outcome = root.open(&safe(path), FollowSymlinks::Never);
            assert_eq!(
                outcome.as_ref().err().map(io::Error::kind),
                plain.is_none().then_some(io::ErrorKind::NotFound),
                "{path}, {method:?}"
            );
            let found = outcome.ok().map(|opened| text(opened.file));
            assert_eq!(found.as_deref(), plain.map(|(text, _)| text), "{path}, {method:?}");
        }
    }
}

#[test]
fn the_root_itself_may_be_reached_by_a_link() {
    let tree = Tree::new();
    for &method in METHODS {
        let root = Root::at(tree.0.path().join("by-link").into(), method).expect("the root");
        for links in [FollowSymlinks::Inside, FollowSymlinks::Never] {
            let opened = root.open(&safe("page"), links).expect("opened");
            assert_eq!(text(opened.file), "page");
        }
        // The links name the folder as the system has it, or as configured.
        for path in ["in_absolute", "in_other_name"] {
            let opened = root.open(&safe(path), FollowSymlinks::Inside).expect("opened");
            assert_eq!(
                (text(opened.file), opened.real_name),
                ("deep".into(), Some(safe("sub/deep")))
            );
        }
    }
}

#[test]
fn folders_open_as_folders() {
    let tree = Tree::new();
    for &method in METHODS {
        let root = tree.root(method);
        for (path, real_name) in [
            ("", None),
            ("sub", None),
            ("folder", Some("sub")),
            ("here", Some("")),
            ("folder/root", Some("")),
            ("sub/root/folder_absolute", Some("sub")),
        ] {
            let opened = root.open(&safe(path), FollowSymlinks::Inside).expect("opened");
            assert!(opened.facts.is_folder(), "{path}, {method:?}");
            assert_eq!(opened.real_name, real_name.map(safe), "{path}, {method:?}");
            assert!(std::fs::read_dir(format!("/dev/fd/{}", raw(&opened.file))).is_ok());
        }
    }
}

fn raw(file: &File) -> i32 {
    std::os::fd::AsRawFd::as_raw_fd(file)
}

#[test]
fn c5_2_what_is_neither_file_nor_folder_is_never_opened() {
    let tree = Tree::new();
    let site = tree.0.path().join("site");
    rustix::fs::mknodat(
        CWD,
        site.join("fifo"),
        rustix::fs::FileType::Fifo,
        Mode::RUSR | Mode::WUSR,
        0,
    )
    .expect("a FIFO");
    let _listener = UnixListener::bind(site.join("socket")).expect("a socket");
    symlink("fifo", site.join("to_fifo")).expect("a link");
    symlink("../fifo", site.join("sub/to_fifo")).expect("a link");
    symlink("socket", site.join("to_socket")).expect("a link");
    symlink("/dev/null", site.join("to_device")).expect("a link");
    // A writer, which waits until somebody opens the FIFO for reading.
    let (waits, woken) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            waits.store(true, Ordering::Relaxed);
            let opened = OpenOptions::new().write(true).open(site.join("fifo"));
            woken.store(true, Ordering::Relaxed);
            opened.expect("opened at last");
        });
        while !waits.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        let outcome = std::panic::catch_unwind(|| open_odd_files(&tree));
        let was_woken = woken.load(Ordering::Relaxed);
        // Let it go, whatever came out; it may have gone already.
        let mut reader = OpenOptions::new();
        let reader = reader.read(true).custom_flags(OFlags::NONBLOCK.bits() as i32);
        let _reader = reader.open(site.join("fifo")).expect("opened");
        while !woken.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        outcome.expect("not found");
        assert!(!was_woken, "the FIFO was opened");
    });
}

fn open_odd_files(tree: &Tree) {
    let odd = [
        "fifo",
        "to_fifo",
        "sub/to_fifo",
        "folder/to_fifo",
        "fifo/x",
        "socket",
        "to_socket",
        "to_device",
    ];
    for &method in METHODS {
        let root = tree.root(method);
        for links in [FollowSymlinks::Inside, FollowSymlinks::Never] {
            for path in odd.repeat(100) {
                let error = root.open(&safe(path), links).expect_err(path);
                assert_eq!(error.kind(), io::ErrorKind::NotFound, "{path}, {method:?}");
            }
        }
    }
}

/// What is opened, and the two names that take each other's place meanwhile:
/// one leads to what is inside, the other one out.
#[cfg(target_os = "linux")]
const RACES: &[(&str, &str, &str)] = &[
    ("file", "site/file", "site/to_secret"),
    ("sub/file", "site/sub/file", "site/to_secret"),
    ("to_file", "site/to_file", "site/to_secret"),
    ("moving/secret", "site/moving", "site/to_outside"),
    ("moving/sub/secret", "site/moving", "site/to_outside"),
    ("to_moving/secret", "site/moving", "site/to_outside"),
    ("to_folder/secret", "site/to_folder", "site/to_outside"),
    // The folder itself leaves the root, and what lies around it is another one.
    ("around", "site/moving", "to_moved"),
];

#[cfg(target_os = "linux")]
#[test]
fn c5_2_no_race_leads_out() {
    use rustix::fs::{RenameFlags, renameat_with};

    let tree = Tree::new();
    let site = tree.0.path().join("site");
    for folder in ["site/moving/sub", "site/still/sub", "outside/sub"] {
        std::fs::create_dir_all(tree.0.path().join(folder)).expect("a folder");
    }
    for file in ["file", "sub/file", "secret", "moving/secret", "moving/sub/secret", "still/secret"]
    {
        std::fs::write(site.join(file), "inside").expect("a file");
    }
    for file in ["outside/secret", "outside/sub/secret"] {
        std::fs::write(tree.0.path().join(file), "secret").expect("a file");
    }
    for (name, target) in [
        ("site/to_secret", "{}/secret"),
        ("site/to_outside", "../outside"),
        ("site/to_file", "file"),
        ("site/to_moving", "moving"),
        ("site/to_folder", "still"),
        ("site/around", "moving/sub/../../secret"),
        ("to_moved", "nowhere"),
    ] {
        let target = target.replace("{}", tree.0.path().to_str().expect("text"));
        symlink(target, tree.0.path().join(name)).expect("a link");
    }
    for &method in METHODS {
        let root = tree.root(method);
        for (path, one, other) in RACES {
            let path = safe(path);
            let (one, other) = (tree.0.path().join(one), tree.0.path().join(other));
            let done = AtomicBool::new(false);
            let found = std::thread::scope(|scope| {
                scope.spawn(|| {
                    let mut turns = 0;
                    while !done.load(Ordering::Relaxed) || turns % 2 == 1 {
                        renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE)
                            .expect("exchanged");
                        turns += 1;
                    }
                });
                let ends = Instant::now() + Duration::from_millis(100);
                let (mut found, mut leaked) = (0, false);
                while Instant::now() < ends && !leaked {
                    if let Ok(opened) = root.open(&path, FollowSymlinks::Inside) {
                        leaked = text(opened.file) == "secret";
                        found += 1;
                    }
                }
                done.store(true, Ordering::Relaxed);
                assert!(!leaked, "{path:?}, {one:?} and {other:?}, {method:?}");
                found
            });
            assert!(found > 0, "{path:?} was never seen, {method:?}");
        }
    }
}

#[test]
fn a_handlers_file_is_below_the_root_or_refused() {
    let root = Path::new("/srv/site");
    for (file, expected) in [
        ("/srv/site/a/b", Some("a/b")),
        ("a/b", Some("a/b")),
        ("./a", Some("a")),
        ("/srv/other", None),
        ("../x", None),
        ("/srv/site/../x", None),
        ("/srv/site", Some("")),
    ] {
        let found = path_below(root, Path::new(file));
        assert_eq!(
            found.as_ref().map(|path| path.as_path().to_str().expect("text")),
            expected,
            "{file}"
        );
    }
}
