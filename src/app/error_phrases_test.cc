#include "app/error_phrases.h"

#include <doctest/doctest.h>

namespace hikyaku::app {
namespace {

TEST_CASE("errors of the server are told in the reader's language") {
  struct Row {
    std::string_view english;
    std::string_view japanese;
  };
  for (auto& row : std::initializer_list<Row>{
           {"there is no account a@b.test: hikyaku account list",
            "アカウント a@b.test はありません: hikyaku account list"},
           {"a@b.test has no mailbox Nope, and nothing that was deleted there: hikyaku undelete "
            "--list a@b.test",
            "a@b.test にメールボックス Nope はなく、そこで削除されたものもありません: hikyaku "
            "undelete --list a@b.test"},
           {"/d/LOCK is held by process 17", "/d/LOCK はプロセス 17 が使用中です"},
           {"cannot read /x: Permission denied", "/x を読めません: 権限がありません"},
           {"/x/control.sock: Permission denied", "/x/control.sock: 権限がありません"},
           {"a part of the index is damaged, and what stands there cannot be read: x.sst",
            "索引の一部が壊れていて、そこにあるものを読めません: x.sst"},
           {"there is no @ in x y", "x y に @ がありません"},
           {"\"a b\" is no local part: use letters, digits and !#$%&'*+-/=?^_`{|}~, single dots "
            "between them, or quote it",
            "\"a b\" はローカルパート (@ の前) として使えません。英数字、記号 "
            "!#$%&'*+-/=?^_`{|}~、間に一つずつのドットを使うか、引用符で囲んでください"},
           {"the index is made again from the journal", "索引をジャーナルから作り直しました"},
           {"journal segment 2: one of the two copies of its header is damaged, at byte 2048; the "
            "other one is good",
            "ジャーナルのセグメント 2: "
            "二つあるヘッダーのうち、バイト 2048 からのものが壊れています。もう一つは正常です"},
           {"journal segment 2: its header is not written again: its header is that of another "
            "segment",
            "ジャーナルのセグメント 2: ヘッダーを書き直していません: "
            "ヘッダーが別のセグメントのものです"},
           {"journal segment 2, from byte 9: no group header",
            "ジャーナルのセグメント 2、バイト 9 から: グループのヘッダーではありません"},
           {"its account is made again, and enabled: if it was disabled, hikyaku account change "
            "a@b.test --disable",
            "アカウントを作り直し、有効にしました。停止中だった場合は hikyaku account change "
            "a@b.test "
            "--disable を実行してください"},
           {"there is no /nope", "/nope はありません"},
           {"a@b.test is an account already", "a@b.test のアカウントはすでにあります"},
           {"what nobody has translated", "what nobody has translated"},
       }) {
    CAPTURE(row.english);
    Error error{ErrorCode::NotFound, std::string(row.english), nullptr};
    CHECK(error_in(error, Language::Japanese) == row.japanese);
    CHECK(error_in(error, Language::English) == row.english);
  }
}

}  // namespace
}  // namespace hikyaku::app
