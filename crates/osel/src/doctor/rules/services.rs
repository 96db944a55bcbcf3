//! How services are configured: what hides from the audit, and what the audit does to them.

use super::text::{LISTENING, NO_SERVICE_CONFIG, SERVICE_CONFIG, count, names, quoted};
use crate::doctor::facts::{Facts, ServiceFile};
use crate::doctor::id::Id;
use crate::doctor::verdict::Report;

/// What Keystone calls a login that succeeded, in `notification_opt_out`.
const LOGIN_SUCCESS: &str = "identity.authenticate.success";

pub(super) fn judge(facts: &Facts, report: &mut Report) {
    format_by_listening(facts, report);
    let ids = [Id::PublisherRetry, Id::LoginSuccessHidden, Id::BasicFormat, Id::ProxyHeadersIgnored];
    for (path, file) in &facts.services {
        match file {
            Ok(file) => by_file(path, file, report),
            Err(why) => ids.into_iter().for_each(|id| report.unchecked(id, path, why)),
        }
    }
    if facts.services.is_empty() {
        ids.into_iter().for_each(|id| report.unchecked(id, SERVICE_CONFIG, NO_SERVICE_CONFIG));
    } else if !facts.services.iter().any(|(_, file)| file.as_ref().is_ok_and(|file| file.is_keystone)) {
        for id in [Id::LoginSuccessHidden, Id::BasicFormat] {
            report.unchecked(
                id,
                SERVICE_CONFIG,
                "needs Keystone's file: give --service-config keystone.conf",
            );
        }
    }
}

fn by_file(path: &str, file: &ServiceFile, report: &mut Report) {
    if file.publishes() {
        let seen = format!("`retry` is {}", file.retry);
        report.judged(Id::PublisherRetry, path, file.retry < 0, seen);
    } else {
        report.unchecked(Id::PublisherRetry, path, "it sends no notifications");
    }
    let seen = format!("`enable_proxy_headers_parsing` is {}", file.proxy_headers);
    report.judged(Id::ProxyHeadersIgnored, path, !file.proxy_headers, seen);
    if file.is_keystone {
        let (is_found, seen) = match file.opt_out.as_deref() {
            None => (true, "`notification_opt_out` is not set, and its default holds it".to_owned()),
            Some([]) => (false, "`notification_opt_out` is empty".to_owned()),
            Some(types) => (
                types.iter().any(|event_type| event_type == LOGIN_SUCCESS),
                format!("`notification_opt_out` is {}", names(types.iter().map(String::as_str))),
            ),
        };
        report.judged(Id::LoginSuccessHidden, path, is_found, seen);
        let seen = format!("`notification_format` is {}", quoted(&file.format));
        report.judged(Id::BasicFormat, path, file.format == "basic", seen);
    }
}

fn format_by_listening(facts: &Facts, report: &mut Report) {
    let id = Id::BasicFormat;
    match &facts.heard {
        Err(why) => report.unchecked(id, LISTENING, why),
        Ok(heard) if heard.basic + heard.cadf == 0 => {
            report.unchecked(id, LISTENING, "no change in Keystone was heard that would tell the format");
        }
        Ok(heard) => {
            let of = count(heard.basic + heard.cadf, "change");
            let seen = format!("{} of {of} in Keystone name nobody", heard.basic);
            // In CADF a few do so too: what `keystone-manage` does, and what follows from another change.
            report.judged(id, LISTENING, heard.basic > heard.cadf, seen);
        }
    }
}
