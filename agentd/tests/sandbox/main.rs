//! The confinement, attacked: each attempt is first shown to work outside, then
//! the exact errno or signal is demanded inside. Needs root and erofs-utils.

mod ground;
mod layers;
mod lifetime;
mod packs;
