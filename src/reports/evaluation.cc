#include "reports/evaluation.h"

#include <algorithm>

#include "base/codec.h"
#include "base/hash.h"
#include "crypto/digest.h"
#include "reports/rows.h"
#include "reports/tables.h"

namespace hikyaku::reports {
namespace {

using store::Key;
using store::kInstance;
using store::Reader;
using store::Transaction;

constexpr std::size_t kHashLength = 16;
constexpr std::size_t kMostDomains = 4;

Key day_key(Day day) {
  return Key(kInstance, kTableEvaluationDay).u32(day);
}
Key subject_key(store::Table table, const Subject& subject) {
  return Key(kInstance, table).u32(subject.day).text(subject.domain).u64(subject.configuration);
}
Key domain_key(const Subject& subject) {
  return subject_key(kTableEvaluatedDomain, subject);
}
Key rows_key(const Subject& subject) {
  return subject_key(kTableEvaluationRow, subject);
}
/// A strong hash: a stranger must not be able to make his row ours.
std::string row_key(const Subject& subject, std::string_view identity) {
  auto hash = crypto::digest(crypto::Hash::Sha256, identity);
  return rows_key(subject).raw(std::string_view(hash).substr(0, kHashLength)).bytes();
}

void put_day(Transaction& tx, Day day, const EvaluationDay& value) {
  Encoder out;
  out.varint(value.domains);
  out.varint(value.rows);
  out.varint(value.uncounted);
  tx.put(day_key(day), out.bytes());
}

/// Adds one to a row that is there; false: it is not.
bool add_one(Transaction& tx, std::string_view key, std::string_view identity) {
  auto row = tx.get(key);
  if (!row) return false;
  tx.put(key, encode_row(decode_count(*row).value_or(0) + 1, identity));
  return true;
}

/// The configuration that stands for one more, when the domain has too many already.
std::optional<Subject> instead_of(Reader& reader, const Subject& subject, std::size_t most) {
  auto range =
      Key(kInstance, kTableEvaluatedDomain).u32(subject.day).text(subject.domain).children();
  std::size_t count = 0;
  std::optional<Subject> first;
  reader.scan(range, [&](std::string_view key, std::string_view) {
    if (!first) first = subject_of(key);
    return ++count < most;
  });
  if (count < most) return std::nullopt;
  return first;
}

/// Counts one more domain; false: the day has too many.
bool make_room(Transaction& tx, Day day, const EvaluationLimits& limits) {
  auto whole = find_day(tx, day).value_or(EvaluationDay{});
  auto room = whole.domains < limits.domains;
  ++(room ? whole.domains : whole.uncounted);
  put_day(tx, day, whole);
  return room;
}

/// True if that made a new row.
bool add_to_row(Transaction& tx, const Subject& subject, const dmarc::ReportRecord& record,
                std::uint64_t rows, const EvaluationLimits& limits) {
  auto identity = encode_identity(record);
  auto key = row_key(subject, identity);
  if (add_one(tx, key, identity)) return false;
  auto whole = find_day(tx, subject.day).value_or(EvaluationDay{});
  if (rows >= limits.rows || whole.rows >= limits.day_rows) {
    identity = encode_identity(without_source(record));
    key = row_key(subject, identity);
    if (add_one(tx, key, identity)) return false;
  }
  tx.put(key, encode_row(1, identity));
  ++whole.rows;
  put_day(tx, subject.day, whole);
  return true;
}

bool is_storable(std::string_view domain) {
  return !domain.empty() && domain.size() <= 255 && domain.find('\0') == std::string_view::npos;
}

}  // namespace

Day day_of(Time time) {
  return static_cast<Day>(std::chrono::floor<std::chrono::days>(time).time_since_epoch().count());
}

Time start_of(Day day) {
  return std::chrono::sys_days(std::chrono::days(day));
}

std::optional<Subject> subject_of(std::string_view key) {
  auto fields = store::key_fields(key);
  Subject subject;
  subject.day = fields.u32_be();
  auto rest = fields.rest();
  auto end = rest.find('\0');
  if (end == std::string_view::npos) return std::nullopt;
  subject.domain = rest.substr(0, end);
  Decoder number(rest.substr(end + 1));
  subject.configuration = number.u64_be();
  return subject;
}

std::vector<Evaluation> evaluations_of(const dmarc::Verdict& verdict,
                                       const dmarc::Evidence& evidence,
                                       const dmarc::Disposition& disposition,
                                       const dmarc::ReportedMessage& message, Time when) {
  std::vector<Evaluation> evaluations;
  // Reports tell of domains only, whatever they are given.
  auto reported = message;
  reported.envelope_from.erase(0, reported.envelope_from.rfind('@') + 1);
  for (auto& outcome : verdict.outcomes) {
    auto& discovery = outcome.discovery;
    if (discovery.state != dmarc::Discovery::State::Found || !discovery.record) continue;
    if (discovery.record->rua().empty() || evaluations.size() == kMostDomains) continue;
    auto known = [&](auto& other) { return other.policy.domain == discovery.policy_domain; };
    if (std::ranges::any_of(evaluations, known)) continue;
    evaluations.push_back({when,
                           dmarc::published_policy(discovery.policy_domain, *discovery.record),
                           std::string(discovery.record->rua()),
                           dmarc::report_record(outcome, evidence, disposition, reported)});
  }
  return evaluations;
}

void record_evaluation(Transaction& tx, const Evaluation& evaluation,
                       const EvaluationLimits& limits) {
  auto& policy = evaluation.policy;
  if (evaluation.rua.empty() || !is_storable(policy.domain)) return;
  Subject subject{day_of(evaluation.when), policy.domain, fnv1a64(encode_policy(policy))};
  auto stored = tx.get(domain_key(subject));
  if (!stored) {
    if (auto other = instead_of(tx, subject, limits.configurations)) {
      subject = *other;
      stored = tx.get(domain_key(subject));
    }
  }
  if (!stored && !make_room(tx, subject.day, limits)) return;
  auto domain = stored ? decode_domain(*stored) : std::nullopt;
  EvaluatedDomain value{policy, evaluation.rua, domain ? domain->rows : 0};
  if (domain && subject.configuration != fnv1a64(encode_policy(policy)))
    value.policy = domain->policy;
  if (add_to_row(tx, subject, evaluation.record, value.rows, limits)) ++value.rows;
  if (auto written = encode_domain(value); !stored || *stored != written)
    tx.put(domain_key(subject), written);
}

std::optional<EvaluationDay> find_day(Reader& reader, Day day) {
  auto value = reader.get(day_key(day));
  if (!value) return std::nullopt;
  Decoder in(*value);
  EvaluationDay found;
  found.domains = in.varint();
  found.rows = in.varint();
  found.uncounted = in.varint();
  return found;
}

std::optional<EvaluatedDomain> find_evaluated(Reader& reader, const Subject& subject) {
  auto value = reader.get(domain_key(subject));
  if (!value) return std::nullopt;
  auto found = decode_domain(*value);
  if (found) found->policy.domain = subject.domain;
  return found;
}

std::vector<Subject> list_subjects(Reader& reader, Day before, const std::optional<Subject>& after,
                                   std::size_t limit) {
  store::KeyRange range{
      after ? store::prefix_end(domain_key(*after)) : Key(kInstance, kTableEvaluatedDomain).bytes(),
      Key(kInstance, kTableEvaluatedDomain).u32(before).bytes()};
  std::vector<Subject> found;
  if (limit == 0 || range.begin >= range.end) return found;
  reader.scan(range, [&](std::string_view key, std::string_view) {
    if (auto subject = subject_of(key)) found.push_back(std::move(*subject));
    return found.size() < limit;
  });
  return found;
}

RowPiece read_rows(Reader& reader, const Subject& subject, std::string_view from,
                   std::size_t limit) {
  return read_row_piece(reader, rows_key(subject).children(), from, limit);
}

std::uint64_t count_messages(Reader& reader, const Subject& subject) {
  std::uint64_t sum = 0;
  reader.scan(rows_key(subject).children(), [&](std::string_view, std::string_view value) {
    sum += decode_count(value).value_or(0);
    return true;
  });
  return sum;
}

void erase_rows(Transaction& tx, const Subject& subject) {
  tx.erase(domain_key(subject));
  tx.erase_range(rows_key(subject).children());
}

bool trim_evaluations(Transaction& tx, Day day, std::size_t most) {
  bool done = true;
  for (auto table : {kTableEvaluationDay, kTableEvaluatedDomain, kTableEvaluationRow})
    done = erase_days_before(tx, table, day, most) && done;
  return done;
}

}  // namespace hikyaku::reports
