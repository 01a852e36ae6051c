// Where everything of one instance is.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "config/config.h"

namespace hikyaku::app {

/// The paths of an instance. Nothing here looks at the disk.
struct Instance {
  std::filesystem::path config;          ///< hikyaku.toml
  std::filesystem::path data;            ///< the store
  std::filesystem::path tls;             ///< certificates and their keys
  std::filesystem::path dkim;            ///< signing keys
  std::filesystem::path secret_key;      ///< what stored secrets are encrypted with
  std::filesystem::path control_socket;  ///< where the running server takes commands
  std::filesystem::path submit_socket;   ///< where every program of the machine hands in mail

  /// Everything in one directory (--dir).
  static Instance in(const std::filesystem::path& directory);
  /// The machine's own: /etc/hikyaku, /var/lib/hikyaku, /run/hikyaku.
  static Instance of_system();
  /// By the value of --dir.
  static Instance from(const std::optional<std::string>& dir);

  /// With what the configuration says otherwise (store.path).
  Instance with(const config::Config& settings) const;
};

}  // namespace hikyaku::app
