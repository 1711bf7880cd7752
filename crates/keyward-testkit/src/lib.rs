//! A whole service with its own time, luck and disk.
