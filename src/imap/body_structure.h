// The text of FETCH BODY and BODYSTRUCTURE (RFC 9051 §7.5.2, RFC 3501 §7.4.2).
#pragma once

#include <string>

#include "mime/message.h"

namespace hikyaku::imap {

enum class BodyForm {
  Body,           ///< without extension data
  BodyStructure,  ///< with MD5 or parameters, disposition, language, location
};

/// The structure of a whole message, finished text. RFC 2231 continuations are joined; a value with
/// a charset comes as "name*" in the syntax of RFC 2231 in UTF-8, as clients expect it. Types are
/// those of Part::shown_type, so that what is said here and what sections can be fetched agree.
/// Content-ID, description and the like are cut at 4 KB.
std::string body_structure(const mime::Message& message, BodyForm form);

}  // namespace hikyaku::imap
