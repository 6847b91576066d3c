//! The way back: what Python's threads have made lies in the mailbox of the I/O
//! thread that asked, whose postman hands it out there.
//!
//! To wake an I/O thread costs more than to answer a small request, so a thread
//! that has one job after the other gathers its letters and knocks once for
//! several. No letter waits for long: a thread knocks before it rests, after
//! [`MOST`] letters and after [`LONGEST`], and the attendant knocks where a job
//! takes longer than that.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::outcome::{Piece, Verdict};

/// How many letters are gathered before somebody knocks.
const MOST: usize = 32;
/// How long letters are gathered before somebody knocks, where each job is short.
const LONGEST: Duration = Duration::from_micros(200);

/// What is sent back, with the slot in which it is waited for.
#[derive(Debug)]
pub enum Letter {
    /// The answer to a call.
    Verdict(oneshot::Sender<Verdict>, Verdict),
    /// A chunk of a stream.
    Piece(oneshot::Sender<Piece>, Piece),
}

impl Letter {
    /// Hands it over. A client that has left does not hear it.
    pub fn hand_over(self) {
        match self {
            Self::Verdict(slot, verdict) => drop(slot.send(verdict)),
            Self::Piece(slot, piece) => drop(slot.send(piece)),
        }
    }
}

/// The mailbox of one I/O thread.
#[derive(Debug, Default)]
pub struct Mailbox {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    letters: Vec<Letter>,
    /// The postman, while it rests.
    postman: Option<Waker>,
    /// Whether the I/O thread may be gone, and its postman with it.
    closed: bool,
}

impl Mailbox {
    /// Puts a letter in and sees to it that somebody knocks.
    pub fn deliver(self: &Arc<Self>, letter: Letter) {
        let mut state = self.lock();
        if state.closed {
            drop(state);
            return letter.hand_over();
        }
        state.letters.push(letter);
        drop(state);
        let gathered = GATHERED.with_borrow_mut(|gathered| match gathered {
            Some(gathered) => gathered.add(self),
            None => false,
        });
        if !gathered {
            self.knock();
        }
    }

    /// Wakes the postman if there is something for it.
    pub fn knock(&self) {
        let mut state = self.lock();
        if state.letters.is_empty() {
            return;
        }
        let postman = state.postman.take();
        drop(state);
        if let Some(postman) = postman {
            postman.wake();
        }
    }

    /// Hands over what lies here, and from now on every letter at once. A letter
    /// may hold what holds this mailbox, so none may stay.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let letters = std::mem::take(&mut state.letters);
        drop(state);
        letters.into_iter().for_each(Letter::hand_over);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hands out what comes into a mailbox, on the I/O thread whose it is.
pub struct Postman(pub Arc<Mailbox>);

impl Future for Postman {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.lock();
        let letters = std::mem::take(&mut state.letters);
        state.postman = Some(context.waker().clone());
        drop(state);
        letters.into_iter().for_each(Letter::hand_over);
        Poll::Pending
    }
}

thread_local! {
    /// What this thread gathers; `None` while it knocks for every letter.
    static GATHERED: RefCell<Option<Gathered>> = const { RefCell::new(None) };
}

/// The mailboxes for which one knock is due.
#[derive(Default)]
struct Gathered {
    mailboxes: Vec<Arc<Mailbox>>,
    letters: usize,
}

impl Gathered {
    /// Whether the knock may wait.
    fn add(&mut self, mailbox: &Arc<Mailbox>) -> bool {
        if self.letters + 1 >= MOST {
            self.knock();
            return false;
        }
        self.letters += 1;
        if !self.mailboxes.iter().any(|known| Arc::ptr_eq(known, mailbox)) {
            self.mailboxes.push(mailbox.clone());
        }
        true
    }

    fn knock(&mut self) {
        self.letters = 0;
        for mailbox in self.mailboxes.drain(..) {
            mailbox.knock();
        }
    }
}

/// While it lives this thread gathers its letters.
pub struct Gathering {
    since: Instant,
    /// What was gathered before, where a job has begun a turn of its own.
    outer: Option<Gathered>,
}

impl Gathering {
    /// Gathers from now on.
    pub fn begin(now: Instant) -> Self {
        let outer = GATHERED.with_borrow_mut(|gathered| gathered.replace(Gathered::default()));
        Self { since: now, outer }
    }

    /// Knocks if letters have been gathered for long; called between two jobs.
    pub fn look(&mut self, now: Instant) {
        if now.duration_since(self.since) > LONGEST {
            self.since = now;
            GATHERED.with_borrow_mut(|gathered| gathered.as_mut().map(Gathered::knock));
        }
    }

    /// Whether a knock is due.
    pub fn holds_letters(&self) -> bool {
        GATHERED.with_borrow(|gathered| gathered.as_ref().is_some_and(|it| it.letters > 0))
    }
}

impl Drop for Gathering {
    fn drop(&mut self) {
        let gathered =
            GATHERED.with_borrow_mut(|gathered| std::mem::replace(gathered, self.outer.take()));
        if let Some(mut gathered) = gathered {
            gathered.knock();
        }
    }
}

#[cfg(test)]
mod tests;
