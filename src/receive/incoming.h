// One message on its way in: takes its bytes, decides, and accepts by one transaction. Private to
// receive/.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "receive/accepting.h"
#include "receive/authentication.h"
#include "receive/delivery.h"
#include "receive/message_bytes.h"
#include "receive/receiver.h"
#include "receive/report_beside.h"

namespace hikyaku::receive {

class IncomingMessage final : public Incoming {
 public:
  /// `authentication`: null: it is not another server's, or nobody asks who sent it.
  IncomingMessage(const Surroundings& surroundings, Delivery delivery,
                  std::unique_ptr<Authentication> authentication);
  ~IncomingMessage() override;

  Task<void> append(std::string_view bytes) override { return bytes_.append(bytes); }
  Task<smtp::Reply> finish() override;
  story::MessageId id() const override { return delivery_.id; }
  std::size_t memory() const override;

  /// What finish() does, for messages of our own: `also` runs in the accepting transaction.
  Task<Result<void>> accept(queue::Injector::Also also);

 private:
  Task<smtp::Reply> decide();
  std::optional<smtp::Reply> check_header() const;
  Task<std::optional<smtp::Reply>> check_authors();
  Task<std::optional<smtp::Reply>> check_sender();
  Task<void> make_report(dmarc::DeliveryResult result);
  Task<void> remember_refusal(const smtp::Reply& reply);
  void log_accepted() const;

  const Surroundings& surroundings_;
  const Settings& settings_;
  Delivery delivery_;
  std::unique_ptr<Authentication> authentication_;
  MessageBytes bytes_;
  Accepting accepting_;
  bool considered_ = false;               ///< whether a report about it is wanted
  std::unique_ptr<ReportBeside> report_;  ///< one is
};

}  // namespace hikyaku::receive
