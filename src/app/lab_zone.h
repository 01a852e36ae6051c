// ZoneFile: the DNS of the lab, one file that all servers resolve by. They read it when they start.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "app/dns_records.h"
#include "base/result.h"
#include "dns/record.h"

namespace hikyaku::app::lab {

class ZoneFile {
 public:
  explicit ZoneFile(std::filesystem::path path) : path_(std::move(path)) {}

  const std::filesystem::path& path() const { return path_; }

  /// Everything about names but the keys, which are made anew each time.
  void begin(bool has_v6);
  void add(const std::vector<PublishedKey>& keys);
  Result<void> write() const;

  /// Removes the records whose lines begin so, whatever the space between their words, puts `line`
  /// in their place (if not empty), and writes. For spoiling. NotFound when there is none.
  Result<void> replace(std::string_view beginning, std::string_view line = {});

  /// What the DNS says: "MX 10 mx.beta.test", or "no such name".
  std::string look_up(const std::string& name, dns::Type type) const;

 private:
  std::filesystem::path path_;
  std::string text_;
};

}  // namespace hikyaku::app::lab
