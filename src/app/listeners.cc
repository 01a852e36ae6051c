#include "app/listeners.h"

#include <algorithm>

#include "base/text.h"

namespace hikyaku::app {
namespace {

using config::Channel;
using config::offered_mechanisms;

smtpd::Settings smtp_settings(const config::Config& config, const std::string& host_name,
                              smtp::Flavour flavour, const std::vector<std::string>& mechanisms,
                              bool has_tls) {
  smtpd::Settings settings;
  auto& protocol = settings.protocol;
  protocol.flavour = flavour;
  protocol.host_name = host_name;
  protocol.max_size = config.smtp.max_message_size.count;
  protocol.starttls = has_tls && flavour != smtp::Flavour::Submissions;
  protocol.require_tls = false;
  protocol.mechanisms_in_clear = offered_mechanisms(mechanisms, Channel::Clear);
  protocol.mechanisms_under_tls = offered_mechanisms(mechanisms, Channel::Tls);
  protocol.max_recipients = config.smtp.max_recipients;
  protocol.max_errors = static_cast<int>(config.smtp.max_errors);
  protocol.max_junk = static_cast<int>(config.smtp.max_idle_commands);
  settings.plaintext_on_loopback = config.login.plaintext_on_loopback;
  settings.protocol_on_loopback = protocol;
  settings.protocol_on_loopback.mechanisms_in_clear =
      offered_mechanisms(mechanisms, Channel::Confidential);
  settings.line_limits.command = static_cast<std::size_t>(config.smtp.max_line.count);
  settings.command_timeout = config.smtp.timeout;
  settings.data_timeout = config.smtp.timeout;
  settings.idle_timeout = config.smtp.idle_timeout;
  settings.login_timeout = config.login.timeout;
  settings.transaction_timeout = config.smtp.transaction_timeout;
  return settings;
}

imapd::Settings imap_settings(const config::Config& config, const std::string& host_name,
                              bool implicit_tls) {
  imapd::Settings settings;
  settings.host_name = host_name;
  settings.implicit_tls = implicit_tls;
  settings.plaintext_on_loopback = config.login.plaintext_on_loopback;
  settings.mechanisms_under_tls = offered_mechanisms(config.imap.mechanisms, Channel::Tls);
  settings.mechanisms_on_loopback =
      offered_mechanisms(config.imap.mechanisms, Channel::Confidential);
  settings.mechanisms_in_clear = offered_mechanisms(config.imap.mechanisms, Channel::Clear);
  settings.limits.line = static_cast<std::size_t>(config.imap.max_line.count);
  settings.limits.literal = static_cast<std::size_t>(config.imap.max_literal.count);
  settings.limits.command = static_cast<std::size_t>(config.imap.max_command.count);
  settings.limits.message = config.imap.max_append_size.count;
  settings.limits.append_total = std::max(settings.limits.append_total, settings.limits.message);
  settings.limits.append_messages = config.imap.max_append_messages;
  settings.idle_timeout = config.imap.timeout;
  settings.login_timeout = config.imap.login_timeout;
  settings.login_total_timeout = config.login.timeout;
  settings.command_timeout = config.imap.command_timeout;
  settings.max_errors = config.imap.max_errors;
  return settings;
}

pop3d::Settings pop3_settings(const config::Config& config, const std::string& host_name,
                              bool implicit_tls, bool has_tls) {
  pop3d::Settings settings;
  settings.host_name = host_name;
  settings.implicit_tls = implicit_tls;
  settings.capabilities.starttls = has_tls && !implicit_tls;
  settings.capabilities.mechanisms = offered_mechanisms(config.pop3.mechanisms, Channel::Tls);
  settings.capabilities.mechanisms_on_loopback =
      offered_mechanisms(config.pop3.mechanisms, Channel::Confidential);
  settings.capabilities.mechanisms_without_tls =
      offered_mechanisms(config.pop3.mechanisms, Channel::Clear);
  settings.capabilities.apop =
      std::ranges::any_of(config.pop3.mechanisms, [](auto& name) { return iequals(name, "APOP"); });
  settings.plaintext_on_loopback = config.login.plaintext_on_loopback;
  settings.lock = config.pop3.lock;
  settings.max_errors = static_cast<int>(config.pop3.max_errors);
  settings.timeout = config.pop3.timeout;
  settings.login_timeout = config.login.timeout;
  return settings;
}

}  // namespace

std::string_view to_string(Service service) {
  switch (service) {
    case Service::Smtp:
      return "smtp";
    case Service::Submission:
      return "submission";
    case Service::Submissions:
      return "submissions";
    case Service::Imap:
      return "imap";
    case Service::Imaps:
      return "imaps";
    case Service::Pop3:
      return "pop3";
    case Service::Pop3s:
      return "pop3s";
    case Service::Http:
      return "http";
  }
  return "";
}

std::string_view list_of(Service service) {
  return service == Service::Http ? "metrics" : to_string(service);
}

Result<std::vector<BoundListener>> bind_listeners(const config::Config& config) {
  struct Wanted {
    Service service;
    std::vector<Endpoint> endpoints;
  };
  auto& listen = config.listen;
  const Wanted wanted[] = {{Service::Smtp, listen.endpoints(listen.smtp)},
                           {Service::Submission, listen.endpoints(listen.submission)},
                           {Service::Submissions, listen.endpoints(listen.submissions)},
                           {Service::Imap, listen.endpoints(listen.imap)},
                           {Service::Imaps, listen.endpoints(listen.imaps)},
                           {Service::Pop3, listen.endpoints(listen.pop3)},
                           {Service::Pop3s, listen.endpoints(listen.pop3s)},
                           {Service::Http, listen.metrics_endpoints()}};
  std::vector<BoundListener> bound;
  std::optional<Error> problems;
  for (auto& [service, endpoints] : wanted) {
    for (auto& endpoint : endpoints) {
      auto listener = net::Listener::bind(endpoint);
      if (listener) {
        bound.push_back({service, std::move(*listener)});
      } else if (problems) {
        problems->text += "\n" + listener.error().text;
      } else {
        problems = std::move(listener).error();
      }
    }
  }
  if (problems) return std::unexpected(std::move(*problems));
  return bound;
}

std::shared_ptr<const ServiceSettings> make_service_settings(const config::Config& config,
                                                             const std::string& host_name,
                                                             bool has_tls) {
  auto all = std::make_shared<ServiceSettings>();
  all->smtp = smtp_settings(config, host_name, smtp::Flavour::Mx, config.smtp.mechanisms, has_tls);
  all->submission = smtp_settings(config, host_name, smtp::Flavour::Submission,
                                  config.submission.mechanisms, has_tls);
  all->submissions = smtp_settings(config, host_name, smtp::Flavour::Submissions,
                                   config.submission.mechanisms, has_tls);
  all->local = smtp_settings(config, host_name, smtp::Flavour::Local, {}, false);
  all->imap = imap_settings(config, host_name, false);
  all->imaps = imap_settings(config, host_name, true);
  all->pop3 = pop3_settings(config, host_name, false, has_tls);
  all->pop3s = pop3_settings(config, host_name, true, has_tls);
  return all;
}

}  // namespace hikyaku::app
