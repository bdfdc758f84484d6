//! Stories: what happens to a machine, which alerts must come of it, and that no others do. All shipped rules are in force in
//! each, compiled as the program compiles them; looks are made by hand, so that hours pass in seconds. Alerts are kept in a
//! real state database and messages planned, kept and claimed as the program does.
//!
//! | story | here | and closer to the part that does it |
//! |---|---|---|
//! | real leak | `leaks`: told once, with rate and time; mended; beneath teeth | `analyze::window::stories` |
//! | collector's sawtooth | `leaks::the_sawtooth_of_a_collector_is_no_leak` | `analyze::window::stories` |
//! | warm cache plateau | `leaks::a_cache_that_warms_up_and_stays_is_no_leak` | `analyze::window::stories` |
//! | fork bomb | `floods`: by its name within a minute; short processes; builds and pools are none | `analyze::shipped::rows` |
//! | disk filling linearly | `disks::a_disk_that_fills_in_a_line_is_told_four_hours_before` | `analyze::shipped::rows` |
//! | disk filling in steps | `disks`: small steps are a line, large ones are not | `analyze::shipped::rows` |
//! | flapping for 24 h | `floods::a_metric_that_flaps_for_a_day_is_at_most_twenty_six_messages` | `analyze::analyzer::flapping` |
//! | crash loop | `floods::a_crash_loop_of_a_hundred_restarts_is_one_incident_and_one_opening_message` | `analyze::analyzer::crash_loops` |
//! | OOM | `trouble`: names the hog; with a missing process one incident | `analyze::killed`, `analyze::analyzer::grouping` |
//! | missing data | `trouble::missing_data_resolves_nothing` | `analyze::analyzer::no_data` |
//! | restart of the watch during `for` | `times::a_restart_of_the_watch_during_for_delays_the_alert_by_no_more_than_the_gap` | `analyze::analyzer::restarts` |
//! | clock jump both ways | `times`: is told, moves no alert and no window; `leaks`: six hours of window | `analyze::analyzer::model`, `analyze::window::naive` |
//! | suspend for 8 h | `times::eight_hours_asleep_are_no_time_in_which_anything_held` | the same |
//! | DST | `times`: no alert is lost, local times, recurrence | `analyze::reasoning::pattern`, `analyze::enrich` (usual) |
//! | pid reuse | `trouble::a_reused_pid_is_another_alert_and_has_windows_of_its_own` | `analyze::analyzer::stories` |
//! | quiet day | `quiet`: no alert at all | `analyze::shipped::day`, another one |
//! | 5,000 alerts at once | `floods::five_thousand_alerts_at_once_are_at_most_three_messages` | `analyze::analyzer::storms` |
//! | backtest equals live | `log` | `backtest`: random worlds |

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod disks;
mod floods;
mod leaks;
mod log;
mod quiet;
mod times;
mod trouble;
mod world;
