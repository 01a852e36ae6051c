#include "app/next_steps.h"

namespace hikyaku::app {

std::string dir_words(const Instance& instance) {
  if (instance.config == Instance::of_system().config) return "";
  return " --dir " + instance.config.parent_path().string();
}

}  // namespace hikyaku::app
