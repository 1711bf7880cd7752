//! Detectors: events and time in, alerts out.
