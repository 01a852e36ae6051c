// One IMAP connection. Private to imapd/.
#pragma once

#include <deque>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/turn.h"
#include "imap/capability.h"
#include "imap/command.h"
#include "imap/parser.h"
#include "imap/response.h"
#include "imap/rules.h"
#include "imapd/content.h"
#include "imapd/selected.h"
#include "imapd/server.h"
#include "mailbox/bulk.h"
#include "mailbox/mailboxes.h"
#include "mailbox/section.h"
#include "net/input.h"
#include "net/output.h"

namespace hikyaku::imapd {

struct OwnChanges;
class SearchedMessage;

/// The session must end now, with these last words: what was promised to the client cannot be kept
/// (its mailbox is gone, half a literal is sent). Thrown by handlers, caught at the top.
struct SessionEnds {
  imap::Reply bye;
};

/// What a handler gives back when the client has its answer already.
inline const imap::Reply kAnswered{imap::Reply::Status::PreAuth, {}, {}};

class Session {
 public:
  Session(net::Stream& stream, const Settings& settings, Services services, Log log);

  /// The conversation from the greeting to LOGOUT. Throws Disconnected and SessionEnds.
  Task<void> run(std::optional<auth::Login> login);
  /// Says BYE with this reason, if the peer still listens.
  Task<void> say_goodbye(const imap::Reply& reply);

  /// For the line that is logged at the end.
  std::uint64_t commands() const { return commands_; }
  std::string_view user() const { return login_ ? std::string_view(login_->address) : ""; }

 private:
  // The commands, one file each. What they answer is appended to output_; the reply ends them.
  Task<imap::Reply> handle(imap::CapabilityCommand command);
  Task<imap::Reply> handle(imap::NoopCommand command);
  Task<imap::Reply> handle(imap::LogoutCommand command);
  Task<imap::Reply> handle(imap::IdCommand command);
  Task<imap::Reply> handle(imap::StartTlsCommand command);
  Task<imap::Reply> handle(imap::AuthenticateCommand command);
  Task<imap::Reply> handle(imap::LoginCommand command);
  Task<imap::Reply> handle(imap::EnableCommand command);
  Task<imap::Reply> handle(imap::SelectCommand command);
  Task<imap::Reply> handle(imap::CreateCommand command);
  Task<imap::Reply> handle(imap::DeleteCommand command);
  Task<imap::Reply> handle(imap::RenameCommand command);
  Task<imap::Reply> handle(imap::SubscribeCommand command);
  Task<imap::Reply> handle(imap::UnsubscribeCommand command);
  Task<imap::Reply> handle(imap::ListCommand command);
  Task<imap::Reply> handle(imap::NamespaceCommand command);
  Task<imap::Reply> handle(imap::StatusCommand command);
  Task<imap::Reply> handle(imap::AppendCommand command);
  Task<imap::Reply> handle(imap::IdleCommand command);
  Task<imap::Reply> handle(imap::CheckCommand command);
  Task<imap::Reply> handle(imap::CloseCommand command);
  Task<imap::Reply> handle(imap::UnselectCommand command);
  Task<imap::Reply> handle(imap::ExpungeCommand command);
  Task<imap::Reply> handle(imap::SearchCommand command);
  Task<imap::Reply> handle(imap::FetchCommand command);
  Task<imap::Reply> handle(imap::StoreCommand command);
  Task<imap::Reply> handle(imap::CopyCommand command);
  Task<imap::Reply> handle(imap::MoveCommand command);

  // session.cc: reading, dispatching, answering.
  using Event = imap::Parser::Event;
  /// The parser's next event. Sends what is pending before it waits.
  Task<Event> next_event();
  /// The same, or nullopt when the selected mailbox has changed meanwhile (IDLE).
  Task<std::optional<Event>> next_event_or_change();
  void set_within_command(bool within);
  /// Waits for more bytes, a change, or the time to park.
  Task<void> wait_for_client();
  /// Tells what the session holds; ends it when that is too much.
  void count_memory();
  /// The same, with what the command under way has in memory from now on.
  void work_with(std::uint64_t bytes);
  /// How much a command takes into memory at once: `most`, or a part of what there is room for.
  std::uint64_t at_once(std::uint64_t most) const;
  /// Messages, when it takes their UIDs.
  std::size_t uids_at_once() const;
  /// Somebody has ended this session alone.
  bool is_ended() const;
  /// The server has waited for this session long enough. Not for one that is kicked: what it has
  /// begun would lie half done until the next start.
  bool server_ends() const;
  /// Throws Disconnected when the session is ended or its client is gone.
  void check_still_wanted();
  /// Between two pieces of long work: throws Disconnected when nobody waits for it any more.
  Task<void> go_on();
  /// Lets the others run, and begins the next turn if this session is to go on. Between lines: the
  /// client may be sent a word.
  Task<void> take_turn(Turn& turn);
  /// The same in the middle of a line, where nothing else can be said.
  Task<void> take_turn_within_line(Turn& turn);
  Task<void> execute(imap::Command command);
  Task<void> answer(std::string_view tag, imap::Reply reply);
  Task<bool> start_tls();
  imap::CapabilitySettings offered() const;
  std::string capabilities() const;
  const std::vector<std::string>& mechanisms() const;
  auth::LoginContext login_context() const;
  Task<bool> greet(std::optional<auth::Login> login);
  imap::Reply logged_in(auth::Login login);
  mailbox::AccountId account() const { return login_->account; }
  std::string& out() { return output_.buffer(); }
  void write(const imap::Reply& untagged);
  /// What a command that failed is answered; what only an administrator can mend goes to the log.
  imap::Reply refusal(const Error& error);

  // updates.cc: what the client must be told of its mailbox.
  /// EXPUNGE may be told now, or must wait (RFC 9051 §7.5.1).
  enum class Expunges { Tell, HoldBack };
  /// Brings the session's numbering up to date and tells the client. Flags that the command has set
  /// itself are left out as far as they are still those; `own` outlives the task.
  Task<void> refresh(Expunges expunges, const OwnChanges* own = nullptr);
  /// The first half of it: what there is to tell.
  Task<mailbox::Updates> renew(Expunges expunges);
  /// refresh() if there may be anything to tell; and how far the client has now been told all.
  Task<void> refresh_if_changed(Expunges expunges);
  /// Which HIGHESTMODSEQ a client with QRESYNC may keep, when it cannot know by itself.
  void tell_known_change();
  /// Before a command uses the rows: an idle session has let go of them.
  Task<void> unpark();
  Task<void> tell(mailbox::Updates updates, const OwnChanges* own);
  Task<void> tell_expunged(mailbox::Updates& updates);
  Task<void> tell_flags(const mailbox::Updates& updates, const OwnChanges* own);
  /// `uids` outlives the task.
  Task<void> write_vanished(const imap::NumberSet& uids, bool earlier);
  /// Learns which of the new messages are \Recent here (RFC 3501 §2.3.2).
  Task<void> claim_recent();
  /// The mailbox has another UIDVALIDITY or is gone: INBOX may have been renamed.
  Task<std::shared_ptr<const mailbox::View>> follow_inbox();
  std::unique_ptr<store::Subscription> listen(Watch& watch, std::uint32_t topic);
  /// While the session waits for its client, others may move on to a newer view of the mailbox:
  /// what is kept for this session alone counts as its memory.
  void count_old_rows_later();
  void leave_mailbox();
  /// For those who watch the server: where the session is.
  void show_place();
  void append_row_flags(imap::FetchResponse& response, const mailbox::MessageSummary& row) const;
  void append_changed_row(std::uint32_t sequence, const mailbox::MessageSummary& row);
  void tell_mailbox_flags();
  void enable_condstore() { state_.enable(imap::Enabled::CondStore); }

  // named.cc: the messages of a command, in turns: there may be a million, in as many ranges.
  /// What a set names now, as ascending ranges of sequence numbers, or the refusal. `set` outlives
  /// the task.
  Task<std::expected<SequenceRanges, imap::Reply>> named(const imap::SequenceSet& set, bool uid);
  /// Those of a set of UIDs, which outlives the task and stays as it is.
  Task<SequenceRanges> by_uid(const imap::NumberSet& uids);
  struct Chosen {
    std::vector<mailbox::Uid> uids;  ///< ascending
    std::uint64_t bytes = 0;         ///< all together
    bool has_ghost = false;          ///< one is expunged, and the client does not know yet

    std::size_t memory() const { return uids.capacity() * sizeof(mailbox::Uid); }
  };
  /// `sequences` outlives the task. With `flags`: only those that have one of them.
  Task<Chosen> choose(const SequenceRanges& sequences, mailbox::Flags flags = 0);
  /// As a set of IMAP. They outlive the task.
  Task<std::string> text_of(const std::vector<std::uint32_t>& ascending);

  // cmd_select.cc
  Task<void> tell_since(const imap::QResync& known);
  Task<void> tell_vanished(mailbox::ChangeNumber since, const std::optional<imap::NumberSet>& known,
                           const std::optional<std::pair<imap::NumberSet, imap::NumberSet>>& match);
  /// `since`, or 0 when this account's history has never given it out.
  Task<mailbox::ChangeNumber> known_since(mailbox::ChangeNumber since);
  // cmd_fetch.cc, fetch_records.cc, fetch_contents.cc
  struct Fetching;
  Task<void> fetch_rows(Fetching& fetching);
  Task<void> fetch_records(Fetching& fetching);
  Task<void> fetch_contents(Fetching& fetching);
  Task<void> fetch_content_of(Fetching& fetching, std::vector<std::uint32_t> sequences);
  /// How many of them: as many as may be in memory at once.
  Task<std::size_t> fetch_first_of(Fetching& fetching, std::span<const std::uint32_t> sequences);
  Task<bool> is_still_there(mailbox::Uid uid);
  Task<void> fetch_message(Fetching& fetching, std::uint32_t sequence,
                           mailbox::MessageRecord record,
                           Result<std::unique_ptr<store::Blob>> blob);
  Task<void> send_sections(Fetching& fetching, const mailbox::MessageRecord& record,
                           Content& content, imap::FetchResponse& response);
  Task<void> set_seen(Fetching& fetching, const std::vector<std::uint32_t>& sequences);
  imap::NumberSet uids_named(const imap::SequenceSet& set) const;
  void append_row_items(imap::FetchResponse& response, const imap::FetchItems& items,
                        const mailbox::MessageSummary& row) const;
  void append_record_items(imap::FetchResponse& response, const imap::FetchItems& items,
                           const mailbox::MessageRecord& record) const;
  /// False, and nothing is appended, when the record does not hold all that is asked for.
  bool append_from_record(std::string& text, const Fetching& fetching, std::uint32_t sequence,
                          const mailbox::MessageRecord& record) const;
  mailbox::MessageSummary row_of(std::uint32_t sequence,
                                 const mailbox::MessageRecord& record) const;
  /// One item of one message's answer.
  struct Piece {
    const imap::BodyItem& item;
    const std::string& label;
    imap::FetchResponse& response;
    Content& content;
  };
  Task<Result<void>> send_section(Piece piece, std::optional<mailbox::SectionBytes> found);
  SessionEnds broken_literal(const Error& error);
  Task<Result<void>> send_binary(Piece piece, std::optional<mailbox::SectionBytes> found);
  // cmd_append.cc
  struct Appending;
  Task<std::optional<imap::Reply>> receive_message(Appending& appending);
  Task<std::optional<imap::Reply>> check_quota(const Appending& appending);
  imap::Reply broken_off(Event event);
  /// `small`: its bytes, if they are at hand.
  Task<Result<mailbox::Digest>> digest_of(store::StagedBlob blob, const std::string* small);
  Task<imap::Reply> commit(Appending& appending);
  // cmd_search.cc
  struct Searching;
  Task<Result<void>> search(Searching& searching);
  /// Of the first ones; how many.
  Task<Result<std::size_t>> search_records(Searching& searching,
                                           std::span<const std::uint32_t> sequences);
  Task<Result<void>> search_messages(Searching& searching, std::deque<SearchedMessage>& open);
  Task<Result<void>> read_for_search(const Searching& searching, SearchedMessage& message);
  Task<void> tell_found(Searching& searching, bool uid);
  // cmd_copy.cc
  mailbox::BulkContext bulk() const {
    return {services_.store, services_.clock, [this] { return server_ends(); }};
  }
  /// The mailbox that messages go to, or the refusal (TRYCREATE).
  Task<std::expected<mailbox::MailboxInfo, imap::Reply>> find_target(std::string path);
  Task<std::string> copy_uid(const mailbox::Copied& copied);
  // cmd_store.cc
  Task<Result<mailbox::BulkStored>> store(const SequenceRanges& sequences,
                                          mailbox::StoreFlags wish);
  Task<void> tell_stored(const imap::StoreCommand& command, const OwnChanges& own);
  Task<imap::Reply> modified(bool by_uid, std::vector<mailbox::Uid> uids);
  // cmd_expunge.cc
  Task<Result<void>> expunge(SequenceRanges sequences);
  // cmd_mailbox.cc, cmd_list.cc
  imap::Reply refusal_of_name(const Error& error);
  Task<Result<void>> set_subscribed(std::string path, bool subscribed);
  static imap::StatusValues status_values(const mailbox::MailboxInfo& info,
                                          const mailbox::Counters& counters);
  struct Listing;
  Task<void> read_mailboxes(Listing& listing);
  static void add_levels(Listing& listing, const mailbox::MailboxInfo& info);
  Task<void> list_mailboxes(Listing& listing);
  Task<void> list_unsubscribed_levels(Listing& listing);
  Task<void> tell_statuses(std::vector<const mailbox::MailboxInfo*> mailboxes,
                           imap::StatusItems items);

  net::Stream& stream_;
  const Settings& settings_;
  Services services_;
  const Metrics& metrics_;
  Log log_;
  net::Input input_;
  net::Output output_;
  imap::Parser parser_;
  imap::Session state_;
  std::optional<auth::Login> login_;
  std::optional<Selected> selected_;
  std::string tag_;              ///< of the command that runs
  std::size_t used_ = 0;         ///< bytes of input_ that the parser has used; data() may lie there
  std::uint64_t work_ = 0;       ///< bytes that the command under way has in memory, about
  bool probed_ = false;          ///< its client has ended its side, and was sent a word
  bool within_command_ = false;  ///< the rest of a command is awaited
  bool idling_ = false;
  bool park_due_ = false;
  bool closing_ = false;
  std::uint32_t errors_ = 0;
  std::uint64_t commands_ = 0;
};

}  // namespace hikyaku::imapd
