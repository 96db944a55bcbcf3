#!/bin/sh
# Makes the account with which osel reads a cloud, by an administrator's `openstack` command: the user `osel`, which may read the network
# of all projects (by the role `auditor` of neutron-policy.yaml) and the names that Keystone keeps, and may change nothing.
set -eu

openstack role create --or-show auditor
openstack project create --or-show --domain Default monitoring
# It asks for the password, so that it stands in no history.
openstack user create --or-show --domain Default --password-prompt osel
openstack role add --user osel --user-domain Default --project monitoring --project-domain Default auditor
# For the names of users, projects, domains, groups and roles; without it osel shows ids.
openstack role add --user osel --user-domain Default --system all reader
