// Writing JSON: for --json output, logs and small answers. Reading it is app/'s business
// (Boost.JSON).
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace hikyaku {

/// `text` as a JSON string, quotes included; ill-formed UTF-8 becomes U+FFFD (RFC 8259 §7, §8.1).
std::string json_quote(std::string_view text);

/// Writes one JSON value piece by piece; commas and quotes are its business.
///
///     JsonWriter json;
///     json.begin_object().key("id").value(7).key("names").begin_array().value("a").end_array().end_object();
class JsonWriter {
 public:
  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  JsonWriter& key(std::string_view name);
  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(const std::string& text) { return value(std::string_view(text)); }
  JsonWriter& value(bool truth) { return raw(truth ? "true" : "false"); }
  template <std::integral Number>
  JsonWriter& value(Number number) {
    return raw(std::to_string(number));
  }
  JsonWriter& null() { return raw("null"); }
  /// A finished JSON value.
  JsonWriter& raw(std::string_view json);

  template <class Value>
  JsonWriter& member(std::string_view name, const Value& v) {
    return key(name).value(v);
  }

  const std::string& text() const { return text_; }
  std::string take() { return std::move(text_); }

 private:
  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);
  void separate();

  std::string text_;
};

}  // namespace hikyaku
