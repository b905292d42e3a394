//! The loop itself: upstreams that live as long as it does, and one run of clients after the other.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use setup::Protocol;

use super::client::Client;
use super::outcome::Outcome;
use super::plan::{Pace, Plan};
use super::run::{Next, Run};
use super::slots::Slots;
use super::upstream::{Served, Upstream};

const SCRATCH: usize = 256 << 10;
/// So many idle clients connect at once at most.
const CONNECTING: u64 = 64;
/// How long answers may take after the last request of a run.
const PATIENCE: Duration = Duration::from_secs(5);
/// A run that waits for answers looks at the clock this often.
const GLANCE: Duration = Duration::from_millis(10);

/// Tokens say what an event is about: a kind in the upper half, a number in the lower.
const UPSTREAM: u64 = 0;
const SERVED: u64 = 1;
const CLIENT: u64 = 2;

pub struct EventLoop {
    epoll: OwnedFd,
    upstreams: Vec<Upstream>,
    served: Slots<Served>,
    clients: Slots<Client>,
    scratch: Vec<u8>,
    events: Vec<Event>,
}

impl EventLoop {
    pub fn new(upstreams: usize) -> anyhow::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let upstreams = (0..upstreams)
            .map(Upstream::listen)
            .collect::<io::Result<Vec<_>>>()
            .context("upstreams cannot listen")?;
        for (number, upstream) in upstreams.iter().enumerate() {
            let data = EventData::new_u64(UPSTREAM << 32 | number as u64);
            epoll::add(&epoll, &upstream.listener, data, EventFlags::IN)?;
        }
        Ok(Self {
            epoll,
            upstreams,
            served: Slots::default(),
            clients: Slots::default(),
            scratch: vec![0; SCRATCH],
            events: Vec::with_capacity(512),
        })
    }

    pub fn upstream_addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.upstreams.iter().map(Upstream::address).collect()
    }

    /// What upstreams answer on connections from now on.
    pub fn answer_with(&mut self, protocol: Protocol, length: usize) {
        for upstream in &mut self.upstreams {
            upstream.answer_with(protocol, length);
        }
    }

    /// Puts the plan's load on the proxy: first to warm it up, then measured. `between` is called when the
    /// measured part begins and when it has ended.
    pub fn run(
        &mut self,
        plan: &Plan,
        warm_up: Duration,
        measured: Duration,
        mut between: impl FnMut() -> anyhow::Result<()>,
    ) -> anyhow::Result<Outcome> {
        let mut run = Run::new(plan, self.upstreams.len())?;
        for _ in 0..plan.connections {
            self.connect(&mut run)?;
        }
        let start = self.drive(&mut run, Instant::now(), warm_up)?;
        between()?;
        run.outcome.clear();
        let end = self.drive(&mut run, start, measured)?;
        between()?;
        run.outcome.elapsed = end - start;
        let measured = (run.outcome.answered, run.outcome.by_upstream.clone());
        self.finish(&mut run)?;
        (run.outcome.answered, run.outcome.by_upstream) = measured;
        self.close_clients();
        Ok(run.outcome)
    }

    /// Opens connections that make one request each and stay. Returns how many have got their answer.
    pub fn open_idle(&mut self, plan: &Plan) -> anyhow::Result<Outcome> {
        let mut run = Run::new(plan, self.upstreams.len())?;
        run.continues = false;
        let begin = Instant::now();
        while run.outcome.failed() == 0
            && run.outcome.answered < plan.connections as u64
            && begin.elapsed() < 12 * PATIENCE
        {
            while run.opened < plan.connections
                && run.opened as u64 - run.outcome.answered < CONNECTING
            {
                self.connect(&mut run)?;
            }
            self.act(Some(&mut run), Some(GLANCE))?;
        }
        Ok(run.outcome)
    }

    /// Answers what comes to the upstreams while nothing is asked.
    pub fn idle(&mut self, time: Duration) -> anyhow::Result<()> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.act(None, Some(GLANCE))?;
        }
        Ok(())
    }

    pub fn close_clients(&mut self) {
        for client in self.clients.drain() {
            client.transport.reset();
        }
    }

    /// Drives the run from `start` for `time`; returns when that was over.
    fn drive(&mut self, run: &mut Run, start: Instant, time: Duration) -> anyhow::Result<Instant> {
        let mut sent: u32 = 0;
        loop {
            let now = Instant::now();
            if now - start >= time {
                return Ok(now);
            }
            // Never asleep: the scheduler's delays would be measured, and waking the load, an interrupt to
            // another core, is billed to the proxy that does it, the more often the slower it is.
            match run.plan.pace {
                Pace::Saturated => self.act(Some(run), Some(Duration::ZERO))?,
                Pace::Fixed(rate) => {
                    let due =
                        |number: u32| start + Duration::from_secs_f64(f64::from(number) / rate);
                    while due(sent) <= now {
                        run.overdue.push_back(due(sent));
                        sent += 1;
                    }
                    self.ask_overdue(run)?;
                    self.act(Some(run), Some(Duration::ZERO))?;
                }
            }
        }
    }

    /// Waits for the answers to what has been asked, and to what was due.
    fn finish(&mut self, run: &mut Run) -> anyhow::Result<()> {
        run.continues = run.plan.pace != Pace::Saturated;
        let begin = Instant::now();
        loop {
            self.ask_overdue(run)?;
            let under_way: usize = self
                .clients
                .iter()
                .map(|client| client.under_way.len())
                .sum();
            if under_way == 0 && run.overdue.is_empty() {
                return Ok(());
            }
            if begin.elapsed() > PATIENCE {
                for _ in 0..under_way + run.overdue.len() {
                    run.outcome.failure("no answer in time".to_owned());
                }
                return Ok(());
            }
            self.act(Some(run), Some(GLANCE))?;
        }
    }

    fn ask_overdue(&mut self, run: &mut Run) -> anyhow::Result<()> {
        while !run.overdue.is_empty()
            && let Some(number) = run.ready.pop_front()
        {
            let Some(client) = self.clients.get_mut(number) else {
                continue;
            };
            if let Some(due) = run.overdue.pop_front() {
                let asked = client
                    .ask(&mut run.requests, due)
                    .and_then(|()| client.flush());
                if let Err(error) = asked {
                    self.lose(number, run, &error.to_string())?;
                }
            }
        }
        Ok(())
    }

    fn connect(&mut self, run: &mut Run) -> anyhow::Result<()> {
        let client =
            Client::connect(&run.plan, run.opened).context("the load generator cannot connect")?;
        run.opened += 1;
        let number = self.clients.insert(client);
        if let Some(client) = self.clients.get_mut(number) {
            register(&self.epoll, &client.transport.socket, CLIENT, number)?;
            if let Err(error) = run.begin(number, client) {
                run.lost(client, &error.to_string());
                self.clients.remove(number);
            }
        }
        Ok(())
    }

    /// Drops a client whose requests have failed, and puts another in its place.
    fn lose(&mut self, number: usize, run: &mut Run, reason: &str) -> anyhow::Result<()> {
        if let Some(client) = self.clients.remove(number) {
            run.lost(&client, reason);
        }
        if run.continues {
            self.connect(run)?;
        }
        Ok(())
    }

    fn act(&mut self, mut run: Option<&mut Run>, wait: Option<Duration>) -> anyhow::Result<()> {
        let timeout = wait.map(|wait| Timespec {
            tv_sec: wait.as_secs() as i64,
            tv_nsec: i64::from(wait.subsec_nanos()),
        });
        let mut events = std::mem::take(&mut self.events);
        events.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut events), timeout.as_ref()) {
            Err(rustix::io::Errno::INTR) => {}
            waited => drop(waited.context("epoll_wait failed")?),
        }
        for event in &events {
            let token = event.data.u64();
            let number = (token & u64::from(u32::MAX)) as usize;
            match (token >> 32, &mut run) {
                (UPSTREAM, _) => self.accept(number)?,
                (SERVED, _) => self.serve(number, event.flags),
                (_, Some(run)) => self.hear(number, event.flags, run)?,
                (_, None) => {}
            }
        }
        self.events = events;
        Ok(())
    }

    fn accept(&mut self, upstream: usize) -> anyhow::Result<()> {
        loop {
            let socket = match self.upstreams[upstream].listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("an upstream cannot accept"),
            };
            // A connection that ends at once is the proxy's affair.
            if let Ok(served) = self.upstreams[upstream].serve(socket) {
                let number = self.served.insert(served);
                if let Some(served) = self.served.get_mut(number) {
                    register(&self.epoll, &served.transport.socket, SERVED, number)?;
                }
            }
        }
    }

    fn serve(&mut self, number: usize, flags: EventFlags) {
        let Some(served) = self.served.get_mut(number) else {
            return;
        };
        let flushed = match flags.contains(EventFlags::OUT) {
            true => served.transport.flush(),
            false => Ok(()),
        };
        let ended = flushed.and_then(|()| match arrived(flags) {
            true => served.receive(&mut self.scratch, ending(flags)),
            false => Ok(false),
        });
        if !matches!(ended, Ok(false)) {
            self.served.remove(number);
        }
    }

    fn hear(&mut self, number: usize, flags: EventFlags, run: &mut Run) -> anyhow::Result<()> {
        let Some(client) = self.clients.get_mut(number) else {
            return Ok(());
        };
        let mut act = || {
            if flags.contains(EventFlags::OUT) {
                client.transport.flush()?;
            }
            if !arrived(flags) {
                return Ok((false, Next::Keep));
            }
            let ended = client.receive(&mut self.scratch, ending(flags), &mut run.answers)?;
            Ok((ended, run.answered(number, client)?))
        };
        let acted: io::Result<(bool, Next)> = act();
        run.answers.clear();
        match acted {
            Ok((false, Next::Keep)) => Ok(()),
            Ok(_) => self.lose(number, run, "the connection was closed"),
            Err(error) => self.lose(number, run, &error.to_string()),
        }
    }
}

fn register(epoll: &OwnedFd, socket: impl AsFd, kind: u64, number: usize) -> io::Result<()> {
    let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
    let data = EventData::new_u64(kind << 32 | number as u64);
    Ok(epoll::add(epoll, socket, data, flags)?)
}

fn arrived(flags: EventFlags) -> bool {
    flags.contains(EventFlags::IN) || ending(flags)
}

/// After the data that is there comes an end, which no further event will tell.
fn ending(flags: EventFlags) -> bool {
    flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR)
}
