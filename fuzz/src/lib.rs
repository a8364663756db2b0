//! One function for every parser that meets text or bytes from outside: what it must bear, and
//! what must hold of its answer. `fuzz_targets/<name>.rs` makes each a libFuzzer target.
//!
//! A target asks more than "no panic" where more is promised: a file that is edited later must
//! write back byte for byte, and an answer must be readable again by its own reader.

mod host;
mod network;
mod past;
mod site;
mod storage;

pub use host::*;
pub use network::*;
pub use past::*;
pub use site::*;
pub use storage::*;

/// Makes a function of this crate the target of a binary.
#[macro_export]
macro_rules! target {
    ($name:ident) => {
        ::libfuzzer_sys::fuzz_target!(|data: &[u8]| $crate::$name(data));
    };
}

/// The input as `collect` would hand it over: text, with replacement characters where it is none.
fn text(data: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(data)
}

/// Two texts out of one input, parted by the first NUL.
fn two(data: &[u8]) -> (String, String) {
    let at = data.iter().position(|b| *b == 0);
    let (one, other) = at.map_or((data, &[][..]), |at| (&data[..at], &data[at + 1..]));
    (text(one).into_owned(), text(other).into_owned())
}
