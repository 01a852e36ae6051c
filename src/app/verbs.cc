#include "app/verbs.h"

namespace hikyaku::app {

std::vector<Verb> all_verbs() {
  return {
      verb_quickstart(),
      verb_lab(),
      verb_serve(),
      verb_reload(),
      verb_check(),
      verb_top(),

      verb_domain_add(),
      verb_domain_list(),
      verb_domain_remove(),
      verb_domain_catch_all(),
      verb_domain_records(),
      verb_domain_check(),
      verb_domain_dkim(),
      verb_account_add(),
      verb_account_list(),
      verb_account_show(),
      verb_account_change(),
      verb_account_password(),
      verb_account_remove(),
      verb_app_password_add(),
      verb_app_password_list(),
      verb_app_password_remove(),
      verb_who(),
      verb_kick(),
      verb_throttle_list(),
      verb_throttle_lift(),
      verb_alias_add(),
      verb_alias_list(),
      verb_alias_remove(),

      verb_queue_list(),
      verb_queue_show(),
      verb_queue_retry(),
      verb_queue_hold(),
      verb_queue_release(),
      verb_queue_drop(),
      verb_mailq(),
      verb_trace(),
      verb_reports_dmarc(),
      verb_reports_failure(),
      verb_sendmail(),

      verb_verify(),
      verb_backup(),
      verb_restore(),
      verb_undelete(),
      verb_export(),
      verb_import(),
      verb_migrate(),

      verb_mime(),
      verb_metrics(),
      verb_spf(),
      verb_dkim_verify(),
      verb_dkim_sign(),
      verb_arc_verify(),
      verb_arc_seal(),
      verb_dmarc(),
      verb_config_explain(),
      verb_config_check(),
      verb_config_sample(),
      verb_config_docs(),
      verb_version(),
  };
}

}  // namespace hikyaku::app
