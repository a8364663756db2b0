//! Rules on guests: whether they come back, and not all on one host.

pub mod autostart_off;
