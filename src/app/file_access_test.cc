#include "app/file_access.h"

#include <doctest/doctest.h>

namespace hikyaku::app {
namespace {

TEST_CASE("the command that lets a user read a file can be given to a shell as it is") {
  Obstacle obstacle;
  obstacle.path = "/etc/hikyaku/tls/key.pem";
  CHECK(command_to_let_read(obstacle, "no-such-user") ==
        "chgrp no-such-user /etc/hikyaku/tls/key.pem && chmod 640 /etc/hikyaku/tls/key.pem");
  obstacle.path = "/srv/Anna's mail";
  obstacle.is_directory = true;
  CHECK(command_to_let_read(obstacle, "no-such-user") ==
        R"(chgrp no-such-user '/srv/Anna'\''s mail' && chmod g+x '/srv/Anna'\''s mail')");
}

}  // namespace
}  // namespace hikyaku::app
