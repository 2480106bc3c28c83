//! The six types of sinks: one suite that all of them pass, and what is particular to each.

mod conformance;
mod dotenv;
mod heroku;
mod secrets_manager;
mod story;
mod vercel;
