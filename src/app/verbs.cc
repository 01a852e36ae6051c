#include "app/verbs.h"

namespace hikyaku::app {

std::vector<Verb> all_verbs() {
  return {
      verb_mime(),          verb_serve(),       verb_config_explain(), verb_config_check(),
      verb_config_sample(), verb_config_docs(), verb_version(),
  };
}

}  // namespace hikyaku::app
