//! The main way, as a user goes it.

mod onboarding;
