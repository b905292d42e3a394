//! A version of the service: HTTP/1.1 on `$PORT`, a thread for each connection, as `behaviour.json` in its
//! directory says.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};
use rustix::time::{ClockId, clock_gettime};

use crate::case::Behaviour;

/// The median time of a request, as in the simulation. A tenth of it is more than the delay that is tolerated by default.
const MEDIAN: Duration = Duration::from_millis(50);

pub(crate) fn serve() {
    let port = std::env::var("PORT").expect("the driver gives a port");
    let text = std::fs::read_to_string("behaviour.json").expect("the version has a behaviour");
    let behaviour: Behaviour = serde_json::from_str(&text).expect("the behaviour is one");
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).expect("the port is free");
    let started = seconds();
    if behaviour.leak_memory > 0 {
        thread::spawn(move || leak(behaviour.leak_memory));
    }
    for (number, stream) in listener.incoming().enumerate() {
        if let Ok(stream) = stream {
            let seed = (number as u64) << 32 | u64::from(std::process::id());
            thread::spawn(move || converse(&stream, &behaviour, started, seed));
        }
    }
}

/// Keeps so many more MiB of memory each second.
fn leak(each_second: u32) {
    let mut kept = Vec::new();
    loop {
        thread::sleep(Duration::from_secs(1) / each_second);
        // Not zeros, which the kernel would hand out without memory behind them.
        kept.push(vec![1_u8; 1 << 20]);
    }
}

/// Answers until the caller goes away, or the connection is to be cut.
fn converse(stream: &TcpStream, behaviour: &Behaviour, started: f64, seed: u64) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    loop {
        let is_health = read_head(&mut reader)?;
        let age = seconds() - started;
        let luck: f64 = random.random();
        if !is_health {
            thread::sleep(takes(behaviour, age, &mut random));
            if luck < behaviour.reset {
                return None;
            }
        }
        let failing = behaviour.failing + behaviour.leak_failing * age;
        let status = match luck {
            _ if is_health => "200 OK",
            luck if luck < failing => "500 Internal Server Error",
            luck if luck < failing + behaviour.refusing => "404 Not Found",
            _ => "200 OK",
        };
        write!(writer, "HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\nok").ok()?;
    }
}

/// Whether it asks for the health; none at the end of the connection.
fn read_head(reader: &mut impl BufRead) -> Option<bool> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let is_health = line.contains(" /health");
    while line != "\r\n" {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
    }
    Some(is_health)
}

fn takes(behaviour: &Behaviour, age: f64, random: &mut Xoshiro256PlusPlus) -> Duration {
    let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
    let normal = radius * (std::f64::consts::TAU * random.random::<f64>()).cos();
    let mut times = behaviour.slower * (0.5 * normal).exp() * (1.0 + behaviour.leak_slower * age);
    if random.random::<f64>() < behaviour.tail {
        times *= 10.0;
    }
    if age < behaviour.cold_seconds {
        times *= 5.0;
    }
    MEDIAN.mul_f64(times)
}

fn seconds() -> f64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}
