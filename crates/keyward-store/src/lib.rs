//! Journal first, sled as the store that is queried, one writer, group commit.
