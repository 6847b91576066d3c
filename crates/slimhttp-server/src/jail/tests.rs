//! Both ways of opening, the kernel's and ours, against the same trees.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::*;

const METHODS: &[Method] = &[
    #[cfg(target_os = "linux")]
    Method::Kernel,
    Method::Steps,
];

/// A tree of its own per test; removed when dropped.
struct Tree(PathBuf);

impl Tree {
    fn new(name: &str) -> Self {
        let root =
            std::env::temp_dir().join(format!("slimhttp-jail-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
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
        Self(root)
    }

    fn root(&self, method: Method) -> Root {
        Root::at(self.0.join("site").into(), method).expect("the root")
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
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
    let tree = Tree::new("open");
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
fn c5_2_without_links_only_plain_paths_open() {
    let tree = Tree::new("never");
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
    let tree = Tree::new("by-link");
    for &method in METHODS {
        let root = Root::at(tree.0.join("by-link").into(), method).expect("the root");
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
    let tree = Tree::new("folders");
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
    let tree = Tree::new("odd");
    let site = tree.0.join("site");
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
    // A writer that would not wait: the system refuses it unless somebody reads.
    let writer = || {
        OpenOptions::new()
            .write(true)
            .custom_flags(OFlags::NONBLOCK.bits() as i32)
            .open(site.join("fifo"))
    };
    let stop = AtomicBool::new(false);
    let woken = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                woken.fetch_or(writer().is_ok(), Ordering::Relaxed);
            }
        });
        for &method in METHODS {
            let root = tree.root(method);
            for links in [FollowSymlinks::Inside, FollowSymlinks::Never] {
                for path in [
                    "fifo",
                    "to_fifo",
                    "sub/to_fifo",
                    "folder/to_fifo",
                    "fifo/x",
                    "socket",
                    "to_socket",
                    "to_device",
                ] {
                    for _ in 0..50 {
                        let error = root.open(&safe(path), links).expect_err(path);
                        assert_eq!(error.kind(), io::ErrorKind::NotFound, "{path}, {method:?}");
                    }
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
        watch.join().expect("the watch");
    });
    assert!(!woken.load(Ordering::Relaxed), "the FIFO was opened");
}

/// Exchanges files, folders and links as fast as it can, so that each name is
/// now inside, now leads outside, while others open them.
#[test]
fn c5_2_no_race_leads_out() {
    for &method in METHODS {
        let tree = Tree::new(&format!("race-{method:?}"));
        let site = tree.0.join("site");
        std::fs::create_dir_all(site.join("moving/sub")).expect("a folder");
        for name in ["moving/deep", "moving/sub/deep"] {
            std::fs::write(site.join(name), "inside").expect("a file");
        }
        symlink("moving", site.join("folder_link")).expect("a link");
        symlink("moving/sub/../../moving/deep", site.join("long")).expect("a link");
        let root = tree.root(method);
        let stop = AtomicBool::new(false);
        let ends = Instant::now() + Duration::from_millis(700);
        let exchange = |name: &str, targets: [&str; 2]| {
            let (name, fresh) = (site.join(name), site.join(format!("{name}.fresh")));
            while !stop.load(Ordering::Relaxed) {
                for target in targets {
                    let _ = std::fs::remove_file(&fresh);
                    if target.starts_with('=') {
                        std::fs::write(&fresh, "inside").expect("a file");
                    } else {
                        symlink(target, &fresh).expect("a link");
                    }
                    std::fs::rename(&fresh, &name).expect("renamed");
                }
            }
        };
        let opened = std::thread::scope(|scope| {
            // A folder that is moved out of the root and back, while a link that
            // leads out takes its name.
            scope.spawn(|| {
                let (inside, outside) = (site.join("moving"), tree.0.join("moved"));
                while !stop.load(Ordering::Relaxed) {
                    std::fs::rename(&inside, &outside).expect("renamed");
                    symlink("../outside", &inside).expect("a link");
                    std::thread::yield_now();
                    std::fs::remove_file(&inside).expect("removed");
                    std::fs::rename(&outside, &inside).expect("renamed");
                }
            });
            scope.spawn(|| exchange("swapped", ["page", "../secret"]));
            scope.spawn(|| exchange("sub/swapped", ["../page", "../../secret"]));
            scope.spawn(|| exchange("file_or_link", ["=", "../secret"]));
            let readers: Vec<_> = (0..2)
                .map(|_| {
                    scope.spawn(|| {
                        let paths = [
                            "swapped",
                            "sub/swapped",
                            "folder/swapped",
                            "file_or_link",
                            "long",
                            "moving/deep",
                            "moving/sub/deep",
                            "folder_link/sub/deep",
                            "up/secret",
                        ]
                        .map(safe);
                        let mut count = 0;
                        while Instant::now() < ends {
                            for path in &paths {
                                let Ok(opened) = root.open(path, FollowSymlinks::Inside) else {
                                    continue;
                                };
                                assert_ne!(text(opened.file), "secret", "{path:?}, {method:?}");
                                count += 1;
                            }
                        }
                        count
                    })
                })
                .collect();
            let counts: Vec<_> = readers.into_iter().map(|reader| reader.join()).collect();
            stop.store(true, Ordering::Relaxed);
            counts.into_iter().map(|count| count.expect("no secret")).sum::<u32>()
        });
        assert!(opened > 100, "the inside was seen: {opened}");
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
        let found = below(root, Path::new(file));
        assert_eq!(
            found.as_ref().map(|path| path.as_path().to_str().expect("text")),
            expected,
            "{file}"
        );
    }
}
