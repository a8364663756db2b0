//! What fails with what, and what comes back: questions to the dependency graph.
//!
//! [`spread`] says what goes down with some components while everything runs, [`rise`] what
//! comes up in a cold start and in which order, [`faults`] turns a component into a fault tree
//! for the minimal cut sets. The rest are the answers that people ask for: [`blast`], [`order`],
//! [`shared`], [`reboot`], [`advise`].

pub mod acts;
pub mod advise;
pub mod again;
pub mod blast;
pub mod faults;
pub mod order;
pub mod reboot;
pub mod rise;
pub mod shared;
pub mod spread;

#[cfg(test)]
mod again_tests;
#[cfg(test)]
mod tests;
