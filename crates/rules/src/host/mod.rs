//! Rules on the host as a whole: what may take it down, and the way in when it is.

pub mod no_console_access;
pub mod reboots_itself_on_nfs_trouble;
