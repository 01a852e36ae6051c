#include "app/lab_hand.h"

#include "base/text.h"

namespace hikyaku::app::lab {
namespace {

/// Enough to arrive in several pieces, little enough not to bore.
constexpr std::size_t kKeystrokes = 8;
constexpr milliseconds kPause{4};

}  // namespace

Hand::Hand(Play& play, Endpoint to, std::optional<IpAddress> from, std::string talk)
    : play_(play),
      talk_(std::move(talk)),
      stream_(play.must_connect(to, from)),
      input_(std::make_unique<net::Input>(*stream_)) {}

Hand::~Hand() {
  play_.world.cores().call(0, [this] {
    input_.reset();
    stream_.reset();
  });
}

void Hand::type(std::string_view line) {
  play_.stage.line(talk_, true, line);
  auto bytes = std::string(line) + "\r\n";
  for (std::size_t at = 0; at < bytes.size(); at += kKeystrokes) {
    auto piece = bytes.substr(at, kKeystrokes);
    play_.wait(stream_->write(piece));
    std::this_thread::sleep_for(kPause);
  }
}

std::optional<std::string> Hand::hear() {
  auto line = play_.wait(read_line());
  if (line) play_.stage.line(talk_, false, *line);
  return line;
}

Task<std::optional<std::string>> Hand::read_line() {
  std::string line;
  while (true) {
    auto available = input_->available();
    auto end = available.find('\n');
    line += available.substr(0, end);
    input_->consume(end == std::string_view::npos ? available.size() : end + 1);
    if (end != std::string_view::npos) break;
    if (co_await input_->fill() != net::Input::Filled::Bytes) co_return std::nullopt;
  }
  if (line.ends_with('\r')) line.pop_back();
  co_return line;
}

Hand::Reply Hand::hear_smtp() {
  Reply reply;
  while (auto line = hear()) {
    reply.code = static_cast<int>(parse_decimal(line->substr(0, 3), 999).value_or(0));
    reply.text += (reply.text.empty() ? "" : "\n") + *line;
    if (line->size() < 4 || (*line)[3] != '-') return reply;
  }
  return {};
}

Hand::Reply Hand::smtp(std::string_view line) {
  type(line);
  return hear_smtp();
}

}  // namespace hikyaku::app::lab
