#include "app/lab.h"

namespace hikyaku::app::lab {

const std::vector<Scene>& all_scenes() {
  static const std::vector<Scene> scenes = {
      scene_road(),
      scene_wrong_recipient(),
      scene_destination_down(),
      scene_mx_fallback(),
      scene_later_and_never(),
      scene_no_mx(),
      scene_null_mx(),
      scene_envelope(),
      scene_by_hand(),
      scene_no_relay(),
      scene_logins(),
      scene_eavesdropper(),
      scene_two_clients(),
      scene_pop3_home(),
      scene_parts(),
      scene_moving(),
      scene_authentic(),
      scene_spf(),
      scene_sends_nothing(),
      scene_spf_only(),
      scene_forged_from(),
      scene_forged_envelope(),
      scene_changed_body(),
      scene_stale_signature(),
      scene_forwarder(),
      scene_list(),
      scene_list_sealed(),
      scene_reports(),
  };
  return scenes;
}

}  // namespace hikyaku::app::lab
