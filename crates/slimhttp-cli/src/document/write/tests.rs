//! What is written is what is read.

use std::path::Path;

use super::*;
use crate::document::Document;

#[test]
fn what_is_written_is_what_is_read() {
    for text in [
        "",
        "app = 'a:b'\nport = 8000\ndebug = true\ngrace_period = 1.5\n",
        "trusted_proxies = ['::1', '127.0.0.1']\napp_env = { A = '1', \"B.C\" = \"\\\"2\\\"\\n\" }\n",
        "[mounts.\"/static\"]\nweb_root = './static'\nscripts = false\n",
        "access_log = { format = 'common', file = 'a' }\n[vhosts.\"a.example\"]\napp = 'c:d'\n",
    ] {
        let read = |text: &str| {
            Document::parse(Path::new("site.toml"), text.to_owned()).expect("TOML").config
        };
        let config = read(text);
        let written = to_toml(&config);
        assert_eq!(read(&written), config, "{written}");
    }
}
