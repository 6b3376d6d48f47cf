//! A message and the send window: waiting for room before anything else, and counting what was sent.

use std::mem::ManuallyDrop;

use spread_proto::{Direction, FrameLayout, Header, MARKERS};

use super::{Send, What};
use crate::error::Error;
use crate::room::Progress;
use crate::session::{Session, Tx};
use crate::window::{Admitted, Load, Place};

impl Send<'_> {
    /// Waits for room. `None`: the message may be sent now.
    pub(super) fn admit(&mut self) -> Option<Progress<usize>> {
        if self.admission.is_over() {
            return None;
        }
        let mut admission = self.admission;
        let mut session = self.session.take();
        let load = |session: &Session, tx: &Tx| self.load(session, tx);
        let admitted = admission.step(self.key, &mut session, load, self.until);
        self.admission = admission;
        let progress = match admitted {
            Ok(Admitted::In(place)) => {
                self.place = place;
                None
            }
            Ok(Admitted::Wait(call)) => {
                self.call = call;
                Some(Progress::Blocked)
            }
            Err(error) => return Some(Progress::Done(Err(error))),
        };
        self.session = ManuallyDrop::new(session);
        progress
    }

    /// It has been let in before.
    pub(crate) fn with_place(mut self, place: Option<Place>) -> Self {
        self.place = place;
        self.admission = crate::window::Admission::OVER;
        self
    }

    /// What it counts, with what goes behind it.
    fn load(&self, session: &Session, tx: &Tx) -> Load {
        let groups = match self.what {
            What::Message => self.groups,
            What::Control => &self.own_group,
            What::Join | What::Leave | What::Kill | What::Flush => return Load::default(),
        };
        let kind = Header::decode(&self.head).kind & !MARKERS;
        let mut load = tx.load_of(session, kind, groups);
        let mut behind = match self.body.last() {
            Some(frames) if self.behind > 0 => &frames[..],
            _ => &[],
        };
        while let Some((raw, rest)) = behind.split_first_chunk() {
            let header = Header::decode(raw);
            let Ok(layout) = FrameLayout::of(&header, Direction::ToDaemon) else {
                break;
            };
            let (Some(groups), Some(next)) = (
                rest.get(..layout.groups),
                rest.get(layout.groups + layout.body..),
            ) else {
                break;
            };
            load.add(tx.load_of(session, header.kind & !MARKERS, groups));
            behind = next;
        }
        load
    }

    /// It is out.
    pub(super) fn count(&mut self, session: &Session, tx: &mut Tx) {
        if tx.window.is_some() {
            let load = self.load(session, tx);
            if let Some(window) = &mut tx.window {
                window.sent(self.place.take(), load);
            }
        }
    }

    /// It is not sent, and the session may be in error.
    pub(super) fn count_out(&mut self, tx: &mut Tx, error: Error) {
        if let Some(window) = &mut tx.window {
            if let Some(place) = self.place.take() {
                window.give_back(place);
            }
            if error != Error::TryAgain {
                window.wake_all();
            }
        }
    }
}
