//! The service without sockets: the pipeline and every operation.
