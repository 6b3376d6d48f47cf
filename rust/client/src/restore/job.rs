//! One session that is being restored, or moved: the I/O that its [`Plan`] asks for.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::home::Home;
use super::link::{Came, NewLink};
use super::plan::{Do, Limits, Plan};
use crate::auto::{Auto, Fresh, MethodRunner, Resumed};
use crate::notice::Event;
use crate::random::Random;
use crate::reader;
use crate::search::{Search, SearchProgress};
use crate::session::Session;
use crate::sweep::Wish;
use crate::sys::blocking::BlockingCall;
use crate::sys::{fd, signals};

/// A daemon that has been told good-bye closes within milliseconds, unless its ring is broken.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);

/// How long a search for another daemon takes at most, while the present one is well.
const MOVE_WITHIN: Duration = Duration::from_secs(15);

/// Whether a job goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Waits,
    Over,
}

/// The program's methods, running on a thread of their own.
#[derive(Debug)]
struct Methods {
    done: OwnedFd,
    ok: Arc<AtomicBool>,
    /// Their own descriptor of the connection.
    socket: Arc<OwnedFd>,
}

impl Methods {
    fn are_done(&self) -> bool {
        fd::ready_now(self.done.as_raw_fd(), libc::POLLIN) != 0
    }
}

impl Drop for Methods {
    /// The attempt is over. Methods that still run wake if they wait for the daemon, and the daemon
    /// does not take their connection for a session, whose name the next attempt needs.
    fn drop(&mut self) {
        if !self.are_done() {
            fd::shut_down(self.socket.as_raw_fd());
        }
    }
}

/// A search, with the blocking call that it waits for.
#[derive(Debug)]
struct Searching {
    search: Search,
    call: BlockingCall,
    until: Option<Instant>,
    methods: Option<Methods>,
}

/// A move on purpose.
#[derive(Debug)]
enum Moving {
    /// For another daemon, while the present one is well.
    Search(Box<Searching>),
    /// It has accepted; until then it may take its time to order a message.
    Proof(Box<NewLink>, Instant),
    /// The present daemon has been told good-bye; until then it may take its time.
    GoodBye(Box<NewLink>, Instant),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Job {
    session: Arc<Session>,
    plan: Option<Plan>,
    search: Option<Searching>,
    link: Option<NewLink>,
    moving: Option<Moving>,
    attempts: u32,
    random: Random,
    /// Something has happened.
    due_now: bool,
    due: Option<Instant>,
    home: Home,
    /// The program has the session move, by itself it goes back home.
    on_purpose: bool,
}

impl Job {
    pub(super) fn new(session: Arc<Session>) -> Self {
        let period = Duration::from_millis(u64::from(session.options.failback_ms));
        Self {
            home: Home::new(session.candidate(), period),
            on_purpose: false,
            session,
            plan: None,
            search: None,
            link: None,
            moving: None,
            attempts: 0,
            random: Random::new(),
            due_now: true,
            due: None,
        }
    }

    fn auto(&self) -> Option<&Auto> {
        self.session.auto.as_deref()
    }

    /// The session has lost its link.
    pub(super) fn lost(&mut self) {
        self.due_now = true;
        let Some(auto) = self.auto() else { return };
        let limits = Limits::of(&self.session.options, auto.membership());
        let groups = self.session.wanted_groups();
        let now = Instant::now();
        let mut plan = Plan::new(limits, groups, now, &mut self.random);
        self.search = None;
        self.link = None;
        self.attempts = 0;
        // Of a move the new link is there already, if it has been found to be good.
        if let Some(Moving::GoodBye(link, _)) = self.moving.take() {
            self.attempts = 1;
            plan.accepted(now);
            self.link = Some(*link);
        }
        self.plan = Some(plan);
    }

    /// The session is to go to another daemon.
    pub(super) fn start_move(&mut self) {
        if self.plan.is_none() && !matches!(self.moving, Some(Moving::GoodBye(..))) {
            self.on_purpose = true;
            self.search_another(None);
        }
    }

    /// Searches for a daemon other than the present one; `wish`: only for what that says.
    fn search_another(&mut self, wish: Option<Wish>) {
        let here = self.session.candidate();
        let Some(auto) = self.auto() else { return };
        let wanted = auto.wanted.clone();
        let deadline = Instant::now() + MOVE_WITHIN;
        let mut search = Search::automatic(wanted, &self.session.options, deadline);
        search.leave_out(here.endpoint);
        if let Some(wish) = wish {
            search.wish(wish);
        }
        self.moving = Some(Moving::Search(Box::new(Searching::new(search))));
        self.due_now = true;
    }

    /// Something has happened: look again.
    pub(super) fn changed(&mut self) {
        self.due_now = true;
    }

    /// When to look again, if nothing happens before.
    pub(super) fn due(&self) -> Option<Instant> {
        if self.due_now {
            return Some(Instant::now());
        }
        let search = match (&self.search, &self.moving) {
            (Some(search), _) => search.until,
            (None, Some(Moving::Search(search))) => search.until,
            _ => None,
        };
        [self.due, search].into_iter().flatten().min()
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.due_now || self.due().is_some_and(|due| due <= now)
    }

    /// A descriptor to wait for.
    pub(super) fn waits_for(&self) -> Option<(RawFd, i16)> {
        if let Some(link) = &self.link {
            return Some(link.waits_for());
        }
        match (&self.search, &self.moving) {
            (Some(search), _) => search.waits_for(),
            (None, Some(Moving::Search(search))) => search.waits_for(),
            (None, Some(Moving::Proof(link, _))) => Some(link.waits_for()),
            (None, Some(Moving::GoodBye(..)) | None) => None,
        }
    }

    /// Does all that can be done without waiting.
    pub(super) fn run(&mut self) -> Next {
        self.due_now = false;
        self.due = None;
        if self.session.closed.load(Ordering::Acquire) || self.session.ended.load(Ordering::Acquire)
        {
            return Next::Over;
        }
        if self.plan.is_some() {
            self.restore();
        } else {
            self.advance_move();
        }
        if self.plan.is_none() && self.moving.is_none() {
            // There may be nothing to go back to.
            let here = self.session.candidate();
            self.due = self.home.next_try(&here, Instant::now(), &mut self.random);
            if self.due.is_none() {
                return Next::Over;
            }
        }
        Next::Waits
    }

    /// Goes on with a restore.
    fn restore(&mut self) {
        let Some(mut plan) = self.plan.take() else {
            return;
        };
        plan.want(self.session.wanted_groups());
        loop {
            self.listen(&mut plan);
            let now = Instant::now();
            match plan.next(now, &mut self.random) {
                Do::Sweep => self.start_search(&plan),
                Do::Join(group) => {
                    if let Some(link) = &mut self.link {
                        link.join(group);
                    }
                }
                Do::Leave(group) => {
                    if let Some(link) = &mut self.link {
                        link.leave(group);
                    }
                }
                Do::Drop => {
                    tracing::warn!("a daemon that orders nothing is left again");
                    self.link = None;
                    self.report(&plan, Duration::ZERO);
                }
                Do::Resume => match self.resume(&mut plan) {
                    // The joins have to be out first; or the groups have changed.
                    Some(true) => {}
                    Some(false) => {
                        self.plan = Some(plan);
                        return;
                    }
                    None => return,
                },
                Do::GiveUp => {
                    tracing::warn!("a lost session could not be restored in time");
                    self.search = None;
                    self.link = None;
                    self.session.give_up();
                    return;
                }
                Do::Wait(until) => {
                    if self.search.is_some() && self.advance_search(&mut plan) {
                        continue;
                    }
                    self.due = Some(until);
                    self.plan = Some(plan);
                    return;
                }
            }
        }
    }

    fn start_search(&mut self, plan: &Plan) {
        let Some(auto) = self.auto() else { return };
        let wanted = auto.wanted.clone();
        let until = plan.gives_up_at();
        let mut search = Search::automatic(wanted, &self.session.options, until);
        if let Some(wish) = self.home.preference() {
            search.wish(wish);
        }
        self.search = Some(Searching::new(search));
    }

    /// True: the search is over, one way or the other.
    fn advance_search(&mut self, plan: &mut Plan) -> bool {
        let methods = self.auto().and_then(|auto| auto.methods.clone());
        let Some(search) = &mut self.search else {
            return false;
        };
        let Some(result) = search.advance(methods.as_ref()) else {
            return false;
        };
        self.attempts = self.attempts.saturating_add(search.search.attempts());
        self.search = None;
        // Wherever this leads to, it is not what the program has asked for.
        self.on_purpose = false;
        let now = Instant::now();
        match result {
            Ok(accepting) => {
                plan.accepted(now);
                self.link = Some(NewLink::new(*accepting));
            }
            Err(_) => {
                let pause = plan.sweep_failed(now, &mut self.random);
                self.report(plan, pause);
            }
        }
        true
    }

    fn report(&self, plan: &Plan, pause: Duration) {
        self.session.tell(Event::Reconnecting {
            attempt: plan.vain(),
            pause,
        });
    }

    /// Sends and receives over the new link.
    fn listen(&mut self, plan: &mut Plan) {
        let Some(link) = &mut self.link else { return };
        let most = reader::room_for_new_link(&self.session);
        let came = if link.flush() {
            link.read(most, |group| plan.own_view(group))
        } else {
            Came::End
        };
        match came {
            Came::All => {}
            Came::Full => plan.hurry(),
            Came::End => {
                self.link = None;
                let pause = plan.link_ended(Instant::now(), &mut self.random);
                self.report(plan, pause);
            }
        }
    }

    /// Hands the new link over. `Some(true)`: ask the plan again. `Some(false)`: not yet. `None`: the
    /// restore is over.
    fn resume(&mut self, plan: &mut Plan) -> Option<bool> {
        let link = self.link.as_mut()?;
        if !link.flush() {
            return Some(true);
        }
        if !link.is_flushed() {
            self.due = Some(plan.gives_up_at());
            return Some(false);
        }
        let (socket, inbox, place, told) = self.link.take()?.into_parts();
        let fresh = Box::new(Fresh {
            socket,
            inbox,
            place,
            joined: plan.joined().clone(),
            told,
            gap: plan.lost_at().elapsed(),
            attempts: self.attempts,
        });
        match self.session.resume(fresh) {
            Resumed::Done => {
                let here = self.session.candidate();
                if std::mem::take(&mut self.on_purpose) {
                    self.home.settle(&here);
                } else {
                    self.home.arrived(&here);
                }
                None
            }
            Resumed::Over => None,
            Resumed::Changed(fresh) => {
                let Fresh {
                    socket,
                    inbox,
                    place,
                    told,
                    ..
                } = *fresh;
                self.link = Some(NewLink::from_parts(socket, inbox, place, told));
                plan.want(self.session.wanted_groups());
                Some(true)
            }
        }
    }

    /// Goes on with a move, or begins to go back.
    fn advance_move(&mut self) {
        let now = Instant::now();
        if self.moving.is_none() && self.home.is_due(now) {
            if self.session.is_between_transactions() {
                let here = self.session.candidate();
                self.on_purpose = false;
                self.search_another(Some(self.home.way_back(&here)));
                self.due_now = false;
            } else {
                self.home.postpone(now, &mut self.random);
            }
        }
        loop {
            match self.moving.take() {
                None => return,
                Some(Moving::Search(search)) => match self.advance_moving_search(search) {
                    Some(moving @ Moving::Search(_)) => {
                        self.moving = Some(moving);
                        return;
                    }
                    next => self.moving = next,
                },
                Some(Moving::Proof(link, until)) => match self.prove(link, until) {
                    Some(moving @ Moving::Proof(..)) => {
                        self.due = Some(until);
                        self.moving = Some(moving);
                        return;
                    }
                    next => self.moving = next,
                },
                Some(Moving::GoodBye(link, until)) => {
                    if now >= until {
                        // It takes its time: no longer.
                        self.session.shut_down();
                        self.due = Some(now + GOODBYE_WITHIN);
                    } else {
                        self.due = Some(until);
                    }
                    self.moving = Some(Moving::GoodBye(link, until));
                    return;
                }
            }
        }
    }

    /// Searches for a daemon to move to. `None`: there is none.
    fn advance_moving_search(&mut self, mut search: Box<Searching>) -> Option<Moving> {
        let methods = self.auto().and_then(|auto| auto.methods.clone());
        let Some(result) = search.advance(methods.as_ref()) else {
            return Some(Moving::Search(search));
        };
        if search.search.home_is_gone() {
            let here = self.session.candidate();
            tracing::info!(
                daemon = %here.endpoint,
                "the session stays: the daemon that it was at first is not in the list any more"
            );
            self.home.settle(&here);
        }
        match result {
            Ok(accepting) => {
                let mut link = Box::new(NewLink::new(*accepting));
                if self.on_purpose {
                    // The program may know that the present one is frozen.
                    return Some(self.say_goodbye(link));
                }
                link.probe();
                Some(Moving::Proof(link, Instant::now() + MOVE_WITHIN))
            }
            Err(error) => {
                tracing::info!(%error, "no other daemon accepts; the session stays");
                self.on_purpose = false;
                None
            }
        }
    }

    fn say_goodbye(&self, link: Box<NewLink>) -> Moving {
        self.session.say_goodbye_and_stay();
        Moving::GoodBye(link, Instant::now() + GOODBYE_WITHIN)
    }

    /// Leaves the present daemon when the other one orders what it is sent. `None`: the session stays.
    fn prove(&mut self, mut link: Box<NewLink>, until: Instant) -> Option<Moving> {
        let most = reader::room_for_new_link(&self.session);
        let ended = !link.flush() || link.read(most, |_| ()) != Came::All;
        let now = Instant::now();
        if ended || now >= until && !link.proven {
            tracing::info!("the other daemon orders nothing; the session stays");
            return None;
        }
        if !link.proven {
            return Some(Moving::Proof(link, until));
        }
        if !self.session.is_between_transactions() {
            self.home.postpone(now, &mut self.random);
            return None;
        }
        Some(self.say_goodbye(link))
    }
}

impl Searching {
    fn new(search: Search) -> Self {
        Self {
            search,
            call: BlockingCall::NONE,
            until: None,
            methods: None,
        }
    }

    fn waits_for(&self) -> Option<(RawFd, i16)> {
        match &self.methods {
            Some(methods) => Some((methods.done.as_raw_fd(), libc::POLLIN)),
            None => self.call.waits_for(),
        }
    }

    /// Goes on; `Some` when it is over.
    fn advance(
        &mut self,
        runner: Option<&MethodRunner>,
    ) -> Option<Result<Box<crate::search::Accepting>, crate::error::Error>> {
        if let Some(methods) = &self.methods {
            let done = methods.are_done();
            if !done && self.until.is_none_or(|until| Instant::now() < until) {
                return None;
            }
            // One that takes longer than its attempt may has failed; its thread is left alone.
            let ok = done && methods.ok.load(Ordering::Acquire);
            self.methods = None;
            self.search.methods_done(ok);
        }
        loop {
            match self.search.advance(&mut self.call) {
                SearchProgress::Done(result) => return Some(result),
                SearchProgress::Blocked => {
                    self.until = self.call.limit().map(|limit| Instant::now() + limit);
                    return None;
                }
                SearchProgress::RunMethods(socket) => match runner {
                    None => self.search.methods_done(true),
                    Some(runner) => match run_methods(runner, socket) {
                        Some(methods) => {
                            self.methods = Some(methods);
                            self.until = self.search.attempt_ends();
                            return None;
                        }
                        None => self.search.methods_done(false),
                    },
                },
            }
        }
    }
}

/// Runs the program's methods on a thread of their own: they are its code, and may wait.
fn run_methods(runner: &MethodRunner, socket: RawFd) -> Option<Methods> {
    let (done, finished) = fd::pipe().ok()?;
    let ok = Arc::new(AtomicBool::new(false));
    let answer = Arc::clone(&ok);
    let runner = runner.clone();
    // A descriptor of its own: the search may end before the methods do.
    let socket = Arc::new(fd::duplicate_high(socket).ok()?);
    let theirs = Arc::clone(&socket);
    let spawned = signals::spawn_masked("spread-auth", 8 << 20, move || {
        answer.store((runner.0)(theirs.as_raw_fd()), Ordering::Release);
        drop(theirs);
        drop(finished);
    });
    spawned.ok().map(|_| Methods {
        done: fd::move_high(done),
        ok,
        socket,
    })
}
