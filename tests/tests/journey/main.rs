//! The main way, as a user goes it.

mod appointment_audit;
mod onboarding;
