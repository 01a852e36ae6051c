#include "receive/refused_forms.h"

#include <algorithm>
#include <fmt/core.h>

#include "base/text.h"
#include "mime/header.h"
#include "smtp/data.h"
#include "smtp/replies.h"
#include "smtp/trace.h"

namespace hikyaku::receive {

namespace replies = smtp::replies;

namespace {

FormProblem problem_of(smtp::DataProblem problem) {
  if (problem == smtp::DataProblem::Nul) return FormProblem::Nul;
  if (problem == smtp::DataProblem::TooLarge) return FormProblem::TooLarge;
  return FormProblem::BareLineEnd;
}

}  // namespace

std::size_t header_end(std::string_view bytes, std::size_t from) {
  if (bytes.starts_with("\r\n")) return 2;
  auto at = bytes.find("\r\n\r\n", from < 3 ? 0 : from - 3);
  return at == std::string_view::npos ? at : at + 4;
}

ReceivedHeader take_header(std::string bytes) {
  ReceivedHeader header{.bytes = std::move(bytes)};
  // What an mbox put in front: behind our own fields it would be junk, at which some programs end
  // the header. Where no field follows it is text that only begins like that.
  header.bytes.erase(0, mime::mbox_separator_length(header.bytes));
  auto begins_with_text = mime::mbox_lines_length(header.bytes) > 0;
  // A text without a header: what is put in front of it must not become one with its first lines.
  header.headless =
      begins_with_text || (!header.bytes.empty() && mime::header_length(header.bytes) == 0);
  if (header.headless) header.bytes.insert(0, "\r\n");
  header.folded = !header.bytes.empty() && is_ascii_space(header.bytes.front());
  return header;
}

std::optional<RefusedForm> refusal_of_header(const HeaderForm& form, const FormLimits& limits) {
  // What stands behind the limit was not looked at: who it says it is from, nor what it claims that
  // we have found out (RFC 8601 §5).
  if (form.too_long)
    return RefusedForm{
        FormProblem::HeaderTooLong,
        smtp::Reply{552, smtp::EnhancedStatus{5, 3, 4},
                    fmt::format("The header is longer than {} bytes", limits.max_header)}};
  if (form.folded) return RefusedForm{FormProblem::HeaderFolded, replies::header_begins_folded()};
  if (smtp::count_received(form.header) > limits.max_received)
    return RefusedForm{FormProblem::Loop, replies::mail_loop()};
  return std::nullopt;
}

std::optional<RefusedForm> refusal_of_form(std::string_view message, const FormLimits& limits) {
  smtp::ContentCheck content(limits.max_message, smtp::ContentCheck::Kind::Text);
  content.add(message);
  content.finish();
  if (content.problem() != smtp::DataProblem::None)
    return RefusedForm{problem_of(content.problem()),
                       replies::content_refused(content.problem(), limits.max_message)};
  auto end = header_end(message, 0);
  bool too_long = std::min(end, message.size()) > limits.max_header;
  auto header = take_header(std::string(message.substr(0, too_long ? limits.max_header : end)));
  return refusal_of_header({header.bytes, too_long, header.folded}, limits);
}

}  // namespace hikyaku::receive
