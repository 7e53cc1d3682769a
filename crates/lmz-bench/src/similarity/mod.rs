//! Distances of texts by any codec that is compared: code lengths ([`Ruler`]), matrices of
//! distances in files ([`matrix`]), trees of them ([`tree`]), classes ([`mod@classify`]), what a
//! codec would write ([`mod@continuation`]), and vectors ([`features`]). What distances are is in
//! [`lmz::similarity`].

pub mod classify;
pub mod cluster;
pub mod continuation;
pub mod features;
pub mod matrix;
mod ruler;
pub mod tree;

pub use ruler::{Ruler, RulerError};
