//! End-to-end cases that hold on any broker: `tests/mock.rs` runs them on the mock, `tests/apache` on Apache's
//! own broker. Each takes the address of a NameServer and uses topics of its own.

pub(crate) mod acl;
pub(crate) mod admin;
pub(crate) mod admin_answers;
pub(crate) mod assignments;
pub(crate) mod auto_batch;
pub(crate) mod brokers;
pub(crate) mod consumption;
pub(crate) mod delay;
pub(crate) mod filters;
pub(crate) mod group_admin;
pub(crate) mod groups;
pub(crate) mod illegal;
pub(crate) mod lookups;
pub(crate) mod modes;
pub(crate) mod peer;
pub(crate) mod pop;
pub(crate) mod request_reply;
pub(crate) mod round_trip;
pub(crate) mod send_back;
pub(crate) mod settings;
pub(crate) mod support;
pub(crate) mod trace;
pub(crate) mod transactions;

/// Calls `$run!` with the list of all cases, so that no suite leaves one out.
#[macro_export]
macro_rules! for_each_case {
    ($run:ident) => {
        $run! {
            round_trip: small_and_utf8_bodies_with_binary_headers, small_and_utf8_bodies_with_json_headers,
                bodies_around_the_compression_threshold, a_large_body_that_compresses,
                the_largest_body_that_does_not_compress, five_mebibytes_of_zeros_pass_the_limit,
                lz4_bodies, zstd_bodies, properties_with_awkward_values, a_hundred_sends_at_once, oneway_sends_arrive,
                offsets_count_up_in_each_queue, a_message_that_has_an_id_keeps_it;
            modes: two_thousand_sends_awaited_at_once, callbacks_run_exactly_once,
                a_batch_arrives_in_order_in_one_queue, batches_that_brokers_refuse_are_refused_here,
                a_message_goes_to_the_queue_that_is_named, a_selector_keeps_a_key_in_one_queue,
                hooks_see_every_attempt_and_may_forbid_it, a_namespace_keeps_topics_apart, a_unit_marks_its_topics_and_clients;
            auto_batch: senders_share_requests_and_keep_their_own_results, callbacks_are_gathered_too,
                what_cannot_be_in_a_batch_goes_alone, a_failed_batch_fails_each_sender,
                a_sender_that_gives_up_harms_nobody, a_shutdown_sends_what_waits;
            illegal: bad_messages_are_refused_before_any_io, a_message_id_that_is_none,
                nothing_stored_at_an_offset, a_topic_that_does_not_exist_cannot_be_read,
                handles_are_checked_before_any_io;
            delay: a_delay_level_delivers_later, timers_deliver_later_and_a_level_wins_over_them,
                a_timer_of_more_than_three_days_is_refused, a_broker_that_does_not_recall_says_so;
            trace: sends_are_recorded_and_failed_ones_too, the_ends_of_transactions_are_recorded;
            admin: a_topic_is_created_described_and_deleted, an_empty_queue_has_no_times,
                the_settings_of_a_topic_are_changed, topics_that_cannot_be_created_or_deleted, offsets_of_a_queue,
                offsets_of_all_queues_of_a_topic, offsets_of_a_consumer_group;
            transactions: committed_messages_arrive_once_and_rolled_back_ones_never,
                a_broker_asks_about_what_it_does_not_know, a_restarted_producer_answers_for_its_group,
                transactions_in_a_namespace, a_transaction_cannot_be_delayed;
            request_reply: a_request_gets_its_reply, many_requests_at_once_get_their_own_replies,
                no_reply_in_time_says_where_the_request_is, a_reply_to_someone_who_has_left,
                requests_in_a_namespace;
            filters: expressions_let_messages_pass, bad_expressions_are_refused_with_java_s_words,
                a_held_pull_wakes_for_what_passes, heartbeats_say_what_a_group_filters_by;
            pop: popped_messages_are_hidden, pops_take_what_they_want, pops_that_cannot_be,
                acknowledged_messages_do_not_come_again, many_messages_are_acknowledged_at_once,
                a_message_is_hidden_for_longer, messages_that_nobody_acknowledges_come_again,
                pops_wait_for_messages, queues_are_popped_in_order,
                consumers_ask_whether_there_is_something_to_pop, a_group_that_was_moved_pops_from_there;
            assignments: brokers_split_queues_among_members, groups_are_told_to_pop;
            admin_answers: topics_are_listed_with_their_settings, the_entries_of_a_queue_are_shown,
                brokers_tell_how_they_are, producers_are_listed_by_group,
                figures_have_java_s_names;
            consumption: all_groups_are_summed_up, queues_tell_when_they_were_written_and_read,
                offsets_of_groups_are_compared_and_listed, messages_are_counted_by_topic_and_group,
                ways_of_groups_and_delay_levels_are_listed;
            settings: a_broker_is_changed_while_it_runs, a_name_server_is_changed_while_it_runs,
                topics_are_listed_by_their_unit;
            groups: members_come_and_go_and_the_others_are_told,
                other_topics_are_told_and_other_expressions_are_not, some_groups_are_told_nothing,
                a_fingerprint_tells_whether_the_subscriptions_changed, heartbeats_that_cannot_be_read_are_errors,
                who_is_connected, a_pull_needs_a_subscription_that_is_new_enough, queues_are_locked_for_one_client;
            send_back: a_message_comes_back_and_is_dead_in_the_end, what_cannot_be_sent_back,
                settings_of_a_group_decide_what_comes_back,
                sends_to_a_retry_topic_die_when_they_are_too_many_or_the_group_is_ordered;
            group_admin: groups_are_created_changed_and_deleted, a_group_is_moved_to_other_offsets, how_far_a_group_is,
                members_are_asked_through_the_broker;
            lookups: messages_are_found_by_their_keys, a_message_is_found_by_either_kind_of_id,
                who_is_in_the_cluster, the_members_of_a_producer_group;
        }
    };
}
