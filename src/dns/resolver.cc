#include "dns/resolver.h"

namespace hikyaku::dns {

std::string_view to_string(Status status) {
  switch (status) {
    case Status::Ok:
      return "ok";
    case Status::NoName:
      return "no-name";
    case Status::NoRecord:
      return "no-record";
    case Status::Failed:
      return "failed";
    case Status::Bogus:
      return "bogus";
  }
  return "?";
}

}  // namespace hikyaku::dns
