// The lab: the whole way of mail on one machine, walked through step by step (`hikyaku lab`).
//
// A scene is one function in lab_scene_NAME.cc that plays something on the World and shows it on
// the Stage. Every scene knows one setting that spoils it, so that a test can see it fail.
#pragma once

#include <string_view>
#include <vector>

#include "app/lab_play.h"
#include "base/phrase.h"

namespace hikyaku::app::lab {

struct Scene {
  std::string_view name;  ///< for --scene
  Phrase title;
  Phrase about;  ///< what is seen, and why it is so
  /// Throws SceneEnded, Interrupted, net::Disconnected.
  void (*run)(Play&) = nullptr;
  Phrase spoilt_by;  ///< what --spoil changes
  Result<void> (*spoil)(World&) = nullptr;
};

/// In the order in which they are played.
const std::vector<Scene>& all_scenes();

// One family a file.
Scene scene_road();
Scene scene_wrong_recipient();
Scene scene_destination_down();
Scene scene_mx_fallback();
Scene scene_later_and_never();
Scene scene_no_mx();
Scene scene_null_mx();
Scene scene_envelope();
Scene scene_by_hand();
Scene scene_no_relay();
Scene scene_logins();
Scene scene_eavesdropper();
Scene scene_two_clients();
Scene scene_pop3_home();
Scene scene_parts();
Scene scene_moving();
Scene scene_authentic();
Scene scene_spf();
Scene scene_sends_nothing();
Scene scene_spf_only();
Scene scene_forged_from();
Scene scene_forged_envelope();
Scene scene_changed_body();
Scene scene_stale_signature();
Scene scene_forwarder();
Scene scene_list();
Scene scene_list_sealed();
Scene scene_reports();

}  // namespace hikyaku::app::lab
