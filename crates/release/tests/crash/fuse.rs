//! A fuse that every effect goes through: it counts them, and blows at one of them.

use std::sync::Mutex;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Crash {
    /// Which effect, counted from 0.
    pub(crate) step: usize,
    pub(crate) moment: Moment,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Moment {
    /// The effect does not come about.
    Before,
    /// It does, but nobody hears of it.
    After,
}

#[derive(Debug, Default)]
pub(crate) struct Fuse(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    crash: Option<Crash>,
    steps: usize,
    crashes: usize,
}

impl Fuse {
    /// Counts from 0 from now on, and blows as told.
    pub(crate) fn arm(&self, crash: Option<Crash>) {
        *self.0.lock().unwrap() = Counts {
            crash,
            ..Counts::default()
        };
    }

    pub(crate) fn steps(&self) -> usize {
        self.0.lock().unwrap().steps
    }

    /// How often it blew.
    pub(crate) fn crashes(&self) -> usize {
        self.0.lock().unwrap().crashes
    }

    /// The effect's result, or `killed`.
    pub(crate) async fn through<T, E>(
        &self,
        effect: impl Future<Output = Result<T, E>>,
        killed: E,
    ) -> Result<T, E> {
        match self.step() {
            None => effect.await,
            Some(Moment::Before) => Err(killed),
            Some(Moment::After) => effect.await.and(Err(killed)),
        }
    }

    fn step(&self) -> Option<Moment> {
        let mut counts = self.0.lock().unwrap();
        let crash = counts.crash.filter(|crash| crash.step == counts.steps);
        counts.steps += 1;
        counts.crashes += usize::from(crash.is_some());
        crash.map(|crash| crash.moment)
    }
}
