//! What a guest can't do, and what a component must be: limits, determinism, refusals, secrets.

mod canaries;
mod compiling;
mod components;
mod criteria;
mod determinism;
mod limits;
mod neighbours;
mod outcomes;
mod worlds;
