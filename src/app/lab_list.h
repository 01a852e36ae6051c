// MailingList: the list program of gamma.test: takes a letter by SMTP, changes its Subject, adds a
// footer and sends it to its subscriber; if it shall, it seals what it changed (ARC).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/lab_server.h"
#include "dns/zone_resolver.h"
#include "net/worker_pool.h"
#include "smtp/command.h"

namespace hikyaku::app::lab {

class MailingList {
 public:
  enum class Seals { No, Yes };
  struct Settings {
    Endpoint at;
    std::string host;        ///< "lists.gamma.test": it calls itself so
    std::string address;     ///< letters to it are for the list
    std::string owner;       ///< MAIL FROM of what it sends
    std::string subscriber;  ///< who gets them
    Endpoint subscribers_server;
    Seals seals = Seals::No;
    Site* site = nullptr;  ///< whose key seals
  };
  /// Conflict with the endpoint's name when `at` is taken. `world` must outlive it.
  static Result<std::unique_ptr<MailingList>> open(World& world, Settings settings);
  MailingList(const MailingList&) = delete;
  MailingList& operator=(const MailingList&) = delete;

  /// What it did with each letter, in lines: what it found out about the sender, and what it put in
  /// front.
  std::string story() const;

 private:
  /// One letter on its way through.
  struct Letter {
    IpAddress client;
    std::string helo, mail_from;
    bool for_list = false;
    std::string text;
  };
  struct Session;

  MailingList(World& world, Settings settings);
  Task<void> serve(LabServer::Shared stream);
  Task<void> converse(Session& session);
  Task<smtp::Reply> obey(Session& session, const smtp::Command& command);
  Task<smtp::Reply> take_data(Session& session);
  /// Looks at the letter, changes it, sends it on. What the subscriber's server said.
  Task<smtp::Reply> pass_on(Letter letter);
  Task<std::string> authenticate(const Letter& letter);
  Task<Result<std::string>> seal(std::string_view original, std::string results,
                                 std::string_view changed);
  Task<smtp::Reply> send(std::string text);

  World& world_;
  Settings settings_;
  std::unique_ptr<dns::ZoneResolver> dns_;
  net::ThreadPool workers_;
  std::string story_;  ///< on the lab's loop only
  LabServer server_;   ///< last: it ends first
};

}  // namespace hikyaku::app::lab
