// What the server listens on, made from the configuration: sockets, and the settings that their
// sessions run with.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "httpd/server.h"
#include "imapd/server.h"
#include "net/listener.h"
#include "pop3d/server.h"
#include "smtpd/server.h"

namespace hikyaku::app {

enum class Service { Smtp, Submission, Submissions, Imap, Imaps, Pop3, Pop3s, Http };
inline constexpr std::size_t kServices = 8;
std::string_view to_string(Service service);
/// Its list in [listen]: "metrics" for what speaks HTTP.
std::string_view list_of(Service service);

/// A bound socket and the service behind it.
struct BoundListener {
  Service service;
  std::unique_ptr<net::Listener> listener;
};
/// Binds everything that `config` names. All problems at once, one a line.
Result<std::vector<BoundListener>> bind_listeners(const config::Config& config);

/// The settings of all services. Sessions keep the set they began with; a reload makes a new one.
struct ServiceSettings {
  smtpd::Settings smtp, submission, submissions, local;
  imapd::Settings imap, imaps;
  pop3d::Settings pop3, pop3s;
  httpd::Settings http;
};
std::shared_ptr<const ServiceSettings> make_service_settings(const config::Config& config,
                                                             const std::string& host_name,
                                                             bool has_tls);

}  // namespace hikyaku::app
