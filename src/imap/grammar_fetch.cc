// FETCH and STORE (RFC 9051 §6.4.5, §6.4.6; RFC 3501; RFC 7162; RFC 8474; RFC 8514; RFC 3516).
#include <algorithm>
#include <array>

#include "base/text.h"
#include "imap/characters.h"
#include "imap/grammar.h"

namespace hikyaku::imap {
namespace {

struct NamedAttribute {
  std::string_view name;
  FetchAtt attribute;
};
constexpr std::array<NamedAttribute, 11> kAttributes{{{"FLAGS", FetchAtt::Flags},
                                                      {"UID", FetchAtt::Uid},
                                                      {"INTERNALDATE", FetchAtt::InternalDate},
                                                      {"RFC822.SIZE", FetchAtt::Rfc822Size},
                                                      {"ENVELOPE", FetchAtt::Envelope},
                                                      {"BODYSTRUCTURE", FetchAtt::BodyStructure},
                                                      {"BODY", FetchAtt::Body},
                                                      {"MODSEQ", FetchAtt::ModSeq},
                                                      {"EMAILID", FetchAtt::EmailId},
                                                      {"THREADID", FetchAtt::ThreadId},
                                                      {"SAVEDATE", FetchAtt::SaveDate}}};

/// The name of an item: an atom up to its section.
bool is_item_char(char c) {
  return is_atom_char(c) && c != '[' && c != '<';
}

/// header-list.
Result<> parse_header_list(Scanner& in, Section& section, std::size_t& fields,
                           const GrammarLimits& limits) {
  TRY_DO(in.expect_space());
  TRY_DO(in.expect('('));
  do {
    TRY(auto field, in.expect_astring("a header field name"));
    if (fields++ == limits.header_fields)
      return fail(ErrorCode::TooLarge, "FETCH may name {} header fields", limits.header_fields);
    section.fields.push_back(std::move(field));
  } while (in.take(' '));
  return in.expect(')');
}

/// section-part: "1.2.3", and the dot after it if a word follows.
Result<bool> parse_part(Scanner& in, Section& section, const GrammarLimits& limits) {
  while (true) {
    TRY(auto number, in.expect_nz_number("a part number"));
    if (section.part.size() == limits.part_depth)
      return fail(ErrorCode::TooLarge, "a section may have {} part numbers", limits.part_depth);
    section.part.push_back(number);
    if (!in.take('.')) return false;
    if (in.at_end() || !is_ascii_digit(in.rest().front())) return true;
  }
}

Result<> parse_section_text(Scanner& in, Section& section, std::size_t& fields,
                            const GrammarLimits& limits) {
  if (in.take_word("HEADER.FIELDS.NOT")) {
    section.text = Section::Text::HeaderFieldsNot;
    return parse_header_list(in, section, fields, limits);
  }
  if (in.take_word("HEADER.FIELDS")) {
    section.text = Section::Text::HeaderFields;
    return parse_header_list(in, section, fields, limits);
  }
  if (in.take_word("HEADER")) {
    section.text = Section::Text::Header;
  } else if (in.take_word("TEXT")) {
    section.text = Section::Text::Text;
  } else if (!section.part.empty() && in.take_word("MIME")) {
    section.text = Section::Text::Mime;
  } else {
    return in.wrong("HEADER, TEXT, MIME (of a part) or part numbers");
  }
  return {};
}

/// "[" … "]".
Result<Section> parse_section(Scanner& in, bool binary, std::size_t& fields,
                              const GrammarLimits& limits) {
  Section section;
  TRY_DO(in.expect('['));
  if (in.take(']')) return section;
  bool word = true;
  if (is_ascii_digit(in.rest().empty() ? ' ' : in.rest().front())) {
    TRY(word, parse_part(in, section, limits));
  }
  if (word) {
    if (binary) return in.wrong("part numbers alone (BINARY)");
    TRY_DO(parse_section_text(in, section, fields, limits));
  }
  TRY_DO(in.expect(']'));
  return section;
}

/// "<" number "." nz-number ">".
Result<std::optional<Partial>> parse_partial(Scanner& in) {
  if (!in.take('<')) return std::nullopt;
  Partial partial;
  TRY(partial.offset, in.expect_number64("an offset"));
  TRY_DO(in.expect('.'));
  TRY(partial.length, in.expect_number64("a length"));
  if (partial.length == 0) return fail(ErrorCode::Invalid, "a partial FETCH of 0 octets");
  TRY_DO(in.expect('>'));
  return partial;
}

struct FetchState {
  FetchItems items;
  std::size_t fields = 0;
};

Result<> add_body(FetchState& state, BodyItem item, const GrammarLimits& limits) {
  if (std::ranges::find(state.items.bodies, item) != state.items.bodies.end()) return {};
  if (state.items.bodies.size() == limits.fetch_bodies)
    return fail(ErrorCode::TooLarge, "FETCH may ask for {} sections", limits.fetch_bodies);
  state.items.bodies.push_back(std::move(item));
  return {};
}

/// BODY[…], BODY.PEEK[…], BINARY[…], BINARY.PEEK[…], BINARY.SIZE[…], after the name.
Result<> parse_body_item(Scanner& in, std::string_view name, FetchState& state,
                         const GrammarLimits& limits) {
  BodyItem item;
  if (istarts_with(name, "BINARY"))
    item.form = iequals(name, "BINARY.SIZE") ? BodyItem::Form::BinarySize : BodyItem::Form::Binary;
  bool binary = item.form != BodyItem::Form::Body;
  item.peek = iends_with(name, ".PEEK") || item.form == BodyItem::Form::BinarySize;
  TRY(item.section, parse_section(in, binary, state.fields, limits));
  if (item.form != BodyItem::Form::BinarySize) {
    TRY(item.partial, parse_partial(in));
  }
  return add_body(state, std::move(item), limits);
}

Result<> parse_fetch_att(Scanner& in, FetchState& state, const GrammarLimits& limits) {
  auto start = in;
  auto name = in.take_while(is_item_char);
  if (!name) return in.wrong("something to fetch");
  if (in.next_is('[')) {
    for (std::string_view known : {"BODY", "BODY.PEEK", "BINARY", "BINARY.PEEK", "BINARY.SIZE"}) {
      if (iequals(*name, known)) return parse_body_item(in, *name, state, limits);
    }
    return start.wrong("BODY[…] or BINARY[…]");
  }
  for (auto& known : kAttributes) {
    if (!iequals(*name, known.name)) continue;
    state.items.add(known.attribute);
    return {};
  }
  BodyItem item;
  if (iequals(*name, "RFC822")) {
    item.form = BodyItem::Form::Rfc822;
  } else if (iequals(*name, "RFC822.HEADER")) {
    item.form = BodyItem::Form::Rfc822Header;
    item.section.text = Section::Text::Header;
    item.peek = true;
  } else if (iequals(*name, "RFC822.TEXT")) {
    item.form = BodyItem::Form::Rfc822Text;
    item.section.text = Section::Text::Text;
  } else {
    return start.wrong("something to fetch");
  }
  return add_body(state, std::move(item), limits);
}

/// ALL, FULL, FAST: only alone.
bool take_macro(Scanner& in, FetchItems& items) {
  bool all = in.take_word("ALL");
  bool full = !all && in.take_word("FULL");
  if (!all && !full && !in.take_word("FAST")) return false;
  items.add(FetchAtt::Flags);
  items.add(FetchAtt::InternalDate);
  items.add(FetchAtt::Rfc822Size);
  if (all || full) items.add(FetchAtt::Envelope);
  if (full) items.add(FetchAtt::Body);
  return true;
}

/// fetch-modifiers, after their SP.
Result<FetchModifiers> parse_modifiers(Scanner& in, bool uid) {
  FetchModifiers modifiers;
  TRY_DO(in.expect('('));
  do {
    if (in.take_word("CHANGEDSINCE")) {
      TRY_DO(in.expect_space());
      TRY(modifiers.changed_since, in.expect_number64("a mod-sequence"));
    } else if (in.take_word("VANISHED")) {
      modifiers.vanished = true;
    } else {
      return in.wrong("CHANGEDSINCE or VANISHED");
    }
  } while (in.take(' '));
  TRY_DO(in.expect(')'));
  if (modifiers.vanished && (!uid || !modifiers.changed_since))
    return fail(ErrorCode::Invalid, "VANISHED needs UID FETCH and CHANGEDSINCE (RFC 7162 3.2.6)");
  return modifiers;
}

}  // namespace

Result<FetchCommand> parse_fetch(Scanner& in, bool uid, const GrammarLimits& limits) {
  FetchCommand command;
  command.uid = uid;
  TRY_DO(in.expect_space());
  TRY(command.set, in.expect_sequence_set());
  TRY_DO(in.expect_space());
  FetchState state;
  if (in.take('(')) {
    // Macros within parentheses are no syntax, but harmless, and sent.
    do {
      if (!take_macro(in, state.items)) TRY_DO(parse_fetch_att(in, state, limits));
    } while (in.take(' '));
    TRY_DO(in.expect(')'));
  } else if (!take_macro(in, state.items)) {
    TRY_DO(parse_fetch_att(in, state, limits));
  }
  command.items = std::move(state.items);
  if (uid) command.items.add(FetchAtt::Uid);
  if (in.take(' ')) {
    TRY(command.modifiers, parse_modifiers(in, uid));
  }
  // RFC 7162 §3.1.4.1: CHANGEDSINCE asks for MODSEQ too.
  if (command.modifiers.changed_since) command.items.add(FetchAtt::ModSeq);
  return command;
}

Result<StoreCommand> parse_store(Scanner& in, bool uid, const GrammarLimits& limits) {
  StoreCommand command;
  command.uid = uid;
  TRY_DO(in.expect_space());
  TRY(command.set, in.expect_sequence_set());
  TRY_DO(in.expect_space());
  if (in.take('(')) {
    if (!in.take_word("UNCHANGEDSINCE")) return in.wrong("UNCHANGEDSINCE");
    TRY_DO(in.expect_space());
    TRY(command.unchanged_since, in.expect_number64("a mod-sequence"));
    TRY_DO(in.expect(')'));
    TRY_DO(in.expect_space());
  }
  if (in.take('+'))
    command.mode = StoreCommand::Mode::Add;
  else if (in.take('-'))
    command.mode = StoreCommand::Mode::Remove;
  if (in.take_word("FLAGS.SILENT"))
    command.silent = true;
  else if (!in.take_word("FLAGS"))
    return in.wrong("FLAGS, +FLAGS or -FLAGS");
  TRY_DO(in.expect_space());
  if (in.next_is('(')) {
    TRY(command.flags, parse_flag_list(in, limits));
    return command;
  }
  std::size_t count = 0;
  do {
    if (count++ == limits.flags)
      return fail(ErrorCode::TooLarge, "a list of flags may have {}", limits.flags);
    TRY(auto name, in.expect_flag());
    TRY_DO(add_flag(command.flags, name));
  } while (in.take(' '));
  return command;
}

}  // namespace hikyaku::imap
