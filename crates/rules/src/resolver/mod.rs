//! Rules on name resolution.

pub mod all_servers_are_local_guests;
