#include "app/header_value.h"

#include "base/text.h"
#include "mime/encoded_word.h"

namespace hikyaku::app {

std::string header_value(std::string_view fields, std::string_view name) {
  while (!fields.empty()) {
    auto end = fields.find('\n');
    while (end != fields.npos && end + 1 < fields.size() &&
           (fields[end + 1] == ' ' || fields[end + 1] == '\t'))
      end = fields.find('\n', end + 1);
    auto field = fields.substr(0, end);
    if (istarts_with(field, name) && field.substr(name.size()).starts_with(':'))
      return std::string(trim(mime::decode_words(field.substr(name.size() + 1))));
    if (end == fields.npos) break;
    fields.remove_prefix(end + 1);
  }
  return {};
}

}  // namespace hikyaku::app
