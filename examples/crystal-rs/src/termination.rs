//! Waits for SIGTERM (a driver's polite stop) or SIGINT (Ctrl-C).
//!
//! The standard library has no signals, so this declares the four functions of
//! the C library that it needs. The two signals are blocked in every thread and
//! fetched by one, so no code ever runs inside a signal handler.

use std::ffi::c_int;

const SIGINT: c_int = 2;
const SIGTERM: c_int = 15;
const SIG_BLOCK: c_int = if cfg!(target_os = "macos") { 1 } else { 0 };

/// At least as large and as strictly aligned as any system's `sigset_t`.
#[repr(C)]
#[derive(Default)]
pub struct Termination([u64; 16]);

unsafe extern "C" {
    fn sigemptyset(set: *mut Termination) -> c_int;
    fn sigaddset(set: *mut Termination, signal: c_int) -> c_int;
    fn pthread_sigmask(how: c_int, set: *const Termination, old: *mut Termination) -> c_int;
    fn sigwait(set: *const Termination, signal: *mut c_int) -> c_int;
}

impl Termination {
    /// Blocks the signals in this thread and in those it starts from now on.
    pub fn expect() -> Self {
        let mut signals = Self::default();
        // SAFETY: `signals` is valid memory, large enough for a `sigset_t`; the
        // old mask may be null.
        unsafe {
            sigemptyset(&mut signals);
            sigaddset(&mut signals, SIGINT);
            sigaddset(&mut signals, SIGTERM);
            pthread_sigmask(SIG_BLOCK, &signals, std::ptr::null_mut());
        }
        signals
    }

    pub fn wait(&self) {
        let mut signal = 0;
        // SAFETY: both point to valid memory, and the set was initialised.
        while unsafe { sigwait(self, &mut signal) } != 0 {}
    }
}
