// Making an instance: all of its files, or none.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "app/dns_records.h"
#include "app/instance.h"
#include "base/phrase.h"
#include "base/result.h"
#include "config/config.h"
#include "crypto/secret.h"

namespace hikyaku::app {

/// What a new instance shall be.
struct NewInstance {
  Instance instance;
  std::string address;  ///< of the first account, normalized
  std::string name;     ///< of its person
  crypto::Secret password;
  std::string host_name;
  bool local = false;
  std::optional<std::uint16_t> port_base;
  std::string zone_file;  ///< absolute; empty: none
  std::string resolver;   ///< "ADDRESS:PORT"; empty: ask the authoritative servers
  Language language = Language::English;
};

/// The text of its hikyaku.toml: what is set, each with its explanation.
std::string configuration_of(const NewInstance& wanted);

/// What it is.
struct MadeInstance {
  config::Config config;
  std::vector<PublishedKey> keys;  ///< that sign the mail of the first domain
};

/// Writes configuration, certificate and keys, and makes the store with the first account.
/// hikyaku.toml comes last: without it there is no instance. On failure nothing is left of what was
/// made. As root everything the server writes belongs to server.user (which is made if it is the
/// default and missing). Exists: an instance is there already, or a part of one; Denied; Invalid.
Result<MadeInstance> make_instance(const NewInstance& wanted);

}  // namespace hikyaku::app
