#include "receive/refused_forms.h"

#include <doctest/doctest.h>

namespace hikyaku::receive {
namespace {

TEST_CASE("what is refused whoever sent it") {
  const std::string received = "Received: x\r\n";
  const std::string from = "From: a@b.test\r\n";
  const FormLimits limits{.max_header = 100, .max_received = 2, .max_message = 200};
  struct Row {
    std::string message;
    std::string reply;  // its beginning; "" is taken
  };
  for (auto& row : std::initializer_list<Row>{
           {from + "\r\nbody\r\n", ""},
           {"just text\r\n", ""},
           {"", ""},
           {from + "\r\nbo" + std::string(1, '\0') + "dy\r\n", "550 5.6.0 The message has a NUL"},
           {from + "\r\nbo\ndy\r\n", "550 5.6.0 The message has a bare CR or LF"},
           {from + "\r\nbo\rdy\r\n", "550 5.6.0 The message has a bare CR or LF"},
           {from + "\r\nbody\r", "550 5.6.0 The message has a bare CR or LF"},
           {" X: y\r\n" + from + "\r\nbody\r\n", "550 5.6.0 The header begins with a blank"},
           {"From x Mon\r\n " + from + "\r\nbody\r\n", ""},  // folded behind what an mbox put there
           {received + received + from + "\r\n", ""},
           {received + received + received + from + "\r\n", "554 5.4.6 "},
           {received + received + from + "\r\n" + received, ""},
           {from + "X: " + std::string(100, 'x') + "\r\n\r\n", "552 5.3.4 The header is longer"},
           {from + "\r\n" + std::string(300, 'x') + "\r\n", "552 5.3.4 "},
       }) {
    CAPTURE(row.message);
    auto refused = refusal_of_form(row.message, limits);
    CHECK(refused.has_value() == !row.reply.empty());
    if (refused) CHECK(refused->reply.to_string().starts_with(row.reply));
  }
}

}  // namespace
}  // namespace hikyaku::receive
