// ENVELOPE, BODY and BODYSTRUCTURE: message in, response text out.
#include "imap/envelope.h"

#include <doctest/doctest.h>

#include "imap/body_structure.h"

namespace hikyaku::imap {
namespace {

TEST_CASE("envelopes") {
  struct Row {
    std::string_view header, envelope;
  };
  for (auto& row : std::initializer_list<Row>{
           {"", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"},
           // RFC 3501 §8
           {"Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n"
            "From: Terry Gray <gray@cac.washington.edu>\r\n"
            "Subject: IMAP4rev1 WG mtg summary and minutes\r\n"
            "To: imap@cac.washington.edu\r\n"
            "cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n"
            "Message-Id: <B27397-0100000@cac.washington.edu>\r\n\r\n",
            "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev1 WG mtg summary and minutes\" "
            "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
            "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
            "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
            "((NIL NIL \"imap\" \"cac.washington.edu\")) "
            "((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")"
            "(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) NIL NIL "
            "\"<B27397-0100000@cac.washington.edu>\")"},
           {"Subject:\r\nIn-Reply-To: <a>\r\n <b>\r\n\r\n",
            "(NIL \"\" NIL NIL NIL NIL NIL NIL \"<a> <b>\" NIL)"},
           {"From: a@b\r\nSender: c@d\r\nReply-To:\r\n\r\n",
            "(NIL NIL ((NIL NIL \"a\" \"b\")) ((NIL NIL \"c\" \"d\")) ((NIL NIL \"a\" \"b\")) "
            "NIL NIL NIL NIL NIL)"},
           {"To: A \"q\" (c): a@b;\r\n\r\n",
            "(NIL NIL NIL NIL NIL ((NIL NIL \"A q\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL NIL NIL)) "
            "NIL NIL NIL NIL)"},
           {"Cc: <@r:a@b>, Name\r\n\r\n",
            "(NIL NIL NIL NIL NIL NIL ((NIL \"@r\" \"a\" \"b\")(NIL NIL \"Name\" \"\")) NIL NIL "
            "NIL)"},
           {"Subject: say \"hi\" \\\r\n\r\n",
            "(NIL \"say \\\"hi\\\" \\\\\" NIL NIL NIL NIL NIL NIL NIL NIL)"},
           {"Subject: caf\xC3\xA9\r\n\r\n",
            "(NIL {5}\r\ncaf\xC3\xA9 NIL NIL NIL NIL NIL NIL NIL NIL)"},
           {"Subject: =?utf-8?B?44GC?=\r\n\r\n",
            "(NIL \"=?utf-8?B?44GC?=\" NIL NIL NIL NIL NIL NIL NIL NIL)"},
           {"Subject: one\r\nSubject: two\r\n\r\n",
            "(NIL \"one\" NIL NIL NIL NIL NIL NIL NIL NIL)"},
       }) {
    CAPTURE(row.header);
    CHECK(envelope(row.header) == row.envelope);
  }
}

TEST_CASE("body structures") {
  struct Row {
    std::string_view message, body, structure;
  };
  for (
      auto& row : std::initializer_list<Row>{
          {"\r\nhello\r\n", "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 7 1)",
           "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 7 1 NIL NIL NIL NIL)"},
          {"Content-Type: image/gif; name=\"a b.gif\"\r\nContent-ID: <x@y>\r\n"
           "Content-Description: a\r\n picture\r\nContent-Transfer-Encoding: BASE64\r\n"
           "Content-Disposition: attachment; filename=a.gif; size=3\r\nContent-Language: en, ja\r\n"
           "Content-Location: http://x\r\nContent-MD5: abc\r\n\r\nR0lG",
           "(\"image\" \"gif\" (\"name\" \"a b.gif\") \"<x@y>\" \"a picture\" \"base64\" 4)",
           "(\"image\" \"gif\" (\"name\" \"a b.gif\") \"<x@y>\" \"a picture\" \"base64\" 4 \"abc\" "
           "(\"attachment\" (\"filename\" \"a.gif\" \"size\" \"3\")) (\"en\" \"ja\") "
           "\"http://x\")"},
          {"Content-Type: a/b; n*0=x; n*1=y; m*=iso-8859-1'en'caf%E9\r\n\r\n",
           "(\"a\" \"b\" (\"n\" \"xy\" \"m*\" \"utf-8'en'caf%C3%A9\") NIL NIL \"7bit\" 0)", ""},
          {"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n"
           "Content-Type: text/html\r\nContent-Transfer-Encoding: "
           "x-odd\r\n\r\ntwo\r\nl\r\n--b--\r\n",
           "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 1)"
           "(\"text\" \"html\" NIL NIL NIL \"x-odd\" 6 2) \"mixed\")",
           "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 1 NIL NIL NIL NIL)"
           "(\"text\" \"html\" NIL NIL NIL \"x-odd\" 6 2 NIL NIL NIL NIL) \"mixed\" "
           "(\"boundary\" \"b\") NIL NIL NIL)"},
          {"Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nx\r\n",
           "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 18 (NIL \"in\" NIL NIL NIL NIL NIL NIL "
           "NIL NIL) (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 1) 3)",
           ""},
          // what has no parts is shown as what it can be read as
          {"Content-Type: multipart/mixed; boundary=b\r\n\r\ntext\r\n",
           "(\"text\" \"plain\" NIL NIL NIL \"7bit\" 6 1)", ""},
          {"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nQTog",
           "(\"application\" \"octet-stream\" NIL NIL NIL \"base64\" 4)", ""},
      }) {
    CAPTURE(row.message);
    auto message = mime::parse_message(row.message);
    CHECK(body_structure(message, BodyForm::Body) == row.body);
    if (!row.structure.empty())
      CHECK(body_structure(message, BodyForm::BodyStructure) == row.structure);
  }
}

}  // namespace
}  // namespace hikyaku::imap
