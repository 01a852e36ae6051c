// The verbs of the command line. Each is made by one function in its own file verb_NAME.cc
// (small families share one); add
// its declaration here and its place in verbs.cc.
#pragma once

#include <vector>

#include "app/verb.h"

namespace hikyaku::app {

Verb verb_account_add();
Verb verb_account_change();
Verb verb_account_list();
Verb verb_account_password();
Verb verb_account_recover();
Verb verb_account_remove();
Verb verb_account_show();
Verb verb_alias_add();
Verb verb_alias_list();
Verb verb_alias_remove();
Verb verb_app_password_add();
Verb verb_app_password_list();
Verb verb_app_password_remove();
Verb verb_arc_seal();
Verb verb_arc_verify();
Verb verb_backup();
Verb verb_check();
Verb verb_config_check();
Verb verb_config_docs();
Verb verb_config_explain();
Verb verb_config_sample();
Verb verb_dkim_sign();
Verb verb_dkim_verify();
Verb verb_dmarc();
Verb verb_domain_add();
Verb verb_domain_catch_all();
Verb verb_domain_check();
Verb verb_domain_dkim();
Verb verb_domain_list();
Verb verb_domain_records();
Verb verb_domain_remove();
Verb verb_export();
Verb verb_import();
Verb verb_mailq();
Verb verb_lab();
Verb verb_kick();
Verb verb_metrics();
Verb verb_migrate();
Verb verb_mime();
Verb verb_queue_drop();
Verb verb_queue_hold();
Verb verb_queue_list();
Verb verb_queue_release();
Verb verb_queue_retry();
Verb verb_queue_show();
Verb verb_quickstart();
Verb verb_reports_dmarc();
Verb verb_reports_failure();
Verb verb_restore();
Verb verb_sendmail();
Verb verb_serve();
Verb verb_reload();
Verb verb_spf();
Verb verb_throttle_lift();
Verb verb_throttle_list();
Verb verb_top();
Verb verb_trace();
Verb verb_undelete();
Verb verb_verify();
Verb verb_version();
Verb verb_who();

/// All of them, in the order in which the help lists them.
std::vector<Verb> all_verbs();

}  // namespace hikyaku::app
