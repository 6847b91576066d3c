//! What the errors of an upstream's connection are taken for.

use super::*;

/// An error with a cause.
#[derive(Debug)]
struct Caused(Box<dyn Error + 'static>);

impl fmt::Display for Caused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("caused")
    }
}

impl Error for Caused {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

#[test]
fn a_cause_counts_however_deep_it_lies() {
    use UpstreamFault::{Exhausted as NoDescriptor, Failed, TimedOut};
    type Make = fn() -> Box<dyn Error>;
    let cases: [(Make, UpstreamFault, Progress); 6] = [
        (|| Box::new(Exhausted), NoDescriptor, Progress::Unknown),
        (|| io::Error::from(io::ErrorKind::TimedOut).into(), TimedOut, Progress::Unknown),
        (
            || io::Error::from(io::ErrorKind::ConnectionReset).into(),
            Failed,
            Progress::ClosedUnanswered,
        ),
        (|| io::Error::from(io::ErrorKind::BrokenPipe).into(), Failed, Progress::ClosedUnanswered),
        (|| io::Error::from(io::ErrorKind::ConnectionRefused).into(), Failed, Progress::Unknown),
        (|| "anything".into(), Failed, Progress::Unknown),
    ];
    for (make, expected_fault, expected_progress) in cases {
        for error in [make(), Box::new(Caused(make())), Box::new(Caused(Box::new(Caused(make()))))]
        {
            assert_eq!(fault(&*error), expected_fault, "{error:?}");
            assert_eq!(progress(&*error, false), expected_progress, "{error:?}");
            assert_eq!(progress(&*error, true), Progress::NotConnected, "{error:?}");
        }
    }
}
