"""Every kind of bad input that is promised an answer, and the tests that send it; `test_bad_input` reads this.

A row is served by tests over the real port or with the real command (`tests/e2e`, `tests/net`); where more of
it is tried in memory, those tests stand behind. Numbers never change their meaning: tests and logs of changes
name them. `is_sized`: what comes may be large or endless, so a test of the row has to assert the memory of the
real process, and that it serves others afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

KNOCKS = "e2e/test_bad_knocks.py"
RECORDS = "e2e/test_bad_records.py"
WORDS = "e2e/test_bad_words.py"
PEER = "e2e/test_peer_bad_input.py"
TRACKER = "e2e/tracker/test_bad_input.py"
PEOPLE = "e2e/tracker/test_bad_people.py"
LINKS = "e2e/test_hostile_links.py"
LOG = "e2e/test_hostile_log.py"
FILES = "e2e/test_hostile_files.py"
LIAR = "e2e/test_hostile_tracker.py"
KEYS = "e2e/test_hostile_keys.py"
LINE = "e2e/test_command_line.py"
HOMES = "e2e/test_homes.py"
PROMPTS = "e2e/test_prompts.py"
NAMES = "peer/transfers/test_paths.py"

NONSENSE = f"{KNOCKS}::test_who_knocks_with_nonsense_is_refused_at_the_first_bytes"
SHAKES = f"{KNOCKS}::test_a_handshake_that_does_not_verify_fails_closed"
DECODE = f"{RECORDS}::test_a_record_that_does_not_decode_ends_the_link_with_its_code"
VERIFY = f"{RECORDS}::test_a_record_that_does_not_verify_ends_the_link"
LENGTHS = f"{RECORDS}::test_21_and_23_a_length_that_cannot_be_ends_the_link_at_once"
SAID = f"{PEER}::test_60_and_61_what_a_friend_writes_does_nothing_to_a_terminal"
NASTY = f"{FILES}::test_a_name_that_would_do_harm_lands_under_one_that_does_not"
UNSAFE = f"{FILES}::test_a_name_that_would_leave_the_folder_is_refused"
BYTES = f"{FILES}::test_bytes_that_are_not_what_was_offered_get_no_name"
MANIFESTS = "e2e/test_hostile_manifests.py"
PATHS = "e2e/test_hostile_paths.py"
LISTED = (
    f"{MANIFESTS}::test_a_list_of_files_that_cannot_be_is_refused_by_name_and_nothing_is_written"
)
OFFERED = f"{MANIFESTS}::test_an_offer_that_cannot_be_is_no_offer"
EVERY = f"{PATHS}::test_every_name_of_the_table_lands_where_it_says_though_nobody_was_asked"
WORK = f"{PATHS}::test_a_work_folder_of_any_title_goes_and_nothing_else_does"
PLANTED = (
    f"{PATHS}::test_what_stands_where_the_work_folder_would_be_is_neither_followed_nor_removed"
)
LANDS = f"{NAMES}::test_a_received_name_lands_where_the_table_says"


@dataclass(frozen=True)
class Row:
    """One kind of bad input. tests: below tests/, as `FILE::FUNCTION`; why_none: what is missing, if nothing tests it."""

    number: int
    what: str
    tests: tuple[str, ...] = ()
    is_sized: bool = True
    why_none: str = ""


ROOMS = "rooms are not part of the product yet"


def words(number: int, what: str, *tests: str) -> Row:
    """Give a row of the command line: its process ends with the verb; who runs one asserts the peak of its memory."""
    return Row(number, what, tests, is_sized=False)


def sized(number: int, what: str, *tests: str) -> Row:
    """Give a row of what a running program hears."""
    return Row(number, what, tests)


ROWS = (
    # --- frames and handshake
    sized(1, "silence", f"{KNOCKS}::test_1_and_2_who_says_nothing_or_little_has_ten_seconds_in_all"),
    sized(2, "a byte now and then", f"{KNOCKS}::test_1_and_2_who_says_nothing_or_little_has_ten_seconds_in_all"),
    sized(3, "a frame of nothing", NONSENSE),
    sized(4, "a frame beyond the bound before OPEN", NONSENSE, f"{KNOCKS}::test_a_hello_beyond_its_bound_is_refused_by_its_length"),
    sized(5, "4 MiB of noise", NONSENSE, f"{TRACKER}::test_5_megabytes_of_noise_are_not_read"),
    sized(6, "HTTP", NONSENSE, f"{TRACKER}::test_6_and_7_other_protocols_are_named_in_the_log"),
    sized(7, "TLS, SSH", NONSENSE, f"{TRACKER}::test_6_and_7_other_protocols_are_named_in_the_log"),
    sized(8, "another version", NONSENSE, f"{TRACKER}::test_8_another_version_is_told_which_one_is_spoken"),
    sized(9, "an unknown suite or purpose", NONSENSE, f"{KNOCKS}::test_9_a_purpose_of_the_other_program_is_refused"),
    sized(10, "our own words come back", SHAKES),
    sized(11, "low-order points", NONSENSE),
    sized(12, "a malformed ML-KEM key", SHAKES),
    sized(13, "a corrupt ML-KEM ciphertext", SHAKES, f"{LINKS}::test_a_ciphertext_of_another_key_gives_another_secret"),
    sized(14, "a handshake sent again", SHAKES, f"{LINKS}::test_a_call_that_was_recorded_and_is_sent_again_fails"),
    sized(15, "a call with our own device", f"{PEER}::test_15_a_call_with_our_own_device_is_a_self_connection"),
    sized(
        16,
        "a certificate of another identity or device",
        f"{LINKS}::test_a_certificate_has_to_be_of_this_very_device_and_identity",
        f"{TRACKER}::test_16_a_certificate_of_another_device_is_refused",
    ),
    sized(
        17,
        "a device that was taken off, an older list",
        f"{LINKS}::test_a_certificate_has_to_be_of_this_very_device_and_identity",
        f"{LINKS}::test_an_older_list_than_is_known_is_a_rollback",
    ),
    sized(18, "data before the handshake's end", SHAKES, f"{LINKS}::test_nothing_is_heard_before_both_hellos"),
    sized(19, "a flipped bit", VERIFY, f"{PEER}::test_what_is_wrong_on_a_data_link_ends_it_by_name"),
    sized(20, "a record twice or left out", VERIFY),
    sized(21, "a record of nothing", LENGTHS, f"{PEER}::test_what_is_wrong_on_a_data_link_ends_it_by_name"),
    sized(22, "an unknown message", DECODE, f"{RECORDS}::test_22_and_31_what_may_come_later_is_passed_over"),
    sized(23, "a record beyond its bound", LENGTHS, f"{PEER}::test_what_is_wrong_on_a_data_link_ends_it_by_name"),
    sized(
        24,
        "a page beyond its bound, pages without end",
        f"{PEOPLE}::test_24_a_page_beyond_its_bound_ends_the_link",
        f"{PEOPLE}::test_24_a_state_with_more_pages_than_there_can_be_is_refused",
        f"{PEOPLE}::test_24_first_pages_without_a_last_one_are_kept_once",
        f"{PEER}::test_a_tracker_that_never_stops_talking_is_left",
    ),
    sized(25, "nested 10,000 deep", DECODE, f"{PEER}::test_what_is_wrong_on_a_data_link_ends_it_by_name"),
    sized(26, "maps, keys without end", DECODE),
    sized(27, "what is no UTF-8", DECODE),
    sized(28, "numbers that are none", DECODE),
    sized(29, "values of another type", DECODE),
    sized(30, "numbers out of range", DECODE),
    sized(31, "missing and additional fields", DECODE, f"{RECORDS}::test_22_and_31_what_may_come_later_is_passed_over"),
    sized(32, "bytes behind a value", DECODE),
    sized(33, "compressed bytes", DECODE),
    sized(34, "an end in the middle of a frame", f"{RECORDS}::test_34_a_link_that_breaks_in_the_middle_of_a_record_leaves_nothing_behind"),
    sized(35, "pings without end", f"{RECORDS}::test_35_pings_are_answered_ten_a_second_and_more_are_a_flood"),
    sized(
        36,
        "numbers of requests used twice, never given, too many",
        f"{TRACKER}::test_36_a_number_that_is_still_open_is_ignored_and_too_many_end_the_link",
        f"{LIAR}::test_answers_to_what_nobody_asked_change_nothing",
    ),
    sized(
        37,
        "silence on an open link",
        f"{TRACKER}::test_37_silence_on_an_open_link_ends_it",
        f"{PEER}::test_37_who_says_nothing_more_on_an_open_link_is_dropped_after_a_minute",
    ),
    sized(38, "words behind a close", f"{RECORDS}::test_38_what_comes_behind_a_close_is_ignored"),
    # --- accounts, friends, presence
    sized(
        39,
        "names too short, too long",
        f"{PEOPLE}::test_a_name_that_cannot_be_ends_the_link_with_its_code",
        f"{PEOPLE}::test_39_a_name_of_ten_megabytes_is_refused_by_the_length_of_its_record",
        f"{WORDS}::test_a_name_that_cannot_be_makes_no_account",
    ),
    sized(40, "names of other characters", f"{PEOPLE}::test_a_name_that_cannot_be_ends_the_link_with_its_code", f"{WORDS}::test_a_name_that_cannot_be_makes_no_account"),
    sized(41, "names that look like others", f"{PEOPLE}::test_a_name_that_cannot_be_ends_the_link_with_its_code", f"{WORDS}::test_41_capitals_are_the_same_name"),
    sized(42, "reserved names", f"{PEOPLE}::test_42_a_reserved_name_is_nobodys", f"{WORDS}::test_a_name_that_cannot_be_makes_no_account"),
    words(43, "a name registered twice", "e2e/tracker/test_port.py::test_of_two_registrations_at_once_exactly_one_wins", "e2e/test_accounts.py::test_a_taken_name_is_refused"),
    words(44, "passwords that are none", f"{WORDS}::test_a_password_that_is_none_makes_no_account"),
    words(45, "accents typed in two ways", f"{WORDS}::test_45_a_password_is_the_same_however_its_accents_are_typed"),
    words(46, "wrong passwords", f"{WORDS}::test_46_wrong_passwords_have_to_wait_and_are_told_how_long", "e2e/tracker/test_port.py::test_attempts_that_are_sent_all_at_once_gain_nothing"),
    words(47, "Argon2id below the floor", f"{LIAR}::test_weak_parameters_are_refused_before_the_password_is_used"),
    words(48, "a vault that is damaged, another's, old", f"{LIAR}::test_a_vault_that_is_not_the_accounts_opens_nothing"),
    sized(49, "friend requests to who cannot be asked", f"{PEOPLE}::test_49_whom_one_cannot_ask", f"{WORDS}::test_49_to_52_whom_one_cannot_add"),
    sized(
        50,
        "notes too long, notes with controls",
        f"{PEOPLE}::test_50_a_note_beyond_its_bound_is_carried_to_nobody",
        f"{WORDS}::test_50_a_note_does_nothing_to_a_terminal",
    ),
    sized(51, "answers to what was not asked", f"{PEOPLE}::test_51_an_answer_to_what_was_not_asked_makes_no_friends", f"{PEOPLE}::test_51_a_request_and_its_answer_count_once"),
    sized(52, "friend codes with a fault", f"{WORDS}::test_49_to_52_whom_one_cannot_add"),
    words(53, "a code with another identity than the tracker's", f"{LIAR}::test_a_name_with_another_identity_than_the_code_says_is_not_even_asked"),
    words(54, "presence of who is no friend", "e2e/tracker/test_presence.py::test_who_is_invisible_or_unseen_looks_offline", f"{LINKS}::test_a_stranger_learns_nothing_of_bob_and_forges_no_request"),
    sized(
        55,
        "addresses of all kinds",
        f"{PEER}::test_55_addresses_are_tried_one_after_another_and_at_most_eight",
        f"{PEER}::test_55_a_list_of_nine_addresses_is_refused_by_the_tracker",
        "e2e/test_hostile_fetching.py::test_nobody_is_dialled_in_a_burst_whatever_a_friend_signs",
    ),
    sized(56, "device lists that cannot be", f"{PEOPLE}::test_a_device_list_that_cannot_be_registers_nobody", f"{PEOPLE}::test_56_a_thousand_devices_are_beyond_the_field"),
    sized(57, "another identity under a known name", f"{KEYS}::test_57_another_identity_that_the_old_one_did_not_sign_is_a_key_change"),
    sized(58, "prekeys that are none", f"{KEYS}::test_58_a_broken_prekey_is_named_and_nothing_is_sealed_to_it"),
    # --- messages
    words(59, "messages of nothing and of too much", f"{WORDS}::test_59_a_message_that_cannot_be_is_refused_before_it_is_kept"),
    sized(60, "text that acts on a terminal", SAID),
    sized(61, "markup", SAID),
    sized(62, "two events in one place", f"{LOG}::test_two_stories_in_one_place_are_both_kept_and_marked"),
    sized(63, "places left out, gone back, beyond all", f"{PEER}::test_63_a_place_that_is_left_out_shows_as_a_gap", f"{PEER}::test_63_to_65_numbers_beyond_all_bounds_are_refused_alone"),
    sized(64, "parents unknown, too many; clocks", f"{LOG}::test_an_event_that_lies_is_refused_alone", f"{LOG}::test_an_event_whose_clock_is_not_after_its_parent_is_refused", "peer/test_conversations_hostile.py::test_unknown_parents_and_places_far_ahead_are_held_and_shown_with_a_gap"),
    sized(65, "wall clocks that are off", f"{PEER}::test_65_a_clock_that_is_off_changes_no_order"),
    sized(66, "wrong signatures", f"{LOG}::test_an_event_that_lies_is_refused_alone"),
    sized(
        67,
        "mail that does not open",
        f"{KEYS}::test_67_mail_whose_prekey_is_gone_is_deleted_and_answered_by_a_nack",
        f"{KEYS}::test_67_mail_that_does_not_open_is_sealed_again_once_and_then_has_failed",
        "e2e/test_independent_mail.py::test_mail_that_lies_is_taken_off_and_nothing_of_it_is_shown",
    ),
    sized(68, "edits of what another said", f"{LOG}::test_nobody_edits_what_another_said"),
    *(Row(number, "rooms", why_none=ROOMS) for number in range(69, 76)),
    Row(76, "a directory of rooms", why_none=ROOMS),
    # --- files
    sized(77, "names that leave the folder", UNSAFE, NASTY, EVERY, WORK, PLANTED, LANDS),
    sized(78, "names with controls, names that are no text", NASTY, EVERY, WORK, LISTED, f"{FILES}::test_nothing_is_shown_as_a_name_that_would_turn_a_terminal", f"{LINE}::test_bytes_that_are_no_text_are_refused_as_text_and_taken_as_names_of_files"),
    sized(79, "names that mean something to some system", NASTY, EVERY, LANDS),
    sized(80, "names and paths too long", UNSAFE, NASTY, EVERY, WORK, LISTED, OFFERED, LANDS),
    sized(81, "hidden files, our own files", NASTY, EVERY, WORK, f"{NAMES}::test_the_homes_own_state_is_no_download_folder_however_it_is_reached"),
    sized(82, "names that decode to others", NASTY, EVERY),
    sized(83, "sizes that are none", LISTED, OFFERED, "wire/transfer/test_manifest.py::test_any_bytes_are_a_manifest_or_refused"),
    sized(84, "sizes beyond the disk, manifests that do not fit", f"{MANIFESTS}::test_more_than_any_disk_holds_waits_for_space_and_both_figures_are_told", LISTED, "e2e/test_changing_disks.py::test_a_disk_that_is_too_small_is_enlarged_and_what_nobody_was_asked_about_goes_on_by_itself", f"{FILES}::test_an_offer_that_is_not_its_manifest_is_refused", f"{NAMES}::test_a_folder_with_too_little_space_is_refused_with_both_figures"),
    sized(85, "chunks of another size", BYTES),
    sized(86, "manifests with another root, without end", BYTES, LISTED, "wire/transfer/test_manifest.py::test_a_list_of_millions_is_refused_before_an_entry_is_made"),
    sized(87, "more bytes than declared, and fewer", BYTES),
    sized(88, "chunks nobody asked for", BYTES),
    sized(89, "a wrong digest", BYTES),
    sized(90, "answers to offers that do not stand", f"{LOG}::test_an_answer_to_an_offer_that_there_is_not_changes_nothing", "e2e/test_offers.py::test_what_cannot_be_answered_is_named", "e2e/test_stopping.py::test_what_was_withdrawn_before_it_was_answered_cannot_be_taken"),
    words(91, "a part that is not what was written", "e2e/test_bad_folders.py::test_a_part_that_somebody_touched_while_nobody_ran_is_not_believed"),
    words(92, "what cannot be offered", "e2e/test_offers.py::test_what_cannot_be_sent_is_named", "e2e/test_bad_sources.py::test_a_log_that_grows_while_it_leaves_is_never_half_there"),
    words(93, "folders that take nothing", "e2e/test_changing_disks.py::test_a_folder_that_goes_away_in_the_middle_is_waited_for_and_nothing_lands_elsewhere", "e2e/test_changing_disks.py::test_a_bare_mount_point_takes_nothing_while_its_disk_is_away", "e2e/test_bad_folders.py::test_a_folder_that_can_take_nothing_is_named_when_it_is_chosen", "e2e/test_bad_folders.py::test_a_folder_that_goes_away_before_it_starts_holds_the_transfer_until_it_is_back"),
    words(94, "too many files, too many offers", OFFERED, "e2e/test_bad_sources.py::test_more_files_than_an_offer_may_have_are_refused_by_name", "e2e/test_bad_sources.py::test_more_offers_than_may_wait_are_refused_by_name"),
    words(95, "twins inside an offer", LISTED, EVERY, f"{NAMES}::test_twins_in_case_accents_or_safe_names_are_kept_apart_in_the_manifests_order", "e2e/test_files.py::test_nothing_that_stands_there_is_replaced"),
    words(96, "modes and times that cannot be", LISTED, f"{MANIFESTS}::test_a_time_that_cannot_be_is_no_reason_to_refuse_a_file", "e2e/test_files.py::test_a_folder_arrives_as_it_was_and_what_was_left_out_is_listed", "wire/transfer/test_manifest.py::test_what_no_receiver_takes_is_refused_by_name"),
    sized(97, "bytes that are not for the asker", "e2e/test_hostile_fetching.py::test_what_is_not_for_the_asker_is_as_if_it_were_not_there", "e2e/test_hostile_fetching.py::test_an_offer_that_is_taken_back_in_the_middle_is_as_if_it_were_not_there"),
    words(98, "64 transfers at once", "e2e/test_bad_sources.py::test_sixty_four_offers_taken_at_once_all_arrive_and_wait_their_turn"),
    # --- the command line
    words(99, "unknown verbs, wrong arguments", "e2e/test_tracker_verbs.py::test_wrong_words_are_refused_wherever_the_options_stand", f"{LINE}::test_99_words_that_make_no_verb_are_told_the_nearest_that_does"),
    words(100, "ports that are none, taken, not ours", f"{LINE}::test_a_port_that_is_none_is_wrong_usage", f"{LINE}::test_a_place_that_cannot_be_had_is_named"),
    words(101, "homes that cannot be", f"{HOMES}::test_a_home_that_is_a_file_or_below_one_is_named", f"{HOMES}::test_a_home_that_others_can_read_is_closed_to_them", f"{HOMES}::test_a_home_that_is_read_only_is_named", "e2e/test_full_disk.py::test_a_home_on_a_full_disk_starts_and_a_new_one_is_refused_by_name"),
    words(102, "two nodes on one home", "e2e/test_accounts.py::test_two_nodes_on_one_home_are_refused_by_name"),
    words(103, "settings that are wrong", f"{HOMES}::test_a_setting_that_is_wrong_is_told_before_anything_runs"),
    words(104, "limits that contradict each other", f"{LINE}::test_104_limits_that_contradict_each_other_are_named", "tracker/test_config.py::test_limits_that_contradict_each_other_are_named"),
    words(
        105,
        "poor locales, no terminal, streams closed or full",
        f"{LINE}::test_text_beyond_ascii_survives_a_poor_locale",
        f"{LINE}::test_an_output_that_takes_nothing_ends_the_program_with_one_line",
        f"{LINE}::test_closed_streams_are_no_place_for_sockets_and_databases",
        f"{LINE}::test_without_stdin_whatever_would_read_it_says_so",
        f"{PROMPTS}::test_a_terminal_that_is_small_or_unknown_gets_plain_text",
    ),
    words(106, "signals", f"{LINE}::test_a_signal_ends_either_program_cleanly", f"{LINE}::test_a_broken_pipe_signal_ends_nobody", f"{PROMPTS}::test_ctrl_c_while_a_new_password_is_asked_for_registers_nobody"),
    words(107, "questions about history that make no sense", f"{LINE}::test_107_questions_without_sense_are_named_and_cost_no_time"),
    words(108, "a line of megabytes for a message", f"{LINE}::test_an_endless_message_is_refused_before_it_was_read"),
    words(109, "key files that are damaged, another's, gone", f"{HOMES}::test_keys_that_are_damaged_or_gone_are_named_and_never_made_anew", f"{HOMES}::test_keys_of_another_user_are_refused"),
    words(110, "databases that are damaged, newer, held", f"{HOMES}::test_a_database_that_is_damaged_or_newer_is_named_and_left_alone", f"{HOMES}::test_a_database_that_another_program_holds_is_waited_for_and_then_named"),
    words(111, "nonsense in the environment", f"{LINE}::test_nonsense_in_the_environment_changes_nothing", f"{LINE}::test_a_home_that_the_environment_names_badly_is_named", f"{LINE}::test_without_a_home_folder_the_systems_own_word_for_it_counts"),
    words(112, "tracker addresses that lead nowhere", f"{LINE}::test_a_tracker_address_that_leads_nowhere_is_named", f"{LINE}::test_a_tracker_that_does_not_answer_is_waited_for_ten_seconds_at_most", f"{LINE}::test_a_name_with_several_addresses_is_tried_at_each"),
    words(113, "a tracker's key missing, malformed, another", "e2e/test_accounts.py::test_a_tracker_without_its_key_is_refused_and_the_key_is_named", f"{LINE}::test_another_key_is_refused_with_both", f"{LIAR}::test_a_tracker_with_another_key_gets_no_word"),
)  # fmt: skip
