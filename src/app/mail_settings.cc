#include "app/mail_settings.h"

#include <chrono>
#include <optional>

#include "app/authentication_settings.h"

namespace hikyaku::app {

receive::Settings receive_settings(const config::Config& config, const std::string& host_name,
                                   const crypto::MasterKey& master) {
  std::optional<seconds> signature_lifetime;
  if (config.dkim.expiry != milliseconds(0))
    signature_lifetime = std::chrono::duration_cast<seconds>(config.dkim.expiry);
  return {.host_name = host_name,
          .recipient_delimiters = config.delivery.recipient_delimiters,
          .report_address = config.dmarc.report_address,
          .max_received = config.smtp.max_received,
          .max_header = config.smtp.max_header.count,
          .max_queued = config.queue.max_recipients,
          .max_queued_bytes = config.queue.max_bytes.count,
          .hide_client_address = config.submission.hide_client_address,
          .signature_lifetime = signature_lifetime,
          .oversigned = config.dkim.oversign,
          .seal = config.arc.seal,
          .authentication = authentication_settings(config, host_name),
          .failure_reports = failure_report_settings(config, master)};
}

transmit::Settings transmit_settings(const config::Config& config, const std::string& host_name) {
  transmit::Settings settings;
  settings.connect.host_name = host_name;
  settings.connect.port = config.mx_port();
  settings.connect.source_addresses = config.transmit.source_addresses;
  settings.connect.connect_timeout = config.transmit.connect_timeout;
  settings.schedule = {config.queue.retry, config.queue.lifetime, config.queue.delay_notice};
  settings.self.host_name = host_name;
  for (auto& endpoint : config.listen.endpoints(config.listen.smtp)) {
    if (endpoint.port == config.mx_port()) settings.self.addresses.push_back(endpoint.address);
  }
  settings.connections = config.transmit.connections;
  settings.connections_per_destination = config.transmit.connections_per_destination;
  settings.messages_per_connection = config.transmit.messages_per_connection;
  return settings;
}

}  // namespace hikyaku::app
