// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "hilserl_control/types.hpp"

namespace hilserl_control {

/// What moves the reference.
enum class Guide : std::uint8_t {
  kStand,   ///< nothing
  kTarget,  ///< goes to the target pose
  kTwist,   ///< goes with the target twist
  kYield,   ///< goes with the arm on free axes, stands on held ones
};

/// Which compliance profile is in use.
enum class Profile : std::uint8_t { kImpedance = 0, kWrench = 1 };

/// A mode as data: what of the law acts in it. Every rule runs through the same steps.
struct Rule {
  Mode mode;             ///< shown in the state
  Guide guide;           ///< of the reference
  Profile profile;       ///< of gains and clips
  bool commands_wrench;  ///< the target's wrench acts, while it is fresh
  bool walls;            ///< soft workspace walls act: nothing else keeps the arm inside
};

/// No fresh target: the reference stands.
inline constexpr Rule kHold{Mode::kPose, Guide::kStand, Profile::kImpedance, false, false};
/// A wrench became stale: it fades before the pose is held.
inline constexpr Rule kFade{Mode::kWrench, Guide::kYield, Profile::kWrench, false, true};
/// Indexed by Mode.
inline constexpr Rule kModes[] = {
    {Mode::kPose, Guide::kTarget, Profile::kImpedance, false, false},
    {Mode::kTwist, Guide::kTwist, Profile::kImpedance, false, false},
    {Mode::kWrench, Guide::kYield, Profile::kWrench, true, true},
    {Mode::kPoseAndWrench, Guide::kTarget, Profile::kImpedance, true, false},
};

}  // namespace hilserl_control
