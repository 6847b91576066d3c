//! The resolvers of a system.

use super::*;

#[test]
fn the_resolvers_of_the_system_are_read() {
    for (text, expected) in [
        ("", "[127.0.0.1:53]"),
        ("search example.com\nnameserver 9.9.9.9\n", "[9.9.9.9:53]"),
        (" nameserver\t2620:fe::fe # one\n;nameserver 1.1.1.1\n", "[[2620:fe::fe]:53]"),
        ("nameserver\nnameserver fe80::1%eth0\nnameserver x\n", "[127.0.0.1:53]"),
        (
            "nameserver 1.0.0.1\nnameserver 1.0.0.2\nnameserver 1.0.0.3\nnameserver 1.0.0.4\n",
            "[1.0.0.1:53, 1.0.0.2:53, 1.0.0.3:53]",
        ),
    ] {
        assert_eq!(format!("{:?}", of_system(text)), expected, "{text}");
    }
    let configured = [SocketAddr::from(([1, 2, 3, 4], 5))];
    assert_eq!(resolvers(&configured), configured);
}
