//! The deployment: the template against what the code needs, and the whole of it on a server here.

mod deployed;
mod live;
mod readme;
mod rights;
mod rotation;
mod samples;
mod script;
mod template;
