//! The doors: AWS JSON, AWS query, REST, metrics and health.
