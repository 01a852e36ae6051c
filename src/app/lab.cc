#include "app/lab.h"

namespace hikyaku::app::lab {

const std::vector<Scene>& all_scenes() {
  static const std::vector<Scene> scenes = {scene_road()};
  return scenes;
}

}  // namespace hikyaku::app::lab
