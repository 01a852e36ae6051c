// The data of account.import (commands_transfer.cc says what it looks like), made of any messages.
#pragma once

#include <optional>
#include <string>

#include "app/mail_files.h"
#include "app/progress.h"

namespace hikyaku::app {

/// Made piece by piece of what a source gives; shows how far it is under `label`.
class ImportData {
 public:
  ImportData(MailSource& source, Terminal& terminal, std::string label)
      : source_(source), progress_(terminal, std::move(label), source.total() / 1024) {}

  /// For ControlHandlers::data.
  std::optional<std::string> next();
  /// Why it ended before its end.
  const std::optional<Error>& error() const { return error_; }

 private:
  Result<std::optional<std::string>> make();
  std::optional<std::string> chunk();

  MailSource& source_;
  Progress progress_;
  std::string chunk_;
  bool in_message_ = false;
  bool ended_ = false;
  std::optional<Error> error_;
};

}  // namespace hikyaku::app
