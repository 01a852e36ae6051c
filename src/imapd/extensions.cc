#include "imapd/extensions.h"

namespace hikyaku::imapd {

const std::vector<std::string>& extensions() {
  static const std::vector<std::string> names{"IDLE",        "NAMESPACE",   "UIDPLUS",
                                              "MOVE",        "SPECIAL-USE", "CREATE-SPECIAL-USE",
                                              "UNSELECT",    "CHILDREN",    "ESEARCH",
                                              "SEARCHRES",   "CONDSTORE",   "QRESYNC",
                                              "STATUS=SIZE", "MULTIAPPEND", "LIST-EXTENDED",
                                              "LIST-STATUS", "BINARY",      "WITHIN",
                                              "OBJECTID",    "SAVEDATE",    "UTF8=ACCEPT"};
  return names;
}

}  // namespace hikyaku::imapd
