#include "app/control.h"

#include <algorithm>
#include <cmath>

#include "base/base64.h"
#include "base/text.h"
#include "net/stream.h"
#include "store/index_error.h"

namespace hikyaku::app {
namespace {

namespace json = boost::json;

constexpr ErrorCode kCodes[] = {
    ErrorCode::Invalid,     ErrorCode::NotFound, ErrorCode::Exists,        ErrorCode::Denied,
    ErrorCode::Conflict,    ErrorCode::TooLarge, ErrorCode::QuotaExceeded, ErrorCode::NoSpace,
    ErrorCode::Unavailable, ErrorCode::Io,       ErrorCode::Corrupt,       ErrorCode::Unsupported,
    ErrorCode::Shutdown,    ErrorCode::Internal,
};

ErrorCode code_named(std::string_view name) {
  auto found = std::ranges::find_if(kCodes, [&](auto code) { return to_string(code) == name; });
  return found == std::end(kCodes) ? ErrorCode::Internal : *found;
}

json::object to_json(const ControlRequest& request) {
  return {{"verb", json_text(request.verb)},
          {"args", request.args},
          {"lang", request.language == Language::Japanese ? "ja" : "en"}};
}
json::object to_json(const ControlData& data) {
  return {{"data", base64_encode(data.bytes)}};
}
json::object to_json(const ControlEnd&) {
  return {{"end", true}};
}
json::object to_json(const ControlProgress& progress) {
  return {
      {"progress",
       {{"done", progress.done}, {"total", progress.total}, {"text", json_text(progress.text)}}}};
}
json::object to_json(const ControlWorking& working) {
  json::object line{{"working", true}};
  if (working.starting) line["starting"] = true;
  return line;
}
json::object to_json(const ControlItem& item) {
  return {{"item", item.value}};
}
json::object to_json(const ControlResult& result) {
  return {{"result", result.value}};
}
json::object to_json(const Error& error) {
  return {{"error", {{"code", to_string(error.code)}, {"text", json_text(error.describe())}}}};
}

/// A member of an object as text; nullopt if it is not there or not a text.
std::optional<std::string> text_of(const json::object& object, std::string_view name) {
  auto value = object.if_contains(name);
  if (!value || !value->is_string()) return std::nullopt;
  return std::string(value->get_string());
}

std::uint64_t number_of(const json::object& object, std::string_view name) {
  auto value = object.if_contains(name);
  if (!value) return 0;
  if (value->is_uint64()) return value->get_uint64();
  return value->is_int64() && value->get_int64() > 0
             ? static_cast<std::uint64_t>(value->get_int64())
             : 0;
}

/// True if every number in it can be written again: JSON has no infinity, but 1e999 is read as
/// one. The parser has bounded the depth.
bool is_finite(const json::value& value) {
  if (value.is_double()) return std::isfinite(value.get_double());
  if (value.is_array()) return std::ranges::all_of(value.get_array(), is_finite);
  if (value.is_object())
    return std::ranges::all_of(value.get_object(),
                               [](auto& member) { return is_finite(member.value()); });
  return true;
}

Result<ControlLine> decode_request(json::object& object) {
  auto verb = text_of(object, "verb");
  if (!verb) return fail(ErrorCode::Invalid, "control request: verb is not a text");
  ControlRequest request{std::move(*verb), {}, language_of(text_of(object, "lang").value_or(""))};
  if (auto args = object.if_contains("args")) {
    if (!args->is_object()) return fail(ErrorCode::Invalid, "control request: args is no object");
    request.args = std::move(args->get_object());
  }
  return request;
}

Result<ControlLine> decode_data(const json::object& object) {
  auto text = text_of(object, "data");
  auto bytes = text ? base64_decode(*text) : std::nullopt;
  if (!bytes) return fail(ErrorCode::Invalid, "control data is not base64");
  if (bytes->size() > kMaxControlData)
    return fail(ErrorCode::TooLarge, "control data of more than {} bytes", kMaxControlData);
  return ControlData{std::move(*bytes)};
}

}  // namespace

boost::json::string json_text(std::string_view text) {
  return json::string(is_utf8(text) ? std::string(text) : to_valid_utf8(text));
}

std::string encode_control_line(const ControlLine& line) {
  return json::serialize(std::visit([](auto& value) { return to_json(value); }, line));
}

Result<ControlLine> decode_control_line(std::string_view line) {
  if (line.size() > kMaxControlLine)
    return fail(ErrorCode::TooLarge, "control line of more than {} bytes", kMaxControlLine);
  boost::json::error_code error;
  auto value = json::parse(line, error);  // depth is bounded by the library: 32
  if (error || !value.is_object() || !is_finite(value))
    return fail(ErrorCode::Invalid, "not a control line");
  auto& object = value.get_object();

  if (object.contains("verb")) return decode_request(object);
  if (object.contains("data")) return decode_data(object);
  if (object.contains("end")) return ControlEnd{};
  if (object.contains("working")) {
    auto starting = object.if_contains("starting");
    return ControlWorking{starting && *starting == true};
  }
  for (auto name : {"progress", "item", "result", "error"}) {
    auto found = object.if_contains(name);
    if (!found) continue;
    if (!found->is_object()) return fail(ErrorCode::Invalid, "control line: {} is no object", name);
    auto& inner = found->get_object();
    switch (name[0]) {
      case 'p':
        return ControlProgress{number_of(inner, "done"), number_of(inner, "total"),
                               text_of(inner, "text").value_or("")};
      case 'i':
        return ControlItem{std::move(inner)};
      case 'r':
        return ControlResult{std::move(inner)};
      default:
        return Error{code_named(text_of(inner, "code").value_or("")),
                     text_of(inner, "text").value_or(""), nullptr};
    }
  }
  return fail(ErrorCode::Invalid, "not a control line");
}

Result<std::string> ControlCall::text(std::string_view name) const {
  if (!args().contains(name)) return std::string();
  auto value = text_of(args(), name);
  if (!value) return fail(ErrorCode::Invalid, "{} must be a text", name);
  return std::move(*value);
}

Result<std::string> ControlCall::needed_text(std::string_view name) const {
  if (!args().contains(name)) return fail(ErrorCode::Invalid, "{} is missing", name);
  return text(name);
}

Result<std::uint64_t> ControlCall::number(std::string_view name, std::uint64_t fallback) const {
  auto value = args().if_contains(name);
  if (!value) return fallback;
  if (value->is_uint64()) return value->get_uint64();
  if (value->is_int64() && value->get_int64() >= 0)
    return static_cast<std::uint64_t>(value->get_int64());
  return fail(ErrorCode::Invalid, "{} must be a number from 0 on", name);
}

Result<bool> ControlCall::flag(std::string_view name) const {
  auto value = args().if_contains(name);
  if (!value) return false;
  if (!value->is_bool()) return fail(ErrorCode::Invalid, "{} must be true or false", name);
  return value->get_bool();
}

const ControlCommand* ControlTable::find(std::string_view verb) const {
  auto found = std::ranges::find(commands_, verb, &ControlCommand::verb);
  return found == commands_.end() ? nullptr : &*found;
}

Task<Result<boost::json::object>> ControlTable::run(ControlCall& call) const {
  auto verb = printable(call.request().verb, 60);
  auto command = find(call.request().verb);
  if (!command)
    co_return fail(ErrorCode::NotFound,
                   "the server knows no command '{}'; it may be older than this program", verb);
  if (command->who == ControlCommand::For::Owner && !call.caller().is_owner)
    co_return fail(ErrorCode::Denied,
                   "'{}' is for root and the user of this instance; you are user {}", verb,
                   call.caller().uid);
  try {
    co_return co_await command->run(call);
  } catch (const net::Disconnected&) {
    throw;  // whoever asked has gone
  } catch (const store::IndexError& damage) {
    // The store has told whoever runs it.
    co_return fail(ErrorCode::Corrupt,
                   "a part of the index is damaged, and what stands there cannot be read: {}",
                   damage.what());
  } catch (const std::exception& defect) {
    co_return fail(ErrorCode::Internal, "'{}' failed by a defect of Hikyaku: {}", verb,
                   defect.what());
  }
}

}  // namespace hikyaku::app
