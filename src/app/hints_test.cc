#include "app/hints.h"

#include <doctest/doctest.h>
#include <vector>

namespace hikyaku::app {
namespace {

TEST_CASE("commands in texts mean the instance that was asked about") {
  struct Row {
    std::string_view text, shown;
  };
  const std::vector<std::string> verbs{"queue", "queue list", "queue release", "verify", "account"};
  for (auto& row : std::initializer_list<Row>{
           {"nothing to do", "nothing to do"},
           {"then: hikyaku verify", "then: hikyaku verify --dir /m"},
           {"run hikyaku verify.", "run hikyaku verify --dir /m."},
           {"`hikyaku queue list a@b.test`", "`hikyaku queue list --dir /m a@b.test`"},
           {"hikyaku queue list --dir /m, then hikyaku queue release or drop",
            "hikyaku queue list --dir /m, then hikyaku queue release --dir /m or drop"},
           {"hikyaku queue list の後", "hikyaku queue list --dir /m の後"},
           {"hikyaku verify、または", "hikyaku verify --dir /m、または"},
           {"hikyaku spf --ip 192.0.2.1", "hikyaku spf --ip 192.0.2.1"},  // has no instance
           {"process 17 (hikyaku verify). Wait.", "process 17 (hikyaku verify). Wait."},  // a name
           {"hikyaku verifying", "hikyaku verifying"},                                    // no verb
           {"/etc/hikyaku account", "/etc/hikyaku account"},                              // a path
           {"systemctl restart hikyaku", "systemctl restart hikyaku"},  // no command of ours
       }) {
    CAPTURE(row.text);
    CHECK(with_dir_words(row.text, verbs, " --dir /m") == row.shown);
  }
}

}  // namespace
}  // namespace hikyaku::app
