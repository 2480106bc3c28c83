//! The deployment: the template against what the code needs, and the whole of it on a server here.

mod rights;
mod script;
mod template;
