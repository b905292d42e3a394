//! Simulated time: no test waits.

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const GRACE: Duration = Duration::from_secs(30);
const STOP: Event = Event::Stop { grace: GRACE };
const PASSED: Event = Event::Probed { passed: true };
const FAILED: Event = Event::Probed { passed: false };

const PACE: Pace = Pace {
    interval: Duration::from_secs(5),
    healthy_threshold: 2,
    unhealthy_threshold: 3,
};

/// A lifecycle and its clock.
struct Life {
    lifecycle: Lifecycle,
    now: Instant,
}

impl Life {
    fn to_start() -> Self {
        let now = clock::now();
        let lifecycle = Lifecycle::to_start(PACE, Backoff::default(), 0, now);
        Self { lifecycle, now }
    }

    fn started() -> Self {
        let mut life = Self::to_start();
        assert_eq!(life.next(Event::Elapsed), Some(Action::Start));
        assert_eq!(life.next(Event::Started), None);
        life
    }

    fn next(&mut self, event: Event) -> Option<Action> {
        self.lifecycle.next(event, self.now)
    }

    /// Lets the time pass until the alarm, and returns how long that was and what follows.
    fn sleep(&mut self) -> (Duration, Option<Action>) {
        let at = self.lifecycle.wake_at().expect("an alarm is set");
        let slept = at - self.now;
        self.now = at;
        (slept, self.next(Event::Elapsed))
    }

    fn probed(&mut self, outcome: Event) -> (Duration, TaskState) {
        let (slept, action) = self.sleep();
        assert_eq!(action, Some(Action::Probe));
        assert_eq!(self.lifecycle.wake_at(), None, "one probe at a time");
        assert_eq!(self.next(outcome), None);
        (slept, self.lifecycle.state())
    }

    /// Crashes after `lasted` and returns how long it then waits to be started again.
    fn crash_after(&mut self, lasted: Duration) -> Duration {
        self.now += lasted;
        assert_eq!(self.next(Event::Exited), None);
        assert_eq!(self.lifecycle.state(), TaskState::BackingOff);
        let (slept, action) = self.sleep();
        assert_eq!(action, Some(Action::Start));
        assert_eq!(self.next(Event::Started), None);
        slept
    }
}

#[test]
fn a_task_starts_eagerly_and_is_healthy_after_enough_passes() {
    let mut life = Life::started();
    assert_eq!(life.lifecycle.state(), TaskState::Starting);
    assert_eq!(life.probed(FAILED), (Duration::ZERO, TaskState::Starting));
    assert_eq!(life.probed(FAILED), (EAGER_INTERVAL, TaskState::Starting));
    assert_eq!(life.probed(PASSED), (EAGER_INTERVAL, TaskState::Starting));
    assert_eq!(life.probed(PASSED), (PACE.interval, TaskState::Healthy));
}

#[test]
fn health_changes_only_after_enough_results_in_a_row() {
    let mut life = Life::started();
    for (outcome, state) in [
        (PASSED, TaskState::Starting),
        (PASSED, TaskState::Healthy),
        (FAILED, TaskState::Healthy),
        (FAILED, TaskState::Healthy),
        (PASSED, TaskState::Healthy),
        (FAILED, TaskState::Healthy),
        (FAILED, TaskState::Healthy),
        (FAILED, TaskState::Unhealthy),
        (PASSED, TaskState::Unhealthy),
        (FAILED, TaskState::Unhealthy),
        (PASSED, TaskState::Unhealthy),
        (PASSED, TaskState::Healthy),
    ] {
        assert_eq!(life.probed(outcome).1, state);
    }
}

#[test]
fn a_task_that_never_passes_has_the_time_of_its_ordinary_probes() {
    let mut life = Life::started();
    let mut waited = Duration::ZERO;
    loop {
        let (slept, state) = life.probed(FAILED);
        waited += slept;
        if state == TaskState::Unhealthy {
            break;
        }
    }
    assert_eq!(waited, PACE.interval * PACE.unhealthy_threshold);
    assert_eq!(life.probed(FAILED).0, PACE.interval);
}

#[test]
fn the_back_off_doubles_to_its_longest_and_starts_over_after_a_stable_run() {
    let mut life = Life::started();
    let waits: Vec<u64> = (0..9).map(|_| life.crash_after(SECOND).as_secs()).collect();
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    assert_eq!(life.lifecycle.restarts(), 9);
    assert_eq!(life.crash_after(59 * SECOND), 60 * SECOND);
    assert_eq!(life.crash_after(60 * SECOND), SECOND);
    assert_eq!(life.crash_after(SECOND), 2 * SECOND);
}

#[test]
fn what_could_not_start_backs_off_as_what_crashed() {
    let mut life = Life::to_start();
    for wait in [0, 1, 2, 4] {
        let (slept, action) = life.sleep();
        assert_eq!((slept.as_secs(), action), (wait, Some(Action::Start)));
        assert_eq!(life.next(Event::CouldNotStart), None);
        assert_eq!(life.lifecycle.state(), TaskState::BackingOff);
    }
}

#[test]
fn a_stop_terminates_and_after_the_grace_kills_once() {
    let mut life = Life::started();
    assert_eq!(life.next(STOP), Some(Action::Terminate));
    assert!(life.lifecycle.is_in_grace());
    life.now += SECOND;
    assert_eq!(life.next(STOP), None, "a second wish gives no second grace");
    assert_eq!(life.next(PASSED), None, "a late probe changes nothing");
    assert_eq!(life.sleep(), (GRACE - SECOND, Some(Action::Kill)));
    assert!(!life.lifecycle.is_in_grace());
    assert_eq!(life.lifecycle.wake_at(), None);
    assert_eq!(life.next(Event::Exited), Some(Action::Finish));
}

#[test]
fn a_task_that_exits_in_its_grace_is_not_started_again() {
    let mut life = Life::started();
    life.next(STOP);
    assert_eq!(life.next(Event::Exited), Some(Action::Finish));
    assert_eq!(life.lifecycle.wake_at(), None);
}

#[test]
fn a_task_that_waits_to_be_started_stops_at_once() {
    assert_eq!(Life::to_start().next(STOP), Some(Action::Finish));
    let mut life = Life::started();
    life.next(Event::Exited);
    assert_eq!(life.next(STOP), Some(Action::Finish));
}

#[test]
fn one_probe_confirms_an_adopted_task() {
    let now = clock::now();
    let lifecycle = Lifecycle::adopted(PACE, Backoff::default(), 4, now);
    let mut life = Life { lifecycle, now };
    assert_eq!(life.lifecycle.restarts(), 3);
    assert_eq!(life.probed(PASSED), (Duration::ZERO, TaskState::Healthy));
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => Just(Event::Elapsed),
        2 => Just(Event::Started),
        1 => Just(Event::CouldNotStart),
        2 => any::<bool>().prop_map(|passed| Event::Probed { passed }),
        1 => Just(Event::Exited),
        1 => any::<u64>().prop_map(|secs| Event::Stop { grace: Duration::from_secs(secs) }),
    ]
}

proptest! {
    /// Whatever happens in whatever order: nothing starts twice, nothing starts or is probed after a
    /// stop, an end is final, and no duration is too long to be added.
    #[test]
    fn no_order_of_events_breaks_the_rules(
        events in prop::collection::vec((any_event(), 0_u64..100_000), 0..100),
    ) {
        let mut life = Life::to_start();
        let (mut runs, mut stopped, mut finished) = (false, false, false);
        for (event, millis) in events {
            life.now += Duration::from_millis(millis);
            let action = life.next(event);
            prop_assert!(!finished || action.is_none());
            match action {
                Some(Action::Start) => {
                    prop_assert!(!runs && !stopped);
                    runs = true;
                }
                Some(Action::Probe) => prop_assert!(runs && !stopped),
                Some(Action::Terminate) => {
                    prop_assert!(runs && !stopped);
                    stopped = true;
                }
                Some(Action::Kill) => prop_assert!(stopped),
                Some(Action::Finish) => finished = true,
                None => {}
            }
            if life.lifecycle.state() == TaskState::BackingOff {
                runs = false;
            }
        }
    }
}
