// SPDX-License-Identifier: Apache-2.0
#pragma once

// Claims that hold in the product and fail under the plant of the same purpose: each returns true
// if it holds. Used by the tests of the product and by those that measure them.
namespace synod::consensus {

[[nodiscard]] bool restamp_needs_the_value_it_means();
[[nodiscard]] bool lost_frame_hides_older_values();
[[nodiscard]] bool rotten_last_frame_is_not_torn();
[[nodiscard]] bool lost_tail_is_found_again();
[[nodiscard]] bool single_copy_never_holds();
[[nodiscard]] bool superblock_comes_before_the_frame();
[[nodiscard]] bool frames_keep_the_promise_too();
[[nodiscard]] bool slots_of_an_ended_configuration_are_void();

}  // namespace synod::consensus
