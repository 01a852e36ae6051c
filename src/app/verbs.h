// The verbs of the command line. Each is made by one function in its own file verb_NAME.cc; add
// its declaration here and its place in verbs.cc.
#pragma once

#include <vector>

#include "app/verb.h"

namespace hikyaku::app {

Verb verb_config_check();
Verb verb_config_docs();
Verb verb_config_explain();
Verb verb_config_sample();
Verb verb_mime();
Verb verb_serve();
Verb verb_version();

/// All of them, in the order in which the help lists them.
std::vector<Verb> all_verbs();

}  // namespace hikyaku::app
