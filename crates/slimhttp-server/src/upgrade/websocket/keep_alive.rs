//! When a WebSocket pings its client, and when silence ends it. Pure: the task that has the
//! connection says what time it is and what has happened.

use std::time::Duration;

use slimhttp_site::websocket::WebSocketLimits;
use tokio::time::Instant;

/// A time that does not come, where nothing is due.
pub(super) const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// What is known of the client's silence.
#[derive(Debug)]
pub(super) struct KeepAlive {
    ping_interval: Duration,
    ping_timeout: Duration,
    idle_timeout: Duration,
    /// When the client was heard last.
    heard_at: Instant,
    /// When a message last went either way.
    message_at: Instant,
    ping: Ping,
}

/// Our own ping, beside those of the handler.
#[derive(Debug)]
enum Ping {
    /// None is under way.
    None,
    /// Its frame is made.
    Unsent,
    /// It was sent then.
    Sent(Instant),
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// A ping, first of all.
    pub(super) ping: bool,
    pub(super) next: Next,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// To check again then.
    Check(Instant),
    /// The client has not answered a ping: it is gone.
    Silent,
    /// No message has gone either way for `idle_timeout`: the WebSocket is to be closed.
    Idle,
}

impl KeepAlive {
    pub(super) fn new(limits: &WebSocketLimits, now: Instant) -> Self {
        let WebSocketLimits { ping_interval, ping_timeout, idle_timeout, .. } = *limits;
        let (heard_at, message_at, ping) = (now, now, Ping::None);
        Self { ping_interval, ping_timeout, idle_timeout, heard_at, message_at, ping }
    }

    /// Bytes of the client have come.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard_at = now;
    }

    /// A message is sent.
    pub(super) fn message_sent(&mut self, now: Instant) {
        self.message_at = now;
    }

    /// Those bytes have completed a message.
    pub(super) fn message_received(&mut self) {
        self.message_at = self.heard_at;
    }

    /// Whether our ping is among the frames that are not sent yet.
    pub(super) fn is_ping_unsent(&self) -> bool {
        matches!(self.ping, Ping::Unsent)
    }

    /// Our ping is sent: when its answer is due.
    pub(super) fn ping_sent(&mut self, now: Instant) -> Instant {
        self.ping = Ping::Sent(now);
        now + self.ping_timeout
    }

    /// The client is not read now, because the handler takes no messages: its silence says
    /// nothing. Whether a ping is due all the same: its answer would stand behind what is not
    /// read, but to a connection that is gone nothing can be sent, and that is found out
    /// without reading.
    pub(super) fn not_reading(&mut self, now: Instant) -> bool {
        let is_due = !self.ping_interval.is_zero() && now >= self.heard_at + self.ping_interval;
        self.heard_at = now;
        is_due
    }

    /// What is due by now.
    pub(super) fn check(&mut self, now: Instant) -> Due {
        let mut ping = false;
        let mut at = now + NEVER;
        if !self.ping_interval.is_zero() {
            let ping_at = self.heard_at + self.ping_interval;
            at = match self.ping {
                Ping::Sent(sent_at) if self.heard_at < sent_at => {
                    if now >= sent_at + self.ping_timeout {
                        return Due { ping, next: Next::Silent };
                    }
                    sent_at + self.ping_timeout
                }
                // Its time begins when it is sent, see `ping_sent`.
                Ping::Unsent => now + self.ping_interval,
                Ping::None | Ping::Sent(_) if now >= ping_at => {
                    ping = true;
                    self.ping = Ping::Unsent;
                    now + self.ping_interval + self.ping_timeout
                }
                Ping::None | Ping::Sent(_) => ping_at,
            };
        }
        if !self.idle_timeout.is_zero() {
            let idle_at = self.message_at + self.idle_timeout;
            if now >= idle_at {
                return Due { ping, next: Next::Idle };
            }
            at = at.min(idle_at);
        }
        Due { ping, next: Next::Check(at) }
    }
}

#[cfg(test)]
mod tests;
