#include "app/remote_account.h"

#include <netdb.h>

#include "base/text.h"
#include "net/connect.h"

namespace hikyaku::app {
namespace {

using client::ImapClient;

constexpr auto kConnect = std::chrono::seconds(20);

Result<std::string> decode_percent(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    auto byte = from_hex(text.substr(i + 1, 2));
    if (!byte || byte->size() != 1)
      return fail(ErrorCode::Invalid, "a \"%\" that two hexadecimal digits do not follow");
    decoded += *byte;
    i += 2;
  }
  return decoded;
}

Result<std::vector<IpAddress>> look_up(const std::string& host) {
  if (auto address = IpAddress::parse(host)) return std::vector{*address};
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  auto error = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (error != 0) {
    return fail(ErrorCode::Unavailable, "cannot find the host {}: {}", host, ::gai_strerror(error));
  }
  std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, ::freeaddrinfo);
  std::vector<IpAddress> addresses;
  for (auto* one = found; one; one = one->ai_next) {
    char text[NI_MAXHOST];
    if (::getnameinfo(one->ai_addr, one->ai_addrlen, text, sizeof text, nullptr, 0,
                      NI_NUMERICHOST) != 0)
      continue;
    if (auto address = IpAddress::parse(text)) addresses.push_back(*address);
  }
  if (addresses.empty()) return fail(ErrorCode::Unavailable, "the host {} has no address", host);
  return addresses;
}

/// What a server refuses at login: its temporary reasons, or a wrong password (RFC 5530 §3).
Error login_error(const ImapUrl& url, const ImapClient::Refusal& refusal) {
  bool later = refusal.code == "UNAVAILABLE" || refusal.code == "INUSE" ||
               refusal.code == "LIMIT" || refusal.kind == ImapClient::Refusal::Kind::Bye;
  return {later ? ErrorCode::Unavailable : ErrorCode::Denied,
          fmt::format("{}: login refused: {}", url.to_string(), refusal.describe()), nullptr};
}

}  // namespace

Result<ImapUrl> ImapUrl::parse(std::string_view text) {
  ImapUrl url;
  if (istarts_with(text, "imaps://")) {
    text.remove_prefix(8);
  } else if (istarts_with(text, "imap://")) {
    url.implicit_tls = false;
    url.port = 143;
    text.remove_prefix(7);
  } else {
    return fail(ErrorCode::Invalid, "\"{}\" does not begin with imaps:// or imap://",
                printable(text, 80));
  }
  if (text.ends_with('/')) text.remove_suffix(1);
  auto at = text.rfind('@');
  if (at == std::string_view::npos || at == 0)
    return fail(ErrorCode::Invalid, "no user name: imaps://USER@HOST is wanted");
  auto user = text.substr(0, at);
  if (user.find(':') != std::string_view::npos) {
    return fail(ErrorCode::Invalid,
                "no password in the URL, others could read it: it is asked for, or taken from "
                "--password-stdin");
  }
  auto place = text.substr(at + 1);
  auto colon = place.rfind(':');
  if (place.starts_with('[')) {
    auto end = place.find(']');
    if (end == std::string_view::npos) return fail(ErrorCode::Invalid, "\"[\" without \"]\"");
    url.host = place.substr(1, end - 1);
    colon = end + 1 < place.size() && place[end + 1] == ':' ? end + 1 : std::string_view::npos;
  } else {
    url.host = to_lower(place.substr(0, colon));
  }
  if (colon != std::string_view::npos) {
    auto port = parse_decimal(place.substr(colon + 1), UINT16_MAX);
    if (!port || *port == 0)
      return fail(ErrorCode::Invalid, "\"{}\" is no port", printable(place.substr(colon + 1), 20));
    url.port = static_cast<std::uint16_t>(*port);
  }
  if (url.host.empty() || url.host.find_first_of("/?# ") != std::string::npos)
    return fail(ErrorCode::Invalid, "no host name: imaps://USER@HOST is wanted");
  TRY(url.user, decode_percent(user));
  return url;
}

std::string ImapUrl::to_string() const {
  auto bracketed = host.find(':') != std::string::npos ? "[" + host + "]" : host;
  std::uint16_t usual = implicit_tls ? 993 : 143;
  return fmt::format("{}://{}@{}{}", implicit_tls ? "imaps" : "imap", user, bracketed,
                     port == usual ? "" : ":" + std::to_string(port));
}

Result<std::unique_ptr<RemoteAccount>> RemoteAccount::find(ImapUrl url, crypto::Secret password,
                                                           Certificates certificates) {
  std::unique_ptr<RemoteAccount> account(new RemoteAccount);
  TRY(account->addresses_, look_up(url.host));
  bool all_loopback = true;
  for (auto& address : account->addresses_) all_loopback &= address.is_loopback();
  auto verify = certificates == Certificates::Any || all_loopback ? net::ClientTls::Verify::Record
                                                                  : net::ClientTls::Verify::Require;
  TRY(account->tls_, net::ClientTls::create({.verify = verify}));
  account->login_.user = url.user;
  account->login_.password = std::move(password);
  account->url_ = std::move(url);
  return account;
}

/// TLS in front of the greeting, or behind it.
Task<Result<>> RemoteAccount::secure(ImapClient& client, bool loopback) const {
  auto name = url_.to_string();
  if (url_.implicit_tls) {
    auto secured = co_await client.secure(*tls_, url_.host);
    if (!secured.ok())
      co_return fail(ErrorCode::Invalid, "{}: TLS: {}", name, secured.tls_error->describe());
  }
  auto greeted = co_await client.greet();
  if (!greeted) {
    co_return fail(ErrorCode::Unavailable, "{}: {}", name, greeted.error().describe());
  }
  if (url_.implicit_tls) co_return Result<>{};
  if (!client.has("STARTTLS")) {
    if (loopback) co_return Result<>{};
    co_return fail(ErrorCode::Invalid, "{}: the server offers no TLS; try imaps://", name);
  }
  auto secured = co_await client.start_tls(*tls_, url_.host);
  if (secured.refusal)
    co_return fail(ErrorCode::Invalid, "{}: STARTTLS: {}", name, secured.refusal->describe());
  if (!secured.ok())
    co_return fail(ErrorCode::Invalid, "{}: TLS: {}", name, secured.tls_error->describe());
  co_return Result<>{};
}

Task<Result<std::unique_ptr<ImapClient>>> RemoteAccount::connect() const {
  Result<std::unique_ptr<net::Stream>> stream = fail(ErrorCode::Unavailable, "no address");
  for (auto& address : addresses_) {
    stream = co_await net::connect({address, url_.port}, std::nullopt, kConnect);
    if (stream) break;
  }
  if (!stream) co_return wrap(std::move(stream).error(), "cannot reach {}", url_.to_string());
  auto loopback = (*stream)->peer().address.is_loopback();
  auto client = std::make_unique<ImapClient>(std::move(*stream));
  CO_TRY_DO(co_await secure(*client, loopback));
  if (!client->is_logged_in()) {
    auto done = co_await client->log_in(login_);
    if (!done) co_return std::unexpected(login_error(url_, done.error()));
  }
  co_return std::move(client);
}

}  // namespace hikyaku::app
