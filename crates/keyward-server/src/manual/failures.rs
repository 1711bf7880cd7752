//! # How known failures of key services are answered
//!
//! | failure | answer | held by |
//! |---|---|---|
//! | The check is forgotten in one operation | A `Call`, the only way to key material, is made by the pipeline after the decision | its constructor is private to the engine |
//! | "Account root" is read as everybody in the account | The account principal delegates to IAM, which must allow too | the decision vectors of `keyward-policy` |
//! | A grant's constraints are not compared with the request's context | A grant is an entity in one Cedar policy that compares them | the same vectors |
//! | A policy fails to evaluate, and a deny is skipped | What cannot be evaluated is refused | `keyward-policy` |
//! | Confused deputy: a header says which service calls | Such headers count only from listed networks, and only for what nothing else shows | `authn::front` tests, `tests::front` |
//! | Confused deputy: a service is sent to another's key | Policies and grants see for which source it calls; only of services, and only signed | `tests::front`, `tests::services` of `keyward-engine` |
//! | A request changed under its signature | The bytes that arrived are verified; every `x-amz-` header must be signed | `keyward-sigv4` tests, `tests` here |
//! | A signature for one service is used at another | The scope names the service of the operation | `the_query_protocol_asks_for_its_own_scope` |
//! | A body says another key than the path | The path wins, before the engine looks | `folding_equals_inserting`, `what_is_no_object_does_not_become_one` |
//! | The log is written after the answer, or not at all | An answer leaves only when its event is durable, or handed to the system in `relaxed` mode | `InFlight` yields it then |
//! | Strangers fill the log | Only who was verified leaves an event | `who_did_not_prove_it_is_refused_counted_and_not_logged` |
//! | The log tells secrets | The row names the members that are logged; others never are | `keyward-trail` |
//! | A stream goes on after its session, or a connection that broke loses events in silence | Whoever follows the log is asked again before each chunk, and comes back behind the last event that it had | `investigation.rs` of the suite |
//! | Text of an attacker steers the terminal of a responder | What people read is made plain at the one place where it is written | the same |
//! | A nonce repeats | Each message has a key of its own, derived from 128 random bits | `keyward-crypto` |
//! | A ciphertext opens in another context | The context is authenticated with it | `keyward-crypto` |
//! | An older or emptied store is served | The newest sequence number is anchored; only `init` makes a store | `serve_makes_no_store_by_itself_and_init_makes_one_once` |
//! | A log that is shorter or another than was signed is gone on with | It is compared with its newest checkpoint before it is served | `a_log_that_is_shorter_than_was_signed_is_not_served`, `a_kept_checkpoint_tells_the_log_that_was_from_every_other` |
//! | The log's file is taken away, and answers go on | The writer looks whether its file is where it was, stops, and says how to save it | `a_journal_that_is_taken_away_stops_the_writing` |
//! | A clock that leaps deletes keys, or ends every retention | A time that is far ahead of what was lived through is believed for that when it has stood for a day | `a_clock_that_leapt_deletes_no_key_before_it_has_stood`, `nothing_leaves_by_a_clock_that_leapt_before_it_has_stood_for_a_day` |
//! | A clock that was set back hides events | The log is searched stretch by stretch, in each of which times rise | `a_clock_that_was_set_back_hides_no_event` |
//! | Padding pushes a request out of its record | The largest values are left out first, and what may have been left out is found by every question about it | `who_pads_a_request_hides_the_padding_alone` |
//! | A frozen key is used by its replica | A freeze of one related key stops all of them | `a_freeze_of_one_related_key_stops_all_of_them` |
//! | A wrong root key ruins the store | It is compared before anything is changed | `a_dev_store_opens_again_with_its_own_key_and_no_other` |
//! | RSA starves everything else | Heavy calls have a lane of their own, with a bounded queue | `the_queue_is_bounded_and_given_back` |
//! | A panic takes the service down | It is caught, answered as an internal error and counted | `a_panic_is_caught` |
//!
//! Known to remain: an attempt that panics may leave no event, and a request can be sent again within its
//! window of five minutes.
