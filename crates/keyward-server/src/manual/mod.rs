//! What the service defends against, and why its defaults are what they are.
